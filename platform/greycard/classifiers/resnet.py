"""ResNet18 (He et al. 2016, table 1) with torchvision's parameter names, in any width, with a head a task.

``image -> input convention -> conv1 .. layer4 -> mean over positions -> one linear head a task -> logits``

At ``width=64`` the backbone's parameters have the names and shapes of torchvision's ``resnet18`` without its ``fc``, so
ImageNet weights load into it.
"""

import torch
from torch import Tensor, nn

from greycard.classifiers.network import Backbone

STAGE_STRIDES = (1, 2, 2, 2)
BLOCKS_A_STAGE = 2


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut: ``x -> conv1 bn1 relu conv2 bn2 -> + shortcut -> relu``."""

    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample: nn.Module | None = None
        if stride != 1 or channels_in != channels:
            self.downsample = nn.Sequential(
                nn.Conv2d(channels_in, channels, 1, stride, bias=False), nn.BatchNorm2d(channels)
            )

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels_in, H, W) -> (N, channels, H / stride, W / stride)."""
        shortcut = x if self.downsample is None else self.downsample(x)
        hidden = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(self.bn2(self.conv2(hidden)) + shortcut)


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
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """Return the features, averaged over positions."""
        x = self.maxpool(torch.relu(self.bn1(self.conv1(x))))
        for stage in range(len(STAGE_STRIDES)):
            x = self.get_submodule(f"layer{stage + 1}")(x)
        return x.mean(dim=(2, 3))
