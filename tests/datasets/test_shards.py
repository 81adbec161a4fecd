import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import fs

from greycard.datasets import storage
from greycard.datasets.faces import FacesConfig
from greycard.datasets.loading import load_images
from greycard.datasets.manifest import Manifest, ManifestError, check_attributes, check_classes
from greycard.datasets.pixels import ImageError, decode_image, encode_png
from greycard.datasets.records import DataError, Source
from greycard.datasets.shards import write_shards
from greycard.datasets.splits import SplitConfig
from greycard.datasets.subsets import SubsetConfig

BY_IMAGE = SplitConfig(by="image", train=0.5, val=0.2, test=0.3, exact=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plain(Source):
    """40 flat pictures; image n has the gray level n. ``bad`` names what is wrong with it."""

    kind: Literal["plain"] = "plain"
    count: int = 40
    bad: str = ""
    stop_after: int = 1_000_000

    def attributes(self):
        return {"tone": ("dark", "light", "never")}

    def index(self):
        labels = [("dark", "light")[n % 2] for n in range(self.count)]
        ids = [f"i{n:03d}" for n in range(self.count)]
        if self.bad == "label":
            labels[7] = "ligth"
        if self.bad == "unlabelled":
            labels[7] = None
        if self.bad == "duplicate":
            ids[5] = ids[4]
        if self.bad == "no id":
            ids[5] = None
        name = "tones" if self.bad == "column" else "tone"
        people = [f"p{n // 4}" for n in range(self.count)]
        return pa.table({"image_id": ids, name: labels, "identity": people, "number": list(range(self.count))})

    def load(self, rows):
        numbers = rows["number"].to_pylist()
        if max(numbers) >= self.stop_after:
            raise OSError("the disk went away")
        return [self.image(number) for number in numbers]

    def image(self, number):
        if self.bad == "images" and number < 4:
            return [b"", b"not an image", encode_png(np.zeros((8, 8, 3), np.uint8))[:40], b"\xff\xd8\xff"][number]
        return encode_png(np.full((8, 8, 3), number, np.uint8))


class OldPlain(Plain):
    version = "0"


def write(directory, source=None, **options):
    options = {"split": BY_IMAGE, "rows_per_shard": 8, "row_group_rows": 3} | options
    return write_shards(source or Plain(), directory, **options)


def contents(directory):
    return {name: (directory / name).read_bytes() for name in sorted(os.listdir(directory))}


def test_columns_row_groups_and_compression_are_as_stated(tmp_path):
    manifest = write(tmp_path / "s")
    file = pq.ParquetFile(manifest.files("train")[0])
    names = file.schema_arrow.names
    assert names == ["image_id", "image", "split", "identity", "tone"]
    assert file.schema_arrow.field("image").type == pa.binary()
    assert pa.types.is_dictionary(file.schema_arrow.field("tone").type)
    assert [file.metadata.row_group(n).num_rows for n in range(3)] == [3, 3, 2]
    assert file.metadata.row_group(0).column(1).compression == "UNCOMPRESSED"
    tone = file.read()["tone"].chunk(0)
    assert tone.dictionary.to_pylist() == ["dark", "light", "never"]


def test_manifest_counts_every_class_and_hashes_every_file(tmp_path):
    manifest = write(tmp_path / "s")
    assert manifest.rows == {"train": 20, "val": 8, "test": 12}
    assert manifest.num_rows() == 40
    assert manifest.splits == ("train", "val", "test")
    for split in manifest.splits:
        counts = manifest.counts[split]["tone"]
        assert list(counts) == ["dark", "light", "never"]
        assert counts["never"] == 0
        assert sum(counts.values()) == manifest.num_rows(split)
        labels = [row["tone"] for file in manifest.files(split) for row in pq.read_table(file).to_pylist()]
        assert counts["dark"] == labels.count("dark")
    for file, shard in zip(manifest.files(), manifest.shards, strict=True):
        assert hashlib.sha256(Path(file).read_bytes()).hexdigest() == shard.sha256
    assert Manifest.load(tmp_path / "s") == manifest
    assert Manifest.load(f"{tmp_path}/s/manifest.json") == manifest
    assert not manifest.drawn


def test_same_config_gives_the_same_bytes_whatever_the_threads_and_place(tmp_path):
    one, many = write(tmp_path / "a", threads=1), write(tmp_path / "b", threads=5)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert one.digest == many.digest
    assert write(tmp_path / "c", split=SplitConfig(seed=1, exact=True)).digest != one.digest


def test_a_finished_folder_is_returned_without_work(tmp_path):
    first = write(tmp_path / "s")
    before = {name: (tmp_path / "s" / name).stat().st_mtime_ns for name in os.listdir(tmp_path / "s")}
    assert write(tmp_path / "s") == first
    assert {name: (tmp_path / "s" / name).stat().st_mtime_ns for name in os.listdir(tmp_path / "s")} == before


def test_a_killed_run_goes_on_where_it_stopped(tmp_path, monkeypatch):
    whole = write(tmp_path / "whole")
    folder_write, written = storage.Folder.write, []

    def dies_after_three(self, name, data):
        if len(written) == 4:
            raise KeyboardInterrupt
        written.append(name)
        folder_write(self, name, data)

    monkeypatch.setattr(storage.Folder, "write", dies_after_three)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "s")
    with pytest.raises(ManifestError, match=r"no manifest.json.*wait until they"):
        Manifest.load(tmp_path / "s")
    assert written[1:] == [f"train-{n:05d}-of-00003.parquet" for n in range(3)]
    monkeypatch.setattr(storage.Folder, "write", folder_write)
    kept = {name: (tmp_path / "s" / name).stat().st_mtime_ns for name in written[1:]}
    assert write(tmp_path / "s") == Manifest.from_json(whole.to_json(), str(tmp_path / "s"))
    assert contents(tmp_path / "s") == contents(tmp_path / "whole")
    assert {name: (tmp_path / "s" / name).stat().st_mtime_ns for name in kept} == kept


def test_a_damaged_leftover_is_written_again(tmp_path):
    whole = write(tmp_path / "whole")
    write(tmp_path / "s")
    (tmp_path / "s" / whole.shards[0].name).write_bytes(b"PAR1 rubbish")
    write(tmp_path / "s")
    assert contents(tmp_path / "s") == contents(tmp_path / "whole")


def test_a_failing_source_leaves_no_manifest_and_no_temporary_files(tmp_path):
    with pytest.raises(OSError, match="the disk went away"):
        write(tmp_path / "s", Plain(stop_after=20))
    names = os.listdir(tmp_path / "s")
    assert "manifest.json" not in names
    assert not [name for name in names if name.endswith(".tmp")]


def test_another_config_in_the_folder_is_an_error_with_a_way_out(tmp_path):
    write(tmp_path / "s")
    with pytest.raises(ManifestError, match="another config; choose another directory, or set overwrite=true"):
        write(tmp_path / "s", Plain(count=36))
    replaced = write(tmp_path / "s", Plain(count=36), overwrite=True)
    files = [name for name in os.listdir(tmp_path / "s") if name.endswith(".parquet")]
    assert sorted(files) == sorted(shard.name for shard in replaced.shards)


def test_unfinished_and_foreign_files_are_not_mixed_in(tmp_path):
    with pytest.raises(OSError):
        write(tmp_path / "s", Plain(stop_after=30))
    with pytest.raises(ManifestError, match="unfinished shards of another config"):
        write(tmp_path / "s")
    assert write(tmp_path / "s", overwrite=True).num_rows() == 40
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "train-00000-of-00001.parquet").write_bytes(b"mine")
    with pytest.raises(ManifestError, match="without a manifest"):
        write(tmp_path / "t")


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ("label", "column 'tone' .*'i007'.*unknown label 'ligth'; did you mean 'light'"),
        ("duplicate", "column 'image_id': 1 ids occur more than once, for example i004"),
        ("no id", "every row needs an id"),
        ("column", "unknown column 'tone'; did you mean 'tones'"),
    ],
)
def test_bad_rows_are_refused_before_any_work(tmp_path, bad, message):
    with pytest.raises(DataError, match=message):
        write(tmp_path / "s", Plain(bad=bad, stop_after=0))
    assert not (tmp_path / "s").exists()


def test_unlabelled_rows_are_kept_and_counted(tmp_path):
    manifest = write(tmp_path / "s", Plain(bad="unlabelled"))
    assert sum(manifest.unlabelled[split]["tone"] for split in manifest.splits) == 1
    codes = [load_images(tmp_path / "s", split, size=8).labels["tone"].tolist() for split in manifest.splits]
    assert sorted(code for part in codes for code in part) == [-1] + [0] * 20 + [1] * 19


def test_unreadable_images_are_written_as_they_are(tmp_path):
    manifest = write(tmp_path / "s", Plain(bad="images"), split=SplitConfig(by="image", train=1, val=0, test=0))
    assert manifest.num_rows() == 40
    assert manifest.missing["train"] == 1
    images = {row["image_id"]: row["image"] for file in manifest.files() for row in pq.read_table(file).to_pylist()}
    assert [images[f"i{n:03d}"] for n in range(4)] == [Plain(bad="images").image(n) for n in range(4)]
    with pytest.raises(ImageError, match=r"4 of 40 images.*allowed are 0.*i000: empty"):
        load_images(tmp_path / "s", "train", size=8)
    loaded = load_images(tmp_path / "s", "train", size=8, max_failed=4)
    assert sorted(loaded.failed) == ["i000", "i001", "i002", "i003"]
    assert loaded.ids == [f"i{n:03d}" for n in range(4, 40)]
    assert loaded.images[:, 0, 0, 0].tolist() == list(range(4, 40))
    assert len(loaded.labels["tone"]) == len(loaded.identities) == 36


def test_loaded_rows_belong_together(tmp_path):
    write(tmp_path / "s")
    for split, count in (("train", 20), ("val", 8), ("test", 12)):
        loaded = load_images(tmp_path / "s", split, size=8)
        numbers = [int(name[1:]) for name in loaded.ids]
        assert loaded.images.shape == (count, 3, 8, 8)
        assert loaded.images[:, 2, 5, 3].tolist() == numbers
        assert loaded.labels["tone"].tolist() == [number % 2 for number in numbers]
        assert loaded.identities == [f"p{number // 4}" for number in numbers]


def test_loading_another_size(tmp_path):
    write(tmp_path / "s")
    assert load_images(tmp_path / "s", "val", size=4).images.shape[2:] == (4, 4)
    with pytest.raises(ImageError, match="wrong size: expected 4x4, got 8x8"):
        load_images(tmp_path / "s", "val", size=4, resize=False)


def test_names_are_checked_before_loading(tmp_path):
    manifest = write(tmp_path / "s")
    with pytest.raises(ManifestError, match="unknown attribute 'ton'; did you mean 'tone'"):
        load_images(tmp_path / "s", "train", size=8, attributes=["ton"])
    with pytest.raises(ManifestError, match="unknown split 'tran'; did you mean 'train'"):
        load_images(tmp_path / "s", "tran", size=8)
    with pytest.raises(ManifestError, match=r"python -m jobs\.shards"):
        load_images(tmp_path / "nowhere", "train", size=8)
    check_attributes(manifest, ["tone"])
    check_classes(manifest, {"tone": ("dark", "light", "never")})
    with pytest.raises(ManifestError, match="has the classes"):
        check_classes(manifest, {"tone": ("light", "dark", "never")})


def test_changed_and_missing_files_are_noticed(tmp_path):
    manifest = write(tmp_path / "s")
    shard = tmp_path / "s" / manifest.shards_of("val")[0].name
    data = bytearray(shard.read_bytes())
    data[100] ^= 1
    shard.write_bytes(data)
    with pytest.raises(ManifestError, match="differs from its manifest"):
        load_images(tmp_path / "s", "val", size=8)
    shard.unlink()
    with pytest.raises(ManifestError, match="missing; write the shards again"):
        load_images(tmp_path / "s", "val", size=8)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"format": 2}', '{"format": 1}', '{"format": 1, "a": 2}'])
def test_a_file_that_is_no_manifest_is_refused(tmp_path, text):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(ManifestError, match=str(tmp_path)):
        Manifest.load(tmp_path)


def test_subsets_are_recorded(tmp_path):
    subset = SubsetConfig(keep={"tone": ("dark",)}, attribute="tone", per_class=2)
    manifest = write(tmp_path / "s", subset=subset)
    assert manifest.counts["test"]["tone"] == {"dark": 2, "light": 0, "never": 0}
    assert manifest.made["subset"]["keep"] == {"tone": ["dark"]}
    assert json.loads((tmp_path / "s" / "manifest.json").read_text())["rows"]["test"] == 2


def test_attributes_cannot_take_the_columns_of_shards_and_audits(tmp_path):
    class Clash(Plain):
        def attributes(self):
            return {"status": ("dark", "light")}

        def index(self):
            return pa.table({"image_id": ["a"], "status": ["dark"], "number": [1]})

    with pytest.raises(DataError, match="'status' is taken"):
        write(tmp_path / "s", Clash())


def test_another_version_of_the_rows_is_another_config(tmp_path):
    write(tmp_path / "s", OldPlain())
    with pytest.raises(ManifestError, match="another config"):
        write(tmp_path / "s", Plain())


def test_drawn_faces_say_so_and_keep_people_together(tmp_path):
    manifest = write_shards(FacesConfig(count=64, size=32), tmp_path / "s", split=SplitConfig(exact=True))
    assert manifest.drawn
    assert "drawn" in manifest.dataset
    people = [set(load_images(tmp_path / "s", split, size=32).identities) for split in manifest.splits]
    assert sum(map(len, people)) == len(set.union(*people)) == 16
    assert sum(manifest.identities.values()) == 16


@pytest.mark.parametrize("options", ["", "?endpoint_override=http://127.0.0.1:9000"])
def test_an_object_store_serves_as_a_folder(tmp_path, monkeypatch, options):
    """pyarrow's file systems stand in for each other; here a local one that is not a LocalFileSystem."""
    (tmp_path / "bucket").mkdir()
    store = fs.SubTreeFileSystem(str(tmp_path / "bucket"), fs.LocalFileSystem())

    class Opener:
        @staticmethod
        def from_uri(uri):
            assert uri.startswith("s3://")
            return store, uri.removeprefix("s3://").partition("?")[0]

    monkeypatch.setattr(fs, "FileSystem", Opener)
    uri = f"s3://shards/plain{options}"
    manifest = write(uri)
    assert manifest.files("val") == [f"s3://shards/plain/val-00000-of-00001.parquet{options}"]
    assert Manifest.load(uri).digest == write(tmp_path / "local").digest == manifest.digest
    assert Manifest.load(f"s3://shards/plain/manifest.json{options}") == manifest
    assert load_images(uri, "val", size=8).images.shape == (8, 3, 8, 8)
    assert (tmp_path / "bucket" / "shards" / "plain" / "manifest.json").is_file()


def test_an_unknown_scheme_is_refused():
    with pytest.raises(ValueError, match=r"s3://bucket/folder is expected"):
        Manifest.load("http://example.org/shards")


def test_stored_images_decode_to_what_was_drawn(tmp_path):
    manifest = write(tmp_path / "s")
    row = pq.read_table(manifest.files("test")[0]).slice(0, 1).to_pylist()[0]
    assert (decode_image(row["image"]) == int(row["image_id"][1:])).all()
