"""Racial Faces in the Wild (RFW) with the phenotype labels of Yucer et al., in their published layouts.

Images (Wang et al. 2019): ``test/data/{race}/{identity}/{identity}_0001.jpg``, about four per identity. Labels (Yucer
et al. 2022): a CSV of 40,607 rows with ``File`` (``m.011y5k_0003.png``; only the stem counts, copies differ in format),
``Class_ID`` (``African/m.011y5k``: race and identity) and 21 one-hot columns (``skintype_type1`` to ``haircolor_red``).
Labels are given per identity: split by identity unless parity with the paper is wanted.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import pyarrow as pa

from greycard.datasets.labels import Columns, read_csv
from greycard.datasets.pixels import EXTENSIONS
from greycard.datasets.records import PATH, DataError, Source, read_files, require, require_some_files
from greycard.schema import IDENTITY, IMAGE_ID, PHENOTYPES, RACE, unknown

FAMILIES: Final = {
    "skin_type": "skintype",
    "lip_type": "lips",
    "nose_type": "nose",
    "eye_type": "eye",
    "hair_type": "hairtype",
    "hair_color": "haircolor",
}
"""Phenotype -> the prefix of its one-hot columns."""

FETCH: Final = (
    "Ask the authors for RFW (http://whdeng.cn/RFW/testing.html) and unpack it so that test/data/African/... lies "
    "there; the phenotype labels are at https://doi.org/10.15128/r2hm50tr746."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RfwConfig(Source):
    """RFW's test images; a picture without a label row keeps its race and has no phenotypes.

    Attributes:
        root: the folder that holds ``data``.
        labels: the phenotype CSV, relative to ``root`` or absolute; "" gives the race alone.
        data: the folder of race folders, relative to ``root``.
        races: the races to read.
    """

    kind: Literal["rfw"] = "rfw"
    root: str = ""
    labels: str = ""
    data: str = "test/data"
    races: tuple[str, ...] = RACE.classes

    def __post_init__(self) -> None:
        for race in self.races:
            if race not in RACE.classes:
                raise ValueError(f"rfw.races: {unknown('race', race, RACE.classes)}")

    def attributes(self) -> dict[str, tuple[str, ...]]:
        """Return race and, with labels, the six phenotypes."""
        attributes = (RACE, *PHENOTYPES.values()) if self.labels else (RACE,)
        return {item.name: item.classes for item in attributes}

    def index(self) -> pa.Table:
        """Return every image on disk or in the label table, sorted by id (``African/m.011y5k_0003``)."""
        folders = require(self.root, [f"{self.data}/{race}" for race in self.races], what=FETCH)
        paths: dict[tuple[str, str, str], str] = {}
        for key, path in (image for folder in folders for image in _images(folder)):
            if key in paths:
                raise DataError(f"{path} and {paths[key]} are the same image; keep one of them")
            paths[key] = path
        labels = self._labels() if self.labels else {}
        for key in labels:
            if key not in paths:
                race, identity, stem = key
                paths[key] = str(Path(self.root) / self.data / race / identity / f"{stem}.jpg")
        keys = sorted(paths)
        require_some_files([paths[key] for key in keys], root=self.root, what=FETCH)
        columns: Columns = {
            IMAGE_ID: [f"{race}/{stem}" for race, _, stem in keys],
            IDENTITY: [f"{race}/{identity}" for race, identity, _ in keys],
            RACE.name: [race for race, _, _ in keys],
            PATH: [paths[key] for key in keys],
        }
        if self.labels:
            nothing: dict[str, str] = {}
            columns |= {name: [labels.get(key, nothing).get(name) for key in keys] for name in PHENOTYPES}
        return pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})

    def load(self, rows: pa.Table) -> list[bytes]:
        """Read the files as they are."""
        return read_files(rows[PATH].to_pylist())

    def _labels(self) -> dict[tuple[str, str, str], dict[str, str]]:
        """Return (race, identity, stem) -> phenotype -> class."""
        (path,) = require(self.root, [self.labels], what=FETCH)
        table = read_csv(path, ["File", "Class_ID", *(name for family in FAMILIES for name in one_hot_columns(family))])
        decoded = {family: _decode_one_hot(path, table, family) for family in FAMILIES}
        labels: dict[tuple[str, str, str], dict[str, str]] = {}
        for row, (file, owner) in enumerate(zip(table["File"], table["Class_ID"], strict=True)):
            race, _, identity = (owner or "").partition("/")
            if race not in RACE.classes or not identity or not file:
                raise DataError(
                    f"{path}: row {row + 1}: expected a File and a Class_ID such as African/m.011y5k, got {file!r} and "
                    f"{owner!r}: {unknown('race', race, RACE.classes)}"
                )
            if race not in self.races:
                continue
            key = (race, identity, Path(file).stem)
            if key in labels:
                raise DataError(f"{path}: row {row + 1}: column 'File': {file!r} of {owner!r} occurs twice")
            labels[key] = {family: classes[row] for family, classes in decoded.items()}
        return labels


def one_hot_columns(family: str) -> list[str]:
    """Return the published column names of a phenotype's classes, in code order."""
    return [f"{FAMILIES[family]}_{name}" for name in PHENOTYPES[family].classes]


def _decode_one_hot(path: Path, table: Columns, family: str) -> list[str]:
    names = one_hot_columns(family)
    classes = []
    for row, cells in enumerate(zip(*(table[name] for name in names), strict=True)):
        try:
            hot = [float(cell or "nan") for cell in cells]
        except ValueError:
            hot = []
        if sorted(hot) != [0.0] * (len(names) - 1) + [1.0]:
            raise DataError(
                f"{path}: row {row + 1} ({table['File'][row]}): exactly one of {', '.join(names)} must be 1 and the "
                f"others 0, got {', '.join(map(str, cells))}"
            )
        classes.append(PHENOTYPES[family].classes[hot.index(1.0)])
    return classes


def _images(race: Path) -> list[tuple[tuple[str, str, str], str]]:
    files = sorted(path for path in race.glob("*/*") if path.suffix.lower() in EXTENSIONS)
    return [((race.name, path.parent.name, path.stem), str(path)) for path in files]
