"""A training job: plan what is unfinished, train it as Ray tasks, log all of it in one MLflow run."""

import contextlib
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from greycard.datasets.manifest import Manifest
from greycard.fitting.driver import Driver, outcome_of
from greycard.fitting.generator import GeneratorTask
from greycard.fitting.kinds.predictors import PredictorTraining, describe_cells
from greycard.fitting.model import ModelTask
from greycard.fitting.model_log import TrainedModel
from greycard.fitting.plan import TrainJob, WorkersConfig, plan
from greycard.streaming.cluster import Demand, SessionConfig, require, session
from greycard.tracking import job_run


def train(job: TrainJob) -> dict[str, TrainedModel]:
    """Train every model of a job that is not finished; log all; return model name -> model.

    Raises:
        TrainError: some models failed; the others are finished and logged.
        ManifestError: shards are not there, or lack a classifier's attribute.
        CheckpointError: the directory holds models of another config.
        RayError: Ray is not reachable, or has no node for a task.
    """
    directory = Path(job.directory).absolute()
    planned = plan(job, directory)
    unfinished = {name for name, item in planned.items() if outcome_of(item.task) is None}
    with job_run(study=job.study, name=f"train {directory.name}", directory=directory, config=_result_of(job)) as run:
        for uri in sorted({uri for item in planned.values() for uri in images_of(item.task)}):
            run.log_dataset(Manifest.load(uri), "train", uri)
        if unfinished:
            run.set_tags(tell_empty_cells(job))
        with contextlib.ExitStack() as stack:
            if unfinished:
                stack.enter_context(session(job.session))
                workers = job.workers
                demand = Demand(
                    count=workers.processes, num_cpus=workers.num_cpus, num_gpus=workers.num_gpus, spare_cpus=0.0
                )
                require(demand, job.session, "training a model")
            return Driver(job, run, planned, unfinished).run_all()


def images_of(task: ModelTask | GeneratorTask) -> tuple[str, ...]:
    """Return the URIs of the shards that a model is trained on."""
    return (task.shards, task.extra) if isinstance(task, GeneratorTask) and task.extra else (task.shards,)


def tell_empty_cells(job: TrainJob) -> dict[str, str]:
    """Say before training which (label, group) cells of a predictor's splits have no rows; return it as tags."""
    tags = {}
    for training in job.models:
        if isinstance(training, PredictorTraining):
            for split, found in describe_cells(training, Manifest.load(training.shards or job.shards)).items():
                tags[f"empty_cells/{training.name}/{split}"] = found or "none"
                if found:
                    tqdm.write(f"{training.name}, {split}: {found}")
    return tags


def _result_of(job: TrainJob) -> TrainJob:
    """Return what the run is known by: a job that is started again may have other workers."""
    return replace(job, workers=WorkersConfig(), session=SessionConfig())
