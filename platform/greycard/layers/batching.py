"""Batches whose result for an image never depends on its neighbours.

Convolution and matrix kernels choose their algorithm, and with it the order of their sums, by the shape of the batch. A
last batch of 7 can then differ in the last bits from the same images in a batch of 32, and a rounded latent or an
arg max turns that into another pixel or another label. Two ways out:

- ``fixed_batches``: run a model on batches of one size only, the last one padded by repeating its last image; the size
  is one that ``steady_size`` has found good;
- ``RowWise``: run each layer on as many rows at once as give, bit for bit, what the rows give one at a time.
"""

import time
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn

_PROBES = 4  # images with which a batch size is tried


def fixed_batches(images: Tensor, size: int) -> Iterator[tuple[Tensor, int]]:
    """Yield ``(batch, count)``: every batch has exactly ``size`` images, of which the first ``count`` are real.

    Args:
        images: (N, ...), N >= 0.
        size: images per batch, >= 1.

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


def steady_size(compute: Callable[[Tensor], Sequence[Tensor]], shape: Sequence[int], size: int) -> int:
    """Return a batch size at which a row's result does not depend on its place in the batch.

    A kernel works in tiles, and the rows that meet a tile's edge can have sums of another order: a batch of one image
    repeated then has rows that differ in their last bits, for most images. The largest of ``size, size / 2, ... 1`` at
    which they are equal, bit for bit, for a few images of a random colour with noise, is returned.

    Args:
        compute: (size, *shape) uint8 -> tensors of ``size`` rows.
        shape: (C, H, W) of an image.
        size: images per batch at most.
    """
    random = torch.Generator().manual_seed(0)
    colors = torch.randint(0, 256, (_PROBES, shape[0], 1, 1), generator=random)
    images = (colors + torch.randint(-64, 65, (_PROBES, *shape), generator=random)).clamp(0, 255).to(torch.uint8)

    def steady() -> bool:
        repeated = (image.expand(size, *shape).contiguous() for image in images)
        return all(torch.equal(rows, rows[:1].expand_as(rows)) for batch in repeated for rows in compute(batch))

    while size > 1 and not steady():
        size //= 2
    return size


class RowWise:
    """A function of rows that runs on many rows at once, to the very bits that it gives on one row at a time.

    Once ``_PATIENCE`` rows of a shape have passed one by one, it is tried on random rows in groups of 2, 4, ...
    ``max_rows``. Group sizes whose rows all equal, bit for bit, the rows computed one by one are kept (unless a smaller
    group is faster), and every later batch is cut into groups of those sizes: 7 rows run as 4 + 2 + 1. A kernel is
    chosen by shapes and alignment, not by values, so what holds for random rows holds for all; groups start at aligned
    addresses, as the tried ones did. Where no group qualifies, rows simply go on one by one. Give it one layer, not a
    chain: in a chain, a last bit that differs in the middle may be rounded away in the trial and not later.

    Attributes:
        reference: the function on one row, ``(1, ...) tensors -> (1, ...) tensor``; it defines the result.
        max_rows: rows per group at most, >= 1.
    """

    def __init__(
        self,
        reference: Callable[..., Tensor],
        *,
        faster: Sequence[Callable[..., Tensor]] = (),
        max_rows: int = 32,
        plans: "Plans | None" = None,
        name: str = "",
    ) -> None:
        """Prepare; nothing is measured yet.

        Args:
            reference: the function; its outputs' first axis is the rows.
            faster: other ways to compute the same on many rows, used for groups where they give the same bits.
            max_rows: rows per group at most.
            plans: what trials found, shared between networks of one architecture.
            name: the layer's name in ``plans``.
        """
        if max_rows < 1:
            raise ValueError(f"max_rows must be at least 1, got {max_rows}")
        self.reference = reference
        self.max_rows = max_rows
        self._functions = (*faster, reference)
        self._plans = {} if plans is None else plans
        self._name = name
        self._seen = 0

    def __call__(self, rows: Tensor) -> Tensor:
        """Compute all rows: (N, ...) -> (N, ...)."""
        if len(rows) == 1:
            return self.reference(_aligned(rows))
        outputs, start = [], 0
        for size, function in self._plan(rows):
            while len(rows) - start >= size:
                outputs.append(self._functions[function](_aligned(rows[start : start + size])))
                start += size
        return outputs[0] if len(outputs) == 1 else torch.cat(outputs)

    def _plan(self, rows: Tensor) -> "Plan":
        """Return the plan of a row shape, after a trial where enough rows have been seen to be worth it."""
        key = (self._name, self.max_rows, tuple(rows.shape[1:]), rows.dtype, rows.device, torch.get_num_threads())
        if key not in self._plans:
            self._seen += len(rows)
            if self._seen < _PATIENCE:
                return _SINGLE
            self._plans[key] = self._try(rows)
        return self._plans[key]

    def _try(self, like: Tensor) -> "Plan":
        generator = torch.Generator().manual_seed(0)
        trial = torch.randn((max(self.max_rows, _TRIAL_ROWS), *like.shape[1:]), generator=generator).to(like)
        expected, best = _timed(self.reference, [trial[i : i + 1].clone() for i in range(len(trial))])
        plan = list(_SINGLE)
        size = 2
        while size <= self.max_rows:
            starts = range(0, max(size, _TRIAL_ROWS) - size + 1, size)
            groups = [_aligned(trial[start : start + size]) for start in starts]
            for index, function in enumerate(self._functions):
                found, seconds = _timed(function, groups)
                if seconds < best and torch.equal(found, expected[: len(found)]):
                    best = seconds
                    plan.insert(0, (size, index))
            size *= 2
        return tuple(plan)


class RowWiseLayer(nn.Module):
    """A layer that runs row by row in all but speed (``RowWise``)."""

    def __init__(self, layer: nn.Module, rows: RowWise) -> None:
        super().__init__()
        self.layer = layer
        self._rows = rows

    def forward(self, rows: Tensor) -> Tensor:
        """Compute all rows: (N, ...) -> (N, ...)."""
        return self._rows(rows)


def make_row_wise(network: nn.Module, max_rows: int, plans: "Plans | None" = None, name: str = "") -> None:
    """Replace every layer of a network that has parameters of its own by a ``RowWiseLayer`` around it, in place.

    What remains works element by element (activations, sums) or only moves elements, so the network's result for a row
    is then the same in every batch. For inference on (N, ...) inputs only.

    Args:
        network: its children are replaced, however deep.
        max_rows: rows per group at most.
        plans: shared between networks of one architecture, so that only the first one is tried.
        name: the network's own name in ``plans``.
    """
    plans = {} if plans is None else plans
    for child, layer in list(network.named_children()):
        path = f"{name}.{child}"
        if next(layer.parameters(recurse=False), None) is not None:
            setattr(network, child, RowWiseLayer(layer, RowWise(layer, max_rows=max_rows, plans=plans, name=path)))
        else:
            make_row_wise(layer, max_rows, plans, path)


Plan = tuple[tuple[int, int], ...]  # (rows per group, which function), largest group first, down to 1
Plans = dict[tuple[object, ...], Plan]

_SINGLE: Plan = ((1, -1),)
_PATIENCE = 64  # rows: a trial costs about three times as much
_TRIAL_ROWS = 16
_ALIGNMENT = 64  # bytes; torch's own allocations have it


def _aligned(rows: Tensor) -> Tensor:
    """Return contiguous rows at an aligned address: some kernels sum in another order elsewhere."""
    rows = rows.contiguous()
    return rows.clone() if rows.data_ptr() % _ALIGNMENT else rows


def _timed(function: Callable[[Tensor], Tensor], groups: list[Tensor]) -> tuple[Tensor, float]:
    """Return the function's rows and its processor seconds per row, after one call to warm up."""
    function(groups[0])
    start = time.process_time()
    rows = torch.cat([function(group) for group in groups])
    return rows, (time.process_time() - start) / len(rows)
