"""Audit trained predictors on shards: probabilities image by image, and how groups differ in them.

One MLflow run a job, a child run a system with its numbers, all frames as tables, the predictions as a data set. The
frames are written to ``<directory>/tables`` as Parquet and CSV; ``tables/paper.csv`` has the layout of Tables 1-3 of
paper 002, with the printed rows beside the measured ones where data set, attributes and loss are the paper's. Where
several seeds of a loss and their baselines are audited, ``tables/comparisons`` says what the loss changed on average.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import pandas as pd

from greycard.audits.pinning import under
from greycard.audits.prediction.configs import PredictionAudit, PredictorSystem
from greycard.audits.prediction.run import PredictionResult, run
from greycard.audits.prediction.tables import PredictionFrames
from greycard.audits.publishing import publish, report_folder, write_recipe, write_tables
from greycard.audits.systems import SystemResult
from greycard.config import digest, to_yaml
from greycard.datasets.manifest import Manifest
from greycard.datasets.storage import Folder
from greycard.metrics.prediction.findings import HARD, PredictionConfig
from greycard.metrics.prediction.squeezing import SqueezingConfig
from greycard.places import check_outlives
from greycard.reports.prediction.page import PredictionPage, headline
from greycard.reports.prediction.page import write as write_page
from greycard.reports.prediction.verdict import verdict
from greycard.streaming.cluster import SessionConfig
from greycard.streaming.pipeline import Resources
from greycard.tracking import Run, job_run
from greycard.tracking.provenance import git_commit


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionAuditJob:
    """A prediction audit, in one MLflow run.

    Attributes:
        audit: which predictors, on which images, for which attributes.
        models: where the trained models are: a relative path of weights (``runs/paper002/...``) means one within this
            folder; "" is the working directory.
        title: of the page.
    """

    kind: Literal["predictions"] = "predictions"
    audit: PredictionAudit
    models: str = ""
    title: str = "Group differences in predicted attributes"


class Audited(NamedTuple):
    """What a job leaves: the result, its frames, the comparison over seeds, the page, and the MLflow run."""

    result: PredictionResult
    frames: PredictionFrames
    comparisons: pd.DataFrame
    page: str
    run_id: str


def audit_predictions(job: PredictionAuditJob) -> Audited:
    """Run the audit, or what is left of it, make the frames and log them.

    Raises:
        ManifestError: no shards there, or a name that they do not have.
        RayError: Ray is not reachable, or the actors do not fit the cluster.
        AuditError: the directory holds another audit's results, rows are missing, or more failed than allowed.
        TrackingError: MLflow does not answer.
        DirectoryError: a submitted job's directory lies where Ray unpacked its code, and would not outlive it.
    """
    config = job.audit
    check_outlives(config.directory, "audit.directory")
    config = replace(config, systems=tuple(_under(job.models, system) for system in config.systems))
    manifest = Manifest.load(config.shards)
    home = Folder.open(config.directory)
    # what does not shape the predictions may change from one start to the next
    rows = replace(
        job.audit,
        resources=Resources(),
        ray=SessionConfig(),
        max_failed_share=0.0,
        findings=PredictionConfig(),
        squeezing=SqueezingConfig(),
    )
    tags = {
        "greycard.max_failed_share": config.max_failed_share,
        "greycard.findings": digest(config.findings),
        "greycard.squeezing": digest(config.squeezing),
    }
    name = f"predictions {manifest.dataset}"
    fixed = replace(job, audit=rows, title="")
    with job_run(study=config.study, name=name, directory=home.uri, config=fixed, tags=tags) as tracked:
        tracked.log_params({"manifest": manifest.digest, "dataset": manifest.dataset})
        tracked.log_dataset(manifest, config.split, manifest.uri)
        result = run(config, on_system_done=lambda system: _log_system(system, tracked))
        frames, comparisons = result.frames(), result.comparisons()
        tables = frames._asdict() | {"comparisons": comparisons}
        log_frames(result, frames, tracked)
        if len(comparisons):
            tracked.log_table(comparisons, "tables/comparisons.json")
        write_tables(tables, Folder.open(home.uri_of("tables")))
        page = _page(job, result, frames, comparisons, tracked.run_id)
        path = write_page(page, report_folder(config.directory))
        tracked.log_artifact(path)
        tracked.describe(*headline(page))
        place = publish(path, Folder.open(home.uri_of("report")))
    print(f"report: {place}  (open it in a browser; MLflow run {tracked.run_id})")
    return Audited(result, frames, comparisons, place, tracked.run_id)


def _page(
    job: PredictionAuditJob, result: PredictionResult, frames: PredictionFrames, comparisons: pd.DataFrame, run_id: str
) -> PredictionPage:
    """Return the page; where one loss and λ alone is compared on one target and attribute, its comparison leads it."""
    kinds = comparisons.groupby(list(_KEYS), sort=False) if len(comparisons) else ()
    parts = [(dict(zip(_KEYS, keys, strict=True)), frame) for keys, frame in kinds]
    said = [f"{told['loss']} at λ = {told['lam']:g}, {_pair(told)}: {verdict(frame)}" for told, frame in parts]
    alone = parts[0][1].drop(columns=list(_KEYS)) if len(parts) == 1 else None
    config = result.config
    return PredictionPage(
        title=job.title,
        dataset=result.manifest.dataset,
        split=config.split,
        drawn=result.manifest.drawn,
        command=f"python -m jobs.audit {write_recipe(job, job.audit.directory)}",
        commit=git_commit(),
        groups=frames.groups,
        disparities=frames.disparities,
        cells=frames.cells,
        table=frames.table,
        paper=frames.paper,
        squeezing=frames.squeezing if len(frames.squeezing) else None,
        comparison=alone,
        counts=frames.counts,
        level=config.findings.level,
        notes=() if alone is not None else tuple(said),
        provenance={"audit": result.directory, "manifest": result.manifest.digest, "MLflow run": run_id},
        config=to_yaml(job),
    )


_KEYS = ("target", "attribute", "loss", "lam", "trained_for")


def _pair(told: Mapping[str, Any]) -> str:
    return f"{told['target']} by {told['attribute']}"


def log_frames(result: PredictionResult, frames: PredictionFrames, tracked: Run) -> None:
    """Log the frames to an open run, and to a child run a system its numbers and its predictions."""
    for name, frame in frames._asdict().items():
        if len(frame):
            tracked.log_table(frame, f"tables/{name}.json")
    for system, found in zip(result.config.systems, result.systems, strict=True):
        params = {"system": system.name, "loss": system.loss, "lam": system.lam, "seed": system.seed}
        params |= {"baseline": system.baseline, "trained_for": " x ".join(system.trained_for)}
        with tracked.child(system.name, name=system.name, params=params) as child:
            child.log_metrics(numbers(frames, system.name))
            child.log_table(frames.table[frames.table["system"] == system.name], "table.json")
            named = _Named(f"predictions of {system.name}", found.table_sha256[:16])
            child.log_dataset(named, "predictions", found.table)


def numbers(frames: PredictionFrames, system: str) -> dict[str, float]:
    """Return a system's numbers under flat names: ``accuracy/<target>``, ``sigma_iou/<target> by <attribute>``, ..."""
    counts = frames.counts[frames.counts["system"] == system].iloc[0]
    found = {name: float(counts[name]) for name in ("n_in", "n_ok", "n_failed")}
    for row in frames.table[frames.table["system"] == system].to_dict("records"):
        place = f"{row['target']} by {row['sensitive']}"
        found["accuracy_all"] = float(row["accuracy_all"])
        for name in _NUMBERS:
            found[f"{name}/{place}"] = float(row[name])
    gaps = frames.disparities[(frames.disparities["system"] == system) & (frames.disparities["decisions"] == HARD)]
    for row in gaps[gaps["measure"] == "sigma_iou"].to_dict("records"):
        place = f"{row['target']} by {row['attribute']}"
        found |= {f"sigma_iou_{side}/{place}": float(row[side]) for side in ("low", "high", "noise_floor")}
    return found


_NUMBERS = (
    *("accuracy", "auc", "ece", "sigma_iou", "dp_difference", "eo_difference"),
    *("L_iou", "L_eo_l2", "L_eo_mi", "L_dp_l2", "L_dp_mi"),
    *("L_iou_full", "L_eo_l2_full", "L_eo_mi_full", "L_dp_l2_full", "L_dp_mi_full"),
)


class _Named(NamedTuple):
    """A predictions table, as the tracker wants a data set."""

    dataset: str
    digest: str


def _under(folder: str, system: PredictorSystem) -> PredictorSystem:
    return replace(system, classifier=under(folder, system.classifier)) if folder else system


def _log_system(system: SystemResult, tracked: Run) -> None:
    took = f"{system.images / system.seconds:,.0f} images/s" if system.seconds else "was there already"
    print(f"{system.name}: {system.images:,} images, {system.n_failed} failed, {took}")
    values = {f"n_failed/{system.name}": float(system.n_failed)}
    if system.seconds:
        values[f"images_per_second/{system.name}"] = system.images / system.seconds
    tracked.log_metrics(values)
