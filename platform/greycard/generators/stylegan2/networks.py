"""StyleGAN2's generator and discriminator (Karras et al. 2020), without conditions and custom kernels.

``z -> mapping -> w (averaged, truncated, mixed) -> synthesis: constant -> blocks of modulated convolutions -> RGB``
``image -> from RGB -> blocks that halve the resolution -> minibatch std -> score``
"""

import math
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from greycard.generators.stylegan2.layers import (
    EPSILON,
    EqualConv2d,
    EqualLinear,
    MinibatchStd,
    ModulatedConv2d,
    activate,
    fir_taps,
    upsample,
)

Noise = Literal["random", "fixed", "none"]
Architecture = Literal["resnet", "orig"]
MAPPING_RATE = 0.01
START = 4  # side of the constant input


def channels_at(side: int, base: int, most: int) -> int:
    """Return the feature maps at a resolution: ``min(base / side, most)``."""
    return max(1, min(base // side, most))


def sides(size: int) -> list[int]:
    """Return 4, 8, ..., size."""
    return [START << step for step in range(int(math.log2(size // START)) + 1)]


class Mapping(nn.Module):
    """``z -> z / rms(z) -> fully connected layers at a hundredth of the learning rate -> w``.

    The length of z is normalised away: only its direction decides the image.

    Attributes:
        average: (W,) running mean of w over training, the centre of truncation.
    """

    average: Tensor

    def __init__(self, latent: int, styles: int, layers: int) -> None:
        super().__init__()
        widths = [latent] + [styles] * layers
        self.layers = nn.ModuleList(
            EqualLinear(before, after, rate=MAPPING_RATE, active=True) for before, after in pairwise(widths)
        )
        self.register_buffer("average", torch.zeros(styles))

    def forward(self, z: Tensor) -> Tensor:
        """(N, Z) -> (N, W)."""
        x = z * torch.rsqrt(z.square().mean(dim=1, keepdim=True) + EPSILON)
        for layer in self.layers:
            x = layer(x)
        return x

    @torch.no_grad()
    def follow(self, w: Tensor, decay: float) -> None:
        """Move the average towards the mean of (N, W)."""
        self.average.lerp_(w.detach().mean(dim=0), 1.0 - decay)


class StyledLayer(nn.Module):
    """``x -> modulated convolution -> + strength · noise -> + bias -> leaky rectifier``."""

    noise: Tensor

    def __init__(self, inputs: int, outputs: int, side: int, styles: int, *, up: bool = False) -> None:
        super().__init__()
        self.convolution = ModulatedConv2d(inputs, outputs, 3, styles, up=up)
        self.strength = nn.Parameter(torch.zeros(()))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.register_buffer("noise", torch.randn(side, side))

    def forward(self, x: Tensor, w: Tensor, noise: Noise) -> Tensor:
        """(N, inputs, H, W), (N, W) -> (N, outputs, H', W')."""
        y = self.convolution(x, w)
        if noise == "random":
            y = y + self.strength * torch.randn(y.shape[0], 1, *y.shape[2:], device=y.device, dtype=y.dtype)
        elif noise == "fixed":
            y = y + self.strength * self.noise
        return activate(y + self.bias[:, None, None])


class ToRgb(nn.Module):
    """A 1x1 modulated convolution to RGB, without demodulation."""

    def __init__(self, inputs: int, styles: int) -> None:
        super().__init__()
        self.convolution = ModulatedConv2d(inputs, 3, 1, styles, demodulate=False)
        self.bias = nn.Parameter(torch.zeros(3))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """(N, inputs, H, W), (N, W) -> (N, 3, H, W)."""
        rgb: Tensor = self.convolution(x, w)
        return rgb + self.bias[:, None, None]


class Synthesis(nn.Module):
    """``constant -> layer, RGB -> [layer up, layer, + RGB] a resolution -> image``.

    Each RGB output is added to the upsampled sum of the coarser ones ("skip" in the paper's Figure 7).

    Attributes:
        num_styles: L, the number of styles an image takes: ``2 · log2(size) - 2``. Layer l takes w[l], and an RGB
            output takes that of the layer that follows it.
    """

    taps: Tensor

    def __init__(self, size: int, styles: int, base: int, most: int) -> None:
        super().__init__()
        resolutions = sides(size)
        widths = [channels_at(side, base, most) for side in resolutions]
        self.num_styles = 2 * len(resolutions)
        self.constant = nn.Parameter(torch.randn(widths[0], START, START))
        layers, outputs = [StyledLayer(widths[0], widths[0], START, styles)], [ToRgb(widths[0], styles)]
        for before, width, side in zip(widths[:-1], widths[1:], resolutions[1:], strict=True):
            layers += [StyledLayer(before, width, side, styles, up=True), StyledLayer(width, width, side, styles)]
            outputs.append(ToRgb(width, styles))
        self.layers, self.outputs = nn.ModuleList(layers), nn.ModuleList(outputs)
        self.register_buffer("taps", fir_taps(gain=2.0), persistent=False)

    def forward(self, w: Tensor, noise: Noise = "random") -> Tensor:
        """(N, L, W) -> (N, 3, H, W) float, about [-1, 1]."""
        x = self.constant.expand(w.shape[0], *self.constant.shape)
        image: Tensor | None = None
        for index, output in enumerate(self.outputs):
            first = max(0, 2 * index - 1)
            last = 2 * index
            for layer in range(first, last + 1):
                x = self.layers[layer](x, w[:, layer], noise)
            rgb = output(x, w[:, last + 1])
            image = rgb if image is None else upsample(image, self.taps) + rgb
        assert image is not None
        return image


class GeneratorNetwork(nn.Module):
    """Mapping and synthesis.

    Args:
        size: side of the image in pixels, a power of two from 8.
        latent: Z, features of z.
        styles: W, features of w.
        mapping: layers of the mapping network.
        base: feature maps times side, up to ``most`` per resolution.
        most: largest number of feature maps.
    """

    def __init__(self, *, size: int, latent: int, styles: int, mapping: int, base: int, most: int) -> None:
        super().__init__()
        self.mapping = Mapping(latent, styles, mapping)
        self.synthesis = Synthesis(size, styles, base, most)

    @property
    def num_styles(self) -> int:
        """L, the number of styles that an image takes."""
        return self.synthesis.num_styles

    def broadcast(self, w: Tensor, truncation: float = 1.0) -> Tensor:
        """(N, W) -> (N, L, W), pulled towards the average by ``truncation`` (1 leaves w)."""
        average = self.mapping.average
        return (average + truncation * (w - average) if truncation != 1.0 else w)[:, None].expand(
            -1, self.num_styles, -1
        )

    def mixed(self, first: Tensor, second: Tensor, crossover: Tensor) -> Tensor:
        """Take (N, W) ``first`` for layers before (N,) ``crossover`` and ``second`` from it on: (N, L, W)."""
        layer = torch.arange(self.num_styles, device=first.device)
        before = layer[None] < crossover[:, None]
        return torch.where(before[..., None], first[:, None], second[:, None])

    def forward(self, z: Tensor, truncation: float = 1.0, noise: Noise = "random") -> Tensor:
        """(N, Z) -> (N, 3, H, W) float, about [-1, 1]."""
        image: Tensor = self.synthesis(self.broadcast(self.mapping(z), truncation), noise)
        return image


class DiscriminatorBlock(nn.Module):
    """Two convolutions, the second halving; ``resnet`` adds a 1x1 shortcut and divides by √2."""

    def __init__(self, inputs: int, outputs: int, architecture: Architecture) -> None:
        super().__init__()
        self.first = EqualConv2d(inputs, inputs, 3)
        self.second = EqualConv2d(inputs, outputs, 3, down=True)
        self.shortcut: EqualConv2d | None = None
        if architecture == "resnet":
            self.shortcut = EqualConv2d(inputs, outputs, 1, down=True, bias=False, active=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H / 2, W / 2)."""
        y: Tensor = self.second(self.first(x))
        return y if self.shortcut is None else (y + self.shortcut(x)) * math.sqrt(0.5)


class DiscriminatorNetwork(nn.Module):
    """``image -> from RGB -> a block per resolution down to 4x4 -> minibatch std -> convolution -> score``.

    Args:
        size: side of the image in pixels.
        base: feature maps times side.
        most: largest number of feature maps.
        architecture: ``resnet`` blocks, or ``orig`` ones without shortcut (StyleGAN2-ADA for CIFAR-10).
        group: images per group of the minibatch standard deviation.
    """

    def __init__(self, *, size: int, base: int, most: int, architecture: Architecture, group: int) -> None:
        super().__init__()
        widths = [channels_at(side, base, most) for side in reversed(sides(size))]
        self.from_rgb = EqualConv2d(3, widths[0], 1)
        self.blocks = nn.ModuleList(
            DiscriminatorBlock(before, after, architecture) for before, after in pairwise(widths)
        )
        self.deviation = MinibatchStd(group)
        self.convolution = EqualConv2d(widths[-1] + 1, widths[-1], 3)
        self.dense = EqualLinear(widths[-1] * START * START, widths[-1], active=True)
        self.score = EqualLinear(widths[-1], 1)

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) float in [-1, 1] -> (N,) scores, high for real."""
        x = self.from_rgb(images)
        for block in self.blocks:
            x = block(x)
        x = self.convolution(self.deviation(x))
        scores: Tensor = self.score(self.dense(x.flatten(1)))
        return scores[:, 0]

    def layers(self) -> list[nn.Module]:
        """Return the layers with weights, from the image to the score."""
        found: list[nn.Module] = [self.from_rgb]
        for block in self.blocks:
            assert isinstance(block, DiscriminatorBlock)
            found += [block.first, block.second]
            found += [block.shortcut] if block.shortcut is not None else []
        return [*found, self.convolution, self.dense, self.score]

    def freeze(self, count: int) -> None:
        """Stop the first ``count`` layers from learning, counted from the image (FreezeD, Mo et al. 2020).

        Raises:
            ValueError: there are not so many layers.
        """
        layers = self.layers()
        if not 0 <= count <= len(layers):
            raise ValueError(f"freeze must be 0..{len(layers)} layers, got {count}")
        for index, layer in enumerate(layers):
            layer.requires_grad_(index >= count)
