"""What a study of `jobs.tune` is: images, what a trial trains, where it searches, what for, and how it is confirmed."""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Annotated, Final, Literal, TypeVar

from greycard import config as configs
from greycard.config import BY_KIND
from greycard.datasets.shards_job import ShardsJob
from greycard.fitting.kinds.parity_codecs import ParityCodecTraining
from greycard.fitting.kinds.predictors import PredictorTraining
from greycard.fitting.model import ModelTask
from greycard.fitting.plan import Training, WorkersConfig
from greycard.losses import FairLossConfig
from greycard.streaming.cluster import SessionConfig
from greycard.training.objectives.fair_prediction import FairPrediction
from greycard.training.objectives.parity import ParityRateDistortion, with_gap
from greycard.tuning import Goal, Parameter, SearchConfig, check_domain

BEST: Final = "best"
KNEE: Final = "knee"
BASELINE: Final = "baseline"
CONTROL: Final = "control"
Value = bool | int | float | str
T = TypeVar("T")


class TrialKind(ABC):
    """What a trial trains from a baseline's weights: a frozen config of the training of both, and the term searched.

    The baseline is trained once per seed and shared, so the search may change ``free`` fields only.

    Attributes:
        training: the baselines, and how the models after them are trained.
        free: what the search may change, as prefixes of dotted fields.
        off: settings that train in the same way without the term.
        named: settings that a model's own name tells; the last is the term's weight.
        own_metrics: what trials validate and their baseline does not.
    """

    __slots__ = ()
    training: PredictorTraining | ParityCodecTraining
    free = ("", "")  # without annotations: of the kind, no fields
    off = MappingProxyType[str, Value]({})
    named = ("", "")
    own_metrics = tuple[str, ...]()

    @abstractmethod
    def baselines(self, seeds: Sequence[int]) -> Training:
        """Return the training of baselines alone."""

    @abstractmethod
    def with_baselines(self, seeds: Sequence[int]) -> Training:
        """Return the training of baselines and, after each, of the model with the term."""

    @abstractmethod
    def model_name(self, seed: int, mark: str = "") -> str:
        """Return the name of a seed's model with the term; a mark sets apart what ``named`` does not."""

    @abstractmethod
    def task(self, template: ModelTask, seed: int) -> ModelTask:
        """Return a seed's training with the term, made of one with the usual settings."""

    def metrics(self, validated: Mapping[str, float]) -> dict[str, float]:
        """Return validation metrics with what follows from them."""
        return dict(validated)


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictorTrial(TrialKind):
    """The fair phase of a predictor, from its baseline's weights (paper 002, section 5).

    A ``fair.kind`` that is searched over starts from that loss's defaults.

    Attributes:
        training: the baseline and how the fair phase is trained; its ``fair`` and ``seeds`` are left to the study.
        fair: the fairness loss, in which the trial's settings are put.
    """

    free = ("fair.", "training.fair_loop.")
    off = MappingProxyType({"fair.lam": 0.0})
    named = ("fair.kind", "fair.lam")
    own_metrics = ("fair", "fair_missing")
    kind: Literal["predictor"] = "predictor"
    training: PredictorTraining
    fair: FairLossConfig

    def baselines(self, seeds: Sequence[int]) -> PredictorTraining:
        """Return the training of baselines alone."""
        return replace(self.training, fair=(), seeds=tuple(seeds))

    def with_baselines(self, seeds: Sequence[int]) -> PredictorTraining:
        """Return the training of baselines and fair phases."""
        return replace(self.training, fair=(self.fair,), seeds=tuple(seeds))

    def model_name(self, seed: int, mark: str = "") -> str:
        """Return the name of a seed's model with the fairness loss."""
        return self.training.fair_name(self.fair, seed, mark)

    def task(self, template: ModelTask, seed: int) -> ModelTask:
        """Return a seed's fair phase."""
        assert isinstance(template.objective, FairPrediction)
        objective = replace(template.objective, fair=self.fair)
        return replace(template, objective=objective, loop=self.training.loop_of(self.fair, seed))


@dataclass(frozen=True, slots=True, kw_only=True)
class CodecTrial(TrialKind):
    """A codec with a parity term on groups' distortions, fine-tuned from a baseline without one.

    Attributes:
        training: the baseline and how codecs are fine-tuned; its ``parity`` and ``seeds`` are left to the study.
        parity: what is minimised, in which the trial's settings are put.
    """

    free = ("parity.", "training.fine_tune.")
    off = MappingProxyType({"parity.mu": 0.0})
    named = ("parity.lam", "parity.mu")
    kind: Literal["codec"] = "codec"
    training: ParityCodecTraining
    parity: ParityRateDistortion

    def baselines(self, seeds: Sequence[int]) -> ParityCodecTraining:
        """Return the training of baselines alone."""
        return replace(self.training, parity=(), seeds=tuple(seeds))

    def with_baselines(self, seeds: Sequence[int]) -> ParityCodecTraining:
        """Return the training of baselines and fine-tuned codecs."""
        return replace(self.training, parity=(self.parity,), seeds=tuple(seeds))

    def model_name(self, seed: int, mark: str = "") -> str:
        """Return the name of a seed's fine-tuned codec."""
        return self.training.parity_name(self.parity, seed, mark)

    def task(self, template: ModelTask, seed: int) -> ModelTask:
        """Return a seed's fine-tuning."""
        model, loop = self.training.model_of(self.parity), self.training.loop_of(self.parity, seed)
        return replace(template, model=model, objective=self.parity, loop=loop)

    def metrics(self, validated: Mapping[str, float]) -> dict[str, float]:
        """Return validation metrics with the disparity."""
        return with_gap(validated)


TrialConfig = Annotated[PredictorTrial | CodecTrial, BY_KIND]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """A metric that may become worse than the baseline's, and by how much.

    Attributes:
        metric: as training validates it.
        mode: "max" where more is better, "min" where less is.
        most: the largest loss that is accepted, at least 0; in the metric's unit, or a share of it.
        relative: whether ``most`` is a share of the baseline's value.
    """

    metric: str = "accuracy"
    mode: Literal["min", "max"] = "max"
    most: float = 0.01
    relative: bool = False

    def __post_init__(self) -> None:
        if not self.most >= 0:
            raise ValueError(f"the cost of {self.metric} must be at most a number >= 0, got most={self.most}")

    def bound(self, baseline: float) -> float:
        """Return the worst value that is accepted."""
        room = self.most * abs(baseline) if self.relative else self.most
        return baseline + room if self.mode == "min" else baseline - room


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmConfig:
    """How a choice is made among the trials, and how it is put to the test.

    Attributes:
        choose: ``best`` has the best first goal among the trials within the costs; ``knee`` is the knee of the Pareto
            front of all goals.
        costs: how much worse than the baseline a choice may be on the validation split, and on the test split.
        min_reduction: the share by which the first goal is to fall on the test split.
        seeds: the chosen setting is trained again with each, from that seed's baseline.
        control: also train the first choice's way without its term (λ or μ = 0). A trial trains longer than its
            baseline did; what that alone does is not the term's merit.
        split: what the trained ones are compared on; no choice has seen it.
        shards: its images; "" takes the study's.
    """

    choose: tuple[Literal["best", "knee"], ...] = (BEST, KNEE)
    costs: tuple[Cost, ...] = (Cost(),)
    min_reduction: float = 0.3
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    control: bool = True
    split: str = "test"
    shards: str = ""

    def __post_init__(self) -> None:
        if not self.choose or len(set(self.choose)) < len(self.choose):
            raise ValueError(f"confirm.choose must name best, knee or both once, got {self.choose}")
        if not self.costs:
            raise ValueError("confirm.costs must name at least one metric that may become worse")
        if not 0 <= self.min_reduction <= 1:
            raise ValueError(f"confirm.min_reduction must be 0..1, got {self.min_reduction}")
        if not self.seeds or len(set(self.seeds)) < len(self.seeds) or min(self.seeds) < 0:
            raise ValueError(f"confirm.seeds must be one or more different numbers from 0, got {self.seeds}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TuneJob:
    """A search and what is made of it.

    Attributes:
        study: the search's name in its storage, the MLflow experiment and, after ``registry``, the registered model.
        title: the title of the report.
        directory: the study's directory; started again there, it resumes where it stopped.
        shards: data sets to write first; what is there is kept.
        images: URI of the shards to train (train) and choose (val) on; "" takes the first of ``shards``.
        size: height and width at which images are used.
        trial: what a trial trains.
        space: dotted field of ``trial`` -> where it is searched.
        goals: metrics of the validation split; the first is the disparity.
        search: how many trials, with which sampler, at what cost.
        confirm: what happens to the choice.
        registry: prefix of the registered models' names.
        workers: what the training of the baselines and of the choice gets.
        session: how to reach Ray.
    """

    study: str
    title: str = ""
    directory: str
    shards: tuple[ShardsJob, ...] = ()
    images: str = ""
    size: int = 64
    trial: TrialConfig
    space: dict[str, Parameter]
    goals: tuple[Goal, ...]
    search: SearchConfig = field(default_factory=SearchConfig)
    confirm: ConfirmConfig = field(default_factory=ConfirmConfig)
    registry: str = "greycard"
    workers: WorkersConfig = field(default_factory=WorkersConfig)
    session: SessionConfig = field(default_factory=SessionConfig)

    def __post_init__(self) -> None:
        if not self.goals or len({goal.metric for goal in self.goals}) < len(self.goals):
            raise ValueError(f"goals must name each metric once, at least one, got {self.goals}")
        if not self.images and not self.shards:
            raise ValueError("a study needs images: set images to the URI of shards, or name shards to write")
        if self.size < 1:
            raise ValueError(f"size must be at least 1, got {self.size}")
        check_space(self.trial, self.space)

    @property
    def uri(self) -> str:
        """URI of the shards that models are trained and chosen on."""
        return self.images or self.shards[0].directory

    @property
    def test_uri(self) -> str:
        """URI of the shards that the choice is tested on."""
        return self.confirm.shards or self.uri

    @property
    def fixed(self) -> "TuneJob":
        """What the study's run is known by: started again, it may have other workers, more trials, or more at once."""
        usual = SearchConfig()
        changed = ("trials", "concurrent", "retries", "num_cpus", "num_gpus")
        search = replace(self.search, **{name: getattr(usual, name) for name in changed})
        return replace(self, title="", search=search, workers=WorkersConfig(), session=SessionConfig())


def with_settings(trial: T, settings: Mapping[str, Value]) -> T:
    """Return a trial's config with its settings put in; kinds come first, since they decide the other fields.

    Raises:
        ConfigError: a name is not a field, or a value is outside its range.
    """
    names = sorted(settings, key=lambda name: not name.endswith("kind"))
    return configs.override(trial, [f"{name}={_text(settings[name])}" for name in names])


def check_space(trial: TrialConfig, space: Mapping[str, Parameter]) -> None:
    """Try the ends of every parameter, so that no trial is refused later.

    Raises:
        ValueError: nothing is searched, a name is not a field or not free to be searched, or an end is outside the
            field's range.
    """
    for name in space:
        if not name.startswith(trial.free):
            free = " and ".join(f"{prefix}*" for prefix in trial.free)
            raise ValueError(
                f"space: {name} can not be searched: trials start from a baseline that is trained once, so what is "
                f"searched is {free}"
            )
    check_domain(space, lambda settings: with_settings(trial, settings))


def setting_text(settings: Mapping[str, Value]) -> str:
    """Say a trial's settings in one line: ``fair.lam=3.2, fair.kind=iou``."""
    texts = {name: f"{value:.4g}" if isinstance(value, float) else f"{value}" for name, value in settings.items()}
    return ", ".join(f"{name}={text}" for name, text in texts.items())


def _text(value: Value) -> str:
    return value if isinstance(value, str) else json.dumps(value)
