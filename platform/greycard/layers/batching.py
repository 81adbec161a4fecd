"""Batches of one fixed size, so that an image's result never depends on its neighbours.

Convolution and matrix kernels choose their algorithm, and with it the order of their sums, by the shape of the batch. A
last batch of 7 can then differ in the last bits from the same images in a batch of 32, and a rounded latent or an
arg max turns that into another pixel or another label. Every float model therefore runs on batches of one size, the
last one padded by repeating its last image.
"""

from collections.abc import Iterator

import torch
from torch import Tensor


def fixed_batches(images: Tensor, size: int) -> Iterator[tuple[Tensor, int]]:
    """Yield ``(batch, count)``: every batch has exactly ``size`` images, of which the first ``count`` are real.

    Args:
        images: (N, ...), N >= 0.
        size: images a batch, >= 1.

    Raises:
        ValueError: ``size`` is not positive.
    """
    if size < 1:
        raise ValueError(f"batch size must be at least 1, got {size}")
    for start in range(0, len(images), size):
        batch = images[start : start + size]
        count = len(batch)
        if count < size:
            batch = torch.cat([batch, batch[-1:].expand(size - count, *batch.shape[1:])])
        yield batch, count
