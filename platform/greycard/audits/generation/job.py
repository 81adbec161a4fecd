"""Audit trained generators and sets of images: what classes they show how often, and how real they look.

One MLflow run per job, one child run per system with its scores and shares, all frames as tables, the tables of images
as data sets. The frames are written to ``<directory>/tables`` as Parquet and CSV, a page to ``<directory>/report``.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import ClassVar, Literal

import pandas as pd

from greycard.audits.generation.configs import REFERENCE, GenerationAudit
from greycard.audits.generation.run import GenerationFrames, GenerationResult, run
from greycard.audits.job import Child, DataSet, Report
from greycard.audits.publishing import filled, report_folder, write_recipe, write_tables
from greycard.audits.systems import SystemResult
from greycard.config import to_yaml
from greycard.datasets.manifest import Manifest
from greycard.datasets.storage import Folder
from greycard.reports.generation import page as generation_page
from greycard.reports.generation.evidence import GenerationPage
from greycard.reports.generation.verdict import headline
from greycard.tracking import Run
from greycard.tracking.provenance import git_commit


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationAuditJob:
    """A generation audit, in one MLflow run.

    Attributes:
        audit: which generators and sets, by which classifier, against which reference.
        models: where the trained models are: a relative path of weights (``runs/paper004/...``) means one within this
            folder; "" is the working directory.
        title: the title of the page.
        printed: whose printed rows stand beside ours: ``FFHQ`` (Tables 1 and 2) or ``CIFAR10-LT`` (Tables 3 to 5).
    """

    kind: Literal["generations"] = "generations"
    audit: GenerationAudit
    models: str = ""
    title: str = "What generators show, and how real it looks"
    printed: Literal["", "FFHQ", "CIFAR10-LT"] = ""

    run_prefix: ClassVar[str] = "generations"
    loose: ClassVar[tuple[str, ...]] = ("title", "printed")
    loose_in_audit: ClassVar[tuple[str, ...]] = ("realism",)

    @property
    def images(self) -> tuple[str, str]:
        """The reference's shards and split."""
        return self.audit.reference, self.audit.reference_split

    def check(self, manifest: Manifest) -> None:
        """Check nothing: the audit checks every name that the report uses."""

    def run(self, audit: GenerationAudit, on_system_done: Callable[[SystemResult], None]) -> GenerationResult:
        """Run the audit, or what is left of it, and say what could not be measured."""
        result = run(audit, on_system_done)
        for name, reason in result.absent.items():
            print(f"{name} was not taken: {reason}")
        return result

    def make_report(self, result: GenerationResult, manifest: Manifest, run: Run) -> Report[GenerationFrames]:
        """Make the frames, write and print them, and make the page of them."""
        frames = result.frames()
        tables = filled(tables_of(frames))
        write_tables(tables, Folder.open(Folder.open(self.audit.directory).uri_of("tables")))
        print(summary(frames))
        page = page_of(self, manifest, result, frames, run.run_id)
        return Report(
            frames=frames,
            tables=tables,
            children=tuple(children(result, frames)),
            page=generation_page.write(page, report_folder(self.audit.directory)),
            sentences=headline(page),
        )


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


def children(result: GenerationResult, frames: GenerationFrames) -> Iterator[Child]:
    """Yield what is logged of each system: what it is, its scores and shares, and its table of images."""
    for system, found in zip(result.config.sets(), result.systems, strict=True):
        params = {"system": system.name, "variant": system.variant, "seed": system.seed, "images": system.images}
        yield Child(
            name=system.name,
            params=params | {"truncation": system.truncation},
            numbers=numbers(frames, system.name),
            tables={"shares.json": frames.shares[frames.shares["system"] == system.name]},
            data=DataSet(f"images of {system.name}", found.table_sha256[:16], "generations", found.table),
        )


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
    """Return one line per system: the discrepancy beside its sampling floor, the Fréchet distance beside its own."""
    scores = frames.scores.set_index(["system", "measure"])
    frechet = "fid" if (REFERENCE, "fid") in scores.index else "frechet[aux]"
    lines = []
    for system in scores.index.unique(level="system"):
        gap, far = scores.loc[(system, "discrepancy_pooled[hard]")], scores.loc[(system, frechet)]
        floor = f"a perfect generator shows {gap['floor']:.4f} in {gap['n']:,.0f} images"
        halves = f"one half of the reference to the other: {far['floor']:.4g}"
        lines.append(f"{system}: discrepancy {gap['value']:.4f} ({floor}), {frechet} {far['value']:.4g} ({halves})")
    return "\n".join(lines)
