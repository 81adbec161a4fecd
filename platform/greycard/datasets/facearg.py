"""FaceARG (Darabant et al. 2021): over 175,000 faces with race, gender and age, through a CSV of one's own.

No layout was published with the data. This adapter reads a CSV with the columns ``path`` and ``race`` and, where they
are there, ``gender``, ``age``, ``identity`` and ``split``. The African-only training set of paper 000 is
``subset.keep.race=[African]``.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import pyarrow as pa

from greycard.datasets.labels import Columns, read_csv
from greycard.datasets.records import PATH, Source, read_files, require, require_some_files
from greycard.schema import IDENTITY, IMAGE_ID, RACE, SPLIT

FETCH: Final = (
    "Ask the authors of FaceARG (Darabant et al. 2021) for the images and list them in a CSV with the columns path, "
    "race[, gender, age]."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceArgConfig(Source):
    """FaceARG by a CSV.

    Attributes:
        root: the folder that the CSV and the image paths start from.
        labels: the CSV, relative to ``root`` or absolute.
        races: the race names of the CSV, in the order of their codes.
        genders: likewise.
        ages: likewise; ``()`` takes the values found, sorted.
    """

    kind: Literal["facearg"] = "facearg"
    root: str = ""
    labels: str = "facearg.csv"
    races: tuple[str, ...] = RACE.classes
    genders: tuple[str, ...] = ("female", "male")
    ages: tuple[str, ...] = ()

    def attributes(self) -> dict[str, tuple[str, ...]]:
        """Return race, and gender and age where the CSV has them."""
        table = self._table()
        attributes = {RACE.name: self.races}
        if "gender" in table:
            attributes["gender"] = self.genders
        if "age" in table:
            attributes["age"] = self.ages or tuple(sorted({age for age in table["age"] if age}))
        return attributes

    def index(self) -> pa.Table:
        """Return the CSV's rows; the id is the path without its ending."""
        table = self._table()
        files = [file or "" for file in table["path"]]
        paths = [str(Path(self.root) / file) for file in files]
        require_some_files(paths, root=self.root, what=FETCH)
        columns: Columns = {IMAGE_ID: [str(Path(file).with_suffix("")) if file else None for file in files]}
        columns[PATH] = list(paths)
        columns |= {name: table[name] for name in (*self.attributes(), IDENTITY, SPLIT) if name in table}
        return pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})

    def load(self, rows: pa.Table) -> list[bytes]:
        """Read the files as they are."""
        return read_files(rows[PATH].to_pylist())

    def _table(self) -> Columns:
        (path,) = require(self.root, [self.labels], what=FETCH)
        return read_csv(path, ["path", RACE.name])
