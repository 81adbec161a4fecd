"""Batches whose result for an image never depends on its neighbours.

Convolution and matrix kernels choose their algorithm, and with it the order of their sums, by the shape of the batch. A
last batch of 7 can then differ in the last bits from the same images in a batch of 32, and a rounded latent or an
arg max turns that into another pixel or another label. Two ways out:

- ``fixed_batches``: run a model on batches of one size only, the last one padded by repeating its last image;
- ``RowWise``: run each layer on as many rows at once as give, bit for bit, what the rows give one at a time.
"""

import time
from collections.abc import Callable, Iterator, Sequence

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


class RowWise:
    """A function of rows that runs on many rows at once, to the very bits that it gives on one row at a time.

    On its first call with a new row shape, it is tried on random rows in groups of 1, 2, 4, ... ``max_rows``. Group
    sizes whose rows all equal, bit for bit, the rows computed one by one are kept (unless a smaller group is faster),
    and every later batch is cut into groups of those sizes: 7 rows run as 4 + 2 + 1. A kernel is chosen by shapes, not
    by values, so what holds for random rows holds for all. Where no group qualifies, rows simply run one by one.

    Attributes:
        reference: the function on one row, ``(1, ...) tensors -> (1, ...) tensor``; it defines the result.
        max_rows: rows a group at most, >= 1.
    """

    def __init__(
        self,
        reference: Callable[..., Tensor],
        *,
        faster: Sequence[Callable[..., Tensor]] = (),
        max_rows: int = 32,
    ) -> None:
        """Prepare; nothing is measured before the first call.

        Args:
            reference: the function; its outputs' first axis is the rows.
            faster: other ways to compute the same on many rows, used for groups where they give the same bits.
            max_rows: rows a group at most.
        """
        if max_rows < 1:
            raise ValueError(f"max_rows must be at least 1, got {max_rows}")
        self.reference = reference
        self.max_rows = max_rows
        self._functions = (*faster, reference)
        self._plans: dict[tuple[object, ...], list[tuple[int, Callable[..., Tensor]]]] = {}

    def __call__(self, *inputs: Tensor) -> Tensor:
        """Compute all rows: (N, ...) tensors -> (N, ...) tensor."""
        num_rows = len(inputs[0])
        if num_rows == 1 or self.max_rows == 1:
            return torch.cat([self.reference(*(x[i : i + 1] for x in inputs)) for i in range(num_rows)])
        outputs, start = [], 0
        for size, function in self._plan(inputs):
            while num_rows - start >= size:
                outputs.append(function(*(x[start : start + size] for x in inputs)))
                start += size
        return outputs[0] if len(outputs) == 1 else torch.cat(outputs)

    def _plan(self, inputs: tuple[Tensor, ...]) -> list[tuple[int, Callable[..., Tensor]]]:
        """Return (group size, function) pairs, largest group first, down to 1."""
        shapes = tuple((tuple(x.shape[1:]), x.dtype, x.device) for x in inputs)
        key = (torch.get_num_threads(), *shapes)
        if key not in self._plans:
            self._plans[key] = self._measure(shapes)
        return self._plans[key]

    def _measure(
        self, shapes: tuple[tuple[tuple[int, ...], torch.dtype, torch.device], ...]
    ) -> list[tuple[int, Callable[..., Tensor]]]:
        generator = torch.Generator().manual_seed(0)
        rows = tuple(
            torch.randn((self.max_rows, *shape), generator=generator).to(device, dtype)
            for shape, dtype, device in shapes
        )
        single = torch.cat([self.reference(*(x[i : i + 1].clone() for x in rows)) for i in range(self.max_rows)])
        best = _seconds(self.reference, tuple(x[:1] for x in rows))
        plan: list[tuple[int, Callable[..., Tensor]]] = [(1, self.reference)]
        size = 2
        while size <= self.max_rows:
            group = tuple(x[:size] for x in rows)
            for function in self._functions:
                if torch.equal(function(*group), single[:size]):
                    seconds = _seconds(function, group) / size
                    if seconds < best:
                        best = seconds
                        plan.insert(0, (size, function))
            size *= 2
        return plan


def _seconds(function: Callable[..., Tensor], inputs: tuple[Tensor, ...]) -> float:
    """Return the shorter of two timings."""
    timings = []
    for _ in range(2):
        start = time.perf_counter()
        function(*inputs)
        timings.append(time.perf_counter() - start)
    return min(timings)
