"""The layers of StyleGAN2: equalised learning rate, resampling filters, modulated convolution, noise, minibatch std.

Karras et al. 2018 (progressive growing: equalised learning rate, section 4.1; minibatch standard deviation, section 3),
Karras et al. 2019 (StyleGAN: noise, mapping) and Karras et al. 2020 (StyleGAN2: modulation and demodulation, eq. 1-3,
section 2.2). Filters and transposed convolutions are written with PyTorch's own operators, so they run anywhere and
have second derivatives, which the R1 and path-length penalties need.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d, leaky_relu, linear

FIR = (1.0, 3.0, 3.0, 1.0)
SLOPE = 0.2
GAIN = math.sqrt(2.0)  # of a leaky rectifier, so that activations keep unit variance
EPSILON = 1e-8


def activate(x: Tensor) -> Tensor:
    """Leaky rectifier of slope 0.2, times √2."""
    return leaky_relu(x, SLOPE) * GAIN


def fir_taps(gain: float = 1.0) -> Tensor:
    """Return the (4,) resampling filter [1, 3, 3, 1] of one axis, summing to ``gain``."""
    taps = torch.tensor(FIR)
    return taps * (gain / taps.sum())


def filtered(x: Tensor, taps: Tensor, padding: tuple[int, int], stride: int = 1) -> Tensor:
    """Filter each channel of (N, C, H, W) along both axes, padded with zeros (before, after) on each."""
    channels, taps = x.shape[1], taps.to(x.dtype)
    x = nn.functional.pad(x, (*padding, *padding))
    down = taps.view(1, 1, -1, 1).expand(channels, 1, -1, 1)
    across = taps.view(1, 1, 1, -1).expand(channels, 1, 1, -1)
    return conv2d(conv2d(x, down, stride=(stride, 1), groups=channels), across, stride=(1, stride), groups=channels)


def upsample(x: Tensor, taps: Tensor) -> Tensor:
    """Double height and width: zeros between the pixels, then the filter; ``taps`` sum to 2."""
    n, c, h, w = x.shape
    spread = x.new_zeros(n, c, h, 2, w, 2)
    spread[:, :, :, 0, :, 0] = x
    return filtered(spread.view(n, c, 2 * h, 2 * w), taps, (2, 1))


class EqualLinear(nn.Module):
    """``x -> W x + b`` with weights drawn from N(0, 1) and scaled at run time.

    The scale is that of He's initialisation, so every weight learns at the same relative speed under Adam.

    Args:
        inputs: features in.
        outputs: features out.
        bias: initial bias.
        rate: learning rate of this layer against the others (the mapping network's is 0.01).
        active: apply the leaky rectifier.
    """

    def __init__(
        self, inputs: int, outputs: int, *, bias: float = 0.0, rate: float = 1.0, active: bool = False
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / rate)
        self.bias = nn.Parameter(torch.full((outputs,), bias / rate))
        self.scale = rate / math.sqrt(inputs)
        self.rate = rate
        self.active = active

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs) -> (N, outputs)."""
        y = linear(x, self.weight * self.scale, self.bias * self.rate)
        return activate(y) if self.active else y


class EqualConv2d(nn.Module):
    """Convolution with equalised learning rate; ``down`` filters first and halves height and width.

    Args:
        inputs: channels in.
        outputs: channels out.
        side: of the kernel, 1 or 3.
        down: halve the resolution.
        bias: add a bias.
        active: apply the leaky rectifier.
    """

    taps: Tensor

    def __init__(
        self, inputs: int, outputs: int, side: int, *, down: bool = False, bias: bool = True, active: bool = True
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, side, side))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        self.scale = 1.0 / math.sqrt(inputs * side * side)
        self.down, self.active, self.padding = down, active, side // 2
        if down:
            self.register_buffer("taps", fir_taps(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H, W), or half of H and W."""
        weight = self.weight * self.scale
        if self.down:  # a filter of 4 taps and the kernel, placed so that exactly H / 2 values come out
            edge = self.padding + 1
            if self.padding:
                y = conv2d(filtered(x, self.taps, (edge, edge)), weight, self.bias, stride=2)
            else:  # a 1x1 convolution looks at every second filtered value only
                y = conv2d(filtered(x, self.taps, (edge, edge), stride=2), weight, self.bias)
        else:
            y = conv2d(x, weight, self.bias, padding=self.padding)
        return activate(y) if self.active else y


class ModulatedConv2d(nn.Module):
    """A convolution whose weights a style scales, image by image (StyleGAN2, eq. 1-3).

    ``w'_ijk = s_i · w_ijk``, ``w''_ijk = w'_ijk / √(Σ_i,k w'_ijk² + ε)``. Scaling the weights of each image is the same
    as scaling its input channels before, and its output channels after, one convolution that all images share; so it is
    computed.

    Args:
        inputs: channels in.
        outputs: channels out.
        side: of the kernel, 1 or 3.
        styles: features of w.
        up: double the resolution: transposed convolution, then the filter.
        demodulate: divide by the expected standard deviation of the output.
    """

    taps: Tensor

    def __init__(
        self, inputs: int, outputs: int, side: int, styles: int, *, up: bool = False, demodulate: bool = True
    ) -> None:
        super().__init__()
        self.affine = EqualLinear(styles, inputs, bias=1.0)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, side, side))
        self.scale = 1.0 / math.sqrt(inputs * side * side)
        self.up, self.demodulate, self.padding = up, demodulate, side // 2
        if up:
            self.register_buffer("taps", fir_taps(gain=2.0), persistent=False)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """(N, inputs, H, W), (N, styles) -> (N, outputs, H, W), or twice H and W."""
        style = self.affine(w)
        weight = self.weight * self.scale
        x = x * style[:, :, None, None]
        if self.up:
            y = conv_transpose2d(x, weight.transpose(0, 1), stride=2)
            y = filtered(y, self.taps, (1, 1))
        else:
            y = conv2d(x, weight, padding=self.padding)
        if self.demodulate:
            power = linear(style.square(), weight.square().sum(dim=(2, 3)))
            y = y * torch.rsqrt(power + EPSILON)[:, :, None, None]
        return y


class MinibatchStd(nn.Module):
    """Append one channel: the standard deviation of the features over a few images, averaged.

    It lets the discriminator see a batch without variety. Images i, i + M, i + 2 M, ... of a batch of N form a group
    (M = N / group).

    Args:
        group: images per group; a batch that it does not divide takes the largest smaller size that does (of a batch of
            7 that is 1, and the channel is constant: take another batch).
    """

    def __init__(self, group: int) -> None:
        super().__init__()
        self.group = group

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C + 1, H, W)."""
        n, _, h, w = x.shape
        group = max(size for size in range(1, min(n, self.group) + 1) if n % size == 0)
        gathered = x.view(group, n // group, *x.shape[1:])
        deviation = (gathered.var(dim=0, correction=0) + EPSILON).sqrt().mean(dim=(1, 2, 3))
        return torch.cat([x, deviation.repeat(group).view(n, 1, 1, 1).expand(n, 1, h, w)], dim=1)
