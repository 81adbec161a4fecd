"""What a prediction audit's actors do with decoded rows: ``pixels -> classifier -> probabilities, status, error``.

A row that fails keeps its place with a status and a reason, whatever failed: its bytes, its pixels or the classifier.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor

from greycard.protocols import Classifier
from greycard.schema import ERROR, FAILED, OK, STATUS, probability_column
from greycard.streaming.columns import DECODE_ERROR, PIXELS, pixels_of
from greycard.streaming.decode import reason
from greycard.streaming.restoring import FATAL, ClassifierBuilder, on_device, to_tensor

NON_FINITE: Final = "non-finite probabilities"


class Probabilities(NamedTuple):
    """What a classifier says of N images: task -> (N, K) float64, and "" or a reason per image."""

    tasks: dict[str, NDArray[np.float64]]
    errors: list[str]


class Predict:
    """A classifier over batches that may hold an image it can not take: such an image fails alone.

    Args:
        classifier: gives the probabilities.
        classes: task -> K.
    """

    def __init__(self, classifier: Classifier, classes: Mapping[str, int]) -> None:
        self.classifier = classifier
        self.classes = classes

    def __call__(self, images: Tensor) -> Probabilities:
        """Predict (N, 3, H, W) uint8."""
        if not len(images):
            return self._failed([])
        try:
            return self._checked(self.classifier.probabilities(images))
        except FATAL:
            raise
        except Exception as error:  # recorded as the status of the image that caused it
            if len(images) <= 1:
                return self._failed([reason(error)])
        parts = [self(image) for image in torch.split(images, 1)]
        tasks = {task: np.concatenate([part.tasks[task] for part in parts]) for task in self.classes}
        return Probabilities(tasks, [part.errors[0] for part in parts])

    def _checked(self, found: Mapping[str, Tensor]) -> Probabilities:
        tasks = {task: found[task].detach().to("cpu", torch.float64).numpy() for task in self.classes}
        for task, values in tasks.items():
            if values.ndim != 2 or values.shape[1] != self.classes[task]:
                raise ValueError(f"expected (N, {self.classes[task]}) probabilities of {task}, got {values.shape}")
        finite = np.all([np.isfinite(values).all(axis=1) for values in tasks.values()], axis=0)
        return Probabilities(tasks, ["" if good else NON_FINITE for good in finite.tolist()])

    def _failed(self, errors: list[str]) -> Probabilities:
        return Probabilities({task: np.zeros((len(errors), size)) for task, size in self.classes.items()}, errors)


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionStage:
    """What a prediction audit's actors do, as a config: small, and built once in each actor.

    Attributes:
        classifier: builds the predictor.
        classes: task -> number of classes, of every task that is written.
        size: height and width of the pixels.
        threads: torch threads per actor.
        gpu: run on a GPU if the actor sees one.
    """

    classifier: ClassifierBuilder
    classes: Mapping[str, int]
    size: int
    threads: int = 1
    gpu: bool = False

    def build(self) -> "Prediction":
        """Return the stage with its model loaded."""
        return Prediction(self)


class Prediction:
    """Decoded rows to rows of predictions: the columns prob_<task>, status and error in place of the pixels."""

    def __init__(self, config: PredictionStage) -> None:
        torch.set_num_threads(config.threads)
        device = "cuda" if config.gpu and torch.cuda.is_available() else ""
        self.size = config.size
        self.classes = dict(config.classes)
        self.predict = Predict(on_device(config.classifier, device).build(), self.classes)

    def __call__(self, table: pa.Table) -> pa.Table:
        """Predict a block of decoded rows."""
        errors = table[DECODE_ERROR].to_pylist()
        good = np.flatnonzero([not error for error in errors])
        with torch.inference_mode():
            found = self.predict(to_tensor(pixels_of(table, self.size)[good]))
        for row, error in zip(good, found.errors, strict=True):
            errors[row] = error
        failed = np.array([bool(error) for error in errors], bool)
        kept = table.drop_columns([PIXELS, DECODE_ERROR])
        for task, classes in self.classes.items():
            values = np.zeros((len(errors), classes))
            values[good] = found.tasks[task]
            kept = kept.append_column(probability_column(task), probability_lists(values, failed))
        kept = kept.append_column(STATUS, pa.array(np.where(failed, FAILED, OK).tolist(), pa.string()))
        return kept.append_column(ERROR, pa.array(errors, pa.string()))


def probability_lists(values: NDArray[np.float64], failed: NDArray[np.bool_]) -> pa.Array:
    """Return (N, K) probabilities as ``list<double>``, null where a row failed."""
    offsets = np.concatenate([[0], np.cumsum(np.where(failed, 0, values.shape[1]))])
    items = pa.array(values[~failed].reshape(-1), pa.float64())
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), items, mask=pa.array(failed))
