"""What an audit's actors do with decoded rows: callable classes, and the stage that chains them.

``pixels -> Restore (codec, every point) -> Compare (measures) -> Classify -> PNG -> Rows (list columns)``

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
from greycard.protocols import Classifier, Codec, Measure, Restored
from greycard.streaming.columns import DECODE_ERROR, PIXELS, pixels_of
from greycard.streaming.decode import reason
from greycard.streaming.rows import PointResult, Rows

NON_FINITE: Final = "non-finite reconstruction"


class CodecBuilder(Protocol):
    """A config that builds a codec."""

    def build(self) -> Codec:
        """Return a ready codec."""
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
    """One batch at one operating point: pixels (N, 3, H, W) uint8, bits (N, 3) float64, and "" or a reason an image."""

    images: Tensor
    bits: NDArray[np.float64]
    errors: list[str]


class Restore:
    """A codec over batches that may hold an image it can not take: such an image fails alone."""

    def __init__(self, codec: Codec, device: str = "cpu") -> None:
        self.codec = codec
        self.device = device

    def __call__(self, images: Tensor, point: float) -> Reconstructions:
        """Restore (N, 3, H, W) uint8 at one operating point."""
        try:
            return self._checked(images, self.codec.reconstruct(images, point))
        except FATAL:
            raise
        except Exception as error:  # recorded as the status of the image that caused it
            if len(images) <= 1:
                return self._failed(images, reason(error))
        parts = [self(image, point) for image in torch.split(images, 1)]
        return Reconstructions(
            torch.cat([part.images for part in parts]),
            np.concatenate([part.bits for part in parts]),
            [part.errors[0] for part in parts],
        )

    def _checked(self, images: Tensor, restored: Restored) -> Reconstructions:
        pixels = restored.images
        if pixels.shape != images.shape:
            raise ValueError(f"the codec returned shape {tuple(pixels.shape)} for {tuple(images.shape)}")
        rates = (restored.bits_estimated, restored.bits_payload, restored.bits_total)
        bits = torch.stack([rate.detach().to("cpu", torch.float64) for rate in rates], dim=1).numpy()
        errors = [restored.error(row) for row in range(len(images))]
        if pixels.is_floating_point():  # a codec that hands out floats has no 8-bit pixels where they are not finite
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
        codec: builds the system.
        measures: build the measures.
        classifiers: build the ensemble; a task's predictions are in this order.
        size: height and width of the pixels.
        threads: torch threads of an actor.
        gpu: run on a GPU if the actor sees one.
    """

    codec: CodecBuilder
    measures: tuple[MeasureBuilder, ...]
    classifiers: tuple[ClassifierBuilder, ...]
    size: int
    threads: int = 1
    gpu: bool = False

    def build(self) -> "Restoration":
        """Return the stage with its models loaded."""
        return Restoration(self)


class Restoration:
    """Decoded rows to reconstruction rows: one row an image, list columns aligned with ``point``."""

    def __init__(self, config: RestorationStage) -> None:
        torch.set_num_threads(config.threads)
        device = "cuda" if config.gpu and torch.cuda.is_available() else ""
        codec = on_device(config.codec, device).build()
        self.size = config.size
        self.points = tuple(float(point) for point in codec.points)
        self.restore = Restore(codec)
        self.compare = Compare([on_device(measure, device).build() for measure in config.measures])
        self.classify = Classify([on_device(classifier, device).build() for classifier in config.classifiers])

    def __call__(self, table: pa.Table) -> pa.Table:
        """Restore, compare, classify and encode a block of decoded rows, all points of an image at once."""
        decode_errors = table[DECODE_ERROR].to_pylist()
        good = np.flatnonzero([not error for error in decode_errors])
        originals = to_tensor(pixels_of(table, self.size)[good])
        with torch.inference_mode():
            results = [self._at(point, originals) for point in self.points]
        rows = Rows(len(table), good, decode_errors, self.points)
        columns = rows.columns(results, self.compare.measures, self.classify.seeds, self.size * self.size)
        kept = table.drop_columns([PIXELS, DECODE_ERROR])
        for name, column in columns.items():
            kept = kept.append_column(name, column)
        return kept

    def _at(self, point: float, originals: Tensor) -> PointResult:
        restored = self.restore(originals, point)
        images = restored.images
        return PointResult(
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
