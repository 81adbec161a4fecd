"""A search for a trade-off, from biased baselines to a choice that is confirmed on the test split."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from greycard.config import digest
from greycard.datasets.manifest import Manifest
from greycard.datasets.shards_job import write
from greycard.fitting.driver import train_planned
from greycard.fitting.kinds.contract import Planned
from greycard.fitting.model import read_data
from greycard.fitting.model_log import TrainedModel
from greycard.fitting.plan import TrainJob
from greycard.fitting.task import read_example
from greycard.layers.weights import read_description
from greycard.places import check_outlives
from greycard.streaming.cluster import session
from greycard.studies.tradeoff.choice import Choice, Chosen, check_metrics, choose
from greycard.studies.tradeoff.codecs import CodecFamily
from greycard.studies.tradeoff.family import Family
from greycard.studies.tradeoff.plan import BASELINE, TuneJob, Value
from greycard.studies.tradeoff.predictors import PredictorFamily
from greycard.studies.tradeoff.report import Found, write_recipes, write_report
from greycard.studies.tradeoff.trial import run_trial
from greycard.tracking import Run, job_run
from greycard.tracking.jobs import RECORD
from greycard.tuning import SearchResult, search

FAMILIES: Final[dict[str, type[Family]]] = {"predictor": PredictorFamily, "codec": CodecFamily}


class ResumeError(ValueError):
    """There is no study to resume in a directory."""


@dataclass(frozen=True, slots=True)
class Tuned:
    """What a study leaves.

    Attributes:
        page: the report.
        result: the result of the search.
        chosen: the chosen trials.
        recipes: label -> YAML file.
        models: label -> ``models:/name/version``.
        verdicts: label -> a sentence.
        run_id: the id of the MLflow run.
    """

    page: Path
    result: SearchResult
    chosen: Chosen
    recipes: dict[str, Path]
    models: dict[str, str]
    verdicts: dict[str, str]
    run_id: str


def tune(job: TuneJob) -> Tuned:
    """Run a study, or what is left of it.

    Raises:
        ManifestError: no shards there, or they lack an attribute or class.
        TrainError: a baseline or a chosen model could not be trained.
        StudyError: the storage holds a study of that name with another space, goals or baseline.
        ConfigChangedError: the directory holds another study.
        RayError: Ray is not reachable, or has no node for a trial.
        ValueError: a goal or cost is no metric, or no trial finished.
    """
    check_outlives(job.directory)
    for item in job.shards:
        write(item)
    manifest = Manifest.load(job.uri)
    family = FAMILIES[job.trial.kind](job, manifest)
    warnings = tuple(family.warnings())
    for text in warnings:
        print(f"note: {text}")
    directory = Path(job.directory).absolute()
    tags = {"greycard.search.trials": job.search.trials}
    with job_run(study=job.study, name=f"tune {job.study}", directory=directory, config=job.fixed, tags=tags) as run:
        run.log_params({"manifest": manifest.digest, "dataset": manifest.dataset})
        run.log_dataset(manifest, "train", manifest.uri)
        with session(job.session):
            tuned = _Study(job, family, manifest, run).carry_out(warnings)
    print(f"{tuned.verdicts[tuned.chosen.choices[0].label]}")
    print(f"report: {tuned.page}  (open it in a browser; MLflow run {tuned.run_id})")
    return tuned


class _Study:
    """A study under way."""

    def __init__(self, job: TuneJob, family: Family, manifest: Manifest, run: Run) -> None:
        self.job, self.family, self.manifest, self.run = job, family, manifest, run

    def carry_out(self, warnings: tuple[str, ...]) -> Tuned:
        """Do every step in turn; a step that is done gives its result again."""
        job = self.job
        seeds = tuple(dict.fromkeys((*job.search.seeds, *job.confirm.seeds)))
        planned = self.planned({BASELINE: None}, seeds)
        baseline = self.baseline(self.train(planned))
        check_metrics(job, baseline)
        result = self.search()
        chosen = choose(job, result.trials, baseline)
        for choice in chosen.choices:
            print(f"{choice}; validation: {_text(choice.metrics, baseline)}")
        recipes = {choice.label: self.recipe(choice) for choice in chosen.choices}
        paths = write_recipes(job, recipes, self.run)
        tested = (*chosen.choices, *((chosen.choices[0].without(job.trial.off),) if job.confirm.control else ()))
        chains = self.planned({choice.label: choice.settings for choice in tested}, job.confirm.seeds)
        self.train({name: replace(item, after="") for name, item in chains.items() if name not in planned})
        planned |= chains
        models = {choice.label: self.register(choice.label, choice.settings, planned) for choice in chosen.choices}
        confirmed = self.family.confirm(tested, planned)
        found = Found(result, baseline, chosen, confirmed, warnings)
        page = write_report(job, self.family, self.manifest, found, self.run)
        return Tuned(page, result, chosen, paths, models, confirmed.verdicts, self.run.run_id)

    def recipe(self, choice: Choice) -> TrainJob:
        """Return the training of a choice, from its baselines."""
        return self.family.recipe(choice.label, choice.settings, self.job.confirm.seeds)

    def planned(self, wanted: Mapping[str, Mapping[str, Value] | None], seeds: tuple[int, ...]) -> dict[str, Planned]:
        """Return model name -> what to train, of labels and settings (None: baselines); what several share is once.

        Raises:
            ValueError: two different models have the same name.
        """
        found: dict[str, Planned] = {}
        for label, settings in wanted.items():
            for name, item in self.family.planned(label, settings, seeds).items():
                if found.setdefault(name, item).task != item.task:
                    raise ValueError(
                        f"the settings of {', '.join(wanted)} make different models that are both called {name!r}: "
                        "set confirm.choose to one of them, or search more trials"
                    )
        return found

    def train(self, planned: Mapping[str, Planned]) -> dict[str, TrainedModel]:
        """Train what is not finished and log it as children of the study's run."""
        return train_planned(self.family.recipe(BASELINE, None, self.job.confirm.seeds), self.run, planned)

    def baseline(self, trained: Mapping[str, TrainedModel]) -> dict[str, float]:
        """Return the validation metrics of the search's baselines: means over its seeds."""
        names = self.family.model_names(None, self.job.search.seeds).values()
        each = [self.job.trial.metrics(trained[name].metrics) for name in names]
        return {metric: float(np.mean([metrics[metric] for metrics in each])) for metric in each[0]}

    def search(self) -> SearchResult:
        """Search, sharing images and baselines with all trials."""
        job, family = self.job, self.family
        templates = {seed: family.template(seed) for seed in job.search.seeds}
        starts = {seed: read_description(task.start).get("fingerprint", "") for seed, task in templates.items()}
        return search(
            name=job.study,
            directory=Path(job.directory).absolute() / "search",
            space=job.space,
            goals=job.goals,
            config=job.search,
            trial=run_trial,
            shared=family.shared(read_data(templates[job.search.seeds[0]])),
            run=self.run,
            identity={
                "trial": digest(job.trial),
                "images": self.manifest.digest,
                "size": f"{job.size}",
                "baselines": ", ".join(f"{seed}: {mark}" for seed, mark in starts.items()),
            },
            progress=job.session.show_progress,
        )

    def register(self, label: str, settings: Mapping[str, object], planned: Mapping[str, Planned]) -> str:
        """Register the chosen setting's model of the first seed under the study's name, with the label as alias."""
        job = self.job
        seed = job.confirm.seeds[0]
        task = planned[self.family.model_names(settings, (seed,))[seed]].task  # type: ignore[arg-type]
        outcome = task.outcome()
        assert outcome is not None, f"{task.name} is registered before it is trained"
        example_input, example_output = read_example(task.directory)
        uri = self.run.log_model(
            outcome.weights,
            name=label,
            registered_name=f"{job.registry}-{job.study}",
            example_input=example_input,
            example_output=example_output,
            params={"choice": label, "seed": seed, **settings},
            tags={"shards": job.uri, "shards_digest": self.manifest.digest, "model": task.name},
        )
        self.run.set_alias(uri, label)
        return uri


def _text(metrics: Mapping[str, float], baseline: Mapping[str, float]) -> str:
    shared = [name for name in ("sigma_iou", "accuracy", "bpp", "psnr_db", "psnr_gap_db") if name in metrics]
    return ", ".join(f"{name} {baseline.get(name, float('nan')):.4f} -> {metrics[name]:.4f}" for name in shared)


def check_resume(job: TuneJob) -> None:
    """Refuse to resume where no study was started.

    Raises:
        ResumeError: no study was started in the directory.
    """
    if not (Path(job.directory) / RECORD).exists():
        raise ResumeError(f"nothing to resume in {job.directory}: start the study without --resume, or set directory")
