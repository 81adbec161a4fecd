import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from greycard.audits.restoration.tables import build_table, explode
from greycard.audits.tables import AuditError, failures, missing_ids, write_table
from greycard.datasets.storage import Folder


def rows(*ids, points=(2.0, 1.0)):
    count = len(ids)
    return pa.table(
        {
            "image_id": pa.array(ids, pa.string()),
            "race": pa.array(["Asian"] * count, pa.string()).dictionary_encode(),
            "point": pa.array([list(points)] * count, pa.list_(pa.float64())),
            "reconstruction": pa.array([[b"x"] * len(points)] * count, pa.list_(pa.binary())),
            "mse": pa.array([[10.0 * index + point for point in points] for index in range(count)]),
            "pred_race": pa.array([[[1, 2]] * len(points)] * count, pa.list_(pa.list_(pa.int8()))),
            "status": [["ok", "failed"]] * count,
            "error": [["", "why"]] * count,
        }
    )


@pytest.fixture
def output(tmp_path):
    folder = Folder.open(tmp_path)
    pq.write_table(rows("b", "d"), tmp_path / "1.parquet")
    pq.write_table(rows("c", "a"), tmp_path / "2.parquet")
    return folder


def test_lists_are_taken_apart_row_by_row():
    table = explode(rows("a", "b").drop_columns(["reconstruction"]), "s")
    assert table["image_id"].to_pylist() == ["a", "a", "b", "b"]
    assert table["mse"].to_pylist() == [2.0, 1.0, 12.0, 11.0]
    assert table["pred_race"].to_pylist() == [[1, 2]] * 4
    assert table["race"].type == pa.string()
    assert set(table["system"].to_pylist()) == {"s"}


def test_the_table_is_sorted_and_holds_no_image(output):
    table = build_table(output, "s")
    assert list(zip(table["image_id"].to_pylist(), table["point"].to_pylist(), strict=True)) == [
        (name, point) for name in "abcd" for point in (1.0, 2.0)
    ]
    assert "reconstruction" not in table.column_names


def test_the_same_rows_in_other_files_give_the_same_bytes(output, tmp_path):
    first = write_table(build_table(output, "s"), output, "one.table")
    other = Folder.open(tmp_path / "other")
    other.create()
    whole = pa.concat_tables([pq.read_table(tmp_path / "2.parquet"), pq.read_table(tmp_path / "1.parquet")])
    pq.write_table(whole, other.path_of("all.parquet"), row_group_size=1)
    assert write_table(build_table(other, "s"), other, "two.table") == first


def test_every_image_is_accounted_for(output, tmp_path):
    assert missing_ids(output, "abcd") == set()
    assert missing_ids(output, "abcdef") == {"e", "f"}
    with pytest.raises(AuditError, match=r"1 images that are not in the shards \(d\)"):
        missing_ids(output, "abc")
    pq.write_table(rows("a"), tmp_path / "3.parquet")
    with pytest.raises(AuditError, match=r"more than once \(a\)"):
        missing_ids(output, "abcd")


def test_failures_are_counted_with_examples():
    count, examples = failures(explode(rows("a", "b").drop_columns(["reconstruction"]), "s"))
    assert count == 2
    assert examples == ["a at point 1: why", "b at point 1: why"]
