"""The columns that travel between stages: pixels as fixed-size binary, and lists aligned with the operating points.

Plain Arrow types only, so that a block crosses processes without copies and a written file reads anywhere. Nothing here
needs torch: tasks that only decode should not pay for importing it.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

PIXELS: Final = "pixels"  # fixed-size binary: size x size x 3 bytes RGB, zeros where decoding failed
DECODE_ERROR: Final = "decode_error"  # string: why decoding failed, "" otherwise


def pixel_column(images: NDArray[np.uint8]) -> pa.Array:
    """Return (N, H, W, 3) uint8 pixels as a fixed-size binary column, without a copy."""
    width = int(np.prod(images.shape[1:]))
    return pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(width), len(images), [None, pa.py_buffer(np.ascontiguousarray(images))]
    )


def pixels_of(table: pa.Table, size: int) -> NDArray[np.uint8]:
    """Return the pixel column as (N, size, size, 3) uint8; a read-only view where the table is one block."""
    column = table[PIXELS].combine_chunks()
    if isinstance(column, pa.ChunkedArray):  # an empty column keeps no chunk
        column = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
    width = size * size * 3
    flat = np.frombuffer(column.buffers()[1] or b"", np.uint8, len(column) * width, column.offset * width)
    return flat.reshape(len(column), size, size, 3)


def list_column(values: Sequence[Any] | NDArray[Any] | pa.Array, rows: int, kind: pa.DataType) -> pa.Array:
    """Return ``rows`` lists of equal length from their items in row order: ``list<kind>``."""
    items = values if isinstance(values, pa.Array) else pa.array(values, kind)
    length = len(items) // rows if rows else 0
    offsets = np.arange(rows + 1, dtype=np.int32) * length
    return pa.ListArray.from_arrays(pa.array(offsets), items)


def prediction_lists(codes: NDArray[np.int8]) -> pa.Array:
    """Return (N, P, S) codes of N images, P points and S classifier seeds as ``list<list<int8>>``."""
    rows, points, seeds = codes.shape
    inner = list_column(np.ascontiguousarray(codes).reshape(-1), rows * points, pa.int8())
    if seeds == 0:
        inner = pa.array([[]] * (rows * points), pa.list_(pa.int8()))
    return list_column(inner, rows, pa.list_(pa.int8()))
