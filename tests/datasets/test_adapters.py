"""What each adapter refuses, and what it keeps, beyond the contract of tests/contracts/test_sources.py."""

import csv
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from greycard.datasets.celeba import ATTRIBUTES, CelebAConfig
from greycard.datasets.demogpairs import DemogPairsConfig
from greycard.datasets.facearg import FaceArgConfig
from greycard.datasets.fairface import FairFaceConfig
from greycard.datasets.folder import FolderConfig
from greycard.datasets.huggingface import HuggingFaceConfig
from greycard.datasets.photos import PHOTOGRAPHS, PhotosConfig, photograph_path
from greycard.datasets.pixels import decode_image
from greycard.datasets.records import DataError, MissingDataError, checked_index
from greycard.datasets.rfw import FAMILIES, RfwConfig, one_hot_columns
from greycard.datasets.table import TableConfig
from greycard.schema import PHENOTYPES, RACE


def picture(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 4), (10, 20, 30)).save(path)


def write_csv(path, *rows):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)


# -- RFW ----------------------------------------------------------------------------------------------------------
RFW_HEADER = ["", "File", "Class_ID", *(name for family in FAMILIES for name in one_hot_columns(family))]
FIRST_OF_EACH = ["skintype_type1", "lips_big", "nose_narrow", "eye_narrow", "hairtype_bald", "haircolor_black"]


def rfw_row(file, owner, **changed):
    cells = {name: int(name in FIRST_OF_EACH) for name in RFW_HEADER[3:]} | changed
    return [0, file, owner, *cells.values()]


def rfw(root, *rows, header=RFW_HEADER):
    for race in RACE.classes:
        picture(root / "test" / "data" / race / "m.01" / "m.01_0001.jpg")
    write_csv(root / "labels.csv", header, *rows)
    return RfwConfig(root=str(root), labels="labels.csv")


def test_rfw_has_the_published_21_columns():
    assert len(RFW_HEADER) == 3 + 21
    assert RFW_HEADER[3:9] == [f"skintype_type{number}" for number in range(1, 7)]
    assert RFW_HEADER[-5:] == [f"haircolor_{name}" for name in ("black", "blonde", "brown", "gray", "red")]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (rfw_row("m.01_0001.png", "African/m.01", lips_small=1), "exactly one of lips_big, lips_small must be 1"),
        (rfw_row("m.01_0001.png", "African/m.01", lips_big=0), "exactly one of lips_big, lips_small must be 1"),
        (rfw_row("m.01_0001.png", "African/m.01", lips_big="yes"), "exactly one of"),
        (rfw_row("m.01_0001.png", "African/m.01", lips_big=""), "exactly one of"),
        (rfw_row("m.01_0001.png", "Afrcan/m.01"), "did you mean 'African'"),
        (rfw_row("m.01_0001.png", "m.01"), "expected a File and a Class_ID"),
        (rfw_row("m.01_0001.png", "African/m.01")[:-1], "row 1 has 23 cells, the header 24"),
    ],
)
def test_rfw_refuses_broken_label_rows(tmp_path, row, message):
    with pytest.raises(DataError, match=message):
        rfw(tmp_path, row).index()


def test_rfw_refuses_a_missing_column_and_a_row_that_occurs_twice(tmp_path):
    with pytest.raises(DataError, match="unknown column 'lips_big'; did you mean 'lips_bg'"):
        rfw(tmp_path, header=[name.replace("lips_big", "lips_bg") for name in RFW_HEADER]).index()
    row = rfw_row("m.01_0001.png", "African/m.01")
    with pytest.raises(DataError, match="occurs twice"):
        rfw(tmp_path, row, row).index()


def test_rfw_accepts_ones_written_as_floats_and_booleans_not(tmp_path):
    row = [cell if isinstance(cell, str) else float(cell) for cell in rfw_row("m.01_0001.png", "Asian/m.01")]
    index = rfw(tmp_path, row).index()
    assert index.filter(pa.compute.equal(index["race"], "Asian"))["lip_type"].to_pylist() == ["big"]


def test_rfw_keeps_pictures_without_labels_and_labels_without_pictures(tmp_path):
    records = {r.image_id: r for r in rfw(tmp_path, rfw_row("m.01_0009.png", "Indian/m.01")).records()}
    assert sorted(records) == [
        "African/m.01_0001",
        "Asian/m.01_0001",
        "Caucasian/m.01_0001",
        "Indian/m.01_0001",
        "Indian/m.01_0009",
    ]
    assert records["African/m.01_0001"].labels["skin_type"] is None
    assert records["Indian/m.01_0009"].image == b""
    assert records["Indian/m.01_0009"].labels["skin_type"] == "type1"


def test_rfw_without_labels_gives_races_and_identities(tmp_path):
    rfw(tmp_path)
    config = RfwConfig(root=str(tmp_path))
    assert config.attributes() == {"race": RACE.classes}
    assert [record.identity for record in config.records()] == [f"{race}/m.01" for race in RACE.classes]


def test_rfw_says_which_race_folder_is_missing(tmp_path):
    picture(tmp_path / "test" / "data" / "Asian" / "m.01" / "m.01_0001.jpg")
    with pytest.raises(MissingDataError, match="missing test/data/African, test/data/Caucasian"):
        RfwConfig(root=str(tmp_path)).index()
    assert RfwConfig(root=str(tmp_path), races=("Asian",)).index().num_rows == 1
    with pytest.raises(ValueError, match="did you mean 'Asian'"):
        RfwConfig(races=("Asien",))


def test_rfw_refuses_one_picture_in_two_formats(tmp_path):
    config = rfw(tmp_path)
    picture(tmp_path / "test" / "data" / "Asian" / "m.01" / "m.01_0001.png")
    with pytest.raises(DataError, match="same image"):
        config.index()


# -- CelebA -------------------------------------------------------------------------------------------------------
def celeba(root, value="1", partition="000001.jpg 0"):
    picture(root / "img_align_celeba" / "000001.jpg")
    row = "000001.jpg " + " ".join([value] * 40)
    (root / "list_attr_celeba.txt").write_text(f"1\n{' '.join(ATTRIBUTES)} \n{row}\n")
    (root / "list_eval_partition.txt").write_text(partition)
    return CelebAConfig(root=str(root))


def test_celeba_refuses_other_values_and_partitions(tmp_path):
    with pytest.raises(DataError, match="column 'Bald', row 1: unknown value '0'"):
        celeba(tmp_path, value="0").index()
    with pytest.raises(DataError, match="column 'partition', row 1: unknown value '7'"):
        celeba(tmp_path, partition="000001.jpg 7").index()
    with pytest.raises(DataError, match=r"no row for 000001\.jpg"):
        celeba(tmp_path, partition="000002.jpg 0").index()


def test_celeba_names_near_attributes_and_works_without_identities(tmp_path):
    with pytest.raises(ValueError, match="unknown attribute 'male'; did you mean 'Male'"):
        CelebAConfig(names=("male",))
    index = checked_index(celeba(tmp_path).index(), {"Male": ("no", "yes")})
    assert index["identity"].to_pylist() == [None]
    assert index["Male"].to_pylist() == ["yes"]


def test_celeba_of_a_mirror_with_a_nested_folder(tmp_path):
    config = celeba(tmp_path)
    (tmp_path / "img_align_celeba" / "img_align_celeba").mkdir()
    (tmp_path / "img_align_celeba" / "000001.jpg").rename(tmp_path / "img_align_celeba/img_align_celeba/000001.jpg")
    assert next(iter(config.records())).image


# -- FairFace, FaceARG, DemogPairs ----------------------------------------------------------------------------------
def test_fairface_says_when_a_spreadsheet_has_eaten_the_ages(tmp_path):
    picture(tmp_path / "train" / "1.jpg")
    header = ["file", "age", "gender", "race", "service_test"]
    write_csv(tmp_path / "fairface_label_train.csv", header, ["train/1.jpg", "03-Sep", "Male", "White", "True"])
    config = FairFaceConfig(root=str(tmp_path), parts=("train",))
    with pytest.raises(DataError, match=r"column 'age' .1 rows, first 'train/1'.: unknown label '03-Sep'"):
        list(config.records())


def test_fairface_names_the_missing_label_file(tmp_path):
    write_csv(tmp_path / "fairface_label_train.csv", ["file", "age", "gender", "race"])
    with pytest.raises(MissingDataError, match=r"missing fairface_label_val\.csv in .*Fetch FairFace"):
        FairFaceConfig(root=str(tmp_path)).index()


def test_facearg_needs_path_and_race_only(tmp_path):
    picture(tmp_path / "a.png")
    write_csv(tmp_path / "facearg.csv", ["path", "race"], ["a.png", "African"])
    config = FaceArgConfig(root=str(tmp_path))
    assert config.attributes() == {"race": RACE.classes}
    assert next(iter(config.records())).labels == {"race": "African"}
    write_csv(tmp_path / "facearg.csv", ["path", "rase"], ["a.png", "African"])
    with pytest.raises(DataError, match="unknown column 'race'; did you mean 'rase'"):
        config.attributes()
    write_csv(tmp_path / "facearg.csv", ["path", "race"], ["a.png", "african"])
    with pytest.raises(DataError, match="unknown label 'african'; did you mean 'African'"):
        list(config.records())


def test_demogpairs_refuses_paths_without_identity(tmp_path):
    picture(tmp_path / "images" / "n1" / "1.jpg")
    (tmp_path / "metadata").mkdir()
    for race in ("Asian", "Black", "White"):
        for gender in ("Females", "Males"):
            (tmp_path / "metadata" / f"{race}_{gender}.txt").write_text("db_code image_path\nCWF 1.jpg\n")
    with pytest.raises(DataError, match=r"expected identity/image, got '1\.jpg'"):
        DemogPairsConfig(root=str(tmp_path)).index()


# -- folders and tables -------------------------------------------------------------------------------------------
def test_folder_layouts(tmp_path):
    for place in ("train/cat/1.png", "train/dog/2.png", "test/cat/3.png", "test/cat/deep/4.PNG", "test/.hidden.png"):
        picture(tmp_path / place)
    config = FolderConfig(root=str(tmp_path), layout="splits", attribute="animal")
    assert config.attributes() == {"animal": ("cat", "dog")}
    records = {record.image_id: record for record in config.records()}
    assert sorted(records) == ["test/cat/3.png", "test/cat/deep/4.PNG", "train/cat/1.png", "train/dog/2.png"]
    assert records["train/dog/2.png"].split == "train"
    assert records["test/cat/deep/4.PNG"].labels == {"animal": "cat"}
    flat = FolderConfig(root=str(tmp_path), layout="flat")
    assert flat.attributes() == {}
    assert len(list(flat.records())) == 4


def test_folder_refuses_images_outside_class_folders_and_unknown_classes(tmp_path):
    picture(tmp_path / "cat" / "1.png")
    with pytest.raises(DataError, match=r"cat.*unknown label 'cat'; did you mean 'cats'"):
        list(FolderConfig(root=str(tmp_path), classes=("cats", "dogs")).records())
    picture(tmp_path / "2.png")
    with pytest.raises(DataError, match=r"2\.png lies outside a class folder: layout 'classes' expects class/image"):
        FolderConfig(root=str(tmp_path)).index()
    with pytest.raises(DataError, match="expects split/class/image"):
        FolderConfig(root=str(tmp_path), layout="splits").index()


def test_table_as_parquet_with_numbers_and_found_classes(tmp_path):
    for name in "ab":
        picture(tmp_path / f"{name}.png")
    made = pa.table({"path": ["a.png", "b.png"], "id": [17, 18], "age": [30, None], "unused": [[1], [2]]})
    pq.write_table(made, tmp_path / "list.parquet")
    config = TableConfig(root=str(tmp_path), path="list.parquet", image_id="id", classes={"age": ()})
    assert config.attributes() == {"age": ("30",)}
    records = list(config.records())
    assert [(record.image_id, record.labels["age"]) for record in records] == [("17", "30"), ("18", None)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image": "fil"}, "unknown column 'fil'; did you mean 'file'"),
        ({"image": "file", "classes": {"tone": ("light",)}}, "unknown label 'dark'"),
        ({"image": "file", "classes": {"Tone": ()}}, "did you mean 'tone'"),
        ({"image": "file", "identity": "who"}, "unknown column 'who'"),
        ({"image": "gap"}, "column 'gap', row 2: an image path is needed"),
        ({"image": "file", "classes": {"gap2": ("a",)}}, "column 'gap2': no row has a label"),
        ({"image": "file", "path": "list.txt"}, r"must end in \.csv or \.parquet"),
        ({"image": "file", "path": "broken.parquet"}, "is not a Parquet file"),
        ({"image": "file", "path": "latin.csv"}, "not a UTF-8 text file"),
        ({"image": "file", "path": "empty.csv"}, "is empty"),
        ({"image": "file", "path": "head.csv"}, "the data set has no rows"),
    ],
)
def test_table_errors_name_what_is_wrong(tmp_path, options, message):
    for name in "ab":
        picture(tmp_path / f"{name}.png")
    rows = [["file", "tone", "gap", "gap2"], ["a.png", "light", "x", ""], ["b.png", "dark", "", ""]]
    write_csv(tmp_path / "list.csv", *rows)
    write_csv(tmp_path / "head.csv", rows[0])
    for name, data in (("list.txt", b""), ("broken.parquet", b"PAR1"), ("latin.csv", b"f\xefle\n"), ("empty.csv", b"")):
        (tmp_path / name).write_bytes(data)
    with pytest.raises(DataError, match=message):
        list(TableConfig(**{"root": str(tmp_path), "path": "list.csv"} | options).records())


# -- Hugging Face -------------------------------------------------------------------------------------------------
def test_hugging_face_without_names_needs_classes(tmp_path):
    made = pa.table({"image": [b"x", b"y"], "label": [1, 0], "tone": ["light", "dark"]})
    pq.write_table(made, tmp_path / "test.parquet")
    path = str(tmp_path / "test.parquet")
    with pytest.raises(DataError, match="no class names in its metadata"):
        HuggingFaceConfig(path=path, labels=("label",)).attributes()
    config = HuggingFaceConfig(path=path, classes={"label": ("no", "yes"), "tone": ("dark", "light")})
    records = list(config.records())
    assert [record.labels for record in records] == [{"label": "yes", "tone": "light"}, {"label": "no", "tone": "dark"}]
    assert [record.image for record in records] == [b"x", b"y"]
    assert [(record.image_id, record.split) for record in records] == [("test/000000", "test"), ("test/000001", "test")]
    with pytest.raises(DataError, match=r"column 'label', row 1: unknown label id '?1"):
        list(HuggingFaceConfig(path=path, classes={"label": ("no",)}).records())
    with pytest.raises(DataError, match="unknown column 'lable'; did you mean 'label'"):
        HuggingFaceConfig(path=path, labels=("lable",)).attributes()
    with pytest.raises(DataError, match="must hold bytes"):
        HuggingFaceConfig(path=path, image="tone", classes={"label": ("no", "yes")}).index()


def test_hugging_face_images_beside_the_file(tmp_path):
    picture(tmp_path / "1.png")
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    cells = [{"bytes": None, "path": "1.png"}, {"bytes": None, "path": "gone.png"}, None]
    pq.write_table(pa.table({"image": pa.array(cells, kind)}), tmp_path / "part.parquet")
    images = [record.image for record in HuggingFaceConfig(path=str(tmp_path)).records()]
    assert images == [(tmp_path / "1.png").read_bytes(), b"", b""]


@pytest.mark.parametrize(
    ("place", "split"),
    [
        ("default/train/0000.parquet", "train"),
        ("data/validation-00000-of-00001.parquet", "validation"),
        ("x.parquet", None),
    ],
)
def test_hugging_face_split_of_a_file(tmp_path, place, split):
    (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"image": [b"x"]}), tmp_path / place)
    assert [record.split for record in HuggingFaceConfig(path=str(tmp_path)).records()] == [split]


# -- photographs --------------------------------------------------------------------------------------------------
def test_every_photograph_is_at_hand_without_a_download():
    for name in PHOTOGRAPHS:
        assert decode_image(Path(photograph_path(name)).read_bytes()).shape[2] == 3


def test_tiles_are_the_pixels_of_the_photograph():
    from sklearn.datasets import load_sample_image

    china = load_sample_image("china.jpg")
    records = list(PhotosConfig(names=("temple",)).records())
    assert len(records) == (427 // 64) * (640 // 64)
    by_id = {record.image_id: record.image for record in records}
    assert np.array_equal(decode_image(by_id["temple-64-02-03"]), china[128:192, 192:256])


def test_photos_limit_spreads_over_the_picture():
    index = PhotosConfig(names=("cat", "temple"), limit=5).index()
    assert index["photograph"].to_pylist() == ["cat"] * 5 + ["temple"] * 5
    assert index["top"].to_pylist()[5:] == [0, 64, 192, 256, 320]  # tiles 0, 15, 30, 44, 59 of 6 x 10


def test_a_photograph_that_is_not_installed_is_explained(monkeypatch):
    monkeypatch.setitem(PHOTOGRAPHS, "cat", ("skimage", "data/no_such_cat.png"))
    with pytest.raises(MissingDataError, match="install the skimage wheel, which holds it"):
        PhotosConfig(names=("cat",)).index()
    with pytest.raises(ValueError, match="did you mean 'cat'"):
        PhotosConfig(names=("catt",))


def test_phenotype_families_are_complete():
    assert set(FAMILIES) == set(PHENOTYPES)
