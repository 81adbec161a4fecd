"""BRISQUE (Mittal, Moorthy and Bovik 2012): distortion as people rated it, predicted from the statistics of scenes.

``8 bit -> gray in [0, 1] -> locally normalised, two scales -> 36 features -> support vector regression``

Three variants go by the name and their numbers don't compare: the published release's, MATLAB's, and the one whose
``svm.txt`` comes with the Python packages image-quality and brisque, which this module computes: hence
``brisque[imquality-svm]``. Its features' ranges come as ``normalize.pickle``, which is never unpickled here. Write them
as JSON once::

    class Plain(pickle.Unpickler):  # builds numbers, lists and dictionaries and nothing else
        def find_class(self, module, name):
            raise pickle.UnpicklingError(f"{module}.{name} in a file of numbers")

    with open("normalize.pickle", "rb") as file:
        ranges = Plain(file).load()
    with open("brisque_ranges.json", "w") as file:
        json.dump({"min": ranges["min_"], "max": ranges["max_"]}, file)

Small images break it: at 32 x 32 pixels, 16 x 16 at half scale, a distribution may be flatter than any that can be
fitted, or the features lie beyond the reach of the support vectors, where the regression answers with one constant
(155.845) whatever the image. The packages return that constant; here such images get NaN with a reason. So the means of
paper 004's Table 5 (CIFAR-10: 60 ± 35) have no counterpart.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from greycard.metrics.no_reference.base import Judged, Measure, NoReference, judged
from greycard.metrics.no_reference.images import Floats
from greycard.metrics.no_reference.natural_scenes import fit, half, normalised
from greycard.metrics.no_reference.support_vectors import SupportVectors, read

FEATURES: Final = 36
_GRAY: Final = (0.2125, 0.7154, 0.0721)
_MIN_SIZE: Final = 16
_MOVES: Final = 0.5  # points of the score; below, an image is out of the support vectors' reach
_SOURCE: Final = (
    "take models/svm.txt and models/normalize.pickle out of the brisque package (pip download --no-deps "
    "brisque==0.2.0), write the ranges as JSON (greycard.metrics.no_reference.brisque says how)"
)


@dataclass(frozen=True, slots=True)
class Ranges:
    """What each feature is scaled from, to -1..1: (36,) least and greatest values in training."""

    low: Floats
    high: Floats

    def __call__(self, features: Floats) -> Floats:
        """Scale (36,) features."""
        return 2.0 * (features - self.low) / (self.high - self.low) - 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Brisque(NoReference):
    """Config of BRISQUE.

    Attributes:
        weights: local files: the regression as libsvm writes it (``svm.txt``) and the features' ranges as JSON
            ``{"min": [36 numbers], "max": [36 numbers]}``.
        regression: what the column calls the regression; name your own if it isn't image-quality's.
    """

    kind: Literal["brisque"] = "brisque"
    weights: tuple[str, ...] = ()
    regression: str = "imquality-svm"

    def __post_init__(self) -> None:
        if self.weights and len(self.weights) != 2:
            raise ValueError(f"brisque.weights must be two files, svm.txt and ranges as JSON, got {self.weights}")
        if not self.regression or not all(part.isalnum() or part in "-_." for part in self.regression):
            raise ValueError(f"brisque.regression must be letters, digits, '-', '_' and '.', got {self.regression!r}")

    @property
    def name(self) -> str:
        """The measure's name with the regression in brackets."""
        return f"brisque[{self.regression}]"

    def missing(self) -> str:
        """Return "" if the files are there, otherwise what to fetch and where to put it."""
        absent = [path for path in self.weights if not Path(path).is_file()]
        if self.weights and not absent:
            return ""
        place = f"at {' and '.join(absent)}" if absent else "named"
        return f"no BRISQUE model {place}; {_SOURCE} and set weights=[SVM, RANGES] of the brisque measure"

    def unfit(self, height: int, width: int) -> str:
        """Return "" or why images of a size have no value."""
        if min(height, width) >= _MIN_SIZE:
            return ""
        return f"{self.name} needs images of at least {_MIN_SIZE} x {_MIN_SIZE} pixels, got {height} x {width}"

    def build(self) -> "BrisqueMeasure":
        """Read the regression and the ranges.

        Raises:
            MeasureUnavailable: the files aren't there.
            ValueError: they hold something else.
        """
        self.require()
        model, ranges = self.weights
        return BrisqueMeasure(self, read(model, FEATURES), _ranges(ranges))


class BrisqueMeasure(Measure[Brisque]):
    """BRISQUE, ready to use: lower is better, about 0 to 100 but without a bound on either side."""

    def __init__(self, config: Brisque, regression: SupportVectors, ranges: Ranges) -> None:
        super().__init__(config)
        self._regression = regression
        self._ranges = ranges

    def _judge(self, images: Tensor) -> Judged:
        return judged([self._one(image) for image in images.cpu().numpy()])

    def _one(self, image: NDArray[np.uint8]) -> tuple[float, str]:
        features = brisque_features(image)
        if not np.isfinite(features).all():
            return float("nan"), "saturated: too small or too flat for a distribution to be fitted"
        value, reach = self._regression(self._ranges(features))
        if reach < _MOVES:
            return float("nan"), f"saturated: beyond the reach of the support vectors, the answer is always {value:.3f}"
        return value, ""


def brisque_features(image: NDArray[np.uint8]) -> Floats:
    """Return the (36,) features of (3, H, W) 8-bit pixels; NaN where a distribution has only one side."""
    red, green, blue = (part * (weight / 255.0) for part, weight in zip(image, _GRAY, strict=True))
    gray = red + green + blue
    return np.concatenate([_features(gray), _features(half(gray, smooth=False))])


def _features(gray: Floats) -> Floats:
    """Return (18,) features of one scale: of the coefficients and of their products with four neighbours."""
    values = normalised(gray, 1 / 255, "constant").coefficients
    alone = fit(values.reshape(1, -1), zeros="right")
    found = [alone.shape, (alone.left**2 + alone.right**2) / 2]
    pairs = (
        values[:, :-1] * values[:, 1:],
        values[:-1] * values[1:],
        values[:-1, :-1] * values[1:, 1:],
        values[1:, :-1] * values[:-1, 1:],
    )
    for products in pairs:
        pair = fit(products.reshape(1, -1), zeros="right")
        found += [pair.shape, pair.mean, pair.left**2, pair.right**2]
    return np.concatenate(found)


def _ranges(path: str) -> Ranges:
    try:
        held = json.loads(Path(path).read_text(encoding="utf-8"))
        low, high = (np.array(held[name], dtype=np.float64) for name in ("min", "max"))
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f'{path} is not JSON of the features\' ranges {{"min": [...], "max": [...]}}: {error!r}'
        ) from None
    if low.shape != (FEATURES,) or high.shape != (FEATURES,) or not (low < high).all():
        raise ValueError(
            f"{path} must hold {FEATURES} numbers under min, each below the one under max, got {low.shape} and "
            f"{high.shape}"
        )
    return Ranges(low, high)
