"""Audit trained generators and sets of images: what classes they show how often, and how real they look.

One MLflow run a job, a child run a system with its scores and shares, all frames as tables, the tables of images as
data sets. The frames are written to ``<directory>/tables`` as Parquet and CSV, and a page to ``<directory>/report``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Literal, NamedTuple

import pandas as pd

from greycard.audits.generation.configs import REFERENCE, GenerationAudit, RealismConfig
from greycard.audits.generation.run import GenerationFrames, GenerationResult, run
from greycard.audits.pinning import under
from greycard.audits.publishing import publish, report_folder, write_recipe, write_tables
from greycard.audits.systems import SystemResult
from greycard.config import digest, to_yaml
from greycard.datasets.manifest import Manifest
from greycard.datasets.storage import Folder
from greycard.places import check_outlives
from greycard.reports.generation import page as generation_page
from greycard.reports.generation.evidence import GenerationPage
from greycard.reports.generation.verdict import headline
from greycard.streaming.cluster import SessionConfig
from greycard.streaming.pipeline import Resources
from greycard.tracking import Run, job_run
from greycard.tracking.provenance import git_commit


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationAuditJob:
    """A generation audit, in one MLflow run.

    Attributes:
        audit: which generators and sets, by which classifier, against which reference.
        models: where the trained models are: a relative path of weights (``runs/paper004/...``) means one within this
            folder; "" is the working directory.
        title: of the page.
        printed: whose printed rows stand beside ours: ``FFHQ`` (Tables 1 and 2) or ``CIFAR10-LT`` (Tables 3 to 5).
    """

    kind: Literal["generations"] = "generations"
    audit: GenerationAudit
    models: str = ""
    title: str = "What generators show, and how real it looks"
    printed: Literal["", "FFHQ", "CIFAR10-LT"] = ""


class AuditedGenerations(NamedTuple):
    """What a job leaves: the result, its frames, the place of its page, and the MLflow run."""

    result: GenerationResult
    frames: GenerationFrames
    page: str
    run_id: str


def audit_generators(job: GenerationAuditJob) -> AuditedGenerations:
    """Run the audit, or what is left of it, make the frames and log them.

    Raises:
        ManifestError: no shards there, or a name that they do not have.
        RayError: Ray is not reachable, or the actors do not fit the cluster.
        AuditError: the directory holds another audit's results, rows are missing, or more failed than allowed.
        TrackingError: MLflow does not answer.
        DirectoryError: a submitted job's directory lies where Ray unpacked its code, and would not outlive it.
    """
    check_outlives(job.audit.directory, "audit.directory")
    config = with_models(job)
    manifest = Manifest.load(config.reference)
    home = Folder.open(config.directory)
    # what does not shape the images may change from one start to the next
    rows = replace(job.audit, resources=Resources(), ray=SessionConfig(), max_failed_share=0.0, realism=RealismConfig())
    tags = {"greycard.max_failed_share": config.max_failed_share, "greycard.realism": digest(config.realism)}
    name = f"generations {manifest.dataset}"
    fixed = replace(job, audit=rows, title="", printed="")
    with job_run(study=config.study, name=name, directory=home.uri, config=fixed, tags=tags) as tracked:
        tracked.log_params({"manifest": manifest.digest, "dataset": manifest.dataset})
        tracked.log_dataset(manifest, config.reference_split, manifest.uri)
        result = run(config, on_system_done=lambda system: _log_system(system, tracked))
        frames = result.frames()
        log_frames(result, frames, tracked)
        write_tables(tables_of(frames), Folder.open(home.uri_of("tables")))
        page = page_of(job, manifest, result, frames, tracked.run_id)
        path = generation_page.write(page, report_folder(config.directory))
        tracked.log_artifact(path, "report")
        tracked.describe(*headline(page))
        place = publish(path, Folder.open(home.uri_of("report")))
    print(summary(frames))
    for name, reason in result.absent.items():
        print(f"{name} was not taken: {reason}")
    print(f"report: {place}  (open it in a browser; MLflow run {tracked.run_id})")
    return AuditedGenerations(result, frames, place, tracked.run_id)


def page_of(
    job: GenerationAuditJob, manifest: Manifest, result: GenerationResult, frames: GenerationFrames, run_id: str
) -> GenerationPage:
    """Return what the page is made of."""
    return GenerationPage(
        title=job.title,
        dataset=manifest.dataset,
        task=job.audit.task,
        drawn=manifest.drawn,
        command=f"python -m jobs.audit {write_recipe(job, job.audit.directory)}",
        commit=git_commit(),
        scores=frames.scores,
        shares=frames.shares,
        frechet_groups=frames.frechet_groups,
        references=frames.references,
        confusion=frames.confusion,
        counts=frames.counts,
        paper=job.printed,
        absent=result.absent,
        classes=job.audit.classifier.class_sets[job.audit.task],
        min_ratio=0.0,
        provenance={
            "reference": f"{manifest.uri}, manifest {manifest.digest}",
            "audit": job.audit.directory,
            "MLflow": f"run {run_id}",
        },
        config=to_yaml(job),
    )


def with_models(job: GenerationAuditJob) -> GenerationAudit:
    """Return the job's audit with relative paths of weights under ``job.models``."""
    if not job.models:
        return job.audit
    systems = tuple(
        replace(system, generator=under(job.models, system.generator)) if system.generator is not None else system
        for system in job.audit.systems
    )
    return replace(job.audit, systems=systems, classifier=under(job.models, job.audit.classifier))


def log_frames(result: GenerationResult, frames: GenerationFrames, tracked: Run) -> None:
    """Log the frames to an open run, and to a child run a system its numbers and its table of images."""
    for name, frame in tables_of(frames).items():
        if len(frame):
            tracked.log_table(frame, f"tables/{name}.json")
    for system, found in zip(result.config.sets(), result.systems, strict=True):
        params = {"system": system.name, "variant": system.variant, "seed": system.seed, "images": system.images}
        params |= {"truncation": system.truncation}
        with tracked.child(system.name, name=system.name, params=params) as child:
            child.log_metrics(numbers(frames, system.name))
            child.log_table(frames.shares[frames.shares["system"] == system.name], "shares.json")
            child.log_dataset(_Named(f"images of {system.name}", found.table_sha256[:16]), "generations", found.table)


def numbers(frames: GenerationFrames, system: str) -> dict[str, float]:
    """Return a system's numbers under flat names: ``frechet/aux``, ``discrepancy/hard``, ``share/<class>``, ..."""
    counts = frames.counts[frames.counts["system"] == system].iloc[0]
    found = {name: float(counts[name]) for name in ("n_in", "n_ok", "n_failed")}
    for row in frames.scores[frames.scores["system"] == system].to_dict("records"):
        name = flat(str(row["measure"]))
        found[name] = float(row["value"])
        found |= {f"{name}/{part}": float(row[part]) for part in ("sd", "floor") if row[part] == row[part]}
    for row in frames.shares[frames.shares["system"] == system].to_dict("records"):
        found[f"share/{row['label']}"] = float(row["hard"])
    return found


def flat(measure: str) -> str:
    """Return a measure's name as trackers take it: ``frechet[aux]`` becomes ``frechet/aux``."""
    return measure.replace("[", "/").rstrip("]")


def tables_of(frames: GenerationFrames) -> Mapping[str, pd.DataFrame]:
    """Return the frames by name."""
    return {field.name: getattr(frames, field.name) for field in fields(frames)}


def summary(frames: GenerationFrames) -> str:
    """Return a line a system: the discrepancy beside its sampling floor, and the Fréchet distance beside its own."""
    scores = frames.scores.set_index(["system", "measure"])
    frechet = "fid" if (REFERENCE, "fid") in scores.index else "frechet[aux]"
    lines = []
    for system in scores.index.unique(level="system"):
        gap, far = scores.loc[(system, "discrepancy_pooled[hard]")], scores.loc[(system, frechet)]
        floor = f"a perfect generator shows {gap['floor']:.4f} in {gap['n']:,.0f} images"
        halves = f"one half of the reference to the other: {far['floor']:.4g}"
        lines.append(f"{system}: discrepancy {gap['value']:.4f} ({floor}), {frechet} {far['value']:.4g} ({halves})")
    return "\n".join(lines)


class _Named(NamedTuple):
    """A table of images, as the tracker wants a data set."""

    dataset: str
    digest: str


def _log_system(system: SystemResult, tracked: Run) -> None:
    took = f"{system.images / system.seconds:,.0f} images/s" if system.seconds else "was there already"
    print(f"{system.name}: {system.images:,} images, {system.n_failed} failed, {took}")
    values = {f"n_failed/{system.name}": float(system.n_failed)}
    if system.seconds:
        values[f"images_per_second/{system.name}"] = system.images / system.seconds
    tracked.log_metrics(values)
