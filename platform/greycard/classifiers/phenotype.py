"""Classifiers of phenotypes (or of any labelled attribute): ResNet18 a task, or one backbone with several heads.

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

from greycard.classifiers.attributes import AttributeClassifier
from greycard.classifiers.base import PredictorConfig
from greycard.classifiers.network import AttributeNetwork, Backbone, InputConvention
from greycard.classifiers.pretrained import load_into, load_state
from greycard.classifiers.resnet import ResNetBackbone
from greycard.tracking import fetch

IMAGENET_WIDTH: Final = 64
PhenotypeClassifier = AttributeClassifier


@dataclass(frozen=True, slots=True, kw_only=True)
class ResNetConfig(PredictorConfig):
    """ResNet18 for one or several tasks.

    Attributes:
        width: channels of the first stage; 64 is ResNet18.
        stem: ``imagenet`` is ResNet18's (a quarter of the size before the first stage); ``small`` keeps half, for
            features that are a few pixels wide.
        shared: one backbone with a head a task, instead of a backbone a task.
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
        """Return the fields that decide the backbone and its input."""
        names = ("width", "stem", "shared", "pixels", "resize")
        return {name: getattr(self, name) for name in names}

    def backbones(self) -> list[Backbone]:
        """Return one ResNet18, or one a task."""
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
