"""Colour as a group on gray pictures: which image gets which colour, and the image in that colour.

``row number, class -> colour -> ink on gray paper at the colour's contrast``

The shape stays the real picture's: a pixel of gray value v becomes ``paper + contrast * v / 255 * (ink - paper)``. A
lower contrast is what a camera gives of a surface that its exposure was not made for: the group is there to be seen
and harder to read.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from greycard.datasets.splits import hash_places

INKS: Final[dict[str, tuple[int, int, int]]] = {
    "white": (255, 255, 255),
    "black": (0, 0, 0),
    "red": (230, 40, 40),
    "green": (30, 180, 60),
    "blue": (40, 90, 235),
    "yellow": (240, 220, 50),
    "navy": (0, 0, 80),
    "violet": (150, 60, 200),
    "orange": (245, 140, 30),
}
"""Colour -> the RGB of its ink at contrast 1."""


def choose_colors(
    keys: Sequence[str], classes: NDArray[np.int64], *, num_classes: int, shares: Sequence[float], correlation: float,
    seed: int,
) -> NDArray[np.int64]:  # fmt: skip
    """Return each image's colour as a code.

    With probability ``correlation`` the class decides: class k of K takes the colour into whose part of the unit
    interval (cut by the shares) the middle of its own K-th falls. Otherwise the colour is drawn by the shares. With
    equal class counts the colours therefore keep about their shares at any correlation.

    Args:
        keys: one key per image; the choice depends on (seed, key, class) and on no other image.
        classes: (N,) class codes.
        num_classes: K.
        shares: of the colours; they sum to 1.
        correlation: in [0, 1].
        seed: another seed chooses again.

    Returns:
        (N,) int64 codes into the colours.
    """
    bounds = np.cumsum(shares)[:-1]
    by_class = np.searchsorted(bounds, (np.arange(num_classes) + 0.5) / num_classes, side="right")
    drawn = np.searchsorted(bounds, hash_places([f"color {key}" for key in keys], seed), side="right")
    decided = hash_places([f"color by class {key}" for key in keys], seed) < correlation
    return np.where(decided, by_class[classes], drawn).astype(np.int64)


def paint(images: NDArray[np.uint8], ink: Sequence[int], *, contrast: float, paper: int) -> NDArray[np.uint8]:
    """Return gray images as ink on gray paper.

    Args:
        images: (N, H, W) uint8; 0 is paper, 255 is ink.
        ink: RGB, 0..255.
        contrast: in (0, 1]; 1 gives the full ink.
        paper: the gray of the paper, 0..255.

    Returns:
        (N, H, W, 3) uint8.
    """
    levels = np.arange(256, dtype=np.float64)[:, None] / 255
    table = np.rint(paper + contrast * levels * (np.asarray(ink, dtype=np.float64) - paper)).astype(np.uint8)
    painted: NDArray[np.uint8] = table[images]
    return painted
