"""What a training job trains: codecs, classifiers, fair predictors, generators; the single models they come to."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field

from greycard.classifiers import ClassifierConfig
from greycard.codecs import LearnedCodec
from greycard.datasets.manifest import Manifest, check_attributes, check_classes
from greycard.fitting.generator import GeneratorTask
from greycard.fitting.kinds.classifiers import ClassifierTraining
from greycard.fitting.kinds.codecs import CodecTraining
from greycard.fitting.kinds.generators import GeneratorTraining, generator_tasks
from greycard.fitting.kinds.parity_codecs import ParityCodecTraining, parity_tasks
from greycard.fitting.kinds.predictors import PredictorTraining, label_weights, objective
from greycard.fitting.model import WEIGHTS, ModelTask
from greycard.generators import StyleGan2Config
from greycard.streaming.cluster import SessionConfig
from greycard.training.loop import LoopConfig
from greycard.training.objectives.cross_entropy import CrossEntropy
from greycard.training.objectives.fair_prediction import FairPrediction
from greycard.training.objectives.parity import ParityRateDistortion
from greycard.training.objectives.rate_distortion import RateDistortion

MODELS: Final = "models"  # the folder of a job's directory that holds a folder a model


Classifying = ClassifierTraining | PredictorTraining
AnyTraining = CodecTraining | ParityCodecTraining | Classifying | GeneratorTraining
Training = Annotated[AnyTraining, Field(discriminator="kind")]
_Supervised = CodecTraining | ParityCodecTraining | Classifying  # trained epoch by epoch towards an objective


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkersConfig:
    """What the Ray task, or each of the Ray Train workers, of a model gets.

    Attributes:
        num_cpus: CPUs a process, and torch threads (at least one).
        num_gpus: GPUs a process, or a share of one; set ``device`` of the loops too.
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
        directory: of this job; a folder a model is made in ``models/``.
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


def trained_codec(job: TrainJob, training: CodecTraining) -> LearnedCodec:
    """Return a chain's codec with its weights, one a λ, where the job leaves them."""
    weights = tuple(_weights(job, training.model_name(lam)) for lam in training.codec.lambdas)
    return replace(training.codec, weights=weights)


def trained_classifiers(job: TrainJob, training: Classifying) -> tuple[ClassifierConfig, ...]:
    """Return a set's classifiers with their weights, where the job leaves them."""
    return tuple(trained_models(job, training).values())


def trained_models(job: TrainJob, training: Classifying) -> dict[str, ClassifierConfig]:
    """Return model name -> its classifier with its weights, where the job leaves them."""
    return {name: replace(config, weights=_weights(job, name)) for name, config in training.models().items()}


def trained_generators(job: TrainJob, training: GeneratorTraining) -> dict[str, StyleGan2Config]:
    """Return model name -> its generator with its weights, where the job leaves them."""
    return {name: replace(config, weights=_weights(job, name)) for name, config in training.models().items()}


def _weights(job: TrainJob, model: str) -> str:
    return str(Path(job.directory) / MODELS / model / WEIGHTS)


@dataclass(frozen=True, slots=True)
class Planned:
    """A model to train, and the model of the same job that must be finished first ("" if none)."""

    task: ModelTask | GeneratorTask
    after: str


def plan(job: TrainJob, directory: Path) -> dict[str, Planned]:
    """Return model name -> what to train, in an order in which each comes after what it starts from.

    Raises:
        ManifestError: shards are not there, or lack an attribute or class of a classifier.
        WeightsError: what a generator starts from is not there, or is of another network.
        ValueError: two models have the same name, or no shards are named.
    """
    planned: dict[str, Planned] = {}
    manifests: dict[str, Manifest] = {}

    def manifest(uri: str) -> Manifest:
        if uri not in manifests:
            manifests[uri] = Manifest.load(uri)
        return manifests[uri]

    for training in job.models:
        uri = training.shards or job.shards
        if not uri:
            raise ValueError(f"no images to train {training.name} on: set shards to the URI of a folder of shards")
        if job.workers.processes > 1 and isinstance(training, CodecTraining | ParityCodecTraining | GeneratorTraining):
            raise ValueError(
                f"{training.name}: several processes train classifiers and predictors; a codec or generator, whose "
                "training draws noise, trains on one: set workers.processes to 1"
            )
        tasks: Sequence[tuple[ModelTask | GeneratorTask, str]]
        if isinstance(training, GeneratorTraining):
            tasks = generator_tasks(
                training,
                manifest,
                shards=uri,
                size=job.size,
                models=directory / MODELS,
                planned=planned,
                threads=_threads(job),
            )
        else:
            tasks = _model_tasks(training, manifest(uri), uri, job, directory / MODELS)
        for task, after in tasks:
            if task.name in planned:
                raise ValueError(f"two models are called {task.name!r}; give each of models a name of its own")
            planned[task.name] = Planned(task, after)
    return planned


def _threads(job: TrainJob) -> int:
    return max(1, int(job.workers.num_cpus))


def _model_tasks(
    training: _Supervised, manifest: Manifest, uri: str, job: TrainJob, models: Path
) -> list[tuple[ModelTask, str]]:
    """Return the tasks of a codec chain or a set of classifiers, each with the model that it starts from."""
    return [
        (
            ModelTask(
                name=name,
                model=model,
                objective=minimised,
                loop=loop,
                shards=uri,
                shards_digest=manifest.digest,
                size=job.size,
                directory=str(models / name),
                start=str(models / after / WEIGHTS) if after else "",
                threads=_threads(job),
            ),
            after,
        )
        for name, model, minimised, loop, after in _tasks(training, manifest, job.size)
    ]


_Objective = RateDistortion | ParityRateDistortion | CrossEntropy | FairPrediction
_Task = tuple[str, LearnedCodec | ClassifierConfig, _Objective, LoopConfig, str]


def _tasks(training: _Supervised, manifest: Manifest, size: int) -> list[_Task]:
    if isinstance(training, CodecTraining):
        return _codec_tasks(training)
    if isinstance(training, ParityCodecTraining):
        return [*parity_tasks(training, manifest)]
    classes = training.classifier.class_sets
    check_classes(manifest, {task: classes[task] for task in training.classifier.tasks})
    training.classifier.check_size(size, size)
    check_attributes(manifest, training.loop.stratify)
    if isinstance(training, ClassifierTraining):
        return _classifier_tasks(training, manifest)
    if training.fair_loop:
        check_attributes(manifest, training.fair_loop.stratify)
    return _predictor_tasks(training, manifest)


def _codec_tasks(training: CodecTraining) -> list[_Task]:
    tasks: list[_Task] = []
    after = ""
    for lam in sorted(training.codec.lambdas, reverse=True):
        model = replace(training.codec, lambdas=(lam,), weights=())
        objective = RateDistortion(lam=lam, auxiliary_learning_rate=training.auxiliary_learning_rate)
        loop = training.fine_tune if after and training.fine_tune else training.loop
        tasks.append((training.model_name(lam), model, objective, loop, after))
        after = training.model_name(lam) if training.warm_start else ""
    return tasks


def _classifier_tasks(training: ClassifierTraining, manifest: Manifest) -> list[_Task]:
    weights = label_weights(training, manifest)
    return [
        (
            name,
            model,
            CrossEntropy(
                label_smoothing=training.label_smoothing,
                class_weights={task: weights[task] for task in model.tasks if task in weights},
            ),
            replace(training.loop, seed=model.seed),
            "",
        )
        for name, model in training.models().items()
    ]


def _predictor_tasks(training: PredictorTraining, manifest: Manifest) -> list[_Task]:
    tasks: list[_Task] = []
    for seed in training.seeds:
        model = replace(training.classifier, seed=seed, weights="")
        baseline = training.baseline_name(seed)
        tasks.append((baseline, model, objective(training, manifest), training.loop_of(None, seed), ""))
        for fair in training.fair:
            minimised = objective(training, manifest, fair)
            tasks.append((training.fair_name(fair, seed), model, minimised, training.loop_of(fair, seed), baseline))
    return tasks
