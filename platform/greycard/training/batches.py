"""Batches of an epoch: shuffled, mirrored, softened and moved by generators that depend on (seed, epoch) alone.

So any batch of any epoch can be made again, which is what an exact resume needs.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, avg_pool2d, grid_sample, interpolate

from greycard.schema import unknown
from greycard.training.seeds import stream_seed

SOFTENING = (2, 4, 8)  # sides of the squares over which a softened image is averaged
_MOVES = torch.tensor([math.radians(10), 1 / 8, 1 / 8, 0.1, 0.1])  # a grid is 2 wide: 1/8 of it is 1/16 of the width


class ImageSet(Protocol):
    """Images in memory: ``images`` (N, 3, H, W) uint8 and ``labels`` task -> (N,) int64 codes, -1 = unknown."""

    @property
    def images(self) -> Tensor:
        """(N, 3, H, W) uint8."""
        ...

    @property
    def labels(self) -> Mapping[str, Tensor]:
        """Task -> (N,) int64."""
        ...


class Examples(NamedTuple):
    """A plain `ImageSet`."""

    images: Tensor
    labels: dict[str, Tensor]


def batches_an_epoch(count: int, batch_size: int) -> int:
    """Return the number of training batches: an incomplete last batch is left out, unless it is the only one."""
    return max(1, count // batch_size)


def training_batches(
    data: ImageSet,
    *,
    batch_size: int,
    seed: int,
    epoch: int,
    first: int = 0,
    mirror: bool = False,
    soften: float = 0.0,
    jitter: float = 0.0,
    stratify: Sequence[str] = (),
) -> Iterator[Examples]:
    """Yield an epoch's batches from number ``first`` on.

    Args:
        data: at least one image.
        batch_size: images per batch; what an incomplete last batch leaves out differs from epoch to epoch.
        seed: of the run.
        epoch: 0-based.
        first: 0-based batch to start from.
        mirror: mirror each image left to right with probability 1/2.
        soften: probability with which an image is made as coarse as a low-rate codec makes it (see `soft`).
        jitter: how far images are turned, shifted, scaled and sheared (see `moved`); 0 leaves them.
        stratify: labels whose combinations take their share of every batch, to the nearest row or its neighbour.

    Raises:
        ValueError: the data have no labels to stratify by.
    """
    generator = torch.Generator().manual_seed(stream_seed(seed, epoch))
    count = len(data.images)
    order = torch.randperm(count, generator=generator)
    mirrored = torch.rand(count, generator=generator) < 0.5
    softened = torch.rand(count, generator=generator) < soften
    sides = torch.randint(len(SOFTENING), (count,), generator=generator)
    if stratify:
        order = _spread(order, cells_of(data.labels, stratify), generator)
    moves = torch.rand(count, 5, generator=generator) * 2 - 1 if jitter > 0 else None
    for number in range(first, batches_an_epoch(count, batch_size)):
        chosen = order[number * batch_size : (number + 1) * batch_size]
        batch = _take(data, chosen)
        if mirror:
            flips = mirrored[chosen].view(-1, 1, 1, 1)
            batch = batch._replace(images=torch.where(flips, batch.images.flip(3), batch.images))
        if soften > 0:
            batch = batch._replace(images=_soften_some(batch.images, softened[chosen], sides[chosen]))
        if moves is not None:
            batch = batch._replace(images=moved(batch.images, jitter * moves[chosen]))
        yield batch


def cells_of(labels: Mapping[str, Tensor], names: Sequence[str]) -> Tensor:
    """Number the combinations of labels that occur: (N,) int64; unknown labels are a class of their own.

    Raises:
        ValueError: a label is not in the data.
    """
    for name in names:
        if name not in labels:
            raise ValueError(f"stratify: {unknown('attribute', name, tuple(labels))}")
    columns = torch.stack([labels[name] for name in names], dim=1)
    cells: Tensor = torch.unique(columns, dim=0, return_inverse=True)[1]
    return cells


def _spread(order: Tensor, cells: Tensor, generator: torch.Generator) -> Tensor:
    """Reorder so that each cell's rows stand at even distances: the k-th of m at (k + offset) / m of the epoch."""
    place = torch.empty(len(order), dtype=torch.float64)
    for cell in range(int(cells.max()) + 1):
        rows = order[cells[order] == cell]
        offset = torch.rand((), generator=generator, dtype=torch.float64)
        place[rows] = (torch.arange(len(rows), dtype=torch.float64) + offset) / len(rows)
    return order[place[order].argsort(stable=True)]


def soft(images: Tensor, side: int) -> Tensor:
    """Average (N, 3, H, W) uint8 over squares and interpolate back: detail is lost, colour and place stay."""
    coarse = avg_pool2d(images.float(), side, ceil_mode=True, count_include_pad=False)
    back = interpolate(coarse, images.shape[-2:], mode="bilinear", align_corners=False)
    return back.round().clamp(0, 255).to(torch.uint8)


def moved(images: Tensor, moves: Tensor) -> Tensor:
    """Turn, shift, scale and shear (N, 3, H, W) uint8 about their centres; what comes in repeats the border.

    Args:
        images: (N, 3, H, W) uint8.
        moves: (N, 5), at 1: a turn of 10 degrees, shifts of 1/16 of width and height, a scale of e^0.1, a shear of 0.1.
    """
    angle, right, down, scale, shear = (moves * _MOVES).unbind(dim=1)
    cosine, sine, size = angle.cos(), angle.sin(), scale.exp()
    rows = [size * cosine, shear - size * sine, right, size * sine, size * cosine, down]
    grid = affine_grid(torch.stack(rows, dim=1).view(-1, 2, 3), list(images.shape), align_corners=False)
    found = grid_sample(images.float(), grid, padding_mode="border", align_corners=False)
    return found.round().clamp(0, 255).to(torch.uint8)


def _soften_some(images: Tensor, softened: Tensor, sides: Tensor) -> Tensor:
    result = images.clone()
    for index, side in enumerate(SOFTENING):
        chosen = softened & (sides == index)
        if bool(chosen.any()):
            result[chosen] = soft(images[chosen], side)
    return result


def ordered_batches(data: ImageSet, batch_size: int) -> Iterator[Examples]:
    """Yield all images once, in order."""
    for start in range(0, len(data.images), batch_size):
        yield _take(data, slice(start, start + batch_size))


def to_device(batch: Examples, device: torch.device) -> Examples:
    """Return the batch on a device."""
    return Examples(batch.images.to(device), {name: codes.to(device) for name, codes in batch.labels.items()})


def _take(data: ImageSet, chosen: Tensor | slice) -> Examples:
    return Examples(data.images[chosen], {name: codes[chosen] for name, codes in data.labels.items()})
