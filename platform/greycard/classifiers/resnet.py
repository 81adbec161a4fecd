"""ResNet18 (He et al. 2016, table 1) with torchvision's parameter names, in any width, with a head per task.

``image -> input convention -> conv1 .. layer4 -> mean over positions -> one linear head per task -> logits``

At ``width=64`` the backbone's parameters have the names and shapes of torchvision's ``resnet18`` without its ``fc``, so
ImageNet weights load into it.

Paper 000, section 3.3. The paper's text and its authors' published code train them differently; both are offered:

================  ==========================  =================================
field             the paper's text (default)  the published code
================  ==========================  =================================
``pretrained``    none: from scratch          ImageNet weights of torchvision's resnet18
``resize``        none: 64 px                 224 px
``pixels``        ``unit``: [0, 1]            ``bytes``: 0..255, not normalised
================  ==========================  =================================
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import torch
from torch import Tensor, nn

from greycard.classifiers.base import PredictorConfig
from greycard.classifiers.network import AttributeNetwork, Backbone, InputConvention
from greycard.classifiers.pretrained import load_into, load_state
from greycard.tracking import fetch

IMAGENET_WIDTH: Final = 64
STAGE_STRIDES = (1, 2, 2, 2)
BLOCKS_A_STAGE = 2


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut: ``x -> conv1 bn1 relu conv2 bn2 -> + shortcut -> relu``.

    Where the shapes of x and of the sum differ, the shortcut is a 1x1 convolution (option B of He et al.), or, with
    ``projected=False``, every ``stride``-th pixel with zeros for the channels that x lacks (option A, no parameters).
    """

    def __init__(self, channels_in: int, channels: int, stride: int, *, projected: bool = True) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample: nn.Module | None = None
        if stride == 1 and channels_in == channels:
            return
        if not projected:
            self.downsample = PaddedShortcut(channels - channels_in, stride)
        else:
            self.downsample = nn.Sequential(
                nn.Conv2d(channels_in, channels, 1, stride, bias=False), nn.BatchNorm2d(channels)
            )

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels_in, H, W) -> (N, channels, H / stride, W / stride)."""
        shortcut = x if self.downsample is None else self.downsample(x)
        hidden = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(self.bn2(self.conv2(hidden)) + shortcut)


class PaddedShortcut(nn.Module):
    """(N, C, H, W) -> (N, C + more, H / stride, W / stride): a shortcut without parameters."""

    def __init__(self, more: int, stride: int) -> None:
        super().__init__()
        self.more = more
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """Return every ``stride``-th pixel, with channels of zeros after those of x."""
        return nn.functional.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.more))


def draw_convolutions(module: nn.Module) -> None:
    """Draw the weights of a convolution by He's rule (He et al. 2015), by the number of outputs."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


class ResNetBackbone(Backbone):
    """ResNet18 up to its pooled features: ``(N, 3, H, W) float -> (N, 8 * width)``.

    The ``imagenet`` stem divides the size by 4 (7x7 convolution and max pooling), ``small`` by 2 (3x3 convolution).
    """

    def __init__(self, width: int, stem: str = "imagenet") -> None:
        super().__init__()
        side = 7 if stem == "imagenet" else 3
        self.conv1 = nn.Conv2d(3, width, side, stride=2, padding=side // 2, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1) if stem == "imagenet" else nn.Identity()
        channels_in = width
        for stage, stride in enumerate(STAGE_STRIDES):
            channels = width << stage
            blocks = [BasicBlock(channels_in, channels, stride)]
            blocks += [BasicBlock(channels, channels, 1) for _ in range(BLOCKS_A_STAGE - 1)]
            self.add_module(f"layer{stage + 1}", nn.Sequential(*blocks))
            channels_in = channels
        self.num_features = channels_in
        self.apply(draw_convolutions)

    def forward(self, x: Tensor) -> Tensor:
        """Return the features, averaged over positions."""
        x = self.maxpool(torch.relu(self.bn1(self.conv1(x))))
        for stage in range(len(STAGE_STRIDES)):
            x = self.get_submodule(f"layer{stage + 1}")(x)
        return x.mean(dim=(2, 3))


@dataclass(frozen=True, slots=True, kw_only=True)
class ResNetConfig(PredictorConfig):
    """ResNet18 for one or several tasks.

    Attributes:
        width: channels of the first stage; 64 is ResNet18.
        stem: ``imagenet`` is ResNet18's (a quarter of the size before the first stage); ``small`` keeps half, for
            features that are a few pixels wide.
        shared: one backbone with a head per task, instead of a backbone per task.
        pixels: ``unit`` divides 8-bit values by 255, ``bytes`` leaves them at 0..255.
        resize: side in pixels to which images are resized first; 0 leaves them.
        pretrained: URI of a file with torchvision's ImageNet state dict, the start of training; "" is from scratch.
    """

    kind: Literal["resnet18"] = "resnet18"
    width: int = 64
    stem: Literal["imagenet", "small"] = "imagenet"
    shared: bool = False
    pixels: Literal["unit", "bytes"] = "unit"
    resize: int = 0
    pretrained: str = ""

    def __post_init__(self) -> None:
        """Check values."""
        PredictorConfig.__post_init__(self)
        if self.width < 1:
            raise ValueError(f"classifier.width must be at least 1, got {self.width}")
        if self.pretrained and (self.width != IMAGENET_WIDTH or self.stem != "imagenet"):
            raise ValueError(
                f"classifier.pretrained needs width {IMAGENET_WIDTH} and stem imagenet, got {self.width}, {self.stem}"
            )
        if self.resize < 0:
            raise ValueError(f"classifier.resize must be 0 or a size in pixels, got {self.resize}")

    def architecture(self) -> Mapping[str, Any]:
        """Return the fields that decide the backbones and their input, and whose backbone is which."""
        names = ("width", "stem", "shared", "pixels", "resize")
        order = {"tasks": list(self.tasks)} if not self.shared and len(self.tasks) > 1 else {}
        return {name: getattr(self, name) for name in names} | order

    def backbones(self) -> list[Backbone]:
        """Return one ResNet18, or one per task."""
        return [ResNetBackbone(self.width, self.stem) for _ in range(1 if self.shared else len(self.tasks))]

    def convention(self) -> InputConvention:
        """Return what is done to pixels."""
        return InputConvention(resize=self.resize, scale=255.0 if self.pixels == "unit" else 1.0)

    def network(self) -> AttributeNetwork:
        """Return the network with its initial weights: drawn from ``seed``, or the pretrained backbone.

        Raises:
            WeightsError: ``pretrained`` does not hold torchvision's resnet18.
        """
        network = self.untrained()
        if self.pretrained:
            path, expected = fetch(self.pretrained), "a state dict of torchvision's resnet18 (ImageNet weights)"
            state = {name: value for name, value in load_state(path, expected).items() if not name.startswith("fc.")}
            for backbone in network.backbones:
                load_into(backbone, state, path, expected)
        return network
