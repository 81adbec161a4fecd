"""A study of predictors: baselines, trials of the fair phase, and the choice trained again and audited (paper 002)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
from torch import Tensor

from greycard.audits.prediction.configs import PredictionAudit, PredictorSystem
from greycard.audits.prediction.run import PredictionResult
from greycard.audits.prediction.run import run as run_audit
from greycard.datasets.manifest import Manifest
from greycard.fitting.kinds.contract import Planned
from greycard.fitting.kinds.predictors import PredictorTraining
from greycard.fitting.model import ModelTask
from greycard.fitting.plan import plan
from greycard.layers.weights import load_weights
from greycard.metrics.prediction.seeds import compare_seeds
from greycard.reports.prediction.verdict import verdict
from greycard.studies.tradeoff.choice import Choice, accepted, distinct
from greycard.studies.tradeoff.family import Confirmed, Family, color_of, goals_reported, models_folder
from greycard.studies.tradeoff.plan import BASELINE, PredictorTrial, TuneJob, Value, with_settings
from greycard.training.data import TrainingData
from greycard.training.objectives.fair_prediction import FairPrediction
from greycard.tuning import Trial


@dataclass(frozen=True, slots=True)
class SharedPredictors:
    """What all trials share: put in the object store once, read in place.

    Attributes:
        trial: what a trial trains, before its settings.
        tasks: seed -> the fair phase of that seed.
        data: training and validation images and labels.
        starts: seed -> its baseline's weights.
        goals: metrics by which a scheduler may judge.
    """

    trial: PredictorTrial
    tasks: dict[int, ModelTask]
    data: TrainingData
    starts: dict[int, dict[str, Tensor]]
    goals: tuple[str, ...] = ()


def run_trial(trial: Trial, shared: SharedPredictors) -> dict[str, float]:
    """Train the fair phase with a trial's settings, from its seed's baseline; return the validation metrics."""
    config = with_settings(shared.trial, trial.settings)
    template = shared.tasks[trial.seed]
    assert isinstance(template.objective, FairPrediction)
    task = replace(
        template,
        name=trial.name,
        objective=replace(template.objective, fair=config.fair),
        loop=config.training.loop_of(config.fair, trial.seed),
        directory=str(trial.directory),
    )
    data = shared.data._replace(start=shared.starts[trial.seed])

    def report(metrics: Mapping[str, float], epoch: int) -> None:
        trial.report(goals_reported(metrics, shared.goals), epoch)

    return task.train(data, report).metrics


class PredictorFamily(Family):
    """How the studies of predictors do what every study does."""

    named = ("fair.kind", "fair.lam")

    def __init__(self, job: TuneJob, manifest: Manifest) -> None:
        assert isinstance(job.trial, PredictorTrial)
        self.job, self.trial, self.manifest = job, job.trial, manifest
        self.run_trial = run_trial
        self.color = color_of(job.space, "fair.lam")
        self.show: tuple[str, ...] = ()

    def warnings(self) -> list[str]:
        """Say which (label, group) cells of train, val and test have no rows."""
        cells = self.trial.training.empty_cells(self.manifest)
        return [f"{split}: {text}" for split, text in cells.items() if text]

    def metrics(self, metrics: Mapping[str, float]) -> dict[str, float]:
        """Return validation metrics as they are."""
        return dict(metrics)

    def training(self, seeds: Sequence[int], settings: Mapping[str, Value] | None = None) -> PredictorTraining:
        """Return the baselines of some seeds, and with settings the fair phases after them."""
        if settings is None:
            return replace(self.trial.training, fair=(), seeds=tuple(seeds))
        config = with_settings(self.trial, settings)
        return replace(config.training, fair=(config.fair,), seeds=tuple(seeds))

    def names(self, settings: Mapping[str, Value] | None, seeds: Sequence[int], mark: str) -> dict[int, str]:
        """Return seed -> the name of its baseline, or of the model after it."""
        training = self.training(seeds, settings)
        fair = training.fair[0] if training.fair else None
        return {seed: training.fair_name(fair, seed, mark) if fair else training.baseline_name(seed) for seed in seeds}

    def shared(self, data: TrainingData) -> SharedPredictors:
        """Return what trials share, once the baselines are trained."""
        tasks = {seed: self.template(seed) for seed in self.job.search.seeds}
        starts = {seed: load_weights(task.start, task.model.description()) for seed, task in tasks.items()}
        return SharedPredictors(self.trial, tasks, data, starts, tuple(goal.metric for goal in self.job.goals))

    def template(self, seed: int) -> ModelTask:
        """Return the fair phase of a seed, before a trial's settings."""
        one = replace(self.trial.training, fair=(self.trial.fair,), seeds=(seed,))
        job = replace(self.recipe(BASELINE, None, (seed,)), models=(one,))
        task = plan(job, models_folder(self.job))[one.fair_name(self.trial.fair, seed)].task
        assert isinstance(task, ModelTask)
        return task

    def confirm(self, choices: Sequence[Choice], planned: Mapping[str, Planned]) -> Confirmed:
        """Audit the baselines and what was chosen on the test split, and compare them seed by seed."""
        same = distinct(choices)
        result = run_audit(self._audit([choice for label, choice in same.items() if choice.label == label], planned))
        training, confirm = self.trial.training, self.job.confirm
        comparisons: dict[str, pd.DataFrame] = {}
        sentences: dict[str, str] = {}
        for label, choice in same.items():
            if choice.label == label:
                before, after = (self._predictions(result, name) for name in (BASELINE, label))
                comparisons[label] = compare_seeds(before, after, result.config.findings)
            frame = comparisons[label] = comparisons[choice.label]
            sentences[label] = verdict(frame, confirm.min_reduction, accepted(confirm), self.job.goals[0].metric)
        frames = result.frames()
        tables: dict[str, Any] = frames._asdict()
        note = f"{training.target} by {' x '.join(training.sensitive)}, {confirm.split} split of {result.manifest.uri}"
        return Confirmed(sentences, comparisons, tables, (note,))

    def _predictions(self, result: PredictionResult, label: str) -> list[Any]:
        training = self.trial.training
        names = [f"{label}-seed{seed}" for seed in self.job.confirm.seeds]
        return [result.predictions(name, training.target, training.sensitive) for name in names]

    def _audit(self, choices: Sequence[Choice], planned: Mapping[str, Planned]) -> PredictionAudit:
        seeds, training = self.job.confirm.seeds, self.trial.training
        systems = []
        for label, settings in ((BASELINE, None), *((choice.label, choice.settings) for choice in choices)):
            fair = self.training(seeds, settings).fair
            for seed, name in self.model_names(settings, seeds).items():
                systems.append(
                    PredictorSystem(
                        name=f"{label}-seed{seed}",
                        classifier=replace(
                            training.classifier, seed=seed, weights=str(Path(planned[name].task.directory) / "weights")
                        ),
                        loss=fair[0].kind if fair else "ce",
                        lam=fair[0].lam if fair else 0.0,
                        seed=seed,
                        baseline="" if settings is None else f"{BASELINE}-seed{seed}",
                        trained_for=training.sensitive if fair else (),
                    )
                )
        chosen = "-".join(f"{choice.label}{max(0, choice.number)}" for choice in choices)
        return PredictionAudit(
            study=self.job.study,
            shards=self.job.test_uri,
            split=self.job.confirm.split,
            systems=tuple(systems),
            targets=(training.target,),
            sensitive=(training.sensitive,),
            size=self.job.size,
            resize=True,
            directory=str(Path(self.job.directory) / "audit" / chosen),
            ray=self.job.session,
        )
