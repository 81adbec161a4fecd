"""A restoration audit and its report, in one MLflow run."""

from dataclasses import dataclass, field, replace

from greycard.audits.pinning import under
from greycard.audits.publishing import publish, report_folder
from greycard.audits.restoration.configs import RestorationAudit
from greycard.audits.restoration.report import ReportConfig, Reported, ReportJob, fitted, make
from greycard.audits.restoration.run import run
from greycard.audits.systems import SystemResult
from greycard.config import digest
from greycard.datasets.manifest import Manifest
from greycard.datasets.storage import Folder
from greycard.places import check_outlives
from greycard.streaming.cluster import SessionConfig
from greycard.streaming.pipeline import Resources
from greycard.tracking import Run, job_run


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditJob:
    """An audit and its report, in one MLflow run.

    Attributes:
        audit: what is audited, on which images.
        models: where the trained models are: a relative path of weights (``runs/paper000/codecs/models/...``) means one
            within this folder. A cluster's nodes need a shared folder or ``s3://bucket/prefix`` that holds the
            training's ``runs`` folder; "" is the working directory.
        report: how the report is made.
    """

    audit: RestorationAudit
    models: str = ""
    report: ReportConfig = field(default_factory=ReportConfig)


def audit(job: AuditJob) -> Reported:
    """Run the audit, or what is left of it, and make the report.

    Raises:
        ManifestError: no shards there, or a name that they do not have.
        RayError: Ray is not reachable, or the actors do not fit the cluster.
        AuditError: the directory holds another audit's results, rows are missing, or more failed than allowed.
        TrackingError: MLflow does not answer.
        DirectoryError: a submitted job's directory lies where Ray unpacked its code, and would not outlive it.
    """
    check_outlives(job.audit.directory, "audit.directory")
    config = with_models(job)
    manifest = Manifest.load(config.shards)
    fitted(job.report, manifest)
    # what does not shape the audit's rows may change from one start to the next
    rows = replace(job.audit, resources=Resources(), ray=SessionConfig(), max_failed_share=0.0)
    fixed = replace(job, audit=rows, report=ReportConfig())
    tags = {"greycard.max_failed_share": config.max_failed_share, "greycard.report": digest(job.report)}
    home = Folder.open(config.directory)
    name = f"audit {manifest.dataset}"
    with job_run(study=config.study, name=name, directory=home.uri, config=fixed, tags=tags) as tracked:
        tracked.log_params({"manifest": manifest.digest, "dataset": manifest.dataset})
        tracked.log_dataset(manifest, config.split, manifest.uri)
        result = run(config, on_system_done=lambda system: _log_system(system, tracked))
        reported = make(
            ReportJob(
                audit=config.directory,
                shards=config.shards,
                output=str(report_folder(config.directory)),
                study=config.study,
                config=job.report,
                absent=result.absent,
            ),
            manifest,
            tracked,
        )
        place = publish(reported.page, Folder.open(home.uri_of("report")))
    print(f"report: {place}  (open it in a browser; MLflow run {reported.run_id})")
    return reported


def with_models(job: AuditJob) -> RestorationAudit:
    """Return the job's audit with relative paths of weights under ``job.models``."""
    if not job.models:
        return job.audit
    return replace(
        job.audit,
        systems=tuple(system.with_model(under(job.models, system.model)) for system in job.audit.systems),
        classifiers=tuple(under(job.models, classifier) for classifier in job.audit.classifiers),
    )


def _log_system(system: SystemResult, tracked: Run) -> None:
    took = f"{system.images / system.seconds:,.0f} images/s" if system.seconds else "was there already"
    print(f"{system.name}: {system.images:,} images x {len(system.points)} points, {system.n_failed} failed, {took}")
    numbers = {f"n_failed/{system.name}": float(system.n_failed)}
    if system.seconds:
        numbers[f"images_per_second/{system.name}"] = system.images / system.seconds
    tracked.log_metrics(numbers)
