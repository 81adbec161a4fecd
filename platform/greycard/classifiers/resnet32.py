"""ResNet-32 for images of about 32 px: He et al. 2016, "Deep residual learning", section 4.2 (CIFAR-10).

``image -> 3x3 convolution -> 3 stages of 5 blocks: 32, 16, 8 px -> mean over positions -> one linear head per task``

Shortcuts have no parameters (option A), so at ``width=16`` with one head of ten classes there are 464,154 parameters
(0.46 M in the paper's table 6).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import torch
from torch import Tensor, nn

from greycard.classifiers.base import PredictorConfig
from greycard.classifiers.network import Backbone, InputConvention
from greycard.classifiers.resnet import BasicBlock, draw_convolutions

STAGES: Final = 3
BLOCKS: Final = 5  # a stage; 6n + 2 layers
CENTRE: Final = (0.5, 0.5, 0.5)


class SmallResNetBackbone(Backbone):
    """``(N, 3, H, W) float -> (N, 4 * width)``; the size is halved before the second and the third stage."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.stages = nn.ModuleList()
        channels_in = width
        for stage in range(STAGES):
            channels = width << stage
            blocks = [BasicBlock(channels_in, channels, 2 if stage else 1, projected=False)]
            blocks += [BasicBlock(channels, channels, 1) for _ in range(BLOCKS - 1)]
            self.stages.append(nn.Sequential(*blocks))
            channels_in = channels
        self.num_features = channels_in
        self.apply(draw_convolutions)

    def forward(self, x: Tensor) -> Tensor:
        """Return the features, averaged over positions."""
        x = torch.relu(self.bn1(self.conv1(x)))
        for stage in self.stages:
            x = stage(x)
        return x.mean(dim=(2, 3))


@dataclass(frozen=True, slots=True, kw_only=True)
class ResNet32Config(PredictorConfig):
    """ResNet-32; pixels are brought to -1..1 (the paper subtracts CIFAR's mean image instead).

    Attributes:
        width: channels of the first stage; 16 is the paper's, 64 has four times its channels.
    """

    kind: Literal["resnet32"] = "resnet32"
    width: int = 16

    def __post_init__(self) -> None:
        """Check values."""
        PredictorConfig.__post_init__(self)
        if self.width < 1:
            raise ValueError(f"classifier.width must be at least 1, got {self.width}")

    def architecture(self) -> Mapping[str, Any]:
        """Return the fields that decide the backbone."""
        return {"width": self.width}

    def backbones(self) -> list[Backbone]:
        """Return the backbone."""
        return [SmallResNetBackbone(self.width)]

    def convention(self) -> InputConvention:
        """Return what is done to pixels."""
        return InputConvention(mean=CENTRE, std=CENTRE)
