"""What an audit's actors do with decoded rows: callable classes, and the stage that chains them.

``pixels -> Restore (every point and sample) -> Compare (measures) -> Classify -> PNG -> Rows (list columns)``

A row that fails keeps its place with a status and a reason, whatever failed: its bytes, its pixels or the codec.
No stage knows Ray.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor

from greycard.datasets.pixels import encode_png
from greycard.protocols import Classifier, Measure, Restored, Restorer
from greycard.schema import IMAGE_ID
from greycard.seeds import image_seeds
from greycard.streaming.columns import DECODE_ERROR, PIXELS, pixels_of
from greycard.streaming.decode import reason
from greycard.streaming.rows import PlaceResult, Rows

NON_FINITE: Final = "non-finite reconstruction"


class RestorerBuilder(Protocol):
    """A config that builds a codec, or a restorer of another family."""

    def build(self) -> Restorer:
        """Return a ready restorer."""
        ...


class ClassifierBuilder(Protocol):
    """A config that builds a classifier."""

    def build(self) -> Classifier:
        """Return a ready classifier."""
        ...


class MeasureBuilder(Protocol):
    """A config that builds a measure."""

    def build(self) -> Measure:
        """Return a ready measure."""
        ...


class Reconstructions(NamedTuple):
    """One batch at one place: pixels (N, 3, H, W) uint8, bits (N, 3) float64, and "" or a reason per image."""

    images: Tensor
    bits: NDArray[np.float64]
    errors: list[str]


class Restore:
    """A restorer over batches that may hold an image it can not take: such an image fails alone."""

    def __init__(self, model: Restorer) -> None:
        self.model = model

    def __call__(self, images: Tensor, point: float, seeds: Tensor) -> Reconstructions:
        """Restore (N, 3, H, W) uint8 at one operating point, each image with its seed, (N,) int64."""
        try:
            return self._checked(images, self.model.reconstruct(images, point, seeds))
        except FATAL:
            raise
        except Exception as error:  # recorded as the status of the image that caused it
            if len(images) <= 1:
                return self._failed(images, reason(error))
        alone = zip(torch.split(images, 1), torch.split(seeds, 1), strict=True)
        parts = [self(image, point, seed) for image, seed in alone]
        return Reconstructions(
            torch.cat([part.images for part in parts]),
            np.concatenate([part.bits for part in parts]),
            [part.errors[0] for part in parts],
        )

    def _checked(self, images: Tensor, restored: Restored) -> Reconstructions:
        pixels = restored.images
        if pixels.shape != images.shape:
            raise ValueError(f"the model returned shape {tuple(pixels.shape)} for {tuple(images.shape)}")
        rates = (restored.bits_estimated, restored.bits_payload, restored.bits_total)
        bits = torch.stack([rate.detach().to("cpu", torch.float64) for rate in rates], dim=1).numpy()
        errors = [restored.error(row) for row in range(len(images))]
        if pixels.is_floating_point():  # a model that hands out floats has no 8-bit pixels where they are not finite
            finite = torch.isfinite(pixels).flatten(1).all(dim=1).cpu()
            errors = [
                error or ("" if good else NON_FINITE) for error, good in zip(errors, finite.tolist(), strict=True)
            ]
            pixels = pixels.nan_to_num(0.0, 0.0, 0.0).round().clamp(0, 255).to(torch.uint8)
        for row in np.flatnonzero(np.isinf(bits).any(axis=1)):
            errors[row] = errors[row] or "non-finite rate"
        return Reconstructions(pixels, bits, errors)

    @staticmethod
    def _failed(images: Tensor, reason: str) -> Reconstructions:
        return Reconstructions(torch.zeros_like(images), np.full((len(images), 3), np.nan), [reason] * len(images))


FATAL: Final = (MemoryError, torch.OutOfMemoryError)  # the worker's trouble, not an image's


class Compare:
    """Measures between originals and reconstructions: name -> (N,) float64."""

    def __init__(self, measures: Sequence[Measure]) -> None:
        self.measures = {measure.name: measure for measure in measures}

    def __call__(self, originals: Tensor, restored: Tensor) -> dict[str, NDArray[np.float64]]:
        """Compare (N, 3, H, W) uint8 with (N, 3, H, W) uint8."""
        return {
            name: measure(originals, restored).to("cpu", torch.float64).numpy()
            for name, measure in self.measures.items()
        }


class Classify:
    """An ensemble: every task's classifiers, in the order given: task -> (N, S) int8 codes of its S classifiers."""

    def __init__(self, classifiers: Sequence[Classifier]) -> None:
        self.classifiers = list(classifiers)
        self.seeds: dict[str, int] = {}
        for classifier in self.classifiers:
            for task in classifier.tasks:
                self.seeds[task] = self.seeds.get(task, 0) + 1

    def __call__(self, images: Tensor) -> dict[str, NDArray[np.int8]]:
        """Predict the class codes of (N, 3, H, W) uint8."""
        found: dict[str, list[NDArray[np.int8]]] = {task: [] for task in self.seeds}
        for classifier in self.classifiers:
            for task, codes in classifier.predict(images).items():
                found[task].append(codes.cpu().numpy().astype(np.int8))
        return {task: np.stack(codes, axis=1) for task, codes in found.items()}


def to_tensor(images: NDArray[np.uint8]) -> Tensor:
    """Turn (N, H, W, 3) uint8 into a (N, 3, H, W) uint8 tensor of its own."""
    return torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))


def to_array(images: Tensor) -> NDArray[np.uint8]:
    """Turn (N, 3, H, W) uint8 into (N, H, W, 3) uint8."""
    return np.ascontiguousarray(images.cpu().numpy().transpose(0, 2, 3, 1))


def encode_pngs(images: Tensor, errors: Sequence[str]) -> list[bytes | None]:
    """Encode (N, 3, H, W) uint8 as PNG files; None for an image that failed."""
    return [None if error else encode_png(image) for image, error in zip(to_array(images), errors, strict=True)]


@dataclass(frozen=True, slots=True, kw_only=True)
class RestorationStage:
    """What an audit's actors do, as a config: small, and built once in each actor.

    Attributes:
        model: builds the system.
        measures: build the measures.
        classifiers: build the ensemble; a task's predictions are in this order.
        size: height and width of the pixels.
        seed: the run's seed; each image's seeds come from it, its id and the number of a sample.
        samples: how many are drawn of each image at each operating point.
        threads: torch threads per actor.
        gpu: run on a GPU if the actor sees one.
    """

    model: RestorerBuilder
    measures: tuple[MeasureBuilder, ...]
    classifiers: tuple[ClassifierBuilder, ...]
    size: int
    seed: int = 0
    samples: int = 1
    threads: int = 1
    gpu: bool = False

    def build(self) -> "Restoration":
        """Return the stage with its models loaded."""
        return Restoration(self)


class Restoration:
    """Decoded rows to reconstruction rows: one row per image, list columns aligned with ``point`` and ``sample``."""

    def __init__(self, config: RestorationStage) -> None:
        torch.set_num_threads(config.threads)
        device = "cuda" if config.gpu and torch.cuda.is_available() else ""
        model = on_device(config.model, device).build()
        self.size, self.seed, self.samples = config.size, config.seed, config.samples
        self.points = tuple(float(point) for point in model.points)
        self.restore = Restore(model)
        self.compare = Compare([on_device(measure, device).build() for measure in config.measures])
        self.classify = Classify([on_device(classifier, device).build() for classifier in config.classifiers])

    def __call__(self, table: pa.Table) -> pa.Table:
        """Restore, compare, classify and encode a block of decoded rows, all points and samples of an image at once."""
        decode_errors = table[DECODE_ERROR].to_pylist()
        good = np.flatnonzero([not error for error in decode_errors])
        originals = to_tensor(pixels_of(table, self.size)[good])
        image_ids = table[IMAGE_ID].take(pa.array(good)).to_pylist()
        seeds = [image_seeds(image_ids, self.seed, sample) for sample in range(self.samples)]
        with torch.inference_mode():
            results = [self._at(point, originals, drawn) for point in self.points for drawn in seeds]
        rows = Rows(len(table), good, decode_errors, self.points, self.samples)
        columns = rows.columns(results, self.compare.measures, self.classify.seeds, self.size * self.size)
        kept = table.drop_columns([PIXELS, DECODE_ERROR])
        for name, column in columns.items():
            kept = kept.append_column(name, column)
        return kept

    def _at(self, point: float, originals: Tensor, seeds: Tensor) -> PlaceResult:
        restored = self.restore(originals, point, seeds)
        images = restored.images
        return PlaceResult(
            restored.bits,
            restored.errors,
            self.compare(originals, images),
            self.classify(images) if len(images) else {},
            encode_pngs(images, restored.errors),
        )


def on_device(config: Any, device: str) -> Any:
    """Return the config on another device, where it has one."""
    if device and any(field.name == "device" for field in dataclasses.fields(config)):
        return dataclasses.replace(config, device=device)
    return config
