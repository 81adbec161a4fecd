"""A balanced set of images, made and logged in one MLflow run."""

import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, NamedTuple

from greycard.audits.pinning import with_models
from greycard.places import check_outlives
from greycard.reports.generation.sheets import lineage_sheet
from greycard.streaming.cluster import SessionConfig
from greycard.streaming.pipeline import Resources
from greycard.synthesis.config import SynthesisConfig
from greycard.synthesis.run import SynthesisResult, run
from greycard.tracking import Run, job_run


@dataclass(frozen=True, slots=True, kw_only=True)
class SynthesisJob:
    """A balanced set, in one MLflow run.

    Attributes:
        study: the MLflow experiment.
        synthesis: what is made.
        models: where the trained models are: a relative path of weights (``runs/paper004/...``) means one within this
            folder; "" is the working directory.
    """

    kind: Literal["synthesis"] = "synthesis"
    study: str = "synthesis"
    synthesis: SynthesisConfig
    models: str = ""


class Synthesised(NamedTuple):
    """What a job leaves: the result, and the MLflow run."""

    result: SynthesisResult
    run_id: str


def synthesize(job: SynthesisJob) -> Synthesised:
    """Make the set, or what is left of it, and log it; says which classes are short.

    Raises:
        ManifestError: ``synthesis.like`` has other classes than the classifier.
        FileNotFoundError: a model's weights are not there.
        RayError: Ray is not reachable, or the actors do not fit the cluster.
        SynthesisError: nothing was found at all, the directory holds another set, or the disk is full.
        TrackingError: MLflow does not answer.
        DirectoryError: a submitted job's directory lies where Ray unpacked its code, and would not outlive it.
    """
    config = with_models(job.models, job.synthesis)
    check_outlives(config.directory, "synthesis.directory")
    # how the work is spread may change from one start to the next
    fixed = replace(job, synthesis=replace(job.synthesis, resources=Resources(), ray=SessionConfig()))
    name = f"{config.method} {config.name}"
    with job_run(study=job.study, name=name, directory=config.directory, config=fixed) as tracked:
        result = run(config)
        log_synthesis(result, tracked)
    print(summary(result))
    if result.shortfalls:
        print(f"warning: {short_words(result)}", file=sys.stderr)
    return Synthesised(result, tracked.run_id)


def log_synthesis(result: SynthesisResult, tracked: Run) -> None:
    """Log a set to an open run: its counts, near-duplicates and cost by class, the account as tables, the shards."""
    frames = result.frames
    tracked.log_params({"method": result.config.method, "manifest": result.manifest.digest})
    tracked.log_metrics(numbers(result))
    for table in ("counts", "lineages", "duplicates", "cost"):
        tracked.log_table(getattr(frames, table), f"tables/{table}.json")
    tracked.log_dataset(result.manifest, "synthetic", result.manifest.uri)
    if len(sheet := result.sheet()):
        config = result.config
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "lineages.png"
            lineage_sheet(sheet, config.known_classes, angles=config.search.by_angle).save(path)
            tracked.log_artifact(path, "figures")
    tracked.set_tags({"greycard.short": short_words(result) or "none"})


def numbers(result: SynthesisResult) -> dict[str, float]:
    """Return a set's numbers under flat names: ``chosen/<class>``, ``short/<class>``, ``near/<class>``, ...

    Without a class: the sum of what is chosen and short, the mean of near-duplicates over classes, and the seconds.
    """
    frames = result.frames
    found = {"chosen": float(frames.counts["chosen"].sum()), "short": float(frames.counts["short"].sum())}
    found["near"] = float(frames.duplicates["near"].mean())
    found |= {f"{part}_seconds": seconds for part, seconds in result.seconds.items() if seconds}
    for label, rows in frames.counts.groupby("label", sort=False):
        found |= {f"{name}/{label}": float(rows[name].sum()) for name in ("chosen", "short")}
    for row in frames.duplicates.to_dict("records"):
        found |= {f"{name}/{row['label']}": float(row[name]) for name in ("near", "gap", "flagged")}
    for row in frames.cost.to_dict("records"):
        found[f"evaluated_per_chosen/{row['label']}"] = float(row["evaluated_per_chosen"])
    return found


def short_words(result: SynthesisResult) -> str:
    """Say which classes are short of how many images, "" where none is."""
    if not result.shortfalls:
        return ""
    count = result.config.count
    parts = ", ".join(f"{label} lacks {missing} of {count}" for label, missing in result.shortfalls.items())
    return f"{parts}: raise synthesis.max_lineages or search.start_budget, or see tables/lineages for the reasons"


def summary(result: SynthesisResult) -> str:
    """Say in a few lines what was made and where."""
    splits = ", ".join(f"{result.manifest.num_rows(split):,} {split}" for split in result.manifest.splits)
    near = result.frames.duplicates["near"].mean()
    return (
        f"{result.manifest.uri}: {splits} images of {result.config.task} by {result.config.method}; near-duplicates "
        f"{near:.1%} on average over classes"
    )
