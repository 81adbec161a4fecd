"""EfficientNet-B1 (Tan and Le 2019), which paper 002 trains on UTKFace and on SIIM-ISIC.

``image -> 240 x 240, ImageNet mean and std -> torchvision's efficientnet_b1 -> 1000 logits -> linear head per task``

As in the published code, the heads stand on the network's 1000 ImageNet logits, not on the 1280 features before them.
That code takes the weights of the package efficientnet_pytorch; here they are torchvision's, and without ``pretrained``
training starts from random weights, whose results are not comparable with the paper's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from torch import Tensor

from greycard.classifiers.base import PredictorConfig
from greycard.classifiers.network import AttributeNetwork, Backbone, InputConvention
from greycard.classifiers.pretrained import load_into, load_state
from greycard.tracking import fetch

IMAGENET_MEAN: Final = (0.485, 0.456, 0.406)
IMAGENET_STD: Final = (0.229, 0.224, 0.225)
IMAGENET_CLASSES: Final = 1000
EXPECTED: Final = "a state dict of torchvision's efficientnet_b1 (ImageNet weights)"


class EfficientNetBackbone(Backbone):
    """``(N, 3, H, W) float, normalised -> (N, 1000)``: torchvision's efficientnet_b1 as ``net``, head and all."""

    def __init__(self, *, dropout: float, stochastic_depth: float) -> None:
        from torchvision.models import efficientnet_b1

        super().__init__()
        self.num_features = IMAGENET_CLASSES
        self.net = efficientnet_b1(weights=None, dropout=dropout, stochastic_depth_prob=stochastic_depth)

    def forward(self, x: Tensor) -> Tensor:
        """Return the ImageNet logits."""
        logits: Tensor = self.net(x)
        return logits


@dataclass(frozen=True, slots=True, kw_only=True)
class EfficientNetB1Config(PredictorConfig):
    """EfficientNet-B1 for one or several tasks.

    Attributes:
        resize: side in pixels to which images are resized (not cropped; bilinear, not rounded); 0 leaves them.
        dropout: probability with which a feature is dropped before the ImageNet logits, in training.
        stochastic_depth: probability with which the last block is skipped in training; earlier ones less, linearly.
        pretrained: URI of a file with torchvision's ImageNet state dict, the start of training; "" is from scratch.
    """

    kind: Literal["efficientnet_b1"] = "efficientnet_b1"
    resize: int = 240
    dropout: float = 0.2
    stochastic_depth: float = 0.2
    pretrained: str = ""

    def __post_init__(self) -> None:
        """Check values."""
        PredictorConfig.__post_init__(self)
        if self.resize < 0:
            raise ValueError(f"classifier.resize must be 0 or a size in pixels, got {self.resize}")
        for name in ("dropout", "stochastic_depth"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"classifier.{name} must be in [0, 1), got {getattr(self, name)}")

    def architecture(self) -> Mapping[str, Any]:
        """Return the fields that decide the input and the weights; the network is always the same."""
        return {"resize": self.resize, "dropout": self.dropout, "stochastic_depth": self.stochastic_depth}

    def backbones(self) -> list[Backbone]:
        """Return the backbone."""
        return [EfficientNetBackbone(dropout=self.dropout, stochastic_depth=self.stochastic_depth)]

    def convention(self) -> InputConvention:
        """Return what is done to pixels."""
        return InputConvention(resize=self.resize, rounded=False, mean=IMAGENET_MEAN, std=IMAGENET_STD)

    def network(self) -> AttributeNetwork:
        """Return the network with its initial weights: drawn from ``seed``, or the pretrained backbone.

        Raises:
            WeightsError: ``pretrained`` does not hold torchvision's efficientnet_b1.
        """
        network = self.untrained()
        if self.pretrained:
            path = fetch(self.pretrained)
            backbone = network.backbones[0]
            assert isinstance(backbone, EfficientNetBackbone)
            load_into(backbone.net, load_state(path, EXPECTED), path, EXPECTED)
        return network
