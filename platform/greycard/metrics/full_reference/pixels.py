"""What every full-reference measure asks of its two batches."""

import torch
from torch import Tensor


def check_pair(reference: Tensor, restored: Tensor) -> None:
    """Check that two batches can be compared pixel by pixel.

    Raises:
        ValueError: shapes differ or aren't (N, 3, H, W).
        TypeError: pixels aren't 8-bit.
    """
    if reference.shape != restored.shape or reference.ndim != 4 or reference.shape[1] != 3:
        raise ValueError(
            f"expected two batches of one shape (N, 3, H, W), got {tuple(reference.shape)} and {tuple(restored.shape)}"
        )
    if reference.dtype != torch.uint8 or restored.dtype != torch.uint8:
        raise TypeError(f"expected uint8 pixels, got {reference.dtype} and {restored.dtype}; round and clip first")


def check_size(measure: str, images: Tensor, least: int) -> None:
    """Check that (N, 3, H, W) images are at least ``least`` pixels high and wide.

    Raises:
        ValueError: they are smaller.
    """
    if min(images.shape[-2:]) < least:
        raise ValueError(
            f"{measure} needs images of at least {least} x {least} pixels, got {tuple(images.shape[-2:])}; "
            f"measure larger images or leave {measure} out"
        )
