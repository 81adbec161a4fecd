"""Image data sets as Hugging Face publishes them: Parquet with ``image: struct<bytes, path>`` and class-label ids.

The names of the class labels are read from the Parquet schema's metadata (``huggingface``), as the ``datasets`` library
writes it. The split is the first word of the file's name (``train-00000-of-00005.parquet``) or, failing that, its
folder (``default/train/0000.parquet``).
"""

import json
import re
import threading
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from greycard.datasets.labels import require_columns
from greycard.datasets.pixels import image_bytes
from greycard.datasets.records import PATH, DataError, Source, raise_missing
from greycard.datasets.storage import Folder
from greycard.schema import IDENTITY, IMAGE_ID, SPLIT, unknown

FETCH: Final = "Parquet files of a Hugging Face image data set are expected (its data/*.parquet)."
_LOCK: Final = threading.Lock()
_SPLIT_WORD: Final = re.compile(r"(train|training|val|valid|validation|dev|test|testing)(?=[-_.]|$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class HuggingFaceConfig(Source):
    """Hugging Face image Parquet.

    Attributes:
        path: a Parquet file or a folder of them, at any depth; local or ``s3://``.
        image: the image column.
        labels: the columns to keep as attributes; ``()`` keeps those with class names.
        classes: column -> class names in order, for text labels or ids without names in the metadata.
        image_id: the column of ids; "" numbers the rows of each file (``train-00000-of-00005/000012``).
        identity: the column of identities; "" where there is none.
        name: the data set's name in manifests and reports.
    """

    kind: Literal["huggingface"] = "huggingface"
    path: str = ""
    image: str = "image"
    labels: tuple[str, ...] = ()
    classes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    image_id: str = ""
    identity: str = ""
    name: str = "huggingface"

    def attributes(self) -> dict[str, tuple[str, ...]]:
        """Return the labels with their class names."""
        file = next(iter(self._files()))
        with _open(file) as parquet:
            schema = parquet.schema_arrow
        named = _class_names(schema) | {name: tuple(names) for name, names in self.classes.items()}
        chosen = self.labels or tuple(named)
        require_columns(file, schema.names, chosen)
        for name in chosen:
            if name not in named:
                raise DataError(f"{file}: column {name!r} has no class names in its metadata: set classes.{name}=[...]")
        return {name: named[name] for name in chosen}

    def index(self) -> pa.Table:
        """Return one row per image with its file, row group and offset."""
        attributes = self.attributes()
        return pa.concat_tables([self._index_of(file, name, attributes) for file, name in self._files().items()])

    def load(self, rows: pa.Table) -> list[bytes]:
        """Take the images' bytes out of their row groups, as they are."""
        places = zip(*(rows[name].to_pylist() for name in (PATH, "group", "offset")), strict=True)
        return [
            self._bytes(path, _row_group(path, group, self.image)[offset].as_py()) for path, group, offset in places
        ]

    def _bytes(self, file: str, cell: Any) -> bytes:
        data = image_bytes(cell)
        beside = cell.get("path") if isinstance(cell, dict) else None
        if data or not beside:
            return data
        found = Folder.open(file)
        try:
            return Folder(file, found.filesystem, found.path.rpartition("/")[0]).read(beside)
        except (FileNotFoundError, NotADirectoryError):
            return b""

    def _files(self) -> dict[str, str]:
        """Return each Parquet file's path or URI and its name inside the data set, sorted."""
        if not self.path:
            raise_missing("", ["path"], what=FETCH)
        folder = Folder.open(self.path)
        if folder.filesystem.get_file_info(folder.path).is_file:
            return {folder.uri: folder.path.rpartition("/")[2]}
        files = {folder.uri_of(name): name for name in folder.parquet_names(recursive=True)}
        if not files:
            raise_missing(self.path, ["*.parquet"], what=FETCH)
        return files

    def _index_of(self, file: str, name: str, attributes: dict[str, tuple[str, ...]]) -> pa.Table:
        extra = [name for name in (self.image_id, self.identity) if name]
        with _open(file) as parquet:
            require_columns(file, parquet.schema_arrow.names, [self.image, *attributes, *extra])
            kind = parquet.schema_arrow.field(self.image).type
            if not (pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or _is_image_struct(kind)):
                raise DataError(f"{file}: column {self.image!r} must hold bytes or struct<bytes, path>, not {kind}")
            table = parquet.read(columns=[*attributes, *extra])
            sizes = [parquet.metadata.row_group(group).num_rows for group in range(parquet.metadata.num_row_groups)]
        rows = sum(sizes)
        stem = name.removesuffix(".parquet")
        columns: dict[str, list[Any]] = {
            IMAGE_ID: _texts(table, self.image_id) if self.image_id else [f"{stem}/{row:06d}" for row in range(rows)],
            IDENTITY: _texts(table, self.identity) if self.identity else [None] * rows,
            SPLIT: [_split_of(stem)] * rows,
            PATH: [file] * rows,
        }
        columns |= {name: _named(file, table[name], name, classes) for name, classes in attributes.items()}
        text = {name: pa.array(values, pa.string()) for name, values in columns.items()}
        places = [(group, offset) for group, size in enumerate(sizes) for offset in range(size)]
        groups, offsets = ([place[side] for place in places] for side in (0, 1))
        return pa.table(text | {"group": pa.array(groups, pa.int64()), "offset": pa.array(offsets, pa.int64())})


def _open(file: str) -> pq.ParquetFile:
    folder = Folder.open(file)
    try:
        return pq.ParquetFile(folder.path, filesystem=folder.filesystem)
    except pa.ArrowInvalid as error:
        raise DataError(f"{file} is not a Parquet file: {error}") from None


def _row_group(file: str, group: int, column: str) -> pa.ChunkedArray:
    with _LOCK:  # threads that want the same row group wait for the one that reads it
        return _read_row_group(file, group, column)


@lru_cache(maxsize=4)
def _read_row_group(file: str, group: int, column: str) -> pa.ChunkedArray:
    with _open(file) as parquet:
        return parquet.read_row_group(group, columns=[column])[column]


def _class_names(schema: pa.Schema) -> dict[str, tuple[str, ...]]:
    """Return the class names of every label column, from the schema's ``huggingface`` metadata."""
    text = (schema.metadata or {}).get(b"huggingface")
    features = json.loads(text).get("info", {}).get("features", {}) if text else {}
    return {
        name: tuple(feature["names"])
        for name, feature in features.items()
        if isinstance(feature, dict) and feature.get("_type") == "ClassLabel" and feature.get("names")
    }


def _is_image_struct(kind: pa.DataType) -> bool:
    return bool(pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0)


def _split_of(place: str) -> str | None:
    """Return the split that a file's name begins with, or that its folder inside the data set is named after."""
    found = _SPLIT_WORD.match(Path(place).name) or _SPLIT_WORD.fullmatch(Path(place).parent.name)
    return found[1] if found else None


def _texts(table: pa.Table, column: str) -> list[str | None]:
    return [None if value is None else str(value) for value in table[column].to_pylist()]


def _named(file: str, column: pa.ChunkedArray, name: str, classes: tuple[str, ...]) -> list[str | None]:
    """Return labels as class names; ids are positions, -1 and null mean not labelled."""
    if not pa.types.is_integer(column.type):
        return [None if value is None else str(value) for value in column.to_pylist()]
    labels: list[str | None] = []
    for row, code in enumerate(column.to_pylist()):
        if code is not None and not -1 <= code < len(classes):
            accepted = [f"{number} ({label})" for number, label in enumerate(classes)]
            raise DataError(f"{file}: column {name!r}, row {row + 1}: {unknown('label id', code, accepted)}")
        labels.append(None if code is None or code < 0 else classes[code])
    return labels
