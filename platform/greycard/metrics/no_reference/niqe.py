"""NIQE (Mittal, Soundararajan and Bovik 2013): how far an image's statistics lie from those of natural photographs.

``8 bit -> brightness -> blocks of 96 px at two scales -> 36 features -> Gaussian -> distance to the pristine Gaussian``

``niqe`` has the published parameters; ``niqe_local`` is fitted to the user's own undistorted images, and its numbers
compare only with numbers of the same fit. Paper 004 took pyiqa's NIQE, which looks at the luma (``channel="y"``); the
published release looks at gray. MATLAB's built-in ``niqe`` and scikit-video's have other parameters and other numbers.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final, Literal

from torch import Tensor

from greycard.metrics.no_reference.base import Judged, Measure, NoReference, judged
from greycard.metrics.no_reference.images import Channel, brightness
from greycard.metrics.no_reference.niqe_parameters import (
    BLOCK,
    NiqeParameters,
    block_features,
    fit_folder,
    gaussian,
    read,
)

_SOURCE: Final = (
    "take niqe_pris_params.npz out of basicsr's source package (pip download --no-deps --no-binary :all: "
    "basicsr==1.4.2, folder basicsr/metrics)"
)
_FLAT: Final = "fewer than two blocks have any texture"


def _check_channel(measure: str, channel: str) -> None:
    if channel not in ("gray", "y"):
        raise ValueError(f"{measure}.channel must be gray or y, got {channel!r}")


def _unfit(measure: str, height: int, width: int, block: int) -> str:
    """Return "" or why images of a size have no value."""
    blocks = (height // block) * (width // block)
    if blocks >= 2:
        return ""
    return (
        f"{measure} needs at least two whole blocks of {block} x {block} pixels for a covariance, and images of "
        f"{height} x {width} have {blocks}"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Niqe(NoReference):
    """Config of NIQE with the published parameters.

    Attributes:
        weights: local file in the layout of ``niqe_pris_params.npz``.
        channel: the brightness that is looked at: "gray" as in the published release, "y" as in basicsr and pyiqa.
    """

    kind: Literal["niqe"] = "niqe"
    name: ClassVar[str] = "niqe"
    weights: str = ""
    channel: Channel = "gray"

    def __post_init__(self) -> None:
        _check_channel("niqe", self.channel)

    def missing(self) -> str:
        """Return "" if the parameters are there, otherwise what to fetch and where to put it."""
        if self.weights and Path(self.weights).is_file():
            return ""
        place = f"at {self.weights}" if self.weights else "named"
        return f"no NIQE parameters {place}; {_SOURCE} and set weights=PATH of the niqe measure, or take niqe_local"

    def unfit(self, height: int, width: int) -> str:
        """Return "" or why images of a size have no value: below 96 x 192 pixels they give no covariance."""
        return _unfit(self.name, height, width, BLOCK)

    def build(self) -> "NiqeMeasure":
        """Read the parameters.

        Raises:
            MeasureUnavailable: they aren't there.
            ValueError: the file holds something else.
        """
        self.require()
        return NiqeMeasure(self, read(self.weights), BLOCK)


@dataclass(frozen=True, slots=True, kw_only=True)
class NiqeLocal(NoReference):
    """Config of NIQE fitted to the user's own undistorted images.

    Attributes:
        weights: folder of image files, fitted anew by each ``build()``, or an ``.npz`` (of the same channel and block)
            that ``NiqeParameters.save`` wrote.
        channel: the brightness that is looked at.
        block: side of a block in pixels, even; smaller ones make small images possible and the features noisier.
        sharpness: of each pristine image, only blocks sharper than this share of its sharpest take part.
    """

    kind: Literal["niqe_local"] = "niqe_local"
    name: ClassVar[str] = "niqe_local"
    weights: str = ""
    channel: Channel = "gray"
    block: int = BLOCK
    sharpness: float = 0.75

    def __post_init__(self) -> None:
        _check_channel("niqe_local", self.channel)
        if self.block < 16 or self.block % 2:
            raise ValueError(f"niqe_local.block must be even and at least 16, got {self.block}")
        if not 0 <= self.sharpness < 1:
            raise ValueError(f"niqe_local.sharpness must be in [0, 1), got {self.sharpness}")

    def missing(self) -> str:
        """Return "" if there is something to fit to, otherwise what to name."""
        if self.weights and Path(self.weights).exists():
            return ""
        place = f"at {self.weights}" if self.weights else "named"
        return f"no pristine images {place}; set weights=FOLDER of the niqe_local measure to undistorted images"

    def unfit(self, height: int, width: int) -> str:
        """Return "" or why images of a size have no value."""
        return _unfit(self.name, height, width, self.block)

    def parameters(self) -> NiqeParameters:
        """Fit or read the parameters.

        Raises:
            MeasureUnavailable: nothing is there.
            ValueError: files that aren't images, too few sharp blocks, or a file of something else.
        """
        self.require()
        if Path(self.weights).is_dir():
            return fit_folder(self.weights, block=self.block, channel=self.channel, sharpness=self.sharpness)
        return read(self.weights)

    def build(self) -> "NiqeMeasure":
        """Fit or read the parameters and return the measure; raises as ``parameters`` does."""
        return NiqeMeasure(self, self.parameters(), self.block)


class NiqeMeasure(Measure[Niqe | NiqeLocal]):
    """NIQE, ready to use: lower is better, 0 or above without a bound; good photographs lie around 3."""

    def __init__(self, config: Niqe | NiqeLocal, parameters: NiqeParameters, block: int) -> None:
        super().__init__(config)
        self._parameters = parameters
        self._block = block

    def _judge(self, images: Tensor) -> Judged:
        found = []
        for image in images.cpu().numpy():
            seen = gaussian(block_features(brightness(image, self._config.channel), self._block))
            found.append((float("nan"), _FLAT) if seen is None else (self._parameters.distance(*seen), ""))
        return judged(found)
