"""A training job: plan what is unfinished, train it as Ray tasks, log all of it in one MLflow run."""

import contextlib
from dataclasses import replace
from pathlib import Path

from greycard.datasets.manifest import Manifest
from greycard.fitting.driver import train_planned
from greycard.fitting.model_log import TrainedModel
from greycard.fitting.plan import TrainJob, WorkersConfig, plan, unfinished
from greycard.progress import say
from greycard.streaming.cluster import SessionConfig, session
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
    missing = unfinished(planned)
    with job_run(study=job.study, name=f"train {directory.name}", directory=directory, config=_result_of(job)) as run:
        for uri in sorted({uri for item in planned.values() for uri in item.task.images}):
            run.log_dataset(Manifest.load(uri), "train", uri)
        if missing:
            run.set_tags(tell_empty_cells(job))
        with session(job.session) if missing else contextlib.nullcontext():
            return train_planned(job, run, planned)


def tell_empty_cells(job: TrainJob) -> dict[str, str]:
    """Say before training which (label, group) cells of its splits have no rows; return it as tags."""
    tags = {}
    for training in job.models:
        for split, found in training.empty_cells(Manifest.load(training.shards or job.shards)).items():
            tags[f"empty_cells/{training.name}/{split}"] = found or "none"
            if found:
                say(f"{training.name}, {split}: {found}")
    return tags


def _result_of(job: TrainJob) -> TrainJob:
    """Return what the run is known by: a job that is started again may have other workers."""
    return replace(job, workers=WorkersConfig(), session=SessionConfig())
