"""Statistics of natural scenes: locally normalised brightness and the asymmetric Gaussians fitted to it.

NIQE and BRISQUE rest on the same two steps: Mittal, Moorthy and Bovik 2012 (BRISQUE, equations 1-3 and 7-14) and
Mittal, Soundararajan and Bovik 2013 (NIQE, equations 1-8).
"""

from typing import Final, Literal, NamedTuple

import numpy as np
from scipy import ndimage, special

from greycard.metrics.no_reference.images import Floats

_RADIUS: Final = 3
_NOISE: Final = 1e-9  # far below the least step of 8-bit brightness: what rounding leaves of a flat place
_SIGMA: Final = 7 / 6
_STEPS: Final = (0.2, 10.0, 0.001)  # lowest, highest and distance of the shapes that NIQE chooses from
_MOST: Final = 1000.0  # greatest shape that is looked for between steps


class Normalised(NamedTuple):
    """A brightness normalised by its surroundings: (H, W) coefficients, and the local deviation that divided them."""

    coefficients: Floats
    deviation: Floats


class Aggd(NamedTuple):
    """Asymmetric generalised Gaussians, one per row of data: NaN where a side has no data.

    Attributes:
        shape: α, 2 for a Gaussian, smaller for heavier tails.
        left: standard deviation about 0 of the values below 0.
        right: standard deviation about 0 of those above.
    """

    shape: Floats
    left: Floats
    right: Floats

    @property
    def spread(self) -> Floats:
        """β/σ: the scale parameter for a standard deviation of 1."""
        return np.asarray(np.sqrt(special.gamma(1 / self.shape) / special.gamma(3 / self.shape)))

    @property
    def mean(self) -> Floats:
        """The distributions' mean, 0 where both sides are alike."""
        gap = (self.right - self.left) * self.spread
        return np.asarray(gap * special.gamma(2 / self.shape) / special.gamma(1 / self.shape))


def normalised(brightness: Floats, constant: float, border: Literal["nearest", "constant"]) -> Normalised:
    """Return the mean-subtracted, contrast-normalised coefficients of a brightness (equations 1-3).

    Args:
        brightness: (H, W).
        constant: added to the local deviation, in the brightness's unit.
        border: what lies beyond the edge: the edge itself ("nearest") or darkness ("constant").

    Flat places are 0 exactly. Published codes leave the noise of rounding there, which moves the scores of photographs
    with flat skies by up to 1 %, by the machine.
    """
    taps = np.exp(-0.5 * (np.arange(-_RADIUS, _RADIUS + 1) / _SIGMA) ** 2)
    taps /= taps.sum()

    def blur(values: Floats) -> Floats:
        rows = ndimage.correlate1d(values, taps, axis=0, mode=border)
        return np.asarray(ndimage.correlate1d(rows, taps, axis=1, mode=border))

    mean = blur(brightness)
    deviation = np.sqrt(np.abs(blur(brightness**2) - mean**2))
    contrast = brightness - mean
    contrast[np.abs(contrast) < _NOISE] = 0.0
    return Normalised(contrast / (deviation + constant), deviation)


def fit(values: Floats, *, zeros: Literal["neither", "right"] = "neither", steps: bool = False) -> Aggd:
    """Fit asymmetric generalised Gaussians by matching moments (Lasmar et al. 2009).

    Args:
        values: (R, P): P samples of each of R distributions.
        zeros: whether values of exactly 0 are counted on the right side, or on neither.
        steps: take the nearest of the shapes 0.2, 0.201, ..., as the published NIQE does, instead of the one between.

    Returns:
        R of each parameter. Shapes below 0.2 count as 0.2; those above 10 as 10 with ``steps``, otherwise they are NaN
        from 1000 on, where the samples are flatter than any such distribution.

    Example:
        >>> samples = np.random.default_rng(0).normal(scale=2.0, size=(1, 200_000))
        >>> [round(part.item(), 1) for part in fit(samples)]
        [2.0, 2.0, 2.0]
    """
    below, above = values < 0, values >= 0 if zeros == "right" else values > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        left, right = (np.sqrt((values**2).sum(axis=1, where=side) / side.sum(axis=1)) for side in (below, above))
        ratio = left / right
        flatness = np.abs(values).mean(axis=1) ** 2 / (values**2).mean(axis=1)
        wanted = flatness * (ratio**3 + 1) * (ratio + 1) / (ratio**2 + 1) ** 2
    shape = _nearest_step(wanted) if steps else _between(wanted)
    good = np.isfinite(shape)
    return Aggd(shape, np.where(good, left, np.nan), np.where(good, right, np.nan))


def _flatness(shapes: Floats) -> Floats:
    """Return E[|x|]² / E[x²] of generalised Gaussians, which rises with the shape up to 0.75 (equation 8)."""
    return np.asarray(special.gamma(2 / shapes) ** 2 / (special.gamma(1 / shapes) * special.gamma(3 / shapes)))


def _nearest_step(wanted: Floats) -> Floats:
    low, high, step = _STEPS
    shapes = np.arange(low, high + step / 2, step)
    known = _flatness(shapes)
    above = np.clip(np.searchsorted(known, wanted), 1, len(known) - 1)
    nearer_below = wanted - known[above - 1] <= known[above] - wanted
    return np.where(np.isfinite(wanted), shapes[above - nearer_below], np.nan)


def _between(wanted: Floats) -> Floats:
    low, high, step = _STEPS
    shapes = np.concatenate([np.arange(low, high, step), np.geomspace(high, _MOST, 10_000)])
    return np.interp(wanted, _flatness(shapes), shapes, right=np.nan)


def half(brightness: Floats, *, smooth: bool) -> Floats:
    """Return half the height and width (of odd ones: the even number next to it) by cubic interpolation.

    Args:
        brightness: (H, W).
        smooth: widen the kernel by 2 against aliasing, mirror the edges and take the cubic with a = -0.5, as MATLAB's
            ``imresize`` does; otherwise the plain cubic with a = -0.75 and repeated edges, as OpenCV's ``resize`` does.
    """
    a, widen = (-0.5, 2.0) if smooth else (-0.75, 1.0)
    reach = int(2 * widen)  # taps on each side of an output pixel's centre
    distance = np.abs(np.arange(-reach, reach) + 0.5) / widen
    near = (a + 2) * distance**3 - (a + 3) * distance**2 + 1
    far = a * (distance**3 - 5 * distance**2 + 8 * distance - 4)
    taps = np.where(distance <= 1, near, far) / widen
    for _ in range(2):  # each pass halves the last axis and turns the image
        count = round(brightness.shape[1] / 2)
        beyond = reach - 1 + 2 * count - brightness.shape[1]
        padded = np.pad(brightness, ((0, 0), (reach - 1, beyond)), "symmetric" if smooth else "edge")
        halved = sum(tap * padded[:, start : start + 2 * count : 2] for start, tap in enumerate(taps.tolist()))
        brightness = np.asarray(halved).T
    return brightness
