"""Near-duplicates in feature space: how many images of a set say nothing new to the classifier that chose them."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from greycard.latent_search.lineage import Floats

_BLOCK: Final = 1024


class Nearness(NamedTuple):
    """How near images lie to each other.

    Attributes:
        repeats: (N,) bool: an earlier image lies nearer than the threshold.
        gaps: (N,) float64: Euclidean distance to the nearest other image; infinite for one alone.
    """

    repeats: NDArray[np.bool_]
    gaps: NDArray[np.float64]


def nearness(features: Floats, near: float) -> Nearness:
    """Compare each image with all others; about N² F operations.

    >>> nearness(np.array([[0.0], [0.1], [5.0]], np.float32), 0.5).repeats.tolist()
    [False, True, False]

    Args:
        features: (N, F).
        near: the distance below which two images are near-duplicates.
    """
    points = features.astype(np.float64)
    squares = (points**2).sum(axis=1)
    repeats, gaps = np.zeros(len(points), bool), np.full(len(points), np.inf)
    for first in range(0, len(points), _BLOCK):
        rows = np.arange(first, min(first + _BLOCK, len(points)))
        found = squares[rows, None] + squares[None] - 2 * points[rows] @ points.T
        found[np.arange(len(rows)), rows] = np.inf
        distances = np.sqrt(np.maximum(found, 0.0))
        gaps[rows] = distances.min(axis=1)
        earlier = np.arange(len(points))[None] < rows[:, None]
        repeats[rows] = ((distances < near) & earlier).any(axis=1)
    return Nearness(repeats, gaps)
