"""Batch norm over the rows of several processes, on any device (torch's own ``SyncBatchNorm`` refuses CPU tensors).

``x -> sum and count over processes -> mean -> squared deviations over processes -> variance -> normalise``; two passes,
so that the variance is as accurate as one process's. Gradients of the statistics are summed over processes as well.
"""

from typing import Any, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn

AnyBatchNorm = nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d | nn.SyncBatchNorm


class SpreadBatchNorm(nn.Module):
    """A batch norm that takes the place of another and shares its parameters and buffers, under their names.

    In evaluation it is that batch norm. In training, mean and variance are of the rows of all processes of
    torch.distributed's default group; every process must take part, with any number of rows, together at least 2 values
    a channel.
    """

    weight: Tensor | None
    bias: Tensor | None
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(self, plain: AnyBatchNorm) -> None:
        super().__init__()
        self.eps, self.momentum = plain.eps, plain.momentum
        for name in ("weight", "bias"):
            self.register_parameter(name, getattr(plain, name))
        for name in ("running_mean", "running_var", "num_batches_tracked"):
            self.register_buffer(name, getattr(plain, name))
        self.training = plain.training

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, ...) -> (N, C, ...)."""
        if not self.training and self.running_mean is not None and self.running_var is not None:
            return nn.functional.batch_norm(
                x, self.running_mean, self.running_var, self.weight, self.bias, training=False, eps=self.eps
            )
        values = x.to(torch.promote_types(x.dtype, torch.float32))
        shape = [1, -1] + [1] * (x.ndim - 2)
        axes = [axis for axis in range(x.ndim) if axis != 1]
        own = values.new_full((1,), x.numel() / x.shape[1])
        sums = _sum_over_processes(torch.cat([values.sum(dim=axes), own]))
        count = sums[-1].detach()
        if count < 2:
            raise ValueError(f"batch norm needs more than 1 value a channel in training, got {tuple(x.shape)}")
        mean = sums[:-1] / count
        centred = values - mean.view(shape)
        variance = _sum_over_processes(centred.square().sum(dim=axes)) / count
        self._track(mean.detach(), variance.detach() * (count / (count - 1)))
        normal = centred * torch.rsqrt(variance + self.eps).view(shape)
        if self.weight is not None and self.bias is not None:
            normal = normal * self.weight.view(shape) + self.bias.view(shape)
        return normal.to(x.dtype)

    @torch.no_grad()
    def _track(self, mean: Tensor, variance: Tensor) -> None:
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked += 1
        share = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), share)
        self.running_var.lerp_(variance.to(self.running_var.dtype), share)


def spread_batch_norm(network: nn.Module) -> None:
    """Put a ``SpreadBatchNorm`` in the place of every batch norm below a network; state dicts stay as they are."""
    for name, child in list(network.named_children()):
        if isinstance(child, AnyBatchNorm):
            setattr(network, name, SpreadBatchNorm(child))
        else:
            spread_batch_norm(child)


class _Sum(torch.autograd.Function):
    """The sum over processes, whose gradient is the sum of the processes' gradients."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        total = values.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].contiguous().clone()
        dist.all_reduce(total)
        return total


def _sum_over_processes(values: Tensor) -> Tensor:
    return cast(Tensor, _Sum.apply(values))
