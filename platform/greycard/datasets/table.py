"""Any data set with a CSV or Parquet table: one row per image, columns named by the config."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

import pyarrow as pa

from greycard.datasets.labels import Columns, class_sets, read_table
from greycard.datasets.records import PATH, DataError, Source, read_files, require, require_some_files
from greycard.schema import IDENTITY, IMAGE_ID, SPLIT

FETCH: Final = "A table (.csv or .parquet) with one row an image is expected, and the images that it lists."


@dataclass(frozen=True, slots=True, kw_only=True)
class TableConfig(Source):
    """Images listed in a table.

    Attributes:
        path: the table, relative to ``root`` or absolute.
        root: the folder that the table and the image paths start from.
        classes: attribute -> its classes in order; ``()`` takes the values found, sorted.
        columns: attribute -> its column in the table, where the two names differ.
        image: the column of image paths.
        image_id: the column of ids; "" uses the image path.
        split: the column of splits; "" where there is none.
        identity: the column of identities; "" where there is none.
        name: the data set's name in manifests and reports.
    """

    kind: Literal["table"] = "table"
    path: str = ""
    root: str = ""
    classes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    columns: dict[str, str] = field(default_factory=dict)
    image: str = "path"
    image_id: str = ""
    split: str = ""
    identity: str = ""
    name: str = "table"

    def attributes(self) -> dict[str, tuple[str, ...]]:
        """Return the configured classes; reads the table where some are to be found there."""
        return class_sets(self.classes, self.columns, self._table)

    def index(self) -> pa.Table:
        """Return the table's rows."""
        table = self._table()
        for row, file in enumerate(table[self.image]):
            if file is None:
                raise DataError(f"{self.path}: column {self.image!r}, row {row + 1}: an image path is needed")
        paths = [str(Path(self.root) / (file or "")) for file in table[self.image]]
        require_some_files(paths, root=self.root, what=FETCH)
        columns = {IMAGE_ID: table[self.image_id or self.image], PATH: list(paths)}
        columns |= {name: table[column] for name, column in ((SPLIT, self.split), (IDENTITY, self.identity)) if column}
        columns |= {name: table[self._column(name)] for name in self.classes}
        return pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})

    def load(self, rows: pa.Table) -> list[bytes]:
        """Read the files as they are."""
        return read_files(rows[PATH].to_pylist())

    def _column(self, name: str) -> str:
        return self.columns.get(name, name)

    def _table(self) -> Columns:
        if not self.path:
            raise DataError("table.path must name a .csv or .parquet file")
        (path,) = require(self.root or ".", [self.path], what=FETCH)
        fixed = (self.image, self.image_id, self.split, self.identity)
        return read_table(path, [*filter(None, fixed), *(self._column(name) for name in self.classes)])
