"""What every family of models gives a study: baselines, trials, recipes and a confirmation."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pandas as pd

from greycard.training.fit import ModelTask, TrainingData
from greycard.tuning import Trial
from jobs.train_plan import Planned, TrainJob
from jobs.tune_choice import Choice
from jobs.tune_plan import TuneJob, Value

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


class Family(Protocol):
    """The part of a study that depends on what is trained.

    Attributes:
        run_trial: a function of a module, which Ray's workers can import.
        color: the parameter that colours the trials in figures.
        show: (x, y) metrics of the trade-off; () leaves it to the report.
    """

    run_trial: Callable[[Trial, Any], Mapping[str, float]]
    color: str
    show: tuple[str, ...]

    def warnings(self) -> list[str]:
        """Return what has to be said of the data before training."""
        ...

    def metrics(self, metrics: Mapping[str, float]) -> dict[str, float]:
        """Return a model's validation metrics as trials return them."""
        ...

    def recipe(self, label: str, settings: Mapping[str, Value] | None, seeds: Sequence[int]) -> TrainJob:
        """Return a training job of the baselines (None) or of settings with all they start from."""
        ...

    def model_names(self, settings: Mapping[str, Value] | None, seeds: Sequence[int]) -> dict[int, str]:
        """Return seed -> the model's name in that job."""
        ...

    def template(self, seed: int) -> ModelTask:
        """Return what a trial of a seed trains, before its settings."""
        ...

    def shared(self, data: TrainingData) -> Any:
        """Return what trials share, once the baselines are trained."""
        ...

    def confirm(self, choices: Sequence[Choice], planned: Mapping[str, Planned]) -> Confirmed:
        """Compare what was chosen, trained again, with the baselines on the test split."""
        ...


def color_of(space: Mapping[str, Any], wanted: str) -> str:
    """Return the parameter that colours a search's trials: the one wanted, or else the first."""
    return wanted if wanted in space else next(iter(space))


def models_folder(job: TuneJob) -> Path:
    """Return the directory in which the study's own models are trained."""
    return Path(job.directory).absolute() / MODELS_OF_STUDY
