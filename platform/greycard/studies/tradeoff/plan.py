"""What a study of `jobs.tune` is: images, what a trial trains, where it searches, what for, and how it is confirmed."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Final, Literal, TypeVar

from pydantic import Field

from greycard import config as configs
from greycard.datasets.shards_job import ShardsJob
from greycard.fitting.kinds.parity_codecs import ParityCodecTraining
from greycard.fitting.kinds.predictors import PredictorTraining
from greycard.fitting.plan import WorkersConfig
from greycard.losses import FairLossConfig
from greycard.streaming.cluster import SessionConfig
from greycard.training.objectives.parity import ParityRateDistortion
from greycard.tuning import Goal, Parameter, SearchConfig, check_domain

BEST: Final = "best"
KNEE: Final = "knee"
BASELINE: Final = "baseline"
CONTROL: Final = "control"
Value = bool | int | float | str
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictorTrial:
    """The fair phase of a predictor, from its baseline's weights (paper 002, section 5).

    The baseline is trained once a seed and shared, so the search may change ``fair.*`` and ``training.fair_loop.*``
    only. A ``fair.kind`` that is searched over starts from that loss's defaults.

    Attributes:
        training: the baseline and how the fair phase is trained; its ``fair`` and ``seeds`` are left to the study.
        fair: the fairness loss, in which the trial's settings are put.
    """

    kind: Literal["predictor"] = "predictor"
    training: PredictorTraining
    fair: FairLossConfig

    @property
    def free(self) -> tuple[str, ...]:
        """What the search may change."""
        return ("fair.", "training.fair_loop.")

    @property
    def off(self) -> dict[str, Value]:
        """Settings that train alike without the fairness loss."""
        return {"fair.lam": 0.0}

    @property
    def own_metrics(self) -> tuple[str, ...]:
        """What trials validate and their baseline does not."""
        return ("fair", "fair_missing")


@dataclass(frozen=True, slots=True, kw_only=True)
class CodecTrial:
    """A codec with a parity term on groups' distortions, fine-tuned from a baseline without one.

    The baseline is trained once a seed and shared, so the search may change ``parity.*`` and ``training.fine_tune.*``
    only.

    Attributes:
        training: the baseline and how codecs are fine-tuned; its ``parity`` and ``seeds`` are left to the study.
        parity: what is minimised, in which the trial's settings are put.
    """

    kind: Literal["codec"] = "codec"
    training: ParityCodecTraining
    parity: ParityRateDistortion

    @property
    def free(self) -> tuple[str, ...]:
        """What the search may change."""
        return ("parity.", "training.fine_tune.")

    @property
    def off(self) -> dict[str, Value]:
        """Settings that train alike without the parity term."""
        return {"parity.mu": 0.0}

    @property
    def own_metrics(self) -> tuple[str, ...]:
        """What trials validate and their baseline does not."""
        return ()


TrialConfig = Annotated[PredictorTrial | CodecTrial, Field(discriminator="kind")]


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
        title: of the report.
        directory: of the study; started again there, it goes on.
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
        """URI of the shards that are trained and chosen on."""
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
