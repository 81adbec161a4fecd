"""Audit trained predictors on shards: probabilities image by image, and how groups differ in them.

One MLflow run per job, one child run per system with its numbers, all frames as tables, the predictions as a data set.
The frames are written to ``<directory>/tables`` as Parquet and CSV; ``tables/paper.csv`` has the layout of Tables 1-3
of paper 002, with the printed rows beside the measured ones where data set, attributes and loss are the paper's. Where
several seeds of a loss and their baselines are audited, ``tables/comparisons`` says what the loss changed on average.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import pandas as pd

from greycard.audits.job import Child, DataSet, Report
from greycard.audits.prediction.configs import PredictionAudit
from greycard.audits.prediction.run import PredictionResult, run
from greycard.audits.prediction.tables import PredictionFrames
from greycard.audits.publishing import filled, report_folder, write_recipe, write_tables
from greycard.audits.systems import SystemResult
from greycard.config import to_yaml
from greycard.datasets.manifest import Manifest
from greycard.datasets.storage import Folder
from greycard.metrics.prediction.findings import HARD
from greycard.reports.prediction.page import PredictionPage, headline
from greycard.reports.prediction.page import write as write_page
from greycard.reports.prediction.verdict import verdict
from greycard.tracking import Run
from greycard.tracking.provenance import git_commit


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionAuditJob:
    """A prediction audit, in one MLflow run.

    Attributes:
        audit: which predictors, on which images, for which attributes.
        models: where the trained models are: a relative path of weights (``runs/paper002/...``) means one within this
            folder; "" is the working directory.
        title: the title of the page.
    """

    kind: Literal["predictions"] = "predictions"
    audit: PredictionAudit
    models: str = ""
    title: str = "Group differences in predicted attributes"

    run_prefix: ClassVar[str] = "predictions"
    loose: ClassVar[tuple[str, ...]] = ("title",)
    loose_in_audit: ClassVar[tuple[str, ...]] = ("findings", "squeezing")

    @property
    def images(self) -> tuple[str, str]:
        """The audited shards and split."""
        return self.audit.shards, self.audit.split

    def check(self, manifest: Manifest) -> None:
        """Check nothing: the audit checks every name that the report uses."""

    def run(self, audit: PredictionAudit, on_system_done: Callable[[SystemResult], None]) -> PredictionResult:
        """Run the audit, or what is left of it."""
        return run(audit, on_system_done)

    def make_report(self, result: PredictionResult, manifest: Manifest, run: Run) -> Report[PredictionFrames]:
        """Make the frames, write them, and make the page of them."""
        frames, comparisons = result.frames(), result.comparisons()
        tables = filled(frames._asdict() | {"comparisons": comparisons})
        write_tables(tables, Folder.open(Folder.open(self.audit.directory).uri_of("tables")))
        page = _page(self, result, frames, comparisons, run.run_id)
        return Report(
            frames=frames,
            tables=tables,
            children=tuple(children(result, frames)),
            page=write_page(page, report_folder(self.audit.directory)),
            sentences=headline(page),
        )


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


def children(result: PredictionResult, frames: PredictionFrames) -> Iterator[Child]:
    """Yield what is logged of each system: what it was trained for, its numbers and its predictions."""
    for system, found in zip(result.config.systems, result.systems, strict=True):
        params = {"system": system.name, "loss": system.loss, "lam": system.lam, "seed": system.seed}
        yield Child(
            name=system.name,
            params=params | {"baseline": system.baseline, "trained_for": " x ".join(system.trained_for)},
            numbers=numbers(frames, system.name),
            tables={"table.json": frames.table[frames.table["system"] == system.name]},
            data=DataSet(f"predictions of {system.name}", found.table_sha256[:16], "predictions", found.table),
        )


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
