"""Samples of a generator as it learns: sheets of what it makes of the same seeds, and whether these differ at all."""

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from greycard.datasets.pixels import encode_png

FOLDER: Final = "samples"
SHEETS: Final = "tick-*.png"
_GAP: Final = 2  # white pixels around an image
_LEAST: Final = 64  # pixels that an image is at least enlarged to
_ALIKE: Final = 2.0  # grey levels


def sheet_name(images: int) -> str:
    """Return the file name of the sheet after so many training images; names sort by it."""
    return f"tick-{images:09d}.png"


def save_sheet(path: Path, images: Tensor) -> None:
    """Write (N, 3, H, W) uint8 images as a PNG of about as many rows as columns, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}")
    temporary.write_bytes(encode_png(sheet(images.numpy())))
    temporary.replace(path)


def sheet(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Lay (N, 3, H, W) uint8 images out on white: (rows, columns, 3) uint8, row by row, in whole-pixel enlargement."""
    count, _, height, width = images.shape
    scale = max(1, _LEAST // max(height, width))
    across = int(np.ceil(np.sqrt(count)))
    down = -(-count // across)
    tall, wide = height * scale + _GAP, width * scale + _GAP
    canvas = np.full((down * tall + _GAP, across * wide + _GAP, 3), 255, dtype=np.uint8)
    for index, image in enumerate(images):
        top, left = _GAP + index // across * tall, _GAP + index % across * wide
        large = image.transpose(1, 2, 0).repeat(scale, axis=0).repeat(scale, axis=1)
        canvas[top : top + height * scale, left : left + width * scale] = large
    return canvas


def collapse(images: Tensor) -> str:
    """Say that (N, 3, H, W) uint8 images of different seeds hardly differ; "" where they do."""
    if len(images) < 2:
        return ""
    deviation = float(images.float().std(dim=0, correction=0).mean())
    if deviation >= _ALIKE:
        return ""
    return f"the generator has collapsed: pixels of different seeds deviate by {deviation:.2g} of 255 grey levels"
