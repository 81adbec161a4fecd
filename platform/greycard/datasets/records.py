"""What a data set gives: an index of its rows, and the bytes of chosen rows.

``files and label tables -> index() -> checked rows -> load(rows) -> encoded images``

The index is a table of names and labels without pixels, so that every label is checked, split and counted before the
first image is read. ``load`` then serves any part of it, in any thread.
"""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final, NamedTuple, NoReturn

import pyarrow as pa
import pyarrow.compute as pc

from greycard import schema
from greycard.config import to_dict
from greycard.schema import IDENTITY, IMAGE, IMAGE_ID, SPLIT, unknown

PATH: Final = "path"
"""Index column of sources that read files: where the image lies."""

RESERVED: Final = frozenset(
    {IMAGE_ID, IMAGE, SPLIT, IDENTITY, schema.SYSTEM, schema.POINT, schema.SAMPLE, schema.STATUS, schema.ERROR}
    | {schema.RECONSTRUCTION, *schema.RATES}
)
"""Names that an attribute cannot take, because shards or audit tables use them."""

_CHUNK = 256
_EXAMPLES = 5


class DataError(ValueError):
    """A data set whose rows or labels are not as stated: names the column, the value and near matches."""


class MissingDataError(FileNotFoundError):
    """Files of a data set that are not there: says what to fetch and where to put it."""


class Record(NamedTuple):
    """One image of a data set.

    Attributes:
        image_id: unique in the data set, stable.
        image: the encoded file as it is; empty where the file is missing.
        split: the split the data set itself gives, if any.
        identity: whose picture it is, if known.
        labels: attribute -> class, None where not labelled.
    """

    image_id: str
    image: bytes
    split: str | None
    identity: str | None
    labels: dict[str, str | None]


class Source(ABC):
    """A data set. Subclasses are frozen configs with a ``kind``; they hold settings only and read on demand."""

    __slots__ = ()

    drawn: ClassVar[bool] = False
    """True for images that a program drew: not photographs of people."""

    @property
    def version(self) -> str:
        """Changes when the same config no longer gives the same rows."""
        return "1"

    @property
    def dataset(self) -> str:
        """The data set's name in manifests and reports."""
        return str(getattr(self, "name", "") or getattr(self, "kind", type(self).__name__))

    def stated(self) -> dict[str, Any]:
        """Return the config as plain values, as manifests state it and name shards by it."""
        return to_dict(self)

    @abstractmethod
    def attributes(self) -> dict[str, tuple[str, ...]]:
        """Return the attributes and their classes in fixed order (a class's position is its code)."""

    @abstractmethod
    def index(self) -> pa.Table:
        """Return one row per image, without pixels.

        Columns: ``image_id``, one string column per attribute (null: not labelled), optionally ``split`` and
        ``identity``, and whatever ``load`` needs to find the image.

        Raises:
            MissingDataError: files are not there; says what to fetch and where to put it.
            DataError: a label table is not as published.
        """

    @abstractmethod
    def load(self, rows: pa.Table) -> list[bytes]:
        """Return the encoded images of some rows of the index, in their order; ``b""`` where a file is missing."""

    def records(self) -> Iterator[Record]:
        """Yield every image with its labels, in the order of the index."""
        attributes = self.attributes()
        index = checked_index(self.index(), attributes)
        for start in range(0, index.num_rows, _CHUNK):
            rows = index.slice(start, _CHUNK)
            for row, image in zip(rows.to_pylist(), self.load(rows), strict=True):
                labels = {name: row[name] for name in attributes}
                yield Record(row[IMAGE_ID], image, row[SPLIT], row[IDENTITY], labels)


def checked_index(index: pa.Table, attributes: Mapping[str, Sequence[str]]) -> pa.Table:
    """Check a source's index against its attributes and fill in the optional columns.

    Returns:
        The index with string columns ``image_id``, ``split``, ``identity`` and every attribute.

    Raises:
        DataError: no rows, a missing column, duplicate or null ids, a reserved name, an attribute without any label, or
            labels outside the class set.
    """
    if index.num_rows == 0:
        raise DataError("the data set has no rows")
    for name in (IMAGE_ID, *attributes):
        if name not in index.column_names:
            raise DataError(unknown("column", name, index.column_names))
    for name, classes in attributes.items():
        _check_names(name, classes)
    for name in (SPLIT, IDENTITY):
        if name not in index.column_names:
            index = index.append_column(name, pa.nulls(index.num_rows, pa.string()))
    for name in (IMAGE_ID, SPLIT, IDENTITY, *attributes):
        column = index[name].cast(pa.string())
        index = index.set_column(index.column_names.index(name), name, column.combine_chunks())
    _check_ids(index)
    for name, classes in attributes.items():
        _check_labels(index, name, classes)
    return index


def read_files(paths: Iterable[str]) -> list[bytes]:
    """Return the bytes of each file, ``b""`` where there is none (such a row fails later, with its reason)."""
    return [_read(path) for path in paths]


def require(root: str | Path, names: Sequence[str], *, what: str) -> list[Path]:
    """Return the paths of files or folders below ``root``.

    Args:
        root: the folder the config names.
        names: paths relative to it.
        what: one sentence: what to fetch and where from.

    Raises:
        MissingDataError: lists what is missing, what to fetch and where to put it.
    """
    paths = [Path(root) / name for name in names]
    missing = [name for name, path in zip(names, paths, strict=True) if not path.exists()]
    if missing or not root:
        raise_missing(root, missing, what=what)
    return paths


def raise_missing(root: str | Path, missing: Sequence[str], *, what: str) -> NoReturn:
    """Raise the error for files that are not there.

    Raises:
        MissingDataError: always.
    """
    place = f"in {Path(root).absolute()}" if str(root) else "(root is not set)"
    listed = ", ".join(missing) or "data"
    raise MissingDataError(f"missing {listed} {place}. {what} Put it there, or name the folder that holds it.")


def require_some_files(paths: Sequence[str], *, root: str | Path, what: str) -> None:
    """Check that at least one of the listed images exists: single gaps become failed rows, a wrong folder is an error.

    Raises:
        MissingDataError: none of them exists.
    """
    if paths and not any(Path(path).is_file() for path in paths):
        raise_missing(root, [f"all {len(paths)} listed images (for example {paths[0]})"], what=what)


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return b""


def _check_names(name: str, classes: Sequence[str]) -> None:
    if name in RESERVED or name.startswith(schema.PREDICTION_PREFIX):
        raise DataError(f"attribute name {name!r} is taken by a column of shards or audit tables; rename it")
    if not classes or len(set(classes)) != len(classes):
        raise DataError(f"attribute {name!r} needs one or more different classes, got {tuple(classes)}")


def _check_ids(index: pa.Table) -> None:
    ids = index[IMAGE_ID]
    if ids.null_count or "" in pc.unique(ids).to_pylist():
        raise DataError(f"column {IMAGE_ID!r}: every row needs an id")
    if pc.count_distinct(ids).as_py() != len(ids):
        twice = [name for name, count in Counter(ids.to_pylist()).items() if count > 1]
        raise DataError(
            f"column {IMAGE_ID!r}: {len(twice)} ids occur more than once, for example {', '.join(twice[:_EXAMPLES])}"
        )


def _check_labels(index: pa.Table, name: str, classes: Sequence[str]) -> None:
    column = index[name]
    if column.null_count == len(column):
        raise DataError(f"column {name!r}: no row has a label")
    for label in pc.unique(column).to_pylist():
        if label is not None and label not in classes:
            rows = index.filter(pc.equal(column, label))
            where = f"{rows.num_rows} rows, first {rows[IMAGE_ID][0].as_py()!r}"
            raise DataError(f"column {name!r} ({where}): {unknown('label', label, list(classes))}")
