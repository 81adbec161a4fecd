"""Several processes that train one model together, to the numbers that one process comes to.

Every process holds the whole data and takes the same batches; each sends its share of a batch's rows through the
network. The logits are then gathered, so that every process computes the objective of the *whole* batch (its J, its
cross-entropy, its validation measures), with gradients through its own rows; these add up to one process's gradient::

    batch -> own rows -> network (batch norm over all rows) -> own logits -> gathered -> objective -> gradients, summed

So objectives know nothing of processes. What a network draws in training (dropout) each process draws for its own rows,
so such a network comes to other numbers, as with another seed. The processes talk through torch.distributed's default
group, which ``greycard.fitting.distributed`` sets up; one process alone never talks.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor, nn


class Workers(NamedTuple):
    """One process among those that train together.

    Attributes:
        rank: its number, 0-based.
        size: how many there are.
    """

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether it is the one that writes files and reports."""
        return self.rank == 0

    def rows(self, count: int) -> slice:
        """Return this process's share of ``count`` rows; the first processes have one row more."""
        each, more = divmod(count, self.size)
        start = self.rank * each + min(self.rank, more)
        return slice(start, start + each + (self.rank < more))

    def sum(self, values: Tensor) -> Tensor:
        """Return the sum over processes, the same on all; no gradient."""
        total = values.detach().clone()
        if self.size > 1:
            dist.all_reduce(total)
        return total

    def wait(self) -> None:
        """Return when all processes have called it."""
        self.sum(torch.zeros(1))

    def sum_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Replace each gradient by its sum over processes; one that a process lacks counts as 0."""
        if self.size == 1 or not parameters:
            return
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
        flat = self.sum(torch.cat([gradient.reshape(-1) for gradient in gradients]))
        parts = torch.split(flat, [gradient.numel() for gradient in gradients])
        for parameter, part in zip(parameters, parts, strict=True):
            parameter.grad = part.view(parameter.shape).clone(memory_format=torch.preserve_format)

    def spread(self, network: nn.Module) -> nn.Module:
        """Return the network as it runs on the rows of all processes; itself where there is one."""
        return Spread(network, self) if self.size > 1 else network


ALONE = Workers()


class Spread(nn.Module):
    """A network whose rows are computed by several processes: (N, ...) images -> task -> (N, K) logits on each.

    Gradients flow through this process's rows alone. Fewer rows than processes are computed by every process, which is
    right for validation only.
    """

    def __init__(self, network: nn.Module, workers: Workers) -> None:
        super().__init__()
        self.network = network
        self.workers = workers
        self.training = network.training

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Return the logits of all rows."""
        count = len(images)
        if count < self.workers.size:
            if self.training:
                raise ValueError(
                    f"a batch of {count} images cannot be split over {self.workers.size} processes; raise batch_size "
                    "or lower workers.processes"
                )
            found: dict[str, Tensor] = self.network(images)
            return found
        own = self.workers.rows(count)
        logits: dict[str, Tensor] = self.network(images[own])
        joined = torch.cat(list(logits.values()), dim=1)
        everyone = joined.new_zeros(count, joined.shape[1])
        everyone[own] = joined.detach()
        everyone = self.workers.sum(everyone)
        complete = torch.cat([everyone[: own.start], joined, everyone[own.stop :]])
        parts = torch.split(complete, [values.shape[1] for values in logits.values()], dim=1)
        return dict(zip(logits, parts, strict=True))
