"""How much of a number by group is chance: bootstrap over identities, and groups permuted over identities.

Bootstrap (Efron & Tibshirani 1993, ch. 6, 13; clusters as in Davison & Hinkley 1997, §3.8): identities are drawn with
replacement, all images of a drawn identity come along. Where every identity lies in one group they are drawn within
their group, so group sizes stay; where identities span groups (image-level attributes) all are drawn together.

Permutation: under "the groups do not differ" the identities' groups can be exchanged. Whole identities move; the
images of an identity that spans groups are exchanged within it.

Both draw once and then serve every measure, system and operating point of the same images, so differences between
systems are paired.
"""

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from greycard.metrics.by_group import Floats, Groups, Ints, Partition, Sums, partition

_CHUNK = 1 << 22  # elements of the weight matrix that are in floating point at a time


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """Resampled identities: how often each unit is drawn.

    Attributes:
        units: the units, U of them.
        weights: (B, U) uint8.
    """

    units: Partition
    weights: NDArray[np.uint8]

    @classmethod
    def draw(cls, units: Partition, resamples: int, seed: int) -> "Bootstrap":
        """Draw ``resamples`` times, reproducibly from ``seed``."""
        random = np.random.default_rng([seed, 0])
        clusters, owner = np.unique(units.cluster, return_inverse=True)
        if len(clusters) == len(units.cluster):
            bounds = units.bounds
            strata = [high - low for low, high in pairwise(bounds)]
            return cls(units, np.concatenate([_draw(random, resamples, n) for n in strata], axis=1))
        return cls(units, _draw(random, resamples, len(clusters))[:, owner])

    def replicates(self, sums: Sums) -> Floats:
        """Return (B, G, K) values of the resampled groups, from the sums of ``units``."""
        size = sums.numerators.shape[1]
        table = np.concatenate([sums.numerators, sums.denominators], axis=1)
        bounds, resamples = self.units.bounds, len(self.weights)
        totals = np.zeros((resamples, len(self.units.groups), 2 * size))
        for rows in _chunks(resamples, len(table)):
            weights = self.weights[rows].astype(np.float64)
            for group, (low, high) in enumerate(pairwise(bounds)):
                totals[rows, group] = weights[:, low:high] @ table[low:high]
        return sums.layout.finish(totals[..., :size], totals[..., size:])


@dataclass(frozen=True, slots=True)
class Permutation:
    """Groups permuted over identities.

    Attributes:
        units: the units that move: identities, or images of identities that span groups.
        groups: (B, U) int16 the groups they are moved to.
    """

    units: Partition
    groups: NDArray[np.int16]

    @classmethod
    def draw(cls, groups: Groups, clusters: Ints, permutations: int, seed: int) -> "Permutation":
        """Permute ``permutations`` times, reproducibly from ``seed``.

        Args:
            groups: N rows' groups.
            clusters: (N,) int64 from ``clusters_of``.
        """
        random = np.random.default_rng([seed, 1])
        units = partition(groups, clusters)
        owners, spans = np.unique(units.cluster, return_counts=True)
        if len(owners) == len(units.cluster):
            tiled = np.tile(units.group.astype(np.int16), (permutations, 1))
            return cls(units, random.permuted(tiled, axis=1, out=tiled))
        spanning = np.isin(clusters, owners[spans > 1])
        fresh = int(clusters.max()) + 1 + np.arange(len(clusters))
        units = partition(groups, np.where(spanning, fresh, clusters))
        blocks = np.where(units.cluster >= fresh[0], clusters[units.order[units.starts]], -1)
        return cls(units, _permute_within(random, units.group.astype(np.int16), blocks, permutations))

    def replicates(self, sums: Sums) -> Floats:
        """Return (B, G, K) values of the permuted groups, from the sums of ``units``."""
        size = sums.numerators.shape[1]
        table = np.concatenate([sums.numerators, sums.denominators], axis=1)
        totals = np.zeros((len(self.groups), len(self.units.groups), 2 * size))
        for rows in _chunks(len(self.groups), len(table)):
            for group in range(len(self.units.groups)):
                totals[rows, group] = (self.groups[rows] == group).astype(np.float64) @ table
        return sums.layout.finish(totals[..., :size], totals[..., size:])


def interval(replicates: Floats, level: float) -> tuple[Floats, Floats]:
    """Return the percentile interval over the first axis, NaN replicates left out.

    Args:
        replicates: (B, ...); B = 0 gives NaN.
        level: coverage in (0, 1).

    Example:
        >>> low, high = interval(np.arange(101.0), 0.9)
        >>> round(float(low), 6), round(float(high), 6)
        (5.0, 95.0)
    """
    tail = (1 - level) / 2
    ordered = np.sort(replicates, axis=0)  # NaN last
    return _quantile(ordered, tail), _quantile(ordered, 1 - tail)


def p_value(observed: Floats, permuted: Floats) -> Floats:
    """Return the share of permutations at least as large as what was observed, itself counted among them.

    In [1 / (B + 1), 1]; NaN where nothing was observed or permuted.

    Args:
        observed: (...).
        permuted: (B, ...).

    Example:
        >>> p_value(np.array(0.5), np.array([0.1, 0.2, 0.5, 0.7])).item()
        0.6
    """
    tolerance = 1e-12 * np.maximum(1.0, np.abs(observed))
    larger = (permuted >= observed - tolerance).sum(axis=0)
    p = (1.0 + larger) / (1.0 + len(permuted))
    return np.where(np.isnan(observed) | (len(permuted) == 0), np.nan, p)


def _quantile(ordered: Floats, q: float) -> Floats:
    if not len(ordered):
        return np.full(ordered.shape[1:], np.nan)
    last = np.maximum((~np.isnan(ordered)).sum(axis=0) - 1, 0)  # of all-NaN columns: index 0, which is NaN
    place = q * last
    below = np.floor(place).astype(np.int64)
    share = place - below
    lower = np.take_along_axis(ordered, below[None], axis=0)[0]
    upper = np.take_along_axis(ordered, np.minimum(below + 1, last)[None], axis=0)[0]
    return np.asarray(lower + share * (upper - lower))


def _draw(random: np.random.Generator, resamples: int, n: int) -> NDArray[np.uint8]:
    """Draw n of n with replacement, ``resamples`` times: how often each came, (resamples, n)."""
    weights = np.zeros((resamples, n), np.uint8)
    for rows in _chunks(resamples, n):
        count = len(range(*rows.indices(resamples)))
        drawn = random.integers(0, max(n, 1), (count, n), dtype=np.int32).astype(np.int64)
        drawn += n * np.arange(count)[:, None]
        weights[rows] = np.bincount(drawn.ravel(), minlength=count * n).reshape(count, n)
    return weights


def _permute_within(
    random: np.random.Generator, groups: NDArray[np.int16], blocks: Ints, permutations: int
) -> NDArray[np.int16]:
    """Permute groups within blocks: sort by block, ties in random order."""
    in_blocks = np.argsort(blocks, kind="stable")
    permuted = np.empty((permutations, len(groups)), np.int16)
    for row in range(permutations):
        order = np.lexsort((random.random(len(groups)), blocks))
        permuted[row, order] = groups[in_blocks]
    return permuted


def _chunks(rows: int, columns: int) -> list[slice]:
    step = max(1, _CHUNK // max(columns, 1))
    return [slice(low, min(low + step, rows)) for low in range(0, rows, step)]


def wilson(count: float, total: float, z: float = 1.959964) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share; NaN without images.

    Example:
        >>> [round(end, 4) for end in wilson(0, 100)], [round(end, 4) for end in wilson(50, 100)]
        ([0.0, 0.037], [0.4038, 0.5962])
    """
    if not total:
        return math.nan, math.nan
    p = count / total
    middle, width = p + z * z / (2 * total), z * math.sqrt(p * (1 - p) / total + z * z / (4 * total * total))
    low, high = (middle - width) / (1 + z * z / total), (middle + width) / (1 + z * z / total)
    return max(0.0, low), min(1.0, high)
