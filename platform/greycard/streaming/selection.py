"""Which rows of a split an audit takes: a subset by attribute, and a limit that picks the same rows everywhere.

A limit takes the images with the smallest hash of their id, so it is a fair sample whatever the order of the shards,
and every stage can tell by itself whether a row is in.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from greycard.schema import IMAGE_ID, SPLIT

_ALL: Final = 2**64 - 1


@dataclass(frozen=True, slots=True)
class Selection:
    """A test of shard rows.

    Attributes:
        split: the split they belong to; "" takes all.
        subset: attribute -> classes that take part; attributes that are not named do not matter.
        threshold: rows whose id hashes to at most this take part.
    """

    split: str = ""
    subset: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    threshold: int = _ALL

    def apply(self, table: pa.Table) -> pa.Table:
        """Return the rows that take part, in their order."""
        mask = self._by_labels(table)
        if mask is not None:
            table = table.filter(mask)
        if self.threshold != _ALL:
            table = table.filter(pa.array(hashes(table[IMAGE_ID]) <= np.uint64(self.threshold)))
        return table

    def limited(self, table: pa.Table, limit: int) -> "Selection":
        """Return this selection narrowed to ``limit`` rows of the table that holds all of them."""
        found = np.sort(hashes(self.apply(table)[IMAGE_ID]))
        threshold = int(found[limit - 1]) if limit < len(found) else _ALL
        return Selection(self.split, self.subset, threshold)

    def _by_labels(self, table: pa.Table) -> pa.Array | None:
        wanted = dict(self.subset)
        if self.split:
            wanted[SPLIT] = (self.split,)
        mask = None
        for name, classes in wanted.items():
            hit = pc.is_in(table[name].cast(pa.string()), value_set=pa.array(classes))
            mask = hit if mask is None else pc.and_(mask, hit)
        return mask


def hashes(image_ids: pa.ChunkedArray) -> NDArray[np.uint64]:
    """Return (N,) uint64: a hash of each id, the same on every machine."""
    digests = (hashlib.blake2b(text.encode(), digest_size=8).digest() for text in image_ids.to_pylist())
    return np.frombuffer(b"".join(digests), ">u8").astype(np.uint64)
