"""Fairness discrepancy: how far the shares of the classes among generated images are from even (paper 004, eq. 9).

``classifier's probabilities -> hard (arg max) or soft (mean) shares -> sqrt(Σ_d (1/K - share_d)²)``

The paper prints 5 sets of 10,000 images; its published code takes 10 of 5,000, and sums only over classes that occur,
so absent classes add nothing: two of six classes, half each, are .471 there and .577 here. Every class counts here.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from greycard.metrics.generation.states import Floats, Ints

_STEADY = 30.0  # condition number from which corrected shares are mostly noise


@dataclass(frozen=True, slots=True)
class ShareCounts:
    """What a classifier says of images, split by split.

    Attributes:
        counts: (S, K) int64 images by arg max.
        sums: (S, K) float64 sums of probabilities.
    """

    counts: Ints
    sums: Floats

    @classmethod
    def zero(cls, classes: int, splits: int = 10) -> "ShareCounts":
        """Return the state of no images."""
        if splits < 1 or classes < 2:
            raise ValueError(f"shares take 1 split and 2 classes at least, got {splits} and {classes}")
        return cls(np.zeros((splits, classes), np.int64), np.zeros((splits, classes)))

    def add(self, probabilities: Floats, splits: Ints) -> "ShareCounts":
        """Return the state with more images: probabilities (N, K), and the split (N,) of each."""
        total, classes = self.counts.shape
        if probabilities.ndim != 2 or probabilities.shape[1] != classes:
            raise ValueError(f"probabilities must be (N, {classes}), got {probabilities.shape}")
        if len(splits) and not 0 <= splits.min() <= splits.max() < total:
            raise ValueError(f"splits must be 0..{total - 1}, got {splits.min()}..{splits.max()}")
        counts, sums = self.counts.copy(), self.sums.copy()
        np.add.at(counts, (splits, probabilities.argmax(axis=1)), 1)
        np.add.at(sums, splits, probabilities)
        return ShareCounts(counts, sums)

    def merge(self, other: "ShareCounts") -> "ShareCounts":
        """Return the state of both."""
        return ShareCounts(self.counts + other.counts, self.sums + other.sums)

    def finish(self) -> "Shares":
        """Return the shares; those of splits without images are left out."""
        images = self.counts.sum(axis=1)
        filled = images > 0
        per_split = np.maximum(images, 1)[:, None]
        total = max(1, int(images.sum()))
        return Shares(
            self.counts.sum(axis=0),
            self.counts.sum(axis=0) / total,
            self.sums.sum(axis=0) / total,
            (self.counts / per_split)[filled],
            (self.sums / per_split)[filled],
        )


class Shares(NamedTuple):
    """Shares of the classes.

    Attributes:
        counts: (K,) int64 images by arg max.
        hard: (K,) shares by arg max, of all images.
        soft: (K,) mean probabilities, of all images.
        hard_splits: (S, K) the same per split.
        soft_splits: (S, K).
    """

    counts: Ints
    hard: Floats
    soft: Floats
    hard_splits: Floats
    soft_splits: Floats


def discrepancy(shares: Floats) -> Floats:
    """Return ``sqrt(Σ_d (1/K - share_d)²)`` of shares (..., K): 0 where even, sqrt(1 - 1/K) where one class has all.

    Example:
        >>> float(discrepancy(np.array([0.5, 0.5, 0, 0, 0, 0])).round(3))
        0.577
        >>> tail = np.array([int(5000 * 0.1 ** (i / 9)) for i in range(10)])
        >>> float(discrepancy(tail / tail.sum()).round(4))
        0.2205
    """
    shares = np.asarray(shares, np.float64)
    found: Floats = np.sqrt(((1.0 / shares.shape[-1] - shares) ** 2).sum(axis=-1))
    return found


def sampling_floor(classes: int, images: float) -> float:
    """Return ``sqrt((1 - 1/K) / n)``: what a perfectly even generator shows on average (root mean square) in n images.

    Example:
        >>> round(sampling_floor(10, 5000), 4), round(sampling_floor(6, 10000), 4)
        (0.0134, 0.0091)
    """
    return float(np.sqrt((1.0 - 1.0 / classes) / images)) if images > 0 else float("nan")


class Discrepancy(NamedTuple):
    """Mean and (population) standard deviation over splits, images per split, splits, and the sampling floor there."""

    mean: float
    sd: float
    images: float
    splits: int
    floor: float


def discrepancy_over_splits(shares: Floats, images: float) -> Discrepancy:
    """Return the discrepancy over splits of ``images`` each, from their shares (S, K); NaN without a split."""
    if not len(shares):
        return Discrepancy(np.nan, np.nan, 0.0, 0, np.nan)
    values = discrepancy(shares)
    return Discrepancy(
        float(values.mean()), float(values.std()), images, len(values), sampling_floor(shares.shape[1], images)
    )


class Interval(NamedTuple):
    """A 95 % interval."""

    low: float
    high: float


def discrepancy_interval(counts: Ints, *, resamples: int = 1000, seed: int = 0) -> Interval:
    """Return a bootstrap interval of the discrepancy of all images, from counts (K,); NaN without images.

    Resampled shares lie further from even than the drawn ones, as those lie further than the true ones: the basic
    interval (twice the value less the quantiles) takes that back. Close to even it would be too short, so there it is
    the value ± the distance between drawn and resampled shares, which holds by the triangle inequality.
    """
    total = int(counts.sum())
    if not total or not resamples:
        return Interval(np.nan, np.nan)
    drawn = np.random.default_rng(seed).multinomial(total, counts / total, size=resamples) / total
    value = float(discrepancy(counts / total))
    radius = float(np.quantile(np.linalg.norm(drawn - counts / total, axis=1), 0.95))
    if value < 2 * radius:
        return Interval(max(0.0, value - radius), value + radius)
    low, high = np.quantile(discrepancy(drawn), [0.025, 0.975])
    return Interval(max(0.0, 2 * value - float(high)), max(0.0, 2 * value - float(low)))


class Corrected(NamedTuple):
    """Shares corrected for a classifier's confusions.

    Attributes:
        shares: (K,) on the simplex.
        condition: condition number of the confusion matrix; 1 for a classifier that makes no mistakes.
        shift: distance from the plain solution, which can leave the simplex, to the nearest shares.
        warning: "" or why the shares should not be trusted.
    """

    shares: Floats
    condition: float
    shift: float
    warning: str


def corrected_shares(shares: Floats, confusion: Ints | Floats) -> Corrected:
    """Return true shares from observed ones: ``observed = Σ_b true_b · p(said a | is b)``, solved for true.

    Teo & Cheung (2021) show how a classifier's mistakes bias this measure. The correction holds as far as the
    classifier errs on generated images as it does on the labelled ones that the matrix was counted on.

    Args:
        shares: (K,) hard shares.
        confusion: (K, K) counts or rates: true class by predicted class.

    Example:
        >>> found = corrected_shares(np.array([0.6, 0.4]), np.array([[90, 10], [10, 90]]))
        >>> found.shares.round(3).tolist(), round(found.condition, 3), found.warning
        ([0.625, 0.375], 1.25, '')
    """
    confusion = np.asarray(confusion, np.float64)
    seen = confusion.sum(axis=1)
    if confusion.shape != (len(shares),) * 2:
        raise ValueError(f"confusion must be ({len(shares)}, {len(shares)}), got {confusion.shape}")
    nothing = np.full(len(shares), np.nan)
    if (seen <= 0).any():
        absent = np.flatnonzero(seen <= 0).tolist()
        return Corrected(nothing, np.inf, np.nan, f"no labelled image of classes {absent}: shares are not corrected")
    rates = confusion / seen[:, None]
    condition = float(np.linalg.cond(rates))
    if condition > 1e12:
        return Corrected(nothing, condition, np.nan, "the confusion matrix can not be inverted")
    solved = np.linalg.solve(rates.T, np.asarray(shares, np.float64))
    nearest = nearest_shares(solved)
    warning = f"condition number {condition:.0f} of the confusion matrix: mostly noise" if condition > _STEADY else ""
    return Corrected(nearest, condition, float(np.linalg.norm(solved - nearest)), warning)


def nearest_shares(values: Floats) -> Floats:
    """Return the point of the simplex (0 or above, sum 1) nearest to (K,) values (Held et al. 1974).

    Example:
        >>> nearest_shares(np.array([1.2, -0.2])).tolist()
        [1.0, 0.0]
    """
    ordered = np.sort(values)[::-1]
    excess = (np.cumsum(ordered) - 1.0) / np.arange(1, len(values) + 1)
    threshold = excess[np.flatnonzero(ordered - excess > 0)[-1]]
    nearest: Floats = np.clip(values - threshold, 0.0, None)
    return nearest
