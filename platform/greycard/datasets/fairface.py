"""FairFace (Karkkainen and Joo 2021) in its published layout: 86,744 training and 10,954 validation faces.

``fairface_label_train.csv`` and ``fairface_label_val.csv`` (file, age, gender, race, service_test), beside ``train/``
and ``val/``, whichever crop margin (.25 or 1.25) was unpacked. There are no identities.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import pyarrow as pa

from greycard.datasets.labels import read_csv
from greycard.datasets.records import PATH, Source, read_files, require, require_some_files
from greycard.schema import IMAGE_ID, SPLIT

RACES: Final = ("White", "Black", "Indian", "East Asian", "Southeast Asian", "Middle Eastern", "Latino_Hispanic")
GENDERS: Final = ("Female", "Male")
AGES: Final = ("0-2", "3-9", "10-19", "20-29", "30-39", "40-49", "50-59", "60-69", "more than 70")
FETCH: Final = (
    "Fetch FairFace (https://github.com/joojs/fairface): the images of one margin, unpacked as train/ and val/, and "
    "both fairface_label_*.csv files."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FairFaceConfig(Source):
    """FairFace with its seven races as published. Use ``split.by=source`` for its own train and val.

    Attributes:
        root: the folder that holds the CSV files, ``train`` and ``val``.
        parts: which of the two label files to read.
    """

    kind: Literal["fairface"] = "fairface"
    root: str = ""
    parts: tuple[Literal["train", "val"], ...] = ("train", "val")

    def attributes(self) -> dict[str, tuple[str, ...]]:
        """Return race, gender and age."""
        return {"race": RACES, "gender": GENDERS, "age": AGES}

    def index(self) -> pa.Table:
        """Return the rows of the label files, ids as ``train/1``."""
        names = (IMAGE_ID, SPLIT, PATH, *self.attributes())
        columns: dict[str, list[str | None]] = {name: [] for name in names}
        for part, path in zip(
            self.parts,
            require(self.root, [f"fairface_label_{part}.csv" for part in self.parts], what=FETCH),
            strict=True,
        ):
            table = read_csv(path, ["file", *self.attributes()])
            files = [file or "" for file in table["file"]]
            columns[IMAGE_ID] += [file.rpartition(".")[0] for file in files]
            columns[SPLIT] += [part] * len(files)
            columns[PATH] += [str(Path(self.root) / file) for file in files]
            for name in self.attributes():
                columns[name] += table[name]
        require_some_files([path or "" for path in columns[PATH]], root=self.root, what=FETCH)
        return pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})

    def load(self, rows: pa.Table) -> list[bytes]:
        """Read the files as they are."""
        return read_files(rows[PATH].to_pylist())
