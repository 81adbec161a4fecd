"""Pixels at a codec's door: checks, padding to the network's stride, 8-bit to float and back."""

import torch
import torch.nn.functional as F
from torch import Tensor


def check_images(images: Tensor) -> None:
    """Check a batch.

    Raises:
        ValueError: not (N, 3, H, W) uint8 with at least one pixel.
    """
    if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] != 3 or 0 in images.shape[2:]:
        raise ValueError(
            f"images must be (N, 3, H, W) uint8 with H, W >= 1, got {tuple(images.shape)} {_name(images.dtype)}"
        )


def check_image(image: Tensor) -> None:
    """Check one image.

    Raises:
        ValueError: not (3, H, W) uint8 with at least one pixel.
    """
    if image.dtype != torch.uint8 or image.ndim != 3 or image.shape[0] != 3 or 0 in image.shape:
        raise ValueError(f"image must be (3, H, W) uint8 with H, W >= 1, got {tuple(image.shape)} {_name(image.dtype)}")


def check_point(point: float, points: tuple[float, ...]) -> None:
    """Check an operating point.

    Raises:
        ValueError: the codec has no such point.
    """
    if point not in points:
        raise ValueError(f"point must be one of {', '.join(map('{:g}'.format, points))}, got {point!r}")


def to_float(images: Tensor, multiple: int) -> Tensor:
    """Scale to [0, 1] and pad at the right and the bottom to a multiple, repeating the edge pixels.

    Edge pixels, not zeros: a black border costs bits and rings into the picture.

    Args:
        images: (N, 3, H, W) uint8.
        multiple: what the padded height and width are divisible by.

    Returns:
        (N, 3, H', W') float32 in [0, 1].
    """
    height, width = images.shape[2:]
    pixels = images.to(torch.float32) / 255
    below, right = -height % multiple, -width % multiple
    return F.pad(pixels, (0, right, 0, below), mode="replicate") if below or right else pixels


def to_bytes(pixels: Tensor, height: int, width: int) -> Tensor:
    """Crop to (height, width), clamp to [0, 1] and round to 8 bits: (N, 3, H', W') float -> (N, 3, H, W) uint8."""
    return (pixels[:, :, :height, :width].clamp(0, 1) * 255).round().to(torch.uint8)


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
