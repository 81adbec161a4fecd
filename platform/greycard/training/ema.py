"""Exponential moving average of a network's weights."""

import copy

import torch
from torch import nn


class MovingAverage:
    """``average <- d · average + (1 - d) · weights`` after every step, buffers included; whole numbers are copied.

    With ``warmup``, d is at most ``(1 + step) / (10 + step)``, so that the average forgets the initial weights early.
    """

    def __init__(self, network: nn.Module, decay: float, *, warmup: bool = True) -> None:
        self.network = copy.deepcopy(network).requires_grad_(False).eval()
        self._decay = decay
        self._warmup = warmup

    def decay_at(self, step: int) -> float:
        """Return d after optimiser step ``step``, 1-based."""
        return min(self._decay, (1 + step) / (10 + step)) if self._warmup else self._decay

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Move the average towards the network's weights."""
        share = 1 - self.decay_at(step)
        weights = network.state_dict()
        for name, average in self.network.state_dict().items():
            if average.is_floating_point():
                average.lerp_(weights[name], share)
            else:
                average.copy_(weights[name])
