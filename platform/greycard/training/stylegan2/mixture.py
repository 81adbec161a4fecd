"""Batches without an end, of one set of images or of two in fixed shares.

``step -> rows of the first set, rows of the second -> mixed in an order drawn for the step``

Any step's batch can be made again from (seed, step), which is what an exact resume needs.
"""

from collections.abc import Iterator
from itertools import count
from typing import NamedTuple

import torch

from greycard.training.batches import Examples, ImageSet, batches_an_epoch, training_batches
from greycard.training.seeds import stream_seed

_SECOND, _MIXING = 128, 64  # what their seeds differ by: the second set's order, and how a batch is mixed


class Mixture(NamedTuple):
    """Two sets, of which every batch takes fixed shares.

    Attributes:
        first: images and labels.
        second: images of the same size, with the same labels.
        share: of a batch that is drawn from ``second``, in (0, 1); to the nearest image.
    """

    first: ImageSet
    second: ImageSet
    share: float


def sets_of(data: ImageSet | Mixture) -> tuple[ImageSet, ...]:
    """Return the set, or the two of a mixture."""
    return (data.first, data.second) if isinstance(data, Mixture) else (data,)


def rows_of(data: ImageSet | Mixture, batch_size: int) -> tuple[int, ...]:
    """Return how many images of a batch each set gives.

    Raises:
        ValueError: a set of a mixture would give none, or has fewer images than it is to give.
    """
    if not isinstance(data, Mixture):
        return (batch_size,)
    second = round(batch_size * data.share)
    rows = (batch_size - second, second)
    if min(rows) < 1:
        raise ValueError(
            f"a share of {data.share} of the second set leaves one set out of a batch of {batch_size}: take a share "
            "nearer to 1/2, or a larger batch"
        )
    for wanted, images in zip(rows, (data.first.images, data.second.images), strict=True):
        if len(images) < wanted:
            raise ValueError(
                f"a batch takes {wanted} images of a set that has {len(images)}: take a smaller batch or more images"
            )
    return rows


def endless_batches(
    data: ImageSet | Mixture, *, batch_size: int, seed: int, step: int, mirror: bool = False, jitter: float = 0.0
) -> Iterator[Examples]:
    """Yield the batches of steps ``step``, ``step + 1``, ..., epoch after epoch of each set.

    Args:
        data: one set, or a mixture.
        batch_size: images per batch in all.
        seed: of the run.
        step: 0-based step to start from.
        mirror: mirror each image left to right with probability 1/2.
        jitter: how far images are turned, shifted, scaled and sheared (see `batches.moved`); 0 leaves them.
    """
    streams = [
        _of_one(images, rows, seed + number * _SECOND, step, mirror, jitter)
        for number, (images, rows) in enumerate(zip(sets_of(data), rows_of(data, batch_size), strict=True))
    ]
    for number in count(step):
        parts = [next(stream) for stream in streams]
        yield parts[0] if len(parts) == 1 else _mixed(parts, stream_seed(seed + _MIXING, number))


def _of_one(data: ImageSet, rows: int, seed: int, step: int, mirror: bool, jitter: float) -> Iterator[Examples]:
    epoch, first = divmod(step, batches_an_epoch(len(data.images), rows))
    while True:
        yield from training_batches(
            data, batch_size=rows, seed=seed, epoch=epoch, first=first, mirror=mirror, jitter=jitter
        )
        epoch, first = epoch + 1, 0


def _mixed(parts: list[Examples], seed: int) -> Examples:
    """Join and shuffle: a discriminator's minibatch statistics must not find the sets side by side."""
    images = torch.cat([part.images for part in parts])
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))
    labels = {name: torch.cat([part.labels[name] for part in parts])[order] for name in parts[0].labels}
    return Examples(images[order], labels)
