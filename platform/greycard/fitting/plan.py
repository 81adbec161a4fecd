"""What a training job trains: codecs, classifiers, fair predictors, generators; the single models they come to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Annotated, Final, TypeVar

from greycard.config import BY_KIND
from greycard.datasets.manifest import Manifest
from greycard.fitting.kinds.classifiers import ClassifierTraining
from greycard.fitting.kinds.codecs import CodecTraining
from greycard.fitting.kinds.contract import Planned, Site, TrainingKind
from greycard.fitting.kinds.generators import GeneratorTraining
from greycard.fitting.kinds.parity_codecs import ParityCodecTraining
from greycard.fitting.kinds.predictors import PredictorTraining
from greycard.fitting.task import WEIGHTS
from greycard.streaming.cluster import SessionConfig

MODELS: Final = "models"  # the folder of a job's directory that holds a folder per model

AnyTraining = CodecTraining | ParityCodecTraining | ClassifierTraining | PredictorTraining | GeneratorTraining
Training = Annotated[AnyTraining, BY_KIND]
C = TypeVar("C")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkersConfig:
    """What the Ray task, or each of the Ray Train workers, of a model gets.

    Attributes:
        num_cpus: CPUs per process, and torch threads (at least one).
        num_gpus: GPUs per process, or a share of one; set ``device`` of the loops too.
        processes: processes that train one model together, through Ray Train, to the numbers of a single one; each
            takes its share of every batch. Classifiers and predictors only.
        parallel: models trained at once at most; 0 leaves it to Ray, or is one at a time with several processes.
        max_retries: how often a model whose worker died is started again.
    """

    num_cpus: float = 1.0
    num_gpus: float = 0.0
    processes: int = 1
    parallel: int = 0
    max_retries: int = 3

    def __post_init__(self) -> None:
        if self.num_cpus <= 0 or self.num_gpus < 0 or self.parallel < 0 or self.max_retries < 0:
            raise ValueError("workers.num_cpus must be above 0, its other fields at least 0")
        if self.processes < 1:
            raise ValueError(f"workers.processes must be at least 1, got {self.processes}")

    @property
    def at_once(self) -> int:
        """Models trained at once at most; 0 leaves it to Ray."""
        return self.parallel or int(self.processes > 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainJob:
    """What to train, on what, where.

    Attributes:
        study: the MLflow experiment.
        directory: of this job; a folder per model is made in ``models/``.
        shards: URI of the images, for models that name none of their own; the splits train and val are used.
        models: codec chains and sets of classifiers.
        size: height and width at which images are used.
        registry: prefix of the models' registered names, ``<registry>-<model>``.
        workers: what each model's task gets.
        session: how to reach Ray.
    """

    study: str = "greycard"
    directory: str = "runs/train"
    shards: str = ""
    models: tuple[Training, ...]
    size: int = 64
    registry: str = "greycard"
    workers: WorkersConfig = field(default_factory=WorkersConfig)
    session: SessionConfig = field(default_factory=SessionConfig)

    def __post_init__(self) -> None:
        if not self.models:
            raise ValueError("models must name at least one codec chain or set of classifiers")
        names = [model.name for model in self.models]
        if len(set(names)) < len(names):
            raise ValueError(f"models must have names of their own, got {names}")
        if any(set(name) & set("/:@%\"'") for name in names):
            raise ValueError(
                f"names of models become folders and registered names; none of / : @ % and quotes: {names}"
            )
        if self.size < 1:
            raise ValueError(f"size must be at least 1, got {self.size}")

    def weights(self, model: str) -> str:
        """Return the directory in which the job leaves a model's weights."""
        return str(Path(self.directory) / MODELS / model / WEIGHTS)

    def trained(self, training: TrainingKind[C]) -> dict[str, C]:
        """Return name -> config with its weights, of the models of one of its trainings; a codec is one for all λ."""
        return training.trained(self.weights)


def plan(job: TrainJob, directory: Path) -> dict[str, Planned]:
    """Return model name -> what to train, in an order in which each comes after what it starts from.

    Raises:
        ManifestError: shards are not there, or lack an attribute or class of a classifier.
        WeightsError: what a generator starts from is not there, or is of another network.
        ValueError: two models have the same name, or no shards are named.
    """
    planned: dict[str, Planned] = {}
    manifest = cache(Manifest.load)
    for training in job.models:
        shards = training.shards or job.shards
        if not shards:
            raise ValueError(f"no images to train {training.name} on: set shards to the URI of a folder of shards")
        if job.workers.processes > 1 and not training.several_processes:
            raise ValueError(
                f"{training.name}: several processes train classifiers and predictors; a codec or generator, whose "
                "training draws noise, trains on one: set workers.processes to 1"
            )
        site = Site(
            manifest=manifest,
            shards=shards,
            size=job.size,
            models=directory / MODELS,
            planned=planned,
            threads=max(1, int(job.workers.num_cpus)),
        )
        for item in training.tasks(site):
            if item.task.name in planned:
                raise ValueError(f"two models are called {item.task.name!r}; give each of models a name of its own")
            planned[item.task.name] = item
    return planned


def unfinished(planned: Mapping[str, Planned]) -> list[str]:
    """Return the models of a plan that are still to be trained.

    Raises:
        CheckpointError: a directory holds another model.
    """
    return [name for name, item in planned.items() if item.task.outcome() is None]
