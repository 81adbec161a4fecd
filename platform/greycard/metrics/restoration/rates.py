"""Rate-distortion curves compared: BD-rate, BD-PSNR, and the area under bias over a shared range of rates.

Bjontegaard (VCEG-M33, 2001) with the piecewise cubic Hermite interpolation (PCHIP) of later JVET practice instead of
one cubic polynomial: few and widely spaced points make the polynomial swing. Rates are bits per pixel, on a log10 axis.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.interpolate import PchipInterpolator

from greycard.metrics.by_group import Floats


class NotComparableError(ValueError):
    """Two curves can't be compared; the message says why."""


class Curve(NamedTuple):
    """Rates and what they buy.

    Attributes:
        rates: (P,) bits per pixel, > 0, any order.
        values: (P,) quality in dB, or bias.
    """

    rates: Floats
    values: Floats


class Comparison(NamedTuple):
    """A number and the range of rates that it is about.

    Attributes:
        value: see the function.
        low_bpp: lowest rate of the range.
        high_bpp: highest rate.
    """

    value: float
    low_bpp: float
    high_bpp: float


def bd_rate(curve: Curve, reference: Curve, *, min_overlap: float = 0.5) -> Comparison:
    """Return the mean rate difference at equal quality, in percent; negative = ``curve`` needs fewer bits.

    In (-100, inf). The range is that of the reference's rates over the common qualities.

    Args:
        curve: what is judged; its values must rise with the rate.
        reference: what it is compared with.
        min_overlap: the common interval's least share of the narrower curve's quality interval.

    Raises:
        NotComparableError: fewer than two points, a rate that is not positive and finite, quality that does not rise
            with the rate, or too small an overlap.

    Example:
        >>> reference = Curve(np.array([0.1, 0.2, 0.4]), np.array([25.0, 28.0, 31.0]))
        >>> half = Curve(reference.rates / 2, reference.values)
        >>> round(bd_rate(half, reference).value, 6)
        -50.0
    """
    ours, theirs = (_sorted(item, "quality", rising=True) for item in (curve, reference))
    low, high = _common(ours.values, theirs.values, min_overlap, "qualities")
    logs = [(item.values, np.log10(item.rates)) for item in (ours, theirs)]
    difference = _mean(*logs[0], low, high) - _mean(*logs[1], low, high)
    ends = _at(*logs[1], np.array([low, high]))
    return Comparison(float((10**difference - 1) * 100), float(10 ** ends[0]), float(10 ** ends[1]))


def bd_psnr(curve: Curve, reference: Curve, *, min_overlap: float = 0.5) -> Comparison:
    """Return the mean quality difference at equal rate, in the values' unit; positive = ``curve`` is better.

    Raises:
        NotComparableError: as ``bd_rate``, but quality need not rise.

    Example:
        >>> reference = Curve(np.array([0.1, 0.2, 0.4]), np.array([25.0, 28.0, 31.0]))
        >>> round(bd_psnr(Curve(reference.rates, reference.values + 1), reference).value, 6)
        1.0
    """
    ours, theirs = (_sorted(item, "value") for item in (curve, reference))
    low, high = _common(np.log10(ours.rates), np.log10(theirs.rates), min_overlap, "rates")
    means = [_mean(np.log10(item.rates), item.values, low, high) for item in (ours, theirs)]
    return Comparison(means[0] - means[1], float(10**low), float(10**high))


def shared_interval(curves: Sequence[Floats], *, min_overlap: float = 0.5) -> tuple[float, float]:
    """Return the range of rates, in bpp, that all the given rates span.

    Args:
        curves: one (P,) array of bits per pixel per curve.
        min_overlap: least share of the narrowest curve's range, on the log axis.

    Raises:
        NotComparableError: the ranges don't overlap enough.
    """
    logs = [np.log10(_positive(rates)) for rates in curves]
    low, high = max(log.min() for log in logs), min(log.max() for log in logs)
    narrowest = min(float(np.ptp(log)) for log in logs)
    _check_overlap(low, high, narrowest, min_overlap, "rates")
    return float(10**low), float(10**high)


def area(curve: Curve, low_bpp: float, high_bpp: float) -> float:
    """Return the area under the values over log10 of the rate, between two rates; divide by its width for the mean.

    Raises:
        NotComparableError: the curve does not span the range.

    Example:
        >>> round(area(Curve(np.array([0.01, 0.1, 1.0]), np.array([0.2, 0.2, 0.2])), 0.01, 1.0), 6)
        0.4
    """
    ordered = _sorted(curve, "value")
    logs, low, high = np.log10(ordered.rates), np.log10(low_bpp), np.log10(high_bpp)
    slack = 1e-9
    if low < logs[0] - slack or high > logs[-1] + slack:
        raise NotComparableError(f"the curve spans {curve.rates.min():.4g}..{curve.rates.max():.4g} bpp only")
    low, high = max(low, logs[0]), min(high, logs[-1])
    return float(_mean(logs, ordered.values, low, high) * (high - low))


def _positive(rates: Floats) -> Floats:
    if len(rates) < 2:
        raise NotComparableError(f"a curve needs at least 2 points, got {len(rates)}")
    if not (np.isfinite(rates).all() and (rates > 0).all()):
        raise NotComparableError("a rate is missing or not positive")
    return rates


def _sorted(curve: Curve, what: str, *, rising: bool = False) -> Curve:
    order = np.argsort(_positive(curve.rates), kind="stable")
    rates, values = curve.rates[order], curve.values[order]
    if not np.isfinite(values).all():
        raise NotComparableError(f"a {what} is missing")
    if (np.diff(rates) <= 0).any():
        raise NotComparableError("two points have the same rate")
    if rising and (np.diff(values) <= 0).any():
        raise NotComparableError(f"{what} does not rise with the rate")
    return Curve(rates, values)


def _common(a: Floats, b: Floats, min_overlap: float, what: str) -> tuple[float, float]:
    low, high = max(a.min(), b.min()), min(a.max(), b.max())
    _check_overlap(low, high, float(min(np.ptp(a), np.ptp(b))), min_overlap, what)
    return float(low), float(high)


def _check_overlap(low: float, high: float, narrowest: float, least: float, what: str) -> None:
    share = (high - low) / narrowest if narrowest > 0 else 0.0
    if share <= 0 or share < least - 1e-9:
        raise NotComparableError(f"the curves share {max(share, 0):.0%} of their {what}, {least:.0%} are needed")


def _at(x: Floats, y: Floats, places: Floats) -> Floats:
    return np.asarray(PchipInterpolator(x, y)(np.clip(places, x[0], x[-1])), np.float64)


def _mean(x: Floats, y: Floats, low: float, high: float) -> float:
    return float(PchipInterpolator(x, y).integrate(low, high)) / (high - low)
