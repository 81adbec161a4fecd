"""The audit table as arrays: one row per image, one set of row numbers per system and operating point.

Statistics need the same image of every system side by side; a row number into the table's columns gives that without
copying them. Images are ordered by id, so nothing depends on the order of the table's rows.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from greycard import schema
from greycard.class_codes import class_codes, identity_codes
from greycard.metrics.by_group import Floats, Ints


@dataclass(frozen=True, slots=True)
class PointRows:
    """One system at one operating point.

    Attributes:
        system: its name.
        point: its operating point.
        rows: (M,) each image's row in the table, -1 where the image is not in the table at this point.
    """

    system: str
    point: float
    rows: Ints


@dataclass(frozen=True, slots=True)
class AuditRows:
    """An audit table of n rows about M images.

    Attributes:
        identities: (M,) identity codes, -1 where there is none.
        labels: attribute -> (M,) class codes, -1 where unknown.
        points: systems in order of appearance, points ascending.
        columns: numeric columns by name, (n,) float64, NaN where the row failed.
        predictions: task -> (n, S) integer class codes by seed, -1 where missing.
        failed: (n,) bool.
        errors: (n,) the reasons of failed rows, "" otherwise.
    """

    identities: Ints
    labels: dict[str, Ints]
    points: tuple[PointRows, ...]
    columns: dict[str, Floats]
    predictions: dict[str, NDArray[np.int8]]
    failed: NDArray[np.bool_]
    errors: pa.Array

    @property
    def num_images(self) -> int:
        """M, the number of images."""
        return len(self.identities)

    def values(self, column: str, point: PointRows) -> Floats:
        """Return a column at a point, (M,) float64; NaN for failed and for absent rows."""
        return np.where(point.rows < 0, np.nan, self.columns[column][point.rows])

    def predicted(self, task: str, point: PointRows) -> Ints:
        """Return a task's predictions at a point, (M, S) int64; -1 for failed and for absent rows."""
        codes = self.predictions[task][point.rows].astype(np.int64)
        codes[point.rows < 0] = -1
        return codes


def read(table: pa.Table, attributes: Mapping[str, tuple[str, ...]], measures: tuple[str, ...]) -> AuditRows:
    """Read an audit table: one row per image and point, so that of an image's samples the first counts.

    Args:
        table: columns as in ``greycard.schema``.
        attributes: class sets in fixed order; those that the table has are read.
        measures: numeric columns to read where present.

    Raises:
        ValueError: a required column is missing, a label is not in its class set, a task has predictions but no
            labels, an image comes twice at a point, or classifier seeds differ in number.
    """
    for name in (schema.IMAGE_ID, schema.SYSTEM, schema.POINT, schema.STATUS):
        if name not in table.column_names:
            raise ValueError(f"audit table lacks the column {name!r}; it has {', '.join(table.column_names)}")
    if schema.SAMPLE in table.column_names:
        table = table.filter(pc.equal(pc.fill_null(table[schema.SAMPLE], 0), 0))
    images, first = _images(table)
    failed = _array(pc.not_equal(_flat(table, schema.STATUS), schema.OK)).astype(bool)
    columns = {}
    for name in (*schema.RATES, *measures):
        if name in table.column_names:
            values = _array(pc.cast(_flat(table, name), pa.float64())).astype(np.float64)
            columns[name] = np.where(failed, np.nan, values)
    labels = {
        name: _codes(_flat(table, name).take(pa.array(first)), name, classes)
        for name, classes in attributes.items()
        if name in table.column_names
    }
    return AuditRows(
        _identities(table, first),
        labels,
        _points(table, images, len(first)),
        columns,
        _all_predictions(table, labels, failed),
        failed,
        _flat(table, schema.ERROR) if schema.ERROR in table.column_names else pa.array([""] * len(table)),
    )


def _flat(table: pa.Table, name: str) -> pa.Array:
    column = table.column(name).combine_chunks()
    if isinstance(column, pa.ChunkedArray):
        column = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def _array(column: pa.Array) -> NDArray[np.generic]:
    array: NDArray[np.generic] = column.to_numpy(zero_copy_only=False)
    return array


def _images(table: pa.Table) -> tuple[Ints, Ints]:
    """Number the images in order of their ids: each row's image, and the first row of each image."""
    encoded = _flat(table, schema.IMAGE_ID).dictionary_encode()
    if encoded.null_count:
        raise ValueError(f"{encoded.null_count} rows of the audit table have no {schema.IMAGE_ID}")
    order = _array(pc.sort_indices(encoded.dictionary)).astype(np.int64)
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    images = rank[_array(encoded.indices).astype(np.int64)]
    return images, np.unique(images, return_index=True)[1].astype(np.int64)


def _identities(table: pa.Table, first: Ints) -> Ints:
    if schema.IDENTITY not in table.column_names:
        return np.full(len(first), -1, np.int64)
    return identity_codes(_flat(table, schema.IDENTITY).take(pa.array(first)))


def _codes(column: pa.Array, name: str, classes: tuple[str, ...]) -> Ints:
    codes = class_codes(column, classes)
    strangers = np.flatnonzero((codes < 0) & _array(pc.is_valid(column)).astype(bool))
    if len(strangers):
        raise ValueError(schema.unknown(f"{name} label", column[strangers[0].item()].as_py(), classes))
    return codes


def _points(table: pa.Table, images: Ints, count: int) -> tuple[PointRows, ...]:
    systems = _flat(table, schema.SYSTEM).dictionary_encode()
    names = systems.dictionary.to_pylist()
    points, point_codes = np.unique(_array(_flat(table, schema.POINT)).astype(np.float64), return_inverse=True)
    keys = _array(systems.indices).astype(np.int64) * len(points) + point_codes
    order = np.argsort(keys, kind="stable")
    found, starts = np.unique(keys[order], return_index=True)
    result = []
    for key, rows in zip(found, np.split(order, starts)[1:], strict=True):
        name, point = names[key // len(points)], float(points[key % len(points)])
        if len(np.unique(images[rows])) < len(rows):
            raise ValueError(f"an image comes more than once in the audit table at system {name!r}, point {point:g}")
        places = np.full(count, -1, np.int64)
        places[images[rows]] = rows
        result.append(PointRows(name, point, places))
    return tuple(result)


def _all_predictions(
    table: pa.Table, labels: Mapping[str, Ints], failed: NDArray[np.bool_]
) -> dict[str, NDArray[np.int8]]:
    found = {}
    for column in table.column_names:
        if column.startswith(schema.PREDICTION_PREFIX):
            task = column.removeprefix(schema.PREDICTION_PREFIX)
            if task not in labels:
                raise ValueError(
                    f"the audit table has predictions of {task!r} but no labels: it needs a column {task!r}, "
                    f"and a class set among the attributes"
                )
            found[task] = _predictions(_flat(table, column), column)
            found[task][failed] = -1
    return found


def _predictions(column: pa.Array, name: str) -> NDArray[np.int8]:
    """Turn list<int8> into (n, S) codes; null and empty lists become -1."""
    lengths = _array(pc.fill_null(pc.list_value_length(column), 0)).astype(np.int64)
    seeds = np.unique(lengths[lengths > 0])
    if len(seeds) > 1:
        raise ValueError(f"{name}: every row needs as many predictions as there are seeds, got {seeds.tolist()}")
    codes = np.full((len(column), int(seeds[0]) if len(seeds) else 1), -1, np.int8)
    values = _array(pc.fill_null(pc.cast(pc.list_flatten(column), pa.int8()), -1))
    codes[lengths > 0] = values.reshape(-1, codes.shape[1])
    return codes
