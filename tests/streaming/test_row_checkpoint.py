import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from greycard.datasets.storage import Folder
from greycard.streaming.row_checkpoint import committed_rows, drop_duplicates, sweep, written_ids


@pytest.fixture
def folders(tmp_path):
    output, checkpoint = Folder.open(tmp_path / "rows"), Folder.open(tmp_path / "marks")
    output.create()
    checkpoint.create()
    return output, checkpoint


def put(folder, name, *ids):
    pq.write_table(pa.table({"image_id": pa.array(ids, pa.string())}), folder.path_of(name))


def test_rows_and_their_marks_are_kept_only_together(folders):
    output, checkpoint = folders
    put(output, "a_000000-0.parquet", "1")
    put(checkpoint, "a_000000.parquet", "1")
    put(output, "a_000001-0.parquet", "2")  # a worker wrote it after its driver had died
    put(checkpoint, "a_000002.parquet", "3")  # committed while the next run deleted its rows
    put(output, "a_000003-0.parquet", "4")
    put(checkpoint, "a_000003.pending.parquet", "4")  # Ray's to undo
    output.write("_config.json", b"{}")

    sweep(output, checkpoint)
    assert output.names() == ["_config.json", "a_000000-0.parquet", "a_000003-0.parquet"]
    assert checkpoint.names() == ["a_000000.parquet", "a_000003.pending.parquet"]


def test_rows_that_were_written_twice_stay_once(folders):
    output, _ = folders
    put(output, "a-0.parquet", "1", "2")
    put(output, "b-0.parquet", "2", "3")
    assert drop_duplicates(output) == 1
    assert list(written_ids(output)) == [["1", "2"], ["3"]]
    assert drop_duplicates(output) == 0


def test_progress_counts_what_is_committed(folders):
    _, checkpoint = folders
    put(checkpoint, "a.parquet", "1", "2")
    put(checkpoint, "b.pending.parquet", "3")
    counted = {}
    assert committed_rows(checkpoint, counted) == 2
    put(checkpoint, "c.parquet", "4")
    assert committed_rows(checkpoint, counted) == 3


def test_folders_that_do_not_exist_are_empty(tmp_path):
    nothing = Folder.open(tmp_path / "none")
    sweep(nothing, nothing)
    assert list(written_ids(nothing)) == []
