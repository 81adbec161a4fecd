"""What no-reference measures ask of a batch, and its brightness."""

from collections.abc import Iterator
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Floats = NDArray[np.float64]
Channel = Literal["gray", "y"]


def padded_batches(images: Tensor, count: int) -> Iterator[tuple[Tensor, int]]:
    """Yield batches of always ``count`` images, the last ones repeated, and how many of each were asked for."""
    for start in range(0, len(images), count):
        batch = images[start : start + count]
        yield torch.cat([batch, batch[-1:].expand(count - len(batch), -1, -1, -1)]), len(batch)


def check_images(images: Tensor) -> None:
    """Check that a batch is one of colour images.

    Raises:
        ValueError: the shape isn't (N, 3, H, W).
        TypeError: pixels aren't 8-bit.
    """
    if images.ndim != 4 or images.shape[1] != 3:
        raise ValueError(f"expected images of shape (N, 3, H, W), got {tuple(images.shape)}")
    if images.dtype != torch.uint8:
        raise TypeError(f"expected uint8 pixels, got {images.dtype}; round and clip first")


def brightness(image: NDArray[np.uint8], channel: Channel) -> Floats:
    """Return the brightness of (3, H, W) 8-bit pixels, as (H, W) whole numbers.

    Args:
        image: (3, H, W) uint8.
        channel: "gray" is 0.299 R + 0.587 G + 0.114 B in 0..255; "y" the luma of BT.601 video in 16..235.
    """
    red, green, blue = image.astype(np.int64)
    if channel == "gray":
        parts, unit = 299 * red + 587 * green + 114 * blue, 1000
    else:
        parts, unit = 65_481 * red + 128_553 * green + 24_966 * blue + 16 * 255_000, 255_000
    return np.asarray((2 * parts + unit) // (2 * unit), np.float64)  # a half is rounded up, exactly
