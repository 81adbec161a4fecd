"""The images of a synthesis as a data source, so that they become shards like those of any other data set."""

import threading
from collections import OrderedDict
from typing import Any, ClassVar, Final

import pyarrow as pa
import pyarrow.compute as pc

from greycard.datasets.records import Source
from greycard.datasets.storage import Folder
from greycard.schema import IDENTITY, IMAGE, IMAGE_ID, OK, SPLIT, STATUS

CHOSEN: Final = "chosen"  # bool: part of the set; others are in the lineage sheet alone
_FILE: Final = "file"
_ROW: Final = "row"
_OPEN_FILES: Final = 32  # of rendered images that are held while shards are written


class SyntheticSource(Source):
    """Rendered images: the attribute is the class that the searching classifier sees, the identity the lineage.

    Args:
        name: the name of the data set.
        task: the attribute that is balanced.
        classes: the attribute's classes in code order.
        images: folder of the rendered rows.
        stated: what the manifest says about how they were made.
    """

    drawn: ClassVar[bool] = True  # by a generator: not photographs

    def __init__(self, name: str, task: str, classes: tuple[str, ...], images: Folder, stated: dict[str, Any]) -> None:
        self.name, self.task, self.classes, self.images = name, task, classes, images
        self._stated = stated
        self._lock = threading.Lock()
        self._open: OrderedDict[str, pa.ChunkedArray] = OrderedDict()

    def stated(self) -> dict[str, Any]:
        """Return how the images were made."""
        return {"kind": "synthetic", "name": self.name, **self._stated}

    def attributes(self) -> dict[str, tuple[str, ...]]:
        """Return the balanced attribute."""
        return {self.task: self.classes}

    def index(self) -> pa.Table:
        """Return the chosen images that were rendered without an error, in the order of their ids."""
        columns = (IMAGE_ID, IDENTITY, SPLIT, "label", CHOSEN, STATUS)
        parts = []
        for name in self.images.parquet_names():
            table = self.images.table(name, columns)
            table = table.append_column(_FILE, pa.array([name] * len(table), pa.string()))
            table = table.append_column(_ROW, pa.array(range(len(table)), pa.int64()))
            parts.append(table.filter(pc.and_(table[CHOSEN], pc.equal(table[STATUS], OK))))
        table = pa.concat_tables(parts).combine_chunks()
        table = table.rename_columns({"label": self.task})
        return table.take(pc.sort_indices(table, sort_keys=[(IMAGE_ID, "ascending")]))

    def load(self, rows: pa.Table) -> list[bytes]:
        """Return the PNG files of some rows."""
        pairs = zip(rows[_FILE].to_pylist(), rows[_ROW].to_pylist(), strict=True)
        return [self._images(name)[row].as_py() for name, row in pairs]

    def _images(self, name: str) -> pa.ChunkedArray:
        with self._lock:
            if name not in self._open:
                self._open[name] = self.images.table(name, (IMAGE,))[IMAGE].combine_chunks()
                if len(self._open) > _OPEN_FILES:
                    self._open.popitem(last=False)
            else:
                self._open.move_to_end(name)
            return self._open[name]


def sheet_rows(images: Folder) -> pa.Table:
    """Return the rows of the lineage sheet with their images, lineage by lineage, in order of acceptance."""
    columns = (IMAGE_ID, "label", "lineage", "seed", *("number", "parent", "depth", "distance", "duplicate"))
    parts = images.tables((*columns, CHOSEN, "sheet", IMAGE))
    found = pa.concat_tables([part.filter(part["sheet"]).drop_columns(["sheet"]) for part in parts])
    return found.take(
        pc.sort_indices(found, sort_keys=[(name, "ascending") for name in ("label", "lineage", "number")])
    )
