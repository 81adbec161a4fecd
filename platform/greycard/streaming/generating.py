"""What a generation audit's actors do: ``seeds -> generator -> images`` or ``pixels``, then what is seen in them.

``images -> measuring classifier (probabilities, features), Inception, path lengths -> columns, status, error``

A row that fails keeps its place with a status and a reason, whatever failed: its bytes, the generator or a classifier.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor

from greycard.metrics.generation.inception import InceptionConfig
from greycard.metrics.generation.path_length import path_steps
from greycard.protocols import Generator
from greycard.schema import ERROR, FAILED, IMAGE_ID, OK, STATUS, prediction_column, probability_column
from greycard.streaming.columns import DECODE_ERROR, PIXELS, pixels_of
from greycard.streaming.decode import reason
from greycard.streaming.predicting import NON_FINITE, probability_lists
from greycard.streaming.restoring import FATAL, on_device, to_tensor

SEED: Final = "seed"  # int64: of the latent that an image is made of
PARTNER: Final = "partner"  # int64: seed of the latent that its path leads to; null where no path is measured
PATH: Final = "path_aux"  # float64: the path step of an image; null where none is measured
QUALITY: Final = "quality_"  # quality_<measure>: float64, NaN where the measure has no value; null where failed
BULK: Final = "bulk_"  # columns that only states are made of, not the tables
AUX: Final = "aux"
INCEPTION: Final = "inception"


def features_column(extractor: str) -> str:
    """Return the column of an extractor's features: list<float32>, null where failed."""
    return f"{BULK}features_{extractor}"


def scores_column(extractor: str) -> str:
    """Return the column of an extractor's own class probabilities: list<float32>, null where failed."""
    return f"{BULK}scores_{extractor}"


class MeasuringClassifier(Protocol):
    """A classifier that also tells what its head sees."""

    def probabilities(self, images: Tensor) -> dict[str, Tensor]:
        """Return (N, 3, H, W) uint8 -> task -> (N, K) float64."""
        ...

    def features(self, images: Tensor) -> Tensor:
        """Return (N, 3, H, W) uint8 -> (N, F) float32."""
        ...


class MeasuringBuilder(Protocol):
    """A config that builds a measuring classifier."""

    def build(self) -> MeasuringClassifier:
        """Return a ready classifier."""
        ...


class QualityMeasure(Protocol):
    """A no-reference measure: one number per image."""

    @property
    def name(self) -> str:
        """The measure's name in tables."""
        ...

    def __call__(self, images: Tensor) -> Tensor:
        """Measure (N, 3, H, W) uint8; returns (N,) float64, NaN where it has no value."""
        ...


class QualityBuilder(Protocol):
    """A config that builds a no-reference measure."""

    @property
    def name(self) -> str:
        """The measure's name in tables."""
        ...

    def build(self) -> QualityMeasure:
        """Return the ready measure."""
        ...


class GeneratorBuilder(Protocol):
    """A config that builds a generator."""

    def build(self) -> Generator:
        """Return a ready generator."""
        ...


class Seen(NamedTuple):
    """What is seen in N images: column -> (N, ...) float array, and "" or a reason per image."""

    columns: dict[str, NDArray[Any]]
    errors: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationStage:
    """What a generation audit's actors do, as a config: small, and built once in each actor.

    Attributes:
        generator: builds the generator; None takes the pixels of decoded rows.
        classifier: builds the measuring classifier.
        task: the attribute whose classes are counted.
        classes: how many they are.
        size: height and width of the images.
        truncation: ψ to use instead of the generator's own.
        inception: Inception's config, where its weights are there.
        quality: build the no-reference measures.
        threads: torch threads per actor.
        gpu: run on a GPU if the actor sees one.
    """

    generator: GeneratorBuilder | None
    classifier: MeasuringBuilder
    task: str
    classes: int
    size: int
    truncation: float | None = None
    inception: InceptionConfig | None = None
    quality: tuple[QualityBuilder, ...] = ()
    threads: int = 1
    gpu: bool = False

    @property
    def schema(self) -> pa.Schema:
        """The columns that are appended to the rows, in order; all are null where a row failed but status and error."""
        bulk = [features_column(AUX)]
        bulk += [features_column(INCEPTION), scores_column(INCEPTION)] if self.inception is not None else []
        return pa.schema(
            [
                (prediction_column(self.task), pa.int8()),
                (probability_column(self.task), pa.list_(pa.float64())),
                *((name, pa.list_(pa.float32())) for name in bulk),
                *((QUALITY + measure.name, pa.float64()) for measure in self.quality),
                (STATUS, pa.string()),
                (ERROR, pa.string()),
                *([(PATH, pa.float64())] if self.generator is not None else []),
            ]
        )

    def build(self) -> "Generation":
        """Return the stage with its models loaded."""
        return Generation(self)


class Look:
    """What is seen in images that exist: probabilities, features, Inception's features and scores, quality."""

    def __init__(self, config: GenerationStage, device: str) -> None:
        self.task, self.classes = config.task, config.classes
        self.classifier: Any = on_device(config.classifier, device).build()
        self.inception = on_device(config.inception, device).build() if config.inception else None
        self.quality: dict[str, Any] = {item.name: on_device(item, device).build() for item in config.quality}

    def __call__(self, images: Tensor) -> dict[str, NDArray[Any]]:
        """Look at (N, 3, H, W) uint8.

        Raises:
            ValueError: probabilities of another number of classes.
        """
        found = self.classifier.probabilities(images)[self.task].to("cpu", torch.float64).numpy()
        if found.shape != (len(images), self.classes):
            raise ValueError(f"expected {(len(images), self.classes)} probabilities of {self.task}, got {found.shape}")
        columns: dict[str, NDArray[Any]] = {
            probability_column(self.task): found,
            features_column(AUX): self.classifier.features(images).cpu().numpy(),
        }
        if self.inception is not None:
            features, scores = self.inception(images)
            columns[features_column(INCEPTION)] = features.numpy()
            columns[scores_column(INCEPTION)] = scores.float().numpy()
        for name, measure in self.quality.items():
            columns[QUALITY + name] = measure(images).to("cpu", torch.float64).numpy()[:, None]
        return columns

    def distance(self, first: Tensor, second: Tensor) -> Tensor:
        """Return (N,) squared distances between the classifier's features, scaled to unit length, of float images."""
        units = [
            torch.nn.functional.normalize(self.classifier.perceive(part).double(), dim=1) for part in (first, second)
        ]
        return (units[0] - units[1]).square().sum(dim=1)


class Generation:
    """Rows of seeds, or decoded rows, to rows of what is seen: pred_, prob_, features and scores, status and error."""

    def __init__(self, config: GenerationStage) -> None:
        torch.set_num_threads(config.threads)
        device = "cuda" if config.gpu and torch.cuda.is_available() else ""
        self.config, self.schema = config, config.schema
        self.look = Look(config, device)
        self.generator: Any = on_device(config.generator, device).build() if config.generator is not None else None

    def __call__(self, table: pa.Table) -> pa.Table:
        """Look at a block of rows."""
        with torch.inference_mode():
            if self.generator is None:
                return self._of_pixels(table)
            seeds = torch.from_numpy(table[SEED].to_numpy().astype(np.int64))
            seen = _one_by_one(seeds, lambda part: self.look(self._make(part)))
            return self._rows(table, seen, np.arange(len(table)), {PATH: self._paths(table, seen.errors)})

    def _of_pixels(self, table: pa.Table) -> pa.Table:
        errors = table[DECODE_ERROR].to_pylist()
        good = np.flatnonzero([not error for error in errors])
        seen = _one_by_one(to_tensor(pixels_of(table, self.config.size)[good]), self.look)
        for row, error in zip(good, seen.errors, strict=True):
            errors[row] = error
        return self._rows(table.drop_columns([PIXELS, DECODE_ERROR]), Seen(seen.columns, errors), good, {})

    def _make(self, seeds: Tensor) -> Tensor:
        images: Tensor = self.generator.sample(seeds, self.config.truncation)
        expected = (len(seeds), 3, self.config.size, self.config.size)
        if tuple(images.shape) != expected or images.dtype != torch.uint8:
            raise ValueError(f"the generator made {tuple(images.shape)} {images.dtype}, expected {expected} uint8")
        return images

    def _rows(self, table: pa.Table, seen: Seen, good: NDArray[np.intp], more: Mapping[str, pa.Array]) -> pa.Table:
        """Append what was seen in the rows ``good``; rows with an error get nulls."""
        failed = np.array([bool(error) for error in seen.errors], bool)
        columns = {
            STATUS: pa.array(np.where(failed, FAILED, OK).tolist(), pa.string()),
            ERROR: pa.array(seen.errors, pa.string()),
            **more,
        }
        for name, values in seen.columns.items():
            full = np.zeros((len(table), values.shape[1]))
            full[good] = values
            columns[name] = _column(full, failed, self.schema.field(name).type)
            if name == probability_column(self.config.task):
                codes = full.argmax(axis=1).astype(np.int8)
                columns[prediction_column(self.config.task)] = pa.array(codes, mask=failed)
        for field in self.schema:  # a column that is not there: nothing in this block could be taken
            found = columns.get(field.name)
            table = table.append_column(field, pa.nulls(len(table), field.type) if found is None else found)
        return table

    def _paths(self, table: pa.Table, errors: list[str]) -> pa.Array:
        """Return the path steps of rows with a partner; none of a generator without the space w."""
        partners = table[PARTNER].to_pylist() if "w" in self.generator.spaces else [None] * len(table)
        rows = [row for row, partner in enumerate(partners) if partner is not None and not errors[row]]
        steps: list[float | None] = [None] * len(partners)
        if rows:
            pairs = (table[SEED].take(pa.array(rows)), table[PARTNER].take(pa.array(rows)))
            start, end = (
                self.generator.latents(torch.from_numpy(ends.to_numpy().astype(np.int64)), "w") for ends in pairs
            )
            found = path_steps(self.generator.render, self.look.distance, start, end)
            for row, step in zip(rows, found.tolist(), strict=True):
                steps[row] = step
        return pa.array(steps, pa.float64())


def _column(values: NDArray[Any], failed: NDArray[np.bool_], kind: pa.DataType) -> pa.Array:
    """Return what was seen, (N, ...), as a column of lists or of numbers, null where a row failed."""
    if pa.types.is_list(kind):
        return probability_lists(values, failed).cast(kind)
    return pa.array(values[:, 0], kind, mask=failed)


def _one_by_one(items: Tensor, see: Callable[[Tensor], dict[str, NDArray[Any]]]) -> Seen:
    """See a batch that may hold an item which can not be taken: such an item fails alone."""
    if not len(items):
        return Seen({}, [])
    try:
        columns = see(items)
    except FATAL:
        raise
    except Exception as error:  # recorded as the status of the item that caused it
        if len(items) <= 1:
            return Seen({}, [reason(error)])
    else:
        needed = [values for name, values in columns.items() if not name.startswith(QUALITY)]
        finite = np.all([np.isfinite(values).all(axis=1) for values in needed], axis=0)
        return Seen(columns, ["" if good else NON_FINITE for good in finite.tolist()])
    parts = [_one_by_one(item, see) for item in torch.split(items, 1)]
    errors = [part.errors[0] for part in parts]
    widths = {name: values.shape[1] for part in parts for name, values in part.columns.items()}
    columns = {
        name: np.concatenate([part.columns.get(name, np.zeros((1, width))) for part in parts])
        for name, width in widths.items()
    }
    return Seen(columns, errors)


def seed_rows(count: int, seed: int, paths: int) -> pa.Table:
    """Return the rows that a generator's images are made of: image_id, seed, partner.

    Args:
        count: images.
        seed: the seed of the first image; the others follow one by one.
        paths: of the first so many images the path to another latent is measured; its seed lies 2^31 further.
    """
    seeds = np.arange(seed, seed + count, dtype=np.int64)
    partners = pa.array(seeds + 2**31, pa.int64(), mask=np.arange(count) >= paths)
    ids = [f"seed{number:010d}" for number in seeds]
    return pa.table({IMAGE_ID: ids, SEED: seeds, PARTNER: partners})
