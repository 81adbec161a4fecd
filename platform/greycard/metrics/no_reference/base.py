"""What all no-reference measures share: their column, their direction, how a batch is checked before it is judged."""

from typing import Generic, NamedTuple, TypeVar

import torch
from torch import Tensor

from greycard.metrics.descriptions import Described
from greycard.metrics.full_reference.lpips import MeasureUnavailable
from greycard.metrics.no_reference.images import check_images


class Judged(NamedTuple):
    """What a measure says of N images.

    Attributes:
        values: (N,) float64, NaN where there is no value.
        reasons: an image: "" or why it has no value.
    """

    values: Tensor
    reasons: tuple[str, ...]


def judged(found: list[tuple[float, str]]) -> Judged:
    """Return (value, reason) pairs as one answer."""
    return Judged(torch.tensor([value for value, _ in found], dtype=torch.float64), tuple(why for _, why in found))


def every(values: Tensor) -> Judged:
    """Return (N,) values that are all there as an answer."""
    return Judged(values, ("",) * len(values))


class NoReference(Described):
    """Config of a measure: its name, its direction, and why it can't be taken here."""

    __slots__ = ()

    def missing(self) -> str:
        """Return "" if its files are there, otherwise what to fetch and where to put it."""
        raise NotImplementedError

    def unfit(self, height: int, width: int) -> str:
        """Return "" or why images of a size have no value."""
        raise NotImplementedError

    def require(self) -> None:
        """Raise ``MeasureUnavailable`` unless its files are there."""
        if reason := self.missing():
            raise MeasureUnavailable(self.name, reason)


Config = TypeVar("Config", bound=NoReference)


class Measure(Described, Generic[Config]):
    """A measure, ready to use: called on images, or asked for reasons too (``judge``)."""

    def __init__(self, config: Config) -> None:
        self._config = config

    @property
    def name(self) -> str:
        """As its config has it."""
        return self._config.name

    def __call__(self, images: Tensor) -> Tensor:
        """Measure (N, 3, H, W) uint8; returns (N,) float64, NaN where there is no value; raises as ``judge``."""
        return self.judge(images).values

    @torch.inference_mode()
    def judge(self, images: Tensor) -> Judged:
        """Measure (N, 3, H, W) uint8, with a reason where an image has no value.

        Raises:
            ValueError: the images are too small for it or not (N, 3, H, W).
            TypeError: pixels aren't 8-bit.
        """
        check_images(images)
        if reason := self._config.unfit(images.shape[-2], images.shape[-1]):
            raise ValueError(f"{reason}; measure larger images or leave {self.name} out")
        return self._judge(images)

    def _judge(self, images: Tensor) -> Judged:
        raise NotImplementedError
