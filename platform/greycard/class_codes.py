"""Columns of text as integer codes, and back: the code of a label is its place in a class set of fixed order."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray


def class_codes(column: pa.Array | pa.ChunkedArray, classes: Sequence[str]) -> NDArray[np.int64]:
    """Return labels as codes, (N,) int64: -1 where a label is null or not among the classes.

    Example:
        >>> class_codes(pa.array(["wide", None, "narrow", "round"]), ("narrow", "wide")).tolist()
        [1, -1, 0, -1]
    """
    return _integers(pc.index_in(column.cast(pa.string()), value_set=pa.array(classes, pa.string())))


def encode(column: pa.ChunkedArray, classes: Sequence[str]) -> pa.DictionaryArray:
    """Dictionary-encode labels with the class set as the dictionary, so that bytes do not depend on the rows' order.

    A label that is null or not among the classes becomes null.
    """
    names = pa.array(classes, pa.string())
    codes = pc.index_in(column, value_set=names)
    return pa.DictionaryArray.from_arrays(codes.combine_chunks(), names)


def identity_codes(column: pa.Array | pa.ChunkedArray) -> NDArray[np.int64]:
    """Number the identities in order of appearance: (N,) int64, -1 where a row has none.

    Example:
        >>> identity_codes(pa.chunked_array([["ann", None], ["bo", "ann"]])).tolist()
        [0, -1, 1, 0]
    """
    names = column.cast(pa.string())
    return _integers(pc.index_in(names, value_set=pc.drop_null(pc.unique(names))))


def _integers(codes: Any) -> NDArray[np.int64]:
    filled: NDArray[np.int32] = pc.fill_null(codes, -1).to_numpy()
    return filled.astype(np.int64)
