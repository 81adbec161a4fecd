"""SlimCNN, the small network that paper 002 trains on CelebA, and a variant of it for small images.

Sharma and Foroosh, "Slim-CNN: A light-weight CNN for face attribute prediction" (2020), with the sizes of the
published code of paper 002::

    image -> stem -> pool -> 4 x (slim module -> pool) -> mean over positions -> one linear head per task
    slim module:  x -> squeeze f, expand 8f -> + 1x1(x) -> squeeze f, expand 8f -> depthwise 3x3 -> 1x1 -> 3f

Every convolution is followed by batch norm and ReLU. With 40 heads of one logit it has 571,304 parameters.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import torch
from torch import Tensor, nn

from greycard.classifiers.base import PredictorConfig, too_small
from greycard.classifiers.network import Backbone

EXPAND: Final = 4  # each of the two branches of a squeeze-expand block has so many times the squeezed channels
WIDEN: Final = 3  # a slim module gives so many times its squeezed channels
HEAD_BIAS: Final = 0.01
SMALLEST: Final = 131  # the stem and five pools without padding leave nothing of less
SMALLEST_PADDED: Final = 16


def convolution(
    channels_in: int, channels: int, side: int = 1, *, stride: int = 1, padding: int = 0, groups: int = 1, bias: bool
) -> nn.Sequential:
    """Return ``conv -> batch norm -> ReLU``."""
    conv = nn.Conv2d(channels_in, channels, side, stride, padding, groups=groups, bias=bias)
    return nn.Sequential(conv, nn.BatchNorm2d(channels), nn.ReLU(inplace=True))


def separable(channels_in: int, channels: int) -> nn.Sequential:
    """Return a 3x3 convolution of each channel alone, then one of 1x1 over all; neither has a bias."""
    depthwise = convolution(channels_in, channels_in, 3, padding=1, groups=channels_in, bias=False)
    return nn.Sequential(depthwise, convolution(channels_in, channels, bias=False))


class SqueezeExpand(nn.Module):
    """``x -> 1x1 to f -> [1x1 to 4f, separable 3x3 to 4f] side by side``: (N, C, H, W) -> (N, 8f, H, W)."""

    def __init__(self, channels_in: int, squeezed: int) -> None:
        super().__init__()
        self.squeeze = convolution(channels_in, squeezed, bias=True)
        self.point = convolution(squeezed, EXPAND * squeezed, bias=True)
        self.separable = separable(squeezed, EXPAND * squeezed)

    def forward(self, x: Tensor) -> Tensor:
        """Return both branches, side by side."""
        hidden = self.squeeze(x)
        return torch.cat([self.point(hidden), self.separable(hidden)], dim=1)


class SlimModule(nn.Module):
    """Two squeeze-expand blocks with a skip around the first, then a separable convolution: C -> 3f channels."""

    def __init__(self, channels_in: int, squeezed: int) -> None:
        super().__init__()
        expanded = 2 * EXPAND * squeezed
        self.first = SqueezeExpand(channels_in, squeezed)
        self.skip = convolution(channels_in, expanded, bias=False)
        self.second = SqueezeExpand(expanded, squeezed)
        self.last = separable(expanded, WIDEN * squeezed)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, 3f, H, W)."""
        hidden: Tensor = self.last(self.second(self.first(x) + self.skip(x)))
        return hidden


class SlimBackbone(Backbone):
    """``stem -> pool -> slim modules with a pool after each -> mean over positions``.

    Args:
        stem: channels of the 7x7 convolution of stride 2.
        squeezed: f of each slim module; the last one gives 3f features.
        pools: whether there is a pool (3x3, stride 2) after the stem, and after each slim module.
        padded: pad the stem and the pools, so that they halve the size and no more.
        smallest: least side of an image in pixels.
        name: of the kind, for the error about smaller images.
    """

    def __init__(
        self, stem: int, squeezed: Sequence[int], pools: Sequence[bool], *, padded: bool, smallest: int, name: str
    ) -> None:
        super().__init__()
        self.smallest = smallest
        self.name = name
        self.stem = convolution(3, stem, 7, stride=2, padding=3 if padded else 0, bias=True)
        self.slim = nn.ModuleList()
        self.num_features = stem
        for size in squeezed:
            self.slim.append(SlimModule(self.num_features, size))
            self.num_features = WIDEN * size
        self.pools = nn.ModuleList(
            nn.MaxPool2d(3, stride=2, padding=int(padded)) if pool else nn.Identity() for pool in pools
        )
        self.apply(_draw_weights)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) float in [0, 1] -> (N, num_features).

        Raises:
            ValueError: the images are too small.
        """
        if min(x.shape[-2:]) < self.smallest:
            raise ValueError(too_small(self.name, self.smallest, x.shape[-2], x.shape[-1]))
        x = self.pools[0](self.stem(x))
        for module, pool in zip(self.slim, self.pools[1:], strict=True):
            x = pool(module(x))
        return x.mean(dim=(2, 3))


def _draw_weights(module: nn.Module) -> None:
    """Draw weights by Xavier's rule; biases of convolutions keep torch's."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.xavier_uniform_(module.weight)
    if isinstance(module, nn.Linear):
        nn.init.constant_(module.bias, HEAD_BIAS)


@dataclass(frozen=True, slots=True, kw_only=True)
class SlimConfig(PredictorConfig):
    """What both variants share.

    Attributes:
        stem: channels of the first convolution; 96 is the paper's.
        squeezed: f of the four slim modules; (16, 32, 48, 64) are the paper's.
    """

    stem: int = 96
    squeezed: tuple[int, int, int, int] = (16, 32, 48, 64)

    def __post_init__(self) -> None:
        """Check values."""
        PredictorConfig.__post_init__(self)
        if self.stem < 1 or min(self.squeezed) < 1:
            raise ValueError(
                f"classifier.stem and classifier.squeezed must be at least 1, got {self.stem} and {self.squeezed}"
            )

    def architecture(self) -> Mapping[str, Any]:
        """Return the fields that decide the backbone."""
        return {"stem": self.stem, "squeezed": list(self.squeezed)}

    def draw_heads(self, heads: nn.Module) -> None:
        """Draw weights by Xavier's rule; biases are 0.01."""
        heads.apply(_draw_weights)


@dataclass(frozen=True, slots=True, kw_only=True)
class SlimCnnConfig(SlimConfig):
    """SlimCNN as the published code has it, for images of 131 px and more, such as CelebA's 218 x 178.

    Nothing is padded but the 3x3 convolutions of the slim modules. A 218 x 178 image becomes 106 x 86 (stem), 52 x 42,
    25 x 20, 12 x 9, 5 x 4, 2 x 1 (pools), then 192 features.
    """

    kind: Literal["slimcnn"] = "slimcnn"

    @property
    def smallest(self) -> int:
        """131: the least side in pixels of which the pools leave something."""
        return SMALLEST

    def backbones(self) -> list[Backbone]:
        """Return the backbone."""
        pools = (True,) * (1 + len(self.squeezed))
        return [SlimBackbone(self.stem, self.squeezed, pools, padded=False, smallest=SMALLEST, name=self.kind)]


@dataclass(frozen=True, slots=True, kw_only=True)
class SlimCnnSmallConfig(SlimConfig):
    """SlimCNN for images of 16..130 px, which the paper's cannot take; it is ours, not the paper's.

    It has the same stem, slim modules, parameters and features. What differs: the stem and the pools are padded, so
    each halves the size and no more, and two of the five pools are left out: the one after the stem and the one after
    the last slim module. A 64 x 64 image becomes 32 x 32 (stem), 16 x 16, 8 x 8, 4 x 4 (pools), then 192 features.

    Attributes:
        stem_pool: keep the pool after the stem: a quarter of the work, for images that are nearer 130 px than 16.
    """

    kind: Literal["slimcnn_small"] = "slimcnn_small"
    stem_pool: bool = False

    @property
    def smallest(self) -> int:
        """16: the least side in pixels."""
        return SMALLEST_PADDED

    def architecture(self) -> Mapping[str, Any]:
        """Return the fields that decide the backbone."""
        return {**SlimConfig.architecture(self), "stem_pool": self.stem_pool}

    def backbones(self) -> list[Backbone]:
        """Return the backbone."""
        pools = (self.stem_pool, *(True,) * (len(self.squeezed) - 1), False)
        return [SlimBackbone(self.stem, self.squeezed, pools, padded=True, smallest=SMALLEST_PADDED, name=self.kind)]
