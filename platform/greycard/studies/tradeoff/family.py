"""What every family of models gives a study: baselines, trials, recipes and a confirmation."""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd

from greycard.fitting.kinds.contract import Planned
from greycard.fitting.model import ModelTask
from greycard.fitting.plan import TrainJob
from greycard.studies.tradeoff.choice import Choice
from greycard.studies.tradeoff.plan import TuneJob, Value
from greycard.training.data import TrainingData
from greycard.tuning import Trial

MODELS_OF_STUDY = "train"  # baselines, and the chosen settings trained again


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What the chosen settings do on images that no choice has seen.

    Attributes:
        verdicts: label -> a sentence.
        comparisons: label -> measure by measure, baseline and chosen over all seeds, with intervals.
        tables: further frames by name; those that the report's page knows are shown.
        notes: sentences.
    """

    verdicts: dict[str, str]
    comparisons: dict[str, pd.DataFrame]
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


class Family(ABC):
    """The part of a study that depends on what is trained.

    Attributes:
        named: settings that a model's own name tells.
        run_trial: a function of a module, which Ray's workers can import.
        color: the parameter that colours the trials in figures.
        show: (x, y) metrics of the trade-off; () leaves it to the report.
    """

    named: ClassVar[tuple[str, ...]]
    job: TuneJob
    run_trial: Callable[[Trial, Any], Mapping[str, float]]
    color: str
    show: tuple[str, ...]

    def recipe(self, label: str, settings: Mapping[str, Value] | None, seeds: Sequence[int]) -> TrainJob:
        """Return a training job of the baselines (None) or of settings, as ``python -m jobs.train`` takes it."""
        return TrainJob(
            study=self.job.study,
            directory=str(Path(self.job.directory) / label),
            shards=self.job.uri,
            models=(self.training(seeds, settings),),
            size=self.job.size,
            registry=f"{self.job.registry}-{self.job.study}",
            workers=self.job.workers,
            session=self.job.session,
        )

    def model_names(self, settings: Mapping[str, Value] | None, seeds: Sequence[int]) -> dict[int, str]:
        """Return seed -> the model's name in the study, marked where ``named`` does not tell all settings."""
        return self.names(settings, seeds, name_mark(settings or {}, self.named))

    def recipe_names(self, settings: Mapping[str, Value] | None, seeds: Sequence[int]) -> dict[int, str]:
        """Return the same as the recipe names them: it trains no other settings."""
        return self.names(settings, seeds, "")

    @abstractmethod
    def warnings(self) -> list[str]:
        """Return what has to be said of the data before training."""

    @abstractmethod
    def metrics(self, metrics: Mapping[str, float]) -> dict[str, float]:
        """Return a model's validation metrics as trials return them."""

    @abstractmethod
    def training(self, seeds: Sequence[int], settings: Mapping[str, Value] | None = None) -> Any:
        """Return the baselines of some seeds, and with settings the models after them."""

    @abstractmethod
    def names(self, settings: Mapping[str, Value] | None, seeds: Sequence[int], mark: str) -> dict[int, str]:
        """Return seed -> the name of its baseline (None), or of the model after it with a mark."""

    @abstractmethod
    def template(self, seed: int) -> ModelTask:
        """Return what a trial of a seed trains, before its settings."""

    @abstractmethod
    def shared(self, data: TrainingData) -> Any:
        """Return what trials share, once the baselines are trained."""

    @abstractmethod
    def confirm(self, choices: Sequence[Choice], planned: Mapping[str, Planned]) -> Confirmed:
        """Compare what was chosen, trained again, with the baselines on the test split."""


def color_of(space: Mapping[str, Any], wanted: str) -> str:
    """Return the parameter that colours a search's trials: the one wanted, or else the first."""
    return wanted if wanted in space else next(iter(space))


def name_mark(settings: Mapping[str, Value], named: Sequence[str]) -> str:
    """Return what makes a name that tells only the settings ``named`` tell all: ``-`` and 8 hex digits, or "".

    Example:
        >>> name_mark({"fair.lam": 3.0}, ("fair.kind", "fair.lam"))
        ''
    """
    if set(settings) <= set(named):
        return ""
    return f"-{hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:8]}"


def goals_reported(metrics: Mapping[str, float], goals: Sequence[str]) -> dict[str, float]:
    """Return an epoch's metrics, and its validated goals also by their bare names, by which a scheduler judges.

    Example:
        >>> goals_reported({"val/bpp": 0.5, "train/bpp": 0.4}, ("bpp",))
        {'val/bpp': 0.5, 'train/bpp': 0.4, 'bpp': 0.5}
    """
    return {**metrics, **{goal: metrics[f"val/{goal}"] for goal in goals if f"val/{goal}" in metrics}}


def models_folder(job: TuneJob) -> Path:
    """Return the directory in which the study's own models are trained."""
    return Path(job.directory).absolute() / MODELS_OF_STUDY
