"""The network of every predictor: an input convention, backbones, and a linear head per attribute.

``image -> input convention -> backbone -> features -> one linear head per attribute -> logits``
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

Triple = tuple[float, float, float]


class Backbone(nn.Module):
    """What turns (N, 3, H, W) float images, as the input convention leaves them, into (N, num_features)."""

    num_features: int


@dataclass(frozen=True, slots=True, kw_only=True)
class InputConvention:
    """What a network does to pixel values 0..255 before its first layer: ``(resized x / scale - mean) / std``.

    Attributes:
        resize: side in pixels to which images are resized first (bilinear, antialiased); 0 leaves them.
        rounded: round the resized pixels of 8-bit images to 8 bit, as a resize on disk does; floats never are.
        scale: what a value is divided by: 255 for [0, 1], 1 for 0..255.
        mean: subtracted from each channel.
        std: each channel is divided by.
    """

    resize: int = 0
    rounded: bool = True
    scale: float = 255.0
    mean: Triple = (0.0, 0.0, 0.0)
    std: Triple = (1.0, 1.0, 1.0)

    def __call__(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) uint8, or float 0..255 (then differentiable) -> (N, 3, H', W') float."""
        x = images if images.is_floating_point() else images.float()
        if self.resize and x.shape[-2:] != (self.resize, self.resize):
            size = (self.resize, self.resize)
            x = nn.functional.interpolate(x, size, mode="bilinear", align_corners=False, antialias=True)
            if self.rounded and not images.is_floating_point():
                x = x.round().clamp(0, 255)
        x = x / self.scale
        if self.mean == (0.0, 0.0, 0.0) and self.std == (1.0, 1.0, 1.0):
            return x
        return (x - x.new_tensor(self.mean).view(3, 1, 1)) / x.new_tensor(self.std).view(3, 1, 1)


class AttributeNetwork(nn.Module):
    """Backbones and a linear head per attribute.

    Args:
        heads: attribute -> number of its logits: K, or 1 for a binary attribute with one logit z, p(class 1) =
            sigmoid(z).
        backbones: one for all attributes, or one per attribute, in their order.
        convention: what is done to pixels first.
    """

    def __init__(self, heads: Mapping[str, int], backbones: Sequence[Backbone], convention: InputConvention) -> None:
        super().__init__()
        if len(backbones) not in (1, len(heads)):
            raise ValueError(f"backbones must be 1 or one for each of {len(heads)} attributes, got {len(backbones)}")
        self.tasks = tuple(heads)
        self.sizes = dict(heads)
        self.prepare = convention
        self.num_features = backbones[0].num_features
        self.backbones = nn.ModuleList(backbones)
        self.heads = nn.ModuleDict({task: nn.Linear(self.num_features, size) for task, size in heads.items()})

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """(N, 3, H, W) uint8, or float 0..255 -> attribute -> (N, K) or (N, 1) float logits."""
        return self.decide(self.encode(images))

    def encode(self, images: Tensor) -> list[Tensor]:
        """Return the (N, num_features) features of each backbone."""
        x = self.prepare(images)
        return [backbone(x) for backbone in self.backbones]

    def decide(self, features: Sequence[Tensor]) -> dict[str, Tensor]:
        """Return the logits that belong to the features of each backbone."""
        return {task: self.heads[task](features[index % len(features)]) for index, task in enumerate(self.tasks)}

    def logits(self, images: Tensor) -> dict[str, Tensor]:
        """Return what ``forward`` does, differentiable in the images: no pixel is rounded.

        Args:
            images: (N, 3, H, W) float 0..255; they need not be whole numbers.

        Raises:
            TypeError: the images are not floats, so nothing could flow back to them.
        """
        if not images.is_floating_point():
            raise TypeError(f"logits are differentiable in float images 0..255, got {images.dtype}; call .float()")
        found: dict[str, Tensor] = self(images)
        return found

    def features(self, images: Tensor) -> Tensor:
        """Return what the (first) head sees: (N, 3, H, W) uint8, or float 0..255 -> (N, num_features) float."""
        found: Tensor = self.backbones[0](self.prepare(images))
        return found
