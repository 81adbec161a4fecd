"""The study that rebalances a generator: every step in turn, in one MLflow run (paper 004)."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from greycard.places import check_outlives
from greycard.streaming.cluster import session
from greycard.studies.rebalancing.models import train_classifiers, train_real_rows, train_synthetic_rows
from greycard.studies.rebalancing.plan import REAL, RebalanceJob
from greycard.studies.rebalancing.report import Study, notes_of, write_report
from greycard.studies.rebalancing.sets import Sets
from greycard.studies.rebalancing.steps import Clock, audit, log_sets, synthesise
from greycard.tracking import Run, job_run


@dataclass(frozen=True, slots=True)
class Rebalanced:
    """What a study leaves.

    Attributes:
        page: the report.
        table: one line per row and set, in the order of the paper's tables, with its printed values.
        verdict: a few sentences.
        shortfalls: method -> class -> images that are missing.
        notes: what has to be said besides.
        run_id: the MLflow run.
    """

    page: Path
    table: pd.DataFrame
    verdict: str
    shortfalls: dict[str, dict[str, int]]
    notes: tuple[str, ...]
    run_id: str


def rebalance(job: RebalanceJob) -> Rebalanced:
    """Run a study, or what is left of it.

    Raises:
        DataError: a class has too few images, or the data set lacks the attribute.
        ManifestError: shards of another config lie there, or they lack a class.
        TrainError: a classifier or the biased generator could not be trained.
        SynthesisError: no image of any class was found, or the disk is full.
        AuditError: more images failed than allowed.
        ConfigChangedError: the directory holds another study.
        RayError: Ray is not reachable, or has no room for a step.
    """
    check_outlives(job.directory)
    sets = job.data.write(str(job.home))
    tags = {"greycard.rows": ", ".join(job.rows), "greycard.retrained": job.retrained}
    name = f"rebalance {job.study}"
    with job_run(study=job.study, name=name, directory=job.home, config=job.fixed, tags=tags) as run:
        with session(job.session):
            study = _carry_out(job, sets, run)
        page, table, verdict = write_report(job, study, run)
    print(f"{verdict}\nreport: {page}  (open it in a browser; MLflow run {run.run_id})")
    shortfalls = {method: result.shortfalls for method, result in study.syntheses.items()}
    return Rebalanced(page, table, verdict, shortfalls, notes_of(job, study), run.run_id)


def _carry_out(job: RebalanceJob, sets: Sets, run: Run) -> Study:
    """Do every step in turn; a step that is done gives its result again."""
    clock = Clock(job, run)
    manifests = log_sets(sets, job.audit.reference_split, run)
    with clock.step("classifiers"):
        judges = train_classifiers(job, sets, run)
    with clock.step("rows of real images"):
        real = train_real_rows(job, sets, judges.judge, run)
    with clock.step("synthesis"):
        biased = real.generators[real.of(REAL)[0]]
        syntheses = synthesise(job, sets, biased, judges.judge, run)
    with clock.step("rows of synthetic images"):
        places = {method: result.manifest.uri for method, result in syntheses.items()}
        synthetic = train_synthetic_rows(job, sets, judges.judge, places, run)
    trained = real.with_rows(synthetic)
    with clock.step("audit"):
        result, frames = audit(job, sets, judges, syntheses, trained, run)
    return Study(manifests, judges, trained, syntheses, result, frames, clock.seconds)
