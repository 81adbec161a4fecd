"""In which memory format a network is trained: channels last where that is asked for and safe.

On CPUs with AVX2 and without AVX-512, oneDNN's gradient of the weights of a strided 1 x 1 convolution with fewer than 8
input channels writes past its workspace when images lie channels last (oneDNN issue 6035): the process dies of a signal
or, with several threads, continues with wrong gradients. A network that has such a layer is trained in the contiguous
format, whatever the CPU, so that results do not depend on it.
"""

from typing import Final

import torch
from torch import nn

_LEAST: Final = 8  # input channels of a group that the faulty code takes at a time


def memory_format(*networks: nn.Module, channels_last: bool) -> torch.memory_format:
    """Return the format for networks that are trained together.

    Args:
        networks: whose layers decide.
        channels_last: whether channels last is wanted.

    Example:
        >>> memory_format(nn.Conv2d(4, 8, 1, stride=2), channels_last=True)
        torch.contiguous_format
        >>> memory_format(nn.Conv2d(8, 8, 1, stride=2), channels_last=True)
        torch.channels_last
    """
    if channels_last and not any(_at_risk(layer) for network in networks for layer in network.modules()):
        return torch.channels_last
    return torch.contiguous_format


def _at_risk(layer: nn.Module) -> bool:
    """Say whether the gradient of a layer's weights may be wrong when its input lies channels last."""
    return (
        isinstance(layer, nn.Conv2d)
        and max(layer.kernel_size) == 1
        and max(layer.stride) > 1
        and layer.in_channels // layer.groups < _LEAST
    )
