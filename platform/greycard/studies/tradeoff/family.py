"""What a study asks of a family of models: recipes, plans and names of what it trains, and a confirmation."""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import pandas as pd

from greycard.datasets.manifest import Manifest
from greycard.fitting.kinds.contract import Planned
from greycard.fitting.model import ModelTask
from greycard.fitting.plan import TrainJob, plan
from greycard.layers.weights import load_weights
from greycard.studies.tradeoff.choice import Choice
from greycard.studies.tradeoff.plan import BASELINE, TrialKind, TuneJob, Value, with_settings
from greycard.studies.tradeoff.trial import Shared
from greycard.training.data import TrainingData

MODELS_OF_STUDY = "train"  # baselines, and the chosen settings trained again


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What the chosen settings do on images that no choice has seen.

    Attributes:
        verdicts: label -> a sentence.
        comparisons: label -> measure by measure, baseline and chosen over all seeds, with intervals.
        tables: further frames by name; those that the report's page knows are shown.
        notes: sentences that the report adds to the verdicts.
    """

    verdicts: dict[str, str]
    comparisons: dict[str, pd.DataFrame]
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


class Family(ABC):
    """The part of a study that depends on what is trained: what is said before it, and how a choice is confirmed.

    Attributes:
        job: the study.
        trial: what its trials train.
        manifest: the manifest of its images.
        show: (x, y) metrics of the trade-off; () leaves it to the report.
    """

    trial: TrialKind
    show: ClassVar[tuple[str, ...]] = ()

    def __init__(self, job: TuneJob, manifest: Manifest) -> None:
        self.job, self.trial, self.manifest = job, job.trial, manifest

    @property
    def color(self) -> str:
        """The parameter that colours the trials in figures: that of the term's weight, or else the first."""
        wanted = self.trial.named[-1]
        return wanted if wanted in self.job.space else next(iter(self.job.space))

    def recipe(self, label: str, settings: Mapping[str, Value] | None, seeds: Sequence[int]) -> TrainJob:
        """Return a training job of the baselines (None) or of settings, as ``python -m jobs.train`` takes it."""
        trial = with_settings(self.trial, settings or {})
        return TrainJob(
            study=self.job.study,
            directory=str(Path(self.job.directory) / label),
            shards=self.job.uri,
            models=(trial.baselines(seeds) if settings is None else trial.with_baselines(seeds),),
            size=self.job.size,
            registry=f"{self.job.registry}-{self.job.study}",
            workers=self.job.workers,
            session=self.job.session,
        )

    def model_names(self, settings: Mapping[str, Value] | None, seeds: Sequence[int]) -> dict[int, str]:
        """Return seed -> the model's name in the study, marked where its own name does not tell all settings."""
        return self._names(settings, seeds, name_mark(settings or {}, self.trial.named))

    def recipe_names(self, settings: Mapping[str, Value] | None, seeds: Sequence[int]) -> dict[int, str]:
        """Return seed -> the model's name in a recipe, which trains no other settings and so needs no mark."""
        return self._names(settings, seeds, "")

    def planned(self, label: str, settings: Mapping[str, Value] | None, seeds: Sequence[int]) -> dict[str, Planned]:
        """Return name in the study -> what to train: baselines, and with settings the models after them."""
        names = self.model_names(settings, seeds)
        in_study = {name: names[seed] for seed, name in self.recipe_names(settings, seeds).items()}
        found = plan(self.recipe(label, settings, seeds), models_folder(self.job))
        renamed = [item.renamed(in_study.get(name, name)) for name, item in found.items()]
        return {item.task.name: item for item in renamed}

    def template(self, seed: int) -> ModelTask:
        """Return what a trial of a seed trains, before its settings."""
        task = plan(self.recipe(BASELINE, {}, (seed,)), models_folder(self.job))[self.trial.model_name(seed)].task
        assert isinstance(task, ModelTask)
        return task

    def shared(self, data: TrainingData) -> Shared:
        """Return what trials share, once the baselines are trained."""
        tasks = {seed: self.template(seed) for seed in self.job.search.seeds}
        starts = {seed: load_weights(task.start, task.model.description()) for seed, task in tasks.items()}
        return Shared(self.job.trial, tasks, data, starts, tuple(goal.metric for goal in self.job.goals))

    def _names(self, settings: Mapping[str, Value] | None, seeds: Sequence[int], mark: str) -> dict[int, str]:
        trial = with_settings(self.trial, settings or {})
        return {
            seed: trial.training.baseline_name(seed) if settings is None else trial.model_name(seed, mark)
            for seed in seeds
        }

    @abstractmethod
    def warnings(self) -> list[str]:
        """Return what has to be said of the data before training."""

    @abstractmethod
    def confirm(self, choices: Sequence[Choice], planned: Mapping[str, Planned]) -> Confirmed:
        """Compare what was chosen, trained again, with the baselines on the test split."""


def name_mark(settings: Mapping[str, Value], named: Sequence[str]) -> str:
    """Return what makes a name that tells only the settings ``named`` tell all: ``-`` and 8 hex digits, or "".

    Example:
        >>> name_mark({"fair.lam": 3.0}, ("fair.kind", "fair.lam"))
        ''
    """
    if set(settings) <= set(named):
        return ""
    return f"-{hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:8]}"


def models_folder(job: TuneJob) -> Path:
    """Return the directory in which the study's own models are trained."""
    return Path(job.directory).absolute() / MODELS_OF_STUDY
