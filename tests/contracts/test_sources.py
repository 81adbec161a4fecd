"""The contract of data sources, over the whole table: each adapter on a tiny fixture in the published layout.

A new data set adds its fixture here: a function that lays out a few files and returns the config.
"""

import csv
import io
import json
from dataclasses import dataclass, field
from typing import get_args

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from greycard.config import ConfigError, from_dict, override, to_dict
from greycard.datasets.celeba import ATTRIBUTES, CelebAConfig
from greycard.datasets.cifar10 import FILES, Cifar10Config
from greycard.datasets.demogpairs import DemogPairsConfig
from greycard.datasets.facearg import FaceArgConfig
from greycard.datasets.faces import FacesConfig
from greycard.datasets.fairface import FairFaceConfig
from greycard.datasets.ffhq import FfhqConfig
from greycard.datasets.folder import FolderConfig
from greycard.datasets.huggingface import HuggingFaceConfig
from greycard.datasets.loading import load_images
from greycard.datasets.mnist import MnistConfig
from greycard.datasets.photos import PhotosConfig
from greycard.datasets.pixels import decode_image
from greycard.datasets.records import MissingDataError, Record, checked_index
from greycard.datasets.rfw import RfwConfig
from greycard.datasets.shards import write_shards
from greycard.datasets.siim import SiimConfig
from greycard.datasets.sources import SOURCES, AnySource, SourceConfig, open_source
from greycard.datasets.splits import SplitConfig
from greycard.datasets.table import TableConfig
from greycard.datasets.utkface import UtkFaceConfig
from greycard.schema import PHENOTYPES


def picture(path, seed, size=(12, 10), **save):
    """Write a small picture of its own; returns its bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, **save)
    return path.read_bytes()


def write_csv(path, rows):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)


def faces(root):
    return FacesConfig(count=24, size=32)


def photos(root):
    return PhotosConfig(names=("cat", "temple"), limit=12)


def mnist(root):
    return MnistConfig(per_digit=3)


RFW_COLUMNS = [
    *(f"skintype_type{number}" for number in range(1, 7)),
    *("lips_big", "lips_small", "nose_narrow", "nose_wide", "eye_narrow", "eye_normal"),
    *("hairtype_bald", "hairtype_curly", "hairtype_straight", "hairtype_wavy"),
    *("haircolor_black", "haircolor_blonde", "haircolor_brown", "haircolor_gray", "haircolor_red"),
]
RFW_HOT = {
    "African": ("skintype_type6", "lips_big", "nose_wide", "eye_normal", "hairtype_curly", "haircolor_black"),
    "Asian": ("skintype_type3", "lips_small", "nose_narrow", "eye_narrow", "hairtype_straight", "haircolor_brown"),
    "Caucasian": ("skintype_type2", "lips_small", "nose_narrow", "eye_normal", "hairtype_wavy", "haircolor_blonde"),
    "Indian": ("skintype_type4", "lips_big", "nose_wide", "eye_normal", "hairtype_bald", "haircolor_gray"),
}


def rfw(root):
    """RFW's test tree and the phenotype CSV: 40,607 rows as published, here 16; the CSV says .png, the tree .jpg."""
    rows = [["", "File", "Class_ID", *RFW_COLUMNS]]
    for race, hot in RFW_HOT.items():
        for who in ("m.011y5k", "m.0zz9q"):
            identity = f"{who}{race[:2].lower()}"
            for number in (1, 3):
                stem = f"{identity}_{number:04d}"
                picture(root / "test" / "data" / race / identity / f"{stem}.jpg", len(rows))
                rows.append(
                    [len(rows) - 1, f"{stem}.png", f"{race}/{identity}", *(int(name in hot) for name in RFW_COLUMNS)]
                )
    write_csv(root / "labels.csv", rows)
    return RfwConfig(root=str(root), labels="labels.csv")


def celeba(root, ending="txt"):
    files = [f"{number:06d}.jpg" for number in range(1, 9)]
    for seed, file in enumerate(files):
        picture(root / "img_align_celeba" / file, seed, (178, 218))
    values = [[1 if (number + column) % 3 else -1 for column in range(40)] for number in range(8)]
    parts = [0, 0, 0, 0, 1, 1, 2, 2]
    if ending == "txt":
        lines = ["8", " ".join(ATTRIBUTES) + " "]
        lines += [f"{file} " + " ".join(f"{v:2d}" for v in row) for file, row in zip(files, values, strict=True)]
        (root / "list_attr_celeba.txt").write_text("\n".join(lines) + "\n")
        pairs = [f"{file} {part}" for file, part in zip(files, parts, strict=True)]
        (root / "list_eval_partition.txt").write_text("\n".join(pairs))
    else:
        rows = [[file, *row] for file, row in zip(files, values, strict=True)]
        write_csv(root / "list_attr_celeba.csv", [["image_id", *ATTRIBUTES], *rows])
        write_csv(root / "list_eval_partition.csv", [["image_id", "partition"], *zip(files, parts, strict=True)])
    (root / "identity_CelebA.txt").write_text("".join(f"{file} {2880 + n // 2}\n" for n, file in enumerate(files)))
    return CelebAConfig(root=str(root))


def fairface(root):
    labels = [("3-9", "Male", "East Asian"), ("50-59", "Female", "Black"), ("more than 70", "Male", "Latino_Hispanic")]
    for part in ("train", "val"):
        rows = [["file", "age", "gender", "race", "service_test"]]
        for number, label in enumerate(labels, start=1):
            picture(root / part / f"{number}.jpg", number)
            rows.append([f"{part}/{number}.jpg", *label, "True"])
        write_csv(root / f"fairface_label_{part}.csv", rows)
    return FairFaceConfig(root=str(root))


def facearg(root):
    rows = [["path", "race", "gender", "age"]]
    for number, race in enumerate(("African", "Asian", "Caucasian", "Indian", "African", "Indian")):
        picture(root / "images" / f"{number}.png", number)
        rows.append([f"images/{number}.png", race, ("female", "male")[number % 2], ("young", "old")[number % 2]])
    write_csv(root / "facearg.csv", rows)
    return FaceArgConfig(root=str(root))


def demogpairs(root):
    (root / "metadata").mkdir(parents=True)
    for number, race in enumerate(("Asian", "Black", "White")):
        for gender in ("Females", "Males"):
            lines = ["db_code image_path"]
            for image in (1, 2):
                identity = f"n{number:03d}{gender[0]}"
                picture(root / "images" / identity / f"{image:04d}_01.jpg", image)
                lines.append(f"VGGFace2 {identity}/{image:04d}_01.jpg")
            (root / "metadata" / f"{race}_{gender}.txt").write_text("\n".join(lines) + "\n")
    return DemogPairsConfig(root=str(root))


def utkface(root):
    """UTKFace as unpacked: 23,708 files in one folder, three of them without a race; here eight and one."""
    folder = root / "UTKFace"
    for number, labels in enumerate(("1_0_0", "30_1_1", "31_0_2", "60_1_3", "61_0_4", "100_1_0", "26_1_2", "35_0_3")):
        picture(folder / f"{labels}_2017011{number}150557335.jpg.chip.jpg", number, (200, 200))
    picture(folder / "39_1_20170116174525125.jpg.chip.jpg", 9)
    return UtkFaceConfig(root=str(root))


SIIM_HEADER = [
    "image_name", "patient_id", "sex", "age_approx", "anatom_site_general_challenge", "diagnosis", "benign_malignant",
    "target",
]  # fmt: skip


def siim(root):
    """The challenge's train.csv and jpeg/train: 33,126 rows, here eight of four patients; one without a sex."""
    rows = [SIIM_HEADER]
    for number in range(8):
        name, malignant = f"ISIC_{2637011 + 37 * number:07d}", number == 5
        picture(root / "jpeg" / "train" / f"{name}.jpg", number, (30, 20))
        word, sex = ("benign", "malignant")[malignant], "" if number == 3 else ("male", "female")[number // 2 % 2]
        rows.append([name, f"IP_{number // 2:07d}", sex, 45.0, "torso", "unknown", word, int(malignant)])
    write_csv(root / "train.csv", rows)
    return SiimConfig(root=str(root))


def cifar10(root):
    """The binary version: five training files and one for testing of 10,000 records, here of six."""
    numbers = np.random.default_rng(0)
    (root / "cifar-10-batches-bin").mkdir()
    for file in (file for part in FILES.values() for file in part):
        records = numbers.integers(0, 256, (6, 3073), dtype=np.uint8)
        records[:, 0] = numbers.permutation(10)[:6]
        (root / "cifar-10-batches-bin" / file).write_bytes(records.tobytes())
    return Cifar10Config(root=str(root))


def ffhq(root):
    """Thumbnails, a folder a thousand, the JSON with each image's category, and a table of ages and genders."""
    entries = {}
    for number in (0, 1, 999, 1000, 1001, 60000):
        place = f"{number - number % 1000:05d}/{number:05d}.png"
        picture(root / "thumbnails128x128" / place, number, (128, 128))
        entries[str(number)] = {
            "category": "training" if number < 60000 else "validation",
            "image": {"file_path": f"images1024x1024/{place}", "pixel_size": [1024, 1024]},
            "thumbnail": {"file_path": f"thumbnails128x128/{place}", "pixel_size": [128, 128]},
        }
    (root / "ffhq-dataset-v2.json").write_text(json.dumps(entries))
    rows = [[number, ("20-29", "30-39")[number % 2], ("female", "male")[number % 2]] for number in (0, 1, 1000, 60000)]
    write_csv(root / "ffhq_aging_labels.csv", [["image_number", "age_group", "gender"], *rows])
    return FfhqConfig(root=str(root), labels="ffhq_aging_labels.csv", classes={"age_group": (), "gender": ()})


def folder(root):
    for number in range(6):
        picture(root / ("indoor", "outdoor")[number % 2] / f"{number}.png", number)
    (root / "indoor" / "notes.txt").write_text("not an image")
    return FolderConfig(root=str(root), attribute="scene")


def table(root):
    rows = [["file", "person", "part", "Tone"]]
    for number in range(6):
        picture(root / f"{number}.png", number)
        rows.append([f"{number}.png", f"p{number // 2}", ("train", "test")[number % 2], ("light", "dark")[number % 2]])
    write_csv(root / "list.csv", rows)
    return TableConfig(
        root=str(root),
        path="list.csv",
        image="file",
        identity="person",
        split="part",
        classes={"tone": ("light", "dark")},
        columns={"tone": "Tone"},
    )


def huggingface(root, row_group_size=3):
    """Parquet as the datasets library writes it: image struct, label ids, names in the schema metadata."""
    features = {
        "image": {"_type": "Image"},
        "label": {"names": ["cat", "dog"], "_type": "ClassLabel"},
        "caption": {"dtype": "string", "_type": "Value"},
    }
    (root / "data").mkdir(parents=True)
    for split, count in (("train", 7), ("validation", 3)):
        images = [{"bytes": picture(root / "made.png", seed), "path": f"{seed}.png"} for seed in range(count)]
        columns = {
            "image": pa.array(images, pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
            "label": pa.array([-1 if row == 1 else row % 2 for row in range(count)], pa.int64()),
            "caption": pa.array(["a picture"] * count),
        }
        made = pa.table(columns)
        made = made.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
        pq.write_table(made, root / "data" / f"{split}-00000-of-00001.parquet", row_group_size=row_group_size)
    (root / "made.png").unlink()
    return HuggingFaceConfig(path=str(root))


FIXTURES = {
    "faces": faces,
    "photos": photos,
    "mnist": mnist,
    "rfw": rfw,
    "celeba": celeba,
    "fairface": fairface,
    "facearg": facearg,
    "demogpairs": demogpairs,
    "utkface": utkface,
    "siim": siim,
    "cifar10": cifar10,
    "ffhq": ffhq,
    "folder": folder,
    "table": table,
    "huggingface": huggingface,
}
READS_FILES = [kind for kind in FIXTURES if kind not in ("faces", "photos", "mnist")]
LISTED_BY_FOLDER = ("folder", "utkface")  # what is not in the folder is not in the data set
PACKED = ("huggingface", "cifar10")  # many images in a file

kinds = pytest.mark.parametrize("kind", SOURCES)


@pytest.fixture
def config(kind, tmp_path):
    root = tmp_path / "source"
    root.mkdir()
    return FIXTURES[kind](root)


def test_every_source_has_a_fixture_and_a_place_in_the_union():
    assert set(FIXTURES) == set(SOURCES)
    assert list(get_args(AnySource)) == list(SOURCES.values())


@kinds
def test_config_survives_a_round_trip_and_is_chosen_by_its_kind(kind, config):
    assert config.kind == kind
    assert from_dict(SOURCES[kind], to_dict(config)) == config
    with pytest.raises(ConfigError, match="unknown field"):
        override(config, ["no_such_field=1"])


@kinds
def test_records_are_labelled_images_with_unique_ids(kind, config):
    source = open_source(config)
    attributes = source.attributes()
    records = list(source.records())
    assert records
    assert len({record.image_id for record in records}) == len(records)
    for record in records:
        assert isinstance(record, Record)
        assert decode_image(record.image).dtype == np.uint8
        assert list(record.labels) == list(attributes)
        for name, label in record.labels.items():
            assert label is None or label in attributes[name]


@kinds
def test_index_agrees_with_records_and_reads_no_pixels(kind, config, monkeypatch):
    source = open_source(config)
    records = list(source.records())
    monkeypatch.setattr(type(source), "load", lambda *_: pytest.fail("the index read an image"))
    index = checked_index(source.index(), source.attributes())
    assert index["image_id"].to_pylist() == [record.image_id for record in records]
    assert index["split"].to_pylist() == [record.split for record in records]
    assert index["identity"].to_pylist() == [record.identity for record in records]


@kinds
def test_any_rows_load_in_any_order(kind, config):
    source = open_source(config)
    records = list(source.records())
    index = checked_index(source.index(), source.attributes())
    chosen = np.random.default_rng(0).permutation(len(records))[:5]
    assert source.load(index.take(pa.array(chosen))) == [records[row].image for row in chosen]


@kinds
def test_shards_hold_every_record(kind, config, tmp_path):
    source = open_source(config)
    records = {record.image_id: record for record in source.records()}
    split = SplitConfig(by="image", train=0.5, val=0, test=0.5, exact=True)
    manifest = write_shards(config, tmp_path / "shards", split=split, rows_per_shard=5, row_group_rows=2)
    assert manifest.num_rows() == len(records)
    assert manifest.attributes == source.attributes()
    assert manifest.drawn == (kind == "faces")
    seen = {}
    for file in manifest.files():
        for row in pq.read_table(file).to_pylist():
            seen[row["image_id"]] = row
    assert seen.keys() == records.keys()
    for key, row in seen.items():
        assert row["image"] == records[key].image
        assert row["identity"] == records[key].identity
        assert {name: row[name] for name in manifest.attributes} == records[key].labels
    loaded = load_images(tmp_path / "shards", "test", size=16)
    assert loaded.images.shape == (manifest.num_rows("test"), 3, 16, 16)


@pytest.mark.parametrize("kind", READS_FILES)
def test_missing_data_says_what_to_fetch_and_where(kind, tmp_path):
    where = {"huggingface": {"path": str(tmp_path)}, "table": {"root": str(tmp_path), "path": "list.csv"}}
    config = SOURCES[kind](**where.get(kind, {"root": str(tmp_path)}))
    with pytest.raises(MissingDataError) as error:
        list(open_source(config).records())
    assert str(tmp_path) in str(error.value)
    assert len(str(error.value)) > 80


@pytest.mark.parametrize("kind", [kind for kind in READS_FILES if kind not in LISTED_BY_FOLDER + PACKED])
def test_a_missing_file_stays_a_row_without_bytes(kind, config, tmp_path):
    source = open_source(config)
    before = {record.image_id: record for record in source.records()}
    victim = sorted(path for path in (tmp_path / "source").rglob("*") if path.suffix in (".jpg", ".png"))[0]
    gone = victim.read_bytes()
    victim.unlink()
    after = {record.image_id: record for record in source.records()}
    assert after.keys() == before.keys()
    assert [record.image for record in after.values()].count(b"") == 1
    assert gone not in [record.image for record in after.values()] or kind in ("fairface", "demogpairs")
    manifest = write_shards(config, tmp_path / "shards", split=SplitConfig(by="image", train=0, val=0, test=1))
    assert manifest.missing["test"] == 1


@pytest.mark.parametrize("kind", [kind for kind in READS_FILES if kind not in PACKED])
def test_an_unreadable_file_stays_a_row_as_it_is(kind, config, tmp_path):
    victim = sorted(path for path in (tmp_path / "source").rglob("*") if path.suffix in (".jpg", ".png"))[0]
    victim.write_bytes(b"not an image at all")
    assert b"not an image at all" in [record.image for record in open_source(config).records()]


def test_rfw_labels_are_those_of_the_csv(tmp_path):
    config = rfw(tmp_path)
    for record in config.records():
        race = record.labels["race"]
        assert record.image_id.startswith(f"{race}/m.0")
        assert record.identity == record.image_id.rpartition("_")[0]
        hot = RFW_HOT[race]
        for name, cell in zip(PHENOTYPES, hot, strict=True):
            assert record.labels[name] == cell.rpartition("_")[2]


def test_celeba_text_and_csv_lists_give_the_same_rows(tmp_path):
    (tmp_path / "txt").mkdir()
    (tmp_path / "csv").mkdir()
    assert list(celeba(tmp_path / "txt").records()) == list(celeba(tmp_path / "csv", "csv").records())
    record = next(iter(celeba(tmp_path / "txt").records()))
    assert (record.image_id, record.split, record.identity) == ("000001", "train", "2880")
    assert record.labels["Bald"] == "yes"  # column 4 of row 0: 4 % 3 != 0
    assert Image.open(io.BytesIO(record.image)).size == (178, 218)


def test_hugging_face_ids_become_class_names(tmp_path):
    records = list(huggingface(tmp_path).records())
    assert [record.labels["label"] for record in records[:4]] == ["cat", None, "cat", "dog"]
    assert records[0].image_id == "data/train-00000-of-00001/000000"
    assert [record.split for record in records] == ["train"] * 7 + ["validation"] * 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    source: SourceConfig = field(default_factory=PhotosConfig)


def test_the_union_picks_the_kind_and_names_near_matches():
    assert from_dict(Holder, {"source": {"kind": "rfw", "root": "/data"}}).source == RfwConfig(root="/data")
    with pytest.raises(ConfigError, match="fairface"):
        from_dict(Holder, {"source": {"kind": "fairfaces"}})
