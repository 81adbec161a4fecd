import errno
import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import fs

from greycard.datasets.storage import Folder


def test_a_full_disk_is_said_with_its_folder_and_leaves_no_piece(tmp_path, monkeypatch):
    folder = Folder.open(tmp_path)
    folder.write("kept", b"whole")

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=rf"no space left on the disk of {tmp_path}.* start the same command") as error:
        folder.write("lost", b"half")
    assert error.value.errno == errno.ENOSPC
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_parquet_files_are_listed_and_read_without_hidden_ones(tmp_path):
    table = pa.table({"id": ["a", "b"], "value": [1.5, 2.5]})
    for name in ("2.parquet", "1.parquet", "_hidden.parquet", ".half.parquet", "notes.txt", "below/3.parquet"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        pq.write_table(table, tmp_path / name)
    folder = Folder.open(tmp_path)
    assert folder.parquet_names() == ["1.parquet", "2.parquet"]
    assert folder.parquet_names(recursive=True) == ["1.parquet", "2.parquet", "below/3.parquet"]
    assert [part.to_pydict() for part in folder.tables(("value",))] == [{"value": [1.5, 2.5]}] * 2
    assert folder.table("1.parquet").equals(table)
    with folder.parquet("2.parquet") as file:
        assert (file.metadata.num_rows, file.schema_arrow.names) == (2, ["id", "value"])


def test_parquet_files_of_an_object_store_are_read_alike(tmp_path):
    store = fs.SubTreeFileSystem(str(tmp_path), fs.LocalFileSystem())
    folder = Folder("s3://bucket/rows", store, "bucket/rows")
    folder.create()
    with store.open_output_stream("bucket/rows/1.parquet") as sink:
        pq.write_table(pa.table({"id": ["a"]}), sink)
    assert [part.to_pydict() for part in folder.tables()] == [{"id": ["a"]}]
    assert list(Folder("s3://bucket/none", store, "bucket/none").tables()) == []
