"""Generalised divisive normalisation with its parameters worked out once.

Ballé, Laparra, Simoncelli, "Density modeling of images using a generalized normalization transformation" (2016):
``y_i = x_i / sqrt(beta_i + sum_j gamma_ij x_j^2)``, or times the root for the inverse. CompressAI maps its trained
parameters to beta and gamma anew on every call; at inference they are constants.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class FixedGDN(nn.Module):
    """A trained GDN layer for inference: the same bits as CompressAI's layer, (N, C, H, W) -> (N, C, H, W)."""

    def __init__(self, trained: Any) -> None:
        """Take the values of a ``compressai.layers.GDN``."""
        super().__init__()
        channels = trained.beta.numel()
        self.inverse = bool(trained.inverse)
        self.beta = nn.Parameter(trained.beta_reparam(trained.beta).detach(), requires_grad=False)
        gamma = trained.gamma_reparam(trained.gamma).detach().reshape(channels, channels, 1, 1)
        self.gamma = nn.Parameter(gamma, requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (N, C, H, W) features across their channels."""
        energy = F.conv2d(x**2, self.gamma, self.beta)
        return x * (torch.sqrt(energy) if self.inverse else torch.rsqrt(energy))


def fix_gdn(network: nn.Module) -> None:
    """Replace every GDN of a network, in place."""
    from compressai.layers import GDN

    for name, layer in list(network.named_children()):
        if type(layer) is GDN:
            setattr(network, name, FixedGDN(layer))
        else:
            fix_gdn(layer)
