"""Shards, training, audit and report of a study, in that order, with one Ray for all."""

from dataclasses import dataclass, replace
from pathlib import Path

from greycard.audits.job import Audited, run_audit
from greycard.audits.restoration.job import AuditJob
from greycard.audits.restoration.run import AuditResult
from greycard.datasets.shards_job import ShardsJob, write
from greycard.fitting.job import train
from greycard.fitting.plan import TrainJob
from greycard.metrics.restoration.findings import Findings
from greycard.streaming.cluster import SessionConfig, session


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyJob:
    """The jobs of a study, in the order in which they run.

    Attributes:
        shards: the data sets to write.
        train: the models to train on them.
        audit: what is audited and reported in the end.
        root: folder that the relative directories of all jobs lie in; "" is the working directory.
        ray: how all of them reach Ray.
    """

    root: str = ""
    shards: tuple[ShardsJob, ...]
    train: tuple[TrainJob, ...]
    audit: AuditJob
    ray: SessionConfig


def study(job: StudyJob) -> Audited[AuditResult, Findings]:
    """Run every job of the study, with one Ray for all."""
    job = below_root(job)
    for item in job.shards:
        write(item)
    with session(job.ray):
        for training in job.train:
            train(training)
        audited = run_audit(job.audit)
    print("MLflow UI: make ui, then open http://127.0.0.1:5000")
    return audited


def below_root(job: StudyJob) -> StudyJob:
    """Return the study with every relative directory put below its root."""
    if not job.root:
        return job

    def below(path: str) -> str:
        return str(Path(job.root).expanduser() / path) if path and "://" not in path else path

    training = tuple(
        replace(
            item,
            directory=below(item.directory),
            shards=below(item.shards),
            models=tuple(replace(model, shards=below(model.shards)) for model in item.models),
        )
        for item in job.train
    )
    audited = replace(job.audit.audit, shards=below(job.audit.audit.shards), directory=below(job.audit.audit.directory))
    return replace(
        job,
        root="",
        shards=tuple(replace(item, directory=below(item.directory)) for item in job.shards),
        train=training,
        audit=replace(job.audit, audit=audited, models=job.audit.models or job.root),
    )
