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
