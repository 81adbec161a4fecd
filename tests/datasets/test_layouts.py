"""The traps of the published layouts of UTKFace, SIIM-ISIC, CelebA, CIFAR-10 and FFHQ."""

import csv
import json
import logging

import numpy as np
import pyarrow.compute as pc
import pytest
from PIL import Image

from greycard.config import override
from greycard.datasets.celeba import ATTRIBUTES, CelebAConfig
from greycard.datasets.cifar10 import CLASSES, FILES, Cifar10Config
from greycard.datasets.ffhq import FfhqConfig
from greycard.datasets.pixels import decode_image
from greycard.datasets.records import DataError, MissingDataError
from greycard.datasets.shards import plan_rows
from greycard.datasets.siim import SiimConfig
from greycard.datasets.splits import PUBLISHED, SplitConfig
from greycard.datasets.subsets import LongTailConfig, SubsetConfig
from greycard.datasets.utkface import UtkFaceConfig, age_group


def picture(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 4), (10, 20, 30)).save(path)


def write_csv(path, *rows):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)


# -- UTKFace ------------------------------------------------------------------------------------------------------
def utkface(root, *names):
    for name in names:
        picture(root / f"{name}.jpg")
    return UtkFaceConfig(root=str(root))


def test_utkface_reads_age_gender_and_race_from_the_name(tmp_path):
    config = utkface(tmp_path, "26_1_2_20170116.jpg.chip", "100_0_4_20170117.jpg.chip")
    records = {record.image_id: record.labels for record in config.records()}
    assert records == {
        "26_1_2_20170116": {"age_group": "0-30", "gender": "female", "race": "Asian"},
        "100_0_4_20170117": {"age_group": "61+", "gender": "male", "race": "Others"},
    }


@pytest.mark.parametrize(
    ("age", "group"), [(0, "0-30"), (30, "0-30"), (31, "31-60"), (60, "31-60"), (61, "61+"), (116, "61+")]
)
def test_age_groups_of_the_paper(age, group):
    assert age_group(age) == group


def test_utkface_leaves_out_and_counts_names_that_lack_a_field(tmp_path, caplog):
    published = [
        "39_1_20170116174525125.jpg.chip",
        "61_1_20170109142408075.jpg.chip",
        "61_3_20170109150557335.jpg.chip",
    ]
    others = ["53__0_20170116184028385.jpg.chip", "30_2_0_2017.jpg.chip", "30_0_5_2017.jpg.chip", "me.jpg.chip"]
    config = utkface(tmp_path, "26_1_2_20170116.jpg.chip", *published, *others)
    with caplog.at_level(logging.WARNING):
        assert config.index()["image_id"].to_pylist() == ["26_1_2_20170116"]
    assert config.skipped() == sorted(f"{name}.jpg" for name in published + others)
    assert "7 files whose names lack a field" in caplog.text


def test_utkface_order_is_that_of_the_file_names_as_the_published_split_needs(tmp_path):
    names = ["1_0_0_2017.jpg.chip", "1_0_0_20170.jpg.chip", "100_0_0_2.jpg.chip", "10_0_0_2.jpg.chip"]
    ids = utkface(tmp_path, *names).index()["image_id"].to_pylist()
    assert ids == [name.partition(".")[0] for name in sorted(f"{name}.jpg" for name in names)] == sorted(ids)


def test_utkface_elsewhere_is_an_error_that_shows_the_form(tmp_path):
    with pytest.raises(MissingDataError, match=r"unpack UTKFace\.tar\.gz"):
        UtkFaceConfig(root=str(tmp_path)).index()
    with pytest.raises(DataError, match=r"age_gender_race_timestamp\.jpg\.chip\.jpg, for example '1\.jpg'"):
        utkface(tmp_path, "1").index()


# -- SIIM-ISIC ----------------------------------------------------------------------------------------------------
SIIM_HEADER = ["image_name", "patient_id", "sex", "benign_malignant", "target"]
SIIM_ROWS = [
    ["ISIC_3", "IP_1", "male", "benign", 0],
    ["ISIC_1", "IP_1", "", "malignant", 1],
    ["ISIC_2", "IP_2", "female", "benign", 0],
    ["ISIC_4", "IP_3", "male", "benign", 0],
]


def siim(root, rows=SIIM_ROWS, header=SIIM_HEADER, **settings):
    for row in rows:
        picture(root / "jpeg" / "train" / f"{row[0]}.jpg")
    write_csv(root / "train.csv", header, *rows)
    return SiimConfig(root=str(root), **settings)


def test_siim_joins_images_and_rows_by_name(tmp_path):
    config = siim(tmp_path)
    (tmp_path / "jpeg" / "train" / "ISIC_2.jpg").unlink()  # two sorted lists would now be shifted by one
    picture(tmp_path / "jpeg" / "train" / "ISIC_0.jpg")  # and an image without a row is not in the data set
    records = {record.image_id: record for record in config.records()}
    assert {name: record.labels["diagnosis"] for name, record in records.items()} == {
        "ISIC_3": "benign", "ISIC_1": "malignant", "ISIC_2": "benign", "ISIC_4": "benign",
    }  # fmt: skip
    assert [name for name, record in records.items() if not record.image] == ["ISIC_2"]
    assert records["ISIC_1"].identity == "IP_1"


def test_siim_missing_sex_is_unknown_or_filled_as_published(tmp_path):
    assert siim(tmp_path).index()["sex"].to_pylist() == ["male", None, "female", "male"]
    assert siim(tmp_path, missing="mode").index()["sex"].to_pylist() == ["male", "male", "female", "male"]
    odd = [*SIIM_ROWS, ["ISIC_5", "IP_4", "unknown", "benign", 0]]
    assert siim(tmp_path, odd, missing="mode").index()["sex"].to_pylist()[-1] == "female"
    with pytest.raises(DataError, match="column 'sex', row 5: unknown value 'unknown'"):
        siim(tmp_path, odd).index()
    with pytest.raises(DataError, match="nothing to fill in"):
        siim(tmp_path, [["ISIC_1", "IP_1", "", "benign", 0]], missing="mode").index()


def test_siim_patients_stay_together_by_identity_and_leak_as_published(tmp_path):
    rows = [[f"ISIC_{n:03d}", f"IP_{n // 5}", "male", "benign", 0] for n in range(200)]
    config = siim(tmp_path, rows)
    shared = {}
    for name, split in (("identity", SplitConfig(by="identity", train=0.5, val=0.2, test=0.3)), ("image", PUBLISHED)):
        index = plan_rows(config, split, SubsetConfig())
        parts = [
            set(index.filter(pc.equal(index["split"], part))["identity"].to_pylist()) for part in ("train", "test")
        ]
        shared[name] = len(parts[0] & parts[1])
    assert shared["identity"] == 0
    assert shared["image"] > 5


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            ["ISIC_9", "IP_1", "male", "benign", 1],
            r"row 1 \(ISIC_9\): benign_malignant says 'benign', target 'malignant'",
        ),
        (["ISIC_9", "IP_1", "male", "bening", 0], "did you mean 'benign'"),
        (["ISIC_9", "IP_1", "Male", "benign", 0], "did you mean 'male'"),
    ],
)
def test_siim_refuses_labels_that_contradict_or_are_not_published(tmp_path, row, message):
    with pytest.raises(DataError, match=message):
        siim(tmp_path, [row]).index()


# -- CelebA -------------------------------------------------------------------------------------------------------
def celeba(root, lines):
    for number in (1, 2):
        picture(root / "img_align_celeba" / f"{number:06d}.jpg")
    (root / "list_attr_celeba.txt").write_text("\n".join(lines))
    return CelebAConfig(root=str(root), names=())


CELEBA_ROWS = ["000001.jpg " + " ".join([" 1"] * 39 + ["-1"]), "000002.jpg " + " ".join(["-1"] * 39 + [" 1"])]


@pytest.mark.parametrize(
    "head",
    [["2", " ".join(ATTRIBUTES) + " "], ["2", " ".join(ATTRIBUTES)], [" ".join(ATTRIBUTES)]],
    ids=["as published, with a space at the end", "saved without it", "without the count"],
)
def test_celeba_keeps_all_40_names_to_the_last(tmp_path, head):
    config = celeba(tmp_path, head + CELEBA_ROWS)
    assert tuple(config.attributes()) == ATTRIBUTES
    assert [ATTRIBUTES[place] for place in (20, 31, 39)] == ["Male", "Smiling", "Young"]  # as the published code counts
    first, second = (record.labels for record in config.records())
    assert [first["Young"], second["Young"]] == ["no", "yes"]
    assert set(first.values()) == {"yes", "no"}
    assert [name for name in ATTRIBUTES if first[name] == "no"] == ["Young"]


def test_celeba_that_lost_rows_or_a_name_is_refused(tmp_path):
    with pytest.raises(DataError, match="says 3 images and lists 2"):
        celeba(tmp_path, ["3", " ".join(ATTRIBUTES), *CELEBA_ROWS]).index()
    with pytest.raises(DataError, match="unknown column 'Young'"):
        celeba(tmp_path, ["2", " ".join(ATTRIBUTES[:-1]), *CELEBA_ROWS]).index()


# -- CIFAR-10 -----------------------------------------------------------------------------------------------------
def cifar10(root, labels=range(10)):
    """Each record's red plane is its row, the green one its column and the blue one its number in the file."""
    rows, columns = np.mgrid[:32, :32]
    for file in (file for part in FILES.values() for file in part):
        records = [
            np.concatenate([[label], rows.ravel(), columns.ravel(), np.full(1024, number)])
            for number, label in enumerate(labels)
        ]
        (root / file).write_bytes(np.array(records, dtype=np.uint8).tobytes())
    return Cifar10Config(root=str(root))


def test_cifar10_planes_become_rgb_pixels_in_file_order(tmp_path):
    records = list(cifar10(tmp_path).records())
    assert len(records) == 60
    assert (records[13].image_id, records[13].split, records[13].labels) == ("train-00013", "train", {"label": "cat"})
    image = decode_image(records[13].image)
    assert image[5, 9].tolist() == [5, 9, 3]
    assert image[31, 0].tolist() == [31, 0, 3]
    assert records[50].image_id == "test-00000"
    assert override(Cifar10Config(root=str(tmp_path)), ["parts=[test]"]).index().num_rows == 10


def test_cifar10_long_tail_falls_in_class_order_in_training_alone(tmp_path):
    subset = SubsetConfig(longtail=LongTailConfig(attribute="label", beta=0.2))
    index = plan_rows(cifar10(tmp_path), SplitConfig(by="source"), subset)
    train = index.filter(pc.equal(index["split"], "train"))["label"].to_pylist()
    assert [train.count(name) for name in CLASSES] == [5, 4, 3, 2, 2, 2, 1, 1, 1, 1]  # int(5 * .2 ** (i / 9))
    assert index["split"].to_pylist().count("test") == 10


def test_cifar10_pickled_alone_is_not_opened(tmp_path):
    (tmp_path / "cifar-10-batches-py").mkdir()
    (tmp_path / "cifar-10-batches-py" / "data_batch_1").write_bytes(b"not to be unpickled")
    for root in (tmp_path, tmp_path / "cifar-10-batches-py"):
        with pytest.raises(MissingDataError, match=r"Only the pickled python version is there.*binary version"):
            Cifar10Config(root=str(root)).index()


def test_cifar10_damaged_files_are_refused(tmp_path):
    config = cifar10(tmp_path)
    (tmp_path / "data_batch_2.bin").write_bytes(b"\x00" * 3074)
    with pytest.raises(DataError, match=r"data_batch_2\.bin has 3074 bytes, expected records of 3073"):
        config.index()
    with pytest.raises(DataError, match=r"record 2 has label 10, expected 0\.\.9"):
        cifar10(tmp_path, labels=[0, 10]).index()


# -- FFHQ ---------------------------------------------------------------------------------------------------------
def ffhq(root, *numbers, flat=False):
    for number in numbers:
        picture(root / "thumbnails128x128" / ("" if flat else f"{number - number % 1000:05d}") / f"{number:05d}.png")
    return FfhqConfig(root=str(root))


@pytest.mark.parametrize("flat", [False, True])
def test_ffhq_without_json_lists_the_folder(tmp_path, flat):
    records = list(ffhq(tmp_path, 0, 999, 1000, 69999, flat=flat).records())
    assert [record.image_id for record in records] == ["00000", "00999", "01000", "69999"]
    assert {record.split for record in records} == {None}
    assert all(record.image and record.labels == {} for record in records)


def test_ffhq_json_gives_the_split_and_the_images_that_should_be_there(tmp_path):
    config = ffhq(tmp_path, 0, 60000, 69999)
    entries = {"0": "training", "1": "training", "60000": "validation"}
    text = json.dumps({number: {"category": category} for number, category in entries.items()})
    (tmp_path / "ffhq-dataset-v2.json").write_text(text)
    records = {record.image_id: record for record in config.records()}
    assert {name: record.split for name, record in records.items()} == {
        "00000": "training", "00001": "training", "60000": "validation",
    }  # fmt: skip
    assert [name for name, record in records.items() if not record.image] == ["00001"]
    splits = plan_rows(config, SplitConfig(by="source"), SubsetConfig())["split"].to_pylist()
    assert splits == ["train", "train", "val"]


def test_ffhq_labels_come_from_a_table_by_number(tmp_path):
    ffhq(tmp_path, 0, 1, 2)
    write_csv(tmp_path / "race.csv", ["file", "Race"], ["00002.png", "B"], ["0", "A"])
    config = FfhqConfig(
        root=str(tmp_path), labels="race.csv", number="file", classes={"race": ()}, columns={"race": "Race"}
    )
    assert config.attributes() == {"race": ("A", "B")}
    assert [record.labels["race"] for record in config.records()] == ["A", None, "B"]
    write_csv(tmp_path / "race.csv", ["file", "Race"], ["00002.png", "B"], ["2", "A"])
    with pytest.raises(DataError, match="row 2: '2': occurs twice"):
        config.index()
    write_csv(tmp_path / "race.csv", ["file", "Race"], ["two", "B"])
    with pytest.raises(DataError, match=r"expected a number such as 17 or 00017\.png"):
        config.index()
    with pytest.raises(ValueError, match=r"set ffhq\.labels"):
        FfhqConfig(classes={"race": ()})


@pytest.mark.parametrize("text", ["{", "[1]", '{"0": {}}', '{"zero": {"category": "training"}}'])
def test_ffhq_broken_json_is_refused_with_a_way_out(tmp_path, text):
    config = ffhq(tmp_path, 0)
    (tmp_path / "ffhq-dataset-v2.json").write_text(text)
    with pytest.raises(DataError, match=r"set ffhq\.metadata to '' to do without"):
        config.index()
    assert override(config, ["metadata="]).index().num_rows == 1
