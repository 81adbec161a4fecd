"""Bias: the largest difference between groups, and how it differs from that of the untouched images.

"Gone With the Bits" (paper 000), eq. 3 and eq. 6: the largest pairwise gap of a group mean, which equals max - min.
Accuracies are averaged over classifier seeds first, as the paper's Table 1 does; the mean over seeds of each seed's own
max - min is larger or equal and is kept beside it.

Max - min is biased upwards: equal groups give about 2.06 standard errors for four groups. It is therefore to be read
beside its noise floor and p-value (``greycard.metrics.significance``), never alone.
"""

from typing import Literal, NamedTuple

import numpy as np

from greycard.metrics.by_group import Floats, Ints

Direction = Literal["higher", "lower", "zero"]


def bias(values: Floats) -> Floats:
    """Return max - min over groups: 0 = no difference, no upper bound (1 for accuracies).

    Empty groups (NaN) don't take part; NaN where fewer than two groups have a value.

    Args:
        values: (..., G, K) values by group.

    Returns:
        (..., K).

    Example:
        >>> bias(np.array([[0.92], [0.89], [0.96], [np.nan]])).round(2).tolist()
        [0.07]
    """
    missing = np.isnan(values)
    high = np.where(missing, -np.inf, values).max(axis=-2)
    low = np.where(missing, np.inf, values).min(axis=-2)
    enough = (~missing).sum(axis=-2) >= 2
    return np.subtract(high, low, out=np.full(high.shape, np.nan), where=enough)


def mean_seed_bias(values: Floats) -> Floats:
    """Return the mean over classifier seeds of each seed's max - min: (S, G, K) -> (K,).

    At least as large as the bias of the seed-averaged values.

    Example:
        >>> float(mean_seed_bias(np.array([[[0.8], [0.9]], [[0.9], [0.8]]]))[0].round(3))
        0.1
    """
    return np.asarray(bias(values).mean(axis=0))


class Extremes(NamedTuple):
    """The best and the worst group of each measure: (K,) int64 codes, -1 where no group has a value."""

    best: Ints
    worst: Ints


def extremes(values: Floats, directions: tuple[Direction, ...]) -> Extremes:
    """Find the best and worst group of each measure; of ties the first in group order.

    Args:
        values: (G, K).
        directions: K of "higher" or "lower" (is better) or "zero" (the closer to 0 the better).

    Example:
        >>> extremes(np.array([[0.2, -1.0], [0.9, 0.1], [np.nan, 0.3]]), ("higher", "zero"))
        Extremes(best=array([1, 1]), worst=array([0, 0]))
    """
    toward = {"higher": values, "lower": -values, "zero": -np.abs(values)}
    goodness = np.stack([toward[direction][:, k] for k, direction in enumerate(directions)], axis=1)
    missing = np.isnan(goodness)
    best = np.where(missing, -np.inf, goodness).argmax(axis=0)
    worst = np.where(missing, np.inf, goodness).argmin(axis=0)
    empty = missing.all(axis=0)
    return Extremes(np.where(empty, -1, best), np.where(empty, -1, worst))


def gap(values: Floats, a: int, b: int) -> Floats:
    """Return the signed gap of group ``a`` over group ``b``: (..., G, K) -> (..., K); NaN if either is empty.

    Unlike ``bias`` it is unbiased for groups chosen beforehand, so its bootstrap interval covers the true gap at about
    the stated level.

    Example:
        >>> gap(np.array([[0.7], [0.9]]), 0, 1).round(2).tolist()
        [-0.2]
    """
    return values[..., a, :] - values[..., b, :]
