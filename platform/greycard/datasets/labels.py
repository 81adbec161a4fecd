"""Label tables as published: CSV, text in columns, Parquet. Every value is text; an empty cell is None."""

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from greycard.datasets.records import DataError
from greycard.schema import unknown

Columns = dict[str, list[str | None]]


def read_csv(path: Path, needed: Iterable[str] = ()) -> Columns:
    """Read a CSV file with a header.

    Args:
        path: the file, UTF-8.
        needed: columns that must be there.

    Raises:
        DataError: a column is missing, a row has another number of cells, or the file is not text.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = [row for row in csv.reader(file) if row]
    except UnicodeDecodeError:
        raise DataError(f"{path} is not a UTF-8 text file") from None
    return _columns(path, rows, needed)


def read_words(path: Path, needed: Iterable[str] = (), *, names: Sequence[str] | None = None, skip: int = 0) -> Columns:
    """Read text columns separated by spaces or tabs.

    Args:
        path: the file.
        needed: columns that must be there.
        names: column names where the file has no header; one name more than the header has names the first column.
        skip: lines before the header (or before the first row).

    Raises:
        DataError: as ``read_csv``.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()[skip:]
    except UnicodeDecodeError:
        raise DataError(f"{path} is not a UTF-8 text file") from None
    rows: list[list[str]] = [line.split() for line in lines if line.strip()]
    if names is not None:
        rows = [list(names), *rows]
    return _columns(path, rows, needed)


def read_table(path: Path, needed: Iterable[str] = ()) -> Columns:
    """Read a CSV or Parquet file by its name's ending; of a Parquet file only the needed columns.

    Raises:
        DataError: as ``read_csv``, or the ending is another one.
    """
    if path.suffix.lower() == ".csv":
        return read_csv(path, needed)
    if path.suffix.lower() not in (".parquet", ".pq"):
        raise DataError(f"a table must end in .csv or .parquet, got {path}")
    try:
        present = pq.read_schema(path).names
        require_columns(path, present, needed)
        table = pq.read_table(path, columns=list(dict.fromkeys(needed)))
    except pa.ArrowInvalid as error:
        raise DataError(f"{path} is not a Parquet file: {error}") from None
    return {name: [_text(value) for value in table[name].to_pylist()] for name in table.column_names}


def class_sets(
    classes: Mapping[str, tuple[str, ...]], columns: Mapping[str, str], table: Callable[[], Columns]
) -> dict[str, tuple[str, ...]]:
    """Return the class sets, those left empty as the labels that a table has of them, sorted.

    Args:
        classes: attribute -> classes, () where they are to be found.
        columns: attribute -> its column where that has another name.
        table: reads the table; called only where classes are to be found.
    """
    if all(classes.values()):
        return dict(classes)
    cells = table()
    found = {name: tuple(sorted({label for label in cells[columns.get(name, name)] if label})) for name in classes}
    return {name: tuple(known) or found[name] for name, known in classes.items()}


def require_columns(path: Path | str, present: Sequence[str], needed: Iterable[str]) -> None:
    """Check that a label table has columns.

    Raises:
        DataError: names the column that it has not, near matches and all that it has.
    """
    for name in needed:
        if name not in present:
            raise DataError(f"{path}: {unknown('column', name, list(present))}")


def recode(path: Path | str, column: str, values: Sequence[str | None], names: Mapping[str, str]) -> list[str | None]:
    """Translate published values into class names (None stays None).

    Raises:
        DataError: a value is not among ``names``; says which row and what is accepted.
    """
    for row, value in enumerate(values):
        if value is not None and value not in names:
            raise DataError(f"{path}: column {column!r}, row {row + 1}: {unknown('value', value, list(names))}")
    return [None if value is None else names[value] for value in values]


def _columns(path: Path, rows: Sequence[Sequence[str]], needed: Iterable[str]) -> Columns:
    if not rows:
        raise DataError(f"{path} is empty")
    header = [name.strip() for name in rows[0]]
    require_columns(path, header, needed)
    for number, row in enumerate(rows[1:], start=1):
        if len(row) != len(header):
            raise DataError(f"{path}: row {number} has {len(row)} cells, the header {len(header)}: {row[:3]}...")
    cells = zip(*rows[1:], strict=True) if len(rows) > 1 else [()] * len(header)
    return {name: [_text(cell) for cell in column] for name, column in zip(header, cells, strict=True)}


def _text(value: object) -> str | None:
    text = "" if value is None else str(value).strip()
    return text or None
