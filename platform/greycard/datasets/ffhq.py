"""FFHQ (Karras, Laine and Aila 2019) in its published layout: 70,000 faces; no labels of people come with it.

``thumbnails128x128/00000/00000.png`` (or ``images1024x1024/``), a folder per thousand images, and
``ffhq-dataset-v2.json``, which names the first 60,000 training and the rest validation. Age, gender or race come from a
table of one's own with a column of image numbers, as FFHQ-Aging (Or-El et al. 2020) publishes ages and genders.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import pyarrow as pa

from greycard.datasets.labels import Columns, class_sets, read_table
from greycard.datasets.records import PATH, DataError, Source, raise_missing, read_files, require, require_some_files
from greycard.schema import IMAGE_ID, SPLIT

FETCH: Final = (
    "Fetch FFHQ (https://github.com/NVlabs/ffhq-dataset): thumbnails128x128/ or images1024x1024/ and, for its own "
    "split, ffhq-dataset-v2.json."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FfhqConfig(Source):
    """FFHQ with labels from a table; an image that the table does not list is not labelled. Ids are ``00000``, ...

    Attributes:
        root: the folder that holds ``images``.
        images: the folder of images relative to ``root``: flat, or a folder per thousand.
        metadata: the published JSON, relative to ``root``; it gives the split and is passed over where it is absent.
        labels: a .csv or .parquet table, relative to ``root`` or absolute; "" gives no labels.
        number: the table's column of image numbers (``17``, ``00017`` or ``00017.png``).
        classes: attribute -> its classes in order; ``()`` takes the values found, sorted.
        columns: attribute -> its column in the table, where the two names differ.
    """

    kind: Literal["ffhq"] = "ffhq"
    root: str = ""
    images: str = "thumbnails128x128"
    metadata: str = "ffhq-dataset-v2.json"
    labels: str = ""
    number: str = "image_number"
    classes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    columns: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.classes and not self.labels:
            raise ValueError(
                f"ffhq.classes names {', '.join(self.classes)}: set ffhq.labels to the table that has them"
            )

    def attributes(self) -> dict[str, tuple[str, ...]]:
        """Return the configured classes; reads the table where some are to be found there."""
        return class_sets(self.classes, self.columns, self._table)

    def index(self) -> pa.Table:
        """Return one row per image of the JSON, or of the folder where there is no JSON, sorted by number."""
        (folder,) = require(self.root, [self.images], what=FETCH)
        paths = {int(path.stem): path for path in folder.rglob("*.png") if path.stem.isdecimal()}
        splits = self._splits()
        for number in splits:
            paths.setdefault(number, folder / f"{number - number % 1000:05d}" / f"{number:05d}.png")
        numbers = sorted(splits or paths)
        if not numbers:
            raise_missing(self.root, [f"images in {self.images}"], what=FETCH)
        require_some_files([str(paths[number]) for number in numbers], root=self.root, what=FETCH)
        columns: Columns = {
            IMAGE_ID: [f"{number:05d}" for number in numbers],
            PATH: [str(paths[number]) for number in numbers],
            SPLIT: [splits.get(number) for number in numbers],
        }
        columns |= self._labels(numbers)
        return pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})

    def load(self, rows: pa.Table) -> list[bytes]:
        """Read the files as they are."""
        return read_files(rows[PATH].to_pylist())

    def _splits(self) -> dict[int, str | None]:
        """Return image number -> category (training, validation); empty without the JSON."""
        path = Path(self.root) / self.metadata
        if not self.metadata or not path.is_file():
            return {}
        try:
            entries: Any = json.loads(path.read_bytes())
            return {int(number): entry["category"] for number, entry in entries.items()}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(
                f"{path} is not as published (image number -> an object with a category): {type(error).__name__} "
                f"{error}; fetch it again, or set ffhq.metadata to '' to do without"
            ) from None

    def _labels(self, numbers: list[int]) -> Columns:
        if not self.classes:
            return {}
        table = self._table()
        rows: dict[int, int] = {}
        for row, cell in enumerate(table[self.number]):
            text = (cell or "").removesuffix(".png")
            if not text.isdecimal() or int(text) in rows:
                reason = "occurs twice" if text.isdecimal() else "expected a number such as 17 or 00017.png"
                raise DataError(f"{self.labels}: column {self.number!r}, row {row + 1}: {cell!r}: {reason}")
            rows[int(text)] = row
        cells = {name: table[self._column(name)] for name in self.classes}
        return {
            name: [values[rows[number]] if number in rows else None for number in numbers]
            for name, values in cells.items()
        }

    def _column(self, name: str) -> str:
        return self.columns.get(name, name)

    def _table(self) -> Columns:
        (path,) = require(self.root, [self.labels], what="A table of labels by image number is expected.")
        return read_table(path, [self.number, *(self._column(name) for name in self.classes)])
