"""Make a balanced set of images from an unbalanced generator: latent search (paper 004), or its rejection control.

    python -m jobs.synthesize mnist
    python -m jobs.synthesize mnist --set synthesis.count=1000 --set synthesis.directory=runs/mine

The set is written as shards to ``<directory>/shards``: the attribute is the class that the searching classifier sees,
the identity the lineage. A class that is short is said, in the manifest too. Run again, it goes on where it stopped.

Recipes of generators that ``python -m jobs.train paper004_...`` leaves; ``models`` names another place for them.
"""

import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal, NamedTuple

from greycard.audits.pinning import under
from greycard.fitting.model import WEIGHTS
from greycard.generators import StyleGan2Config
from greycard.latent_search.config import LatentSearchConfig, published
from greycard.places import check_outlives
from greycard.reports.generation.sheets import lineage_sheet
from greycard.streaming.cluster import SessionConfig
from greycard.streaming.pipeline import Resources
from greycard.synthesis.config import SynthesisConfig
from greycard.synthesis.run import SynthesisResult, run
from greycard.tracking import Run, job_run
from jobs import command
from jobs.paper004 import HOME, RowsConfig, cifar, faces_small, ffhq, mnist_small
from jobs.train_generators import SEED


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
    config = job.synthesis
    check_outlives(config.directory, "synthesis.directory")
    if job.models:
        generator, classifier = (under(job.models, part) for part in (config.generator, config.classifier))
        config = replace(config, generator=generator, classifier=classifier)
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


_SEARCH: Final = LatentSearchConfig(  # a start of a class of 0.3 % is missed once in 8000 times
    space="w", cap=25, start_budget=3000, min_confidence=0.98
)
_SMALL: Final = {"search": _SEARCH, "count": 800, "val": 0.0}
_FACES: Final = _SMALL | {  # Indian faces are 0.4 % of the data, and races harder to tell apart than digits
    "search": replace(_SEARCH, start_budget=5000, min_confidence=0.9)
}


def of_rows(
    rows: RowsConfig, setting: str, *, study: str = "", folder: str = "synthesis", **changes: object
) -> SynthesisJob:
    """Return the job that searches the biased generator of a table with its judge.

    Args:
        rows: what the rows of the table share.
        setting: folder of the table in ``runs/paper004``.
        folder: of the set.
        changes: fields of the synthesis.
    """
    generator: StyleGan2Config = replace(rows.generator, weights=f"{rows.start.replace(SEED, '0')}/{WEIGHTS}")
    values = {
        "name": f"synthetic {setting}",
        "generator": generator,
        "classifier": rows.judge,
        "task": rows.task,
        "directory": f"{HOME}/{setting}/{folder}",
    }
    config = SynthesisConfig(**(values | changes))  # type: ignore[arg-type]
    return SynthesisJob(study=f"paper004-{setting}", synthesis=config)


def mnist() -> SynthesisJob:
    """800 images of each digit from the small MNIST generator, by latent search."""
    return of_rows(mnist_small(), "mnist", lineages=40, **_SMALL)


def mnist_rejection() -> SynthesisJob:
    """The same set by rejection sampling, the control."""
    return of_rows(mnist_small(), "mnist", folder="rejection", method="rejection", **_SMALL)


def faces() -> SynthesisJob:
    """800 drawn faces (not people) of each race from the small generator, by latent search."""
    return of_rows(faces_small(), "faces", lineages=40, **_FACES)


def faces_rejection() -> SynthesisJob:
    """The same set by rejection sampling, the control."""
    return of_rows(faces_small(), "faces", folder="rejection", method="rejection", **_FACES)


def cifar10() -> SynthesisJob:
    """Table 4: 50,000 images of each CIFAR-10 class by latent search (a GPU)."""
    search = LatentSearchConfig(space="w", cap=50)
    return of_rows(cifar(), "cifar10", search=search, count=50_000, lineages=2000, resources=_GPU)


def cifar10_rejection() -> SynthesisJob:
    """The same set by rejection sampling, the control."""
    search = LatentSearchConfig(space="w", cap=50)
    return of_rows(
        cifar(), "cifar10", folder="rejection", method="rejection", search=search, count=50_000, resources=_GPU
    )


def published_z() -> SynthesisJob:
    """Table 1 as the published code searches FFHQ in Z: 50,000 a race from few long lineages."""
    return _published("z")


def published_w_plus() -> SynthesisJob:
    """Table 1 as the published code searches FFHQ in W+: the same with uniform steps a layer."""
    return _published("w+")


def ffhq_search() -> SynthesisJob:
    """Table 1 with our defaults: 50,000 a race from 2,000 short lineages in W."""
    return of_rows(
        ffhq(), "ffhq", search=LatentSearchConfig(space="w", cap=50, truncation=0.7), resources=_GPU, **_FFHQ
    )


def _published(space: Literal["z", "w+"]) -> SynthesisJob:
    folder = f"synthesis_published_{space.replace('+', '_plus')}"
    config: dict[str, object] = {**_FFHQ, "lineages": 10, "max_lineages": 40, "rows_per_call": 1, "together": 1}
    return of_rows(ffhq(), "ffhq", folder=folder, search=published(space), resources=_GPU, **config)


_GPU: Final = Resources(num_gpus=0.5, num_cpus=2.0, rows_per_block=64)
_FFHQ: Final[dict[str, object]] = {"count": 50_000, "lineages": 2000, "val": 0.0, "batch": 64, "rows_per_shard": 1024}

RECIPES = {
    "mnist": mnist,
    "mnist_rejection": mnist_rejection,
    "faces": faces,
    "faces_rejection": faces_rejection,
    "cifar10": cifar10,
    "cifar10_rejection": cifar10_rejection,
    "ffhq": ffhq_search,
    "published_z": published_z,
    "published_w_plus": published_w_plus,
}

if __name__ == "__main__":
    sys.exit(command.main("synthesize", RECIPES, synthesize, __doc__))
