"""CelebA (Liu et al. 2015) in its published layout: 202,599 faces, 40 binary attributes, 10,177 identities; no races.

``img_align_celeba/000001.jpg`` (178 x 218), ``list_attr_celeba.txt`` or ``.csv`` (values -1 and 1),
``list_eval_partition.txt`` or ``.csv`` (0 train, 1 val, 2 test), ``identity_CelebA.txt``. The last two may be absent:
no splits or identities then. More than 70 % of the people are white, as paper 000 counts.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import pyarrow as pa

from greycard.datasets.labels import Columns, read_csv, read_words, recode
from greycard.datasets.records import PATH, DataError, Source, raise_missing, read_files, require, require_some_files
from greycard.schema import IDENTITY, IMAGE_ID, SPLIT, unknown

ATTRIBUTES: Final = (
    "5_o_Clock_Shadow", "Arched_Eyebrows", "Attractive", "Bags_Under_Eyes", "Bald", "Bangs", "Big_Lips", "Big_Nose",
    "Black_Hair", "Blond_Hair", "Blurry", "Brown_Hair", "Bushy_Eyebrows", "Chubby", "Double_Chin", "Eyeglasses",
    "Goatee", "Gray_Hair", "Heavy_Makeup", "High_Cheekbones", "Male", "Mouth_Slightly_Open", "Mustache", "Narrow_Eyes",
    "No_Beard", "Oval_Face", "Pale_Skin", "Pointy_Nose", "Receding_Hairline", "Rosy_Cheeks", "Sideburns", "Smiling",
    "Straight_Hair", "Wavy_Hair", "Wearing_Earrings", "Wearing_Hat", "Wearing_Lipstick", "Wearing_Necklace",
    "Wearing_Necktie", "Young",
)  # fmt: skip
"""The 40 attributes as published."""

CLASSES: Final = ("no", "yes")
FETCH: Final = (
    "Fetch CelebA (https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html): img_align_celeba.zip, unpacked, "
    "list_attr_celeba.txt and, for splits and identities, list_eval_partition.txt and identity_CelebA.txt."
)
_IMAGES: Final = "img_align_celeba"


@dataclass(frozen=True, slots=True, kw_only=True)
class CelebAConfig(Source):
    """CelebA's aligned images.

    Attributes:
        root: the folder that holds ``img_align_celeba`` and the lists.
        names: which of the 40 attributes to keep, each with the classes no and yes; ``()`` keeps all 40, in the
            published order.
    """

    kind: Literal["celeba"] = "celeba"
    root: str = ""
    names: tuple[str, ...] = (
        "Bald",
        "Big_Lips",
        "Black_Hair",
        "Blond_Hair",
        "Brown_Hair",
        "Gray_Hair",
        "Male",
        "Narrow_Eyes",
        "Pale_Skin",
        "Straight_Hair",
        "Wavy_Hair",
        "Young",
    )

    def __post_init__(self) -> None:
        for name in self.names:
            if name not in ATTRIBUTES:
                raise ValueError(f"celeba.names: {unknown('attribute', name, ATTRIBUTES)}")

    def attributes(self) -> dict[str, tuple[str, ...]]:
        """Return the chosen attributes."""
        return dict.fromkeys(self.names or ATTRIBUTES, CLASSES)

    def index(self) -> pa.Table:
        """Return one row per image of the attribute list."""
        (folder,) = require(self.root, [_IMAGES], what=FETCH)
        folder = folder / _IMAGES if (folder / _IMAGES).is_dir() else folder  # as some mirrors unpack it
        path, table = _read_list(self.root, "list_attr_celeba", tuple(self.attributes()))
        files = [file or "" for file in table["image_id"]]
        paths = [str(folder / file) for file in files]
        require_some_files(paths, root=self.root, what=FETCH)
        columns: dict[str, list[str | None]] = {IMAGE_ID: [Path(file).stem for file in files], PATH: list(paths)}
        for name in self.attributes():
            columns[name] = recode(path, name, table[name], {"-1": "no", "1": "yes"})
        partition = _find(self.root, "list_eval_partition")
        if partition:
            columns[SPLIT] = _by_file(partition, "partition", files)
            columns[SPLIT] = recode(partition, "partition", columns[SPLIT], {"0": "train", "1": "val", "2": "test"})
        identities = _find(self.root, "identity_CelebA")
        if identities:
            columns[IDENTITY] = _by_file(identities, "identity", files)
        return pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})

    def load(self, rows: pa.Table) -> list[bytes]:
        """Read the files as they are."""
        return read_files(rows[PATH].to_pylist())


def _find(root: str, stem: str) -> Path | None:
    for ending in (".txt", ".csv"):
        path = Path(root) / f"{stem}{ending}"
        if path.is_file():
            return path
    return None


def _read_list(root: str, stem: str, names: tuple[str, ...]) -> tuple[Path, Columns]:
    path = _find(root, stem)
    if path is None:
        raise_missing(root, [f"{stem}.txt (or .csv)"], what=FETCH)
    if path.suffix == ".csv":
        return path, read_csv(path, ["image_id", *names])
    with path.open(encoding="utf-8-sig") as file:
        lines = [file.readline().split(), file.readline().split()]
    counted = len(lines[0]) == 1  # the number of images, which some copies leave out; the names follow
    header = lines[1] if counted else lines[0]
    table = read_words(path, ["image_id", *names], names=["image_id", *header], skip=2 if counted else 1)
    if counted and lines[0] != [str(len(table["image_id"]))]:
        raise DataError(f"{path} says {lines[0][0]} images and lists {len(table['image_id'])}: fetch it again")
    return path, table


def _by_file(path: Path, column: str, files: list[str]) -> list[str | None]:
    """Return a column of a file-to-value list, in the order of ``files``."""
    names = ["image_id", column]
    table = read_csv(path, names) if path.suffix == ".csv" else read_words(path, names=names)
    values = dict(zip(table["image_id"], table[column], strict=True))
    for file in files:
        if file not in values:
            raise DataError(f"{path}: no row for {file}")
    return [values[file] for file in files]
