r"""Audit codecs, predictors or generators, and report the differences between groups.

    python -m jobs.audit jpeg --set audit.shards=runs/shards/faces
    python -m jobs.audit paper000 --set audit.shards=runs/shards/rfw --set audit.resources.num_gpus=0.25
    python -m jobs.audit paper002_utkface --set audit.shards=runs/shards/utkface
    python -m jobs.audit paper004_mnist

Codecs restore every image at every rate, and what they restore is measured; predictors give probabilities; generators
make images, whose classes are counted and whose realism is measured against a reference.

On a cluster every folder is one that all nodes see, for example:

    python -m jobs.audit paper000 --set audit.shards=s3://bucket/shards/rfw --set models=s3://bucket \
        --set audit.directory=s3://bucket/audits/rfw

Images stream through Ray Data; the results are a reconstruction set and an audit table a system, and a report (of
predictors: a table of predictions a system, and tables by group). Run again after a crash, the job goes on where it
was: finished systems and written images are kept, and the MLflow run is the same one.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from greycard.audits.pinning import under
from greycard.audits.publishing import publish, report_folder
from greycard.audits.restoration.configs import RestorationAudit, System
from greycard.audits.restoration.run import run
from greycard.audits.systems import SystemResult
from greycard.classifiers import ClassifierConfig
from greycard.codecs import JpegConfig, RawConfig
from greycard.config import digest
from greycard.datasets.manifest import Manifest
from greycard.datasets.storage import Folder
from greycard.metrics.full_reference.distortion import Mse, Psnr, Ssim
from greycard.metrics.full_reference.lpips import Lpips
from greycard.metrics.restoration.findings import FindingsConfig
from greycard.places import check_outlives
from greycard.streaming.cluster import SessionConfig
from greycard.streaming.pipeline import Resources
from greycard.tracking import Run, job_run
from jobs import audit_paper002, audit_paper004, command
from jobs.audit_generators import AuditedGenerations, GenerationAuditJob, audit_generators
from jobs.audit_predictions import Audited, PredictionAuditJob, audit_predictions
from jobs.report import ReportConfig, Reported, ReportJob, fitted, make
from jobs.train import classifiers_paper, codecs_paper, demo_classifiers, demo_codecs, photos_codecs
from jobs.train_plan import ClassifierTraining, CodecTraining, TrainJob, trained_classifiers, trained_codec

PIXEL_MEASURES = (Mse(), Psnr(), Ssim())
RAW = System(name="raw", codec=RawConfig())


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


AnyAudit = AuditJob | PredictionAuditJob | GenerationAuditJob
AnyAudited = Reported | Audited | AuditedGenerations


def run_any(job: AnyAudit) -> AnyAudited:
    """Run an audit of any kind."""
    if isinstance(job, GenerationAuditJob):
        return audit_generators(job)
    return audit(job) if isinstance(job, AuditJob) else audit_predictions(job)


def with_models(job: AuditJob) -> RestorationAudit:
    """Return the job's audit with relative paths of weights under ``job.models``."""
    if not job.models:
        return job.audit
    return replace(
        job.audit,
        systems=tuple(replace(system, codec=under(job.models, system.codec)) for system in job.audit.systems),
        classifiers=tuple(under(job.models, classifier) for classifier in job.audit.classifiers),
    )


def _log_system(system: SystemResult, tracked: Run) -> None:
    took = f"{system.images / system.seconds:,.0f} images/s" if system.seconds else "was there already"
    print(f"{system.name}: {system.images:,} images x {len(system.points)} points, {system.n_failed} failed, {took}")
    numbers = {f"n_failed/{system.name}": float(system.n_failed)}
    if system.seconds:
        numbers[f"images_per_second/{system.name}"] = system.images / system.seconds
    tracked.log_metrics(numbers)


def codec_systems(job: TrainJob) -> tuple[System, ...]:
    """Return a training job's codec chains as systems."""
    chains = [item for item in job.models if isinstance(item, CodecTraining)]
    return tuple(System(name=chain.name, codec=trained_codec(job, chain)) for chain in chains)


def classifiers_of(job: TrainJob) -> tuple[ClassifierConfig, ...]:
    """Return a training job's classifiers, all tasks and seeds."""
    sets = [item for item in job.models if isinstance(item, ClassifierTraining)]
    return tuple(config for item in sets for config in trained_classifiers(job, item))


def jpeg() -> AuditJob:
    """JPEG at the paper's qualities, pixels measured; needs no trained model."""
    return AuditJob(
        audit=RestorationAudit(
            study="jpeg",
            shards="runs/shards/faces",
            systems=(RAW, System(name="jpeg", codec=JpegConfig())),
            measures=PIXEL_MEASURES,
            directory="runs/jpeg/audit",
        ),
        report=ReportConfig(findings=FindingsConfig(qualities=("psnr_db", "ssim"))),
    )


def paper000_audit() -> AuditJob:
    """Paper 000: JPEG and the three CompressAI codecs at five λ on RFW, seen by six phenotype classifiers x 5 seeds."""
    return AuditJob(
        audit=RestorationAudit(
            study="paper000",
            shards="runs/shards/rfw",
            systems=(RAW, System(name="jpeg", codec=JpegConfig()), *codec_systems(codecs_paper())),
            measures=(*PIXEL_MEASURES, Lpips()),
            classifiers=classifiers_of(classifiers_paper()),
            resize=True,
            directory="runs/paper000/audit",
        )
    )


def demo_audit() -> AuditJob:
    """The audit of `make demo`: JPEG and a small Hyperprior from unbalanced and balanced training, on drawn faces."""
    return AuditJob(
        audit=RestorationAudit(
            study="demo",
            shards="runs/demo/shards/test",
            systems=(
                RAW,
                System(name="jpeg", codec=JpegConfig(qualities=(1, 5, 10, 25, 50), tables="once")),
                *codec_systems(demo_codecs()),
            ),
            measures=(*PIXEL_MEASURES, Lpips()),
            classifiers=classifiers_of(demo_classifiers()),
            directory="runs/demo/audit",
        ),
        report=ReportConfig(
            title="Drawn faces through JPEG and a small Hyperprior",
            pairs=(("hyperprior_unbalanced", "hyperprior_balanced"),),
        ),
    )


def photos_audit() -> AuditJob:
    """The audit of `make photos`: JPEG and three small neural codecs on photographs, by photograph."""
    return AuditJob(
        audit=RestorationAudit(
            study="photos",
            shards="runs/photos/shards",
            systems=(
                RAW,
                System(name="jpeg", codec=JpegConfig(qualities=(1, 5, 10, 25, 50, 75), tables="once")),
                *codec_systems(photos_codecs()),
            ),
            measures=(*PIXEL_MEASURES, Lpips()),
            directory="runs/photos/audit",
        ),
        report=ReportConfig(
            title="Photographs through JPEG and three small neural codecs",
        ),
    )


RECIPES: dict[str, Callable[[], AnyAudit]] = {
    "jpeg": jpeg,
    "paper000": paper000_audit,
    "demo": demo_audit,
    "photos": photos_audit,
    **audit_paper002.RECIPES,
    **audit_paper004.RECIPES,
}

if __name__ == "__main__":
    sys.exit(command.main("audit", RECIPES, run_any, __doc__))
