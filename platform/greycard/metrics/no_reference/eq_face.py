"""EQ-Face (Liu and Tan 2021): how well a face can be recognised, as a face-recognition network's own head says.

``8 bit -> 112 x 112 -> backbone and head (eq_face_network) -> quality``

It asks for faces cropped as for recognition, and was trained on photographs: of anything else its numbers say nothing.
The published weights lie on a drive that a program can't fetch from, so they are read from local files and from nowhere
else.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final, Literal

import torch
from torch import Tensor
from torch.nn import functional

from greycard.metrics.no_reference.base import Judged, Measure, NoReference, every
from greycard.metrics.no_reference.eq_face_network import HEAD, NEEDED_OF_BACKBONE, NEEDED_OF_HEAD, SIZE, quality
from greycard.metrics.no_reference.images import padded_batches
from greycard.metrics.no_reference.states import read_state

_SOURCE: Final = (
    "fetch the backbone and the quality head by the link in the README of github.com/deepcam-cn/FaceQuality (a Google "
    "Drive folder; no package holds them)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EqFace(NoReference):
    """Config of EQ-Face.

    Attributes:
        weights: local files with the state dicts of the backbone and of the quality head, in this order.
        compute_batch: images per forward pass, always this many (the last ones padded), so that results don't depend on
            how images are batched.
        device: where it runs.
    """

    kind: Literal["eqface"] = "eqface"
    name: ClassVar[str] = "eqface"
    weights: tuple[str, ...] = ()
    compute_batch: int = 16
    device: str = "cpu"

    def __post_init__(self) -> None:
        if self.weights and len(self.weights) != 2:
            raise ValueError(f"eqface.weights must be two files, backbone and quality head, got {self.weights}")
        if self.compute_batch < 1:
            raise ValueError(f"eqface.compute_batch must be at least 1, got {self.compute_batch}")

    def missing(self) -> str:
        """Return "" if the files are there, otherwise what to fetch and where to put it."""
        absent = [path for path in self.weights if not Path(path).is_file()]
        if self.weights and not absent:
            return ""
        place = f"at {' and '.join(absent)}" if absent else "named"
        return f"no EQ-Face weights {place}; {_SOURCE} and set weights=[BACKBONE, HEAD] of the eqface measure"

    def unfit(self, height: int, width: int) -> str:
        """Return "": images of any size are resized, small ones to blurred faces of low quality."""
        return ""

    def build(self) -> "EqFaceMeasure":
        """Load the network.

        Raises:
            MeasureUnavailable: the weights aren't there.
            ValueError: a file holds something else.
        """
        self.require()
        measure = EqFaceMeasure(
            self,
            read_state(self.weights[0], needed=NEEDED_OF_BACKBONE),
            read_state(self.weights[1], HEAD, NEEDED_OF_HEAD),
        )
        try:
            measure(torch.zeros(1, 3, SIZE, SIZE, dtype=torch.uint8))
        except (KeyError, RuntimeError) as error:
            raise ValueError(f"{' and '.join(self.weights)} are not one EQ-Face network: {error}") from None
        return measure


class EqFaceMeasure(Measure[EqFace]):
    """EQ-Face, ready to use: higher is better, in [0, 1]."""

    def __init__(self, config: EqFace, backbone: dict[str, Tensor], head: dict[str, Tensor]) -> None:
        super().__init__(config)
        self._backbone = {name: tensor.to(config.device) for name, tensor in backbone.items()}
        self._head = {name: tensor.to(config.device) for name, tensor in head.items()}

    def _judge(self, images: Tensor) -> Judged:
        found = [torch.zeros(0, dtype=torch.float64)]
        for batch, count in padded_batches(images, self._config.compute_batch):
            found.append(quality(self._prepare(batch), self._backbone, self._head)[:count].cpu())
        return every(torch.cat(found))

    def _prepare(self, images: Tensor) -> Tensor:
        """Resize 8-bit pixels as the published code does (bilinear, not smoothed), to whole steps, in [-1, 1]."""
        pixels = images.to(self._config.device, torch.float32)
        if tuple(images.shape[-2:]) != (SIZE, SIZE):
            pixels = functional.interpolate(pixels, (SIZE, SIZE), mode="bilinear", align_corners=False).round()
        return (pixels - 127.5) / 128.0
