"""Symbols to bytes and back through CompressAI's rANS coder and a network's integer tables.

The coder takes tables as nested lists and converts all of them on every call; a Gaussian's 64 tables hold 200,000
numbers, most of them padding. ``Tables`` passes only those rows that a string uses, cut to their true length, which
gives the same bytes in a small part of the time.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


class Tables:
    """The cumulative tables of one entropy model.

    Attributes:
        rows: table index -> its cumulative counts (16-bit precision, from 0 to 65536).
        lengths: table index -> number of counts.
        offsets: table index -> the symbol that its first interval stands for.
    """

    def __init__(self, entropy_model: Any) -> None:
        """Read the tables of a CompressAI entropy model whose ``update`` has run."""
        self.lengths: list[int] = entropy_model.cdf_length.reshape(-1).tolist()
        self.offsets: list[int] = entropy_model.offset.reshape(-1).tolist()
        padded = entropy_model.quantized_cdf.tolist()
        self.rows: list[list[int]] = [row[:length] for row, length in zip(padded, self.lengths, strict=True)]

    def encode(self, symbols: Ints, indexes: Ints) -> bytes:
        """Encode symbols, each with the table that its index names: two (S,) integer arrays -> bytes."""
        from compressai.ans import RansEncoder

        compact, *tables = self._select(indexes)
        return bytes(RansEncoder().encode_with_indexes(symbols.tolist(), compact, *tables))

    def decoder(self, string: bytes, num_symbols: int) -> "Decoder":
        """Start decoding a string of at most ``num_symbols`` symbols."""
        return Decoder(self, string, num_symbols)

    def _select(self, indexes: Ints) -> tuple[list[int], list[list[int]], list[int], list[int]]:
        is_used = np.bincount(indexes, minlength=len(self.rows)) > 0
        chosen = np.flatnonzero(is_used).tolist()
        return (
            (np.cumsum(is_used) - 1)[indexes].tolist(),
            [self.rows[i] for i in chosen],
            [self.lengths[i] for i in chosen],
            [self.offsets[i] for i in chosen],
        )


class Decoder:
    """Reads the symbols of one string in the order they were encoded."""

    def __init__(self, tables: Tables, string: bytes, num_symbols: int) -> None:
        from compressai.ans import RansDecoder

        self._tables = tables
        self._coder = RansDecoder()
        # The coder reads on where a crafted string ends too early; zeros behind it keep that inside the buffer.
        self._coder.set_stream(string + bytes(64 + 16 * num_symbols))

    def read(self, indexes: Ints) -> Ints:
        """Return the next symbols: (S,) table indexes -> (S,) symbols."""
        return np.asarray(self._coder.decode_stream(*self._tables._select(indexes)), dtype=np.int64)
