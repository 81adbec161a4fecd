"""Precision and recall of a generated set by nearest neighbours (Kynkäänniemi et al. 2019, eq. 1).

``feature -> is it within the k-th neighbour's distance of any feature of the other set?``

Precision: share of generated images that lie within the real set; recall: share of real images that lie within the
generated set. Both 0..1, higher is better; both depend on the number of images, so compare sets of one size.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from greycard.metrics.generation.states import Floats, Vectors

_ROWS: Final = 1024  # distances are computed so many rows at a time


class PrecisionRecall(NamedTuple):
    """Precision and recall, 0..1, of so many generated and real images."""

    precision: float
    recall: float
    generated: int
    real: int


def precision_recall(generated: Vectors, real: Vectors, *, neighbours: int = 3) -> PrecisionRecall:
    """Return precision and recall of (N, F) generated against (M, F) real features.

    Raises:
        ValueError: not more images than ``neighbours`` in a set, or features of different length.

    Example:
        >>> line = np.arange(4.0)[:, None]
        >>> precision_recall(line + 0.5, line * 10, neighbours=1)[:2]
        (1.0, 0.25)
    """
    if neighbours < 1 or min(len(generated), len(real)) <= neighbours or generated.shape[1:] != real.shape[1:]:
        raise ValueError(
            f"precision and recall take more than {neighbours} (neighbours, at least 1) images of one length in each "
            f"set, got {generated.shape} and {real.shape}"
        )
    x, y = generated.astype(np.float64), real.astype(np.float64)
    centre = y.mean(axis=0)  # distances from products lose fewer digits around 0
    x, y = x - centre, y - centre
    return PrecisionRecall(
        float(_within(x, y, _radii(y, neighbours)).mean()),
        float(_within(y, x, _radii(x, neighbours)).mean()),
        len(x),
        len(y),
    )


def _radii(points: Floats, neighbours: int) -> Floats:
    """Return (N,) the squared distance of each point to its k-th other point."""
    found = []
    for start in range(0, len(points), _ROWS):
        distances = _squared(points[start : start + _ROWS], points)
        rows = np.arange(len(distances))
        distances[rows, start + rows] = -1.0  # itself is first, also where another point is equal
        found.append(np.partition(distances, neighbours, axis=1)[:, neighbours])
    return np.concatenate(found)


def _within(points: Floats, centres: Floats, radii: Floats) -> NDArray[np.bool_]:
    parts = [
        (_squared(points[start : start + _ROWS], centres) <= radii).any(axis=1)
        for start in range(0, len(points), _ROWS)
    ]
    return np.concatenate(parts)


def _squared(x: Floats, y: Floats) -> Floats:
    squared: Floats = (x * x).sum(axis=1)[:, None] + (y * y).sum(axis=1) - 2 * x @ y.T
    return squared.clip(min=0)
