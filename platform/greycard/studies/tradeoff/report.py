"""The report of a study: its page, tables and recipes, in the study's directory and in MLflow."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from greycard.config import to_yaml
from greycard.datasets.manifest import Manifest
from greycard.fitting.plan import TrainJob
from greycard.reports.tuning.evidence import SearchPage
from greycard.reports.tuning.page import write as write_page
from greycard.studies.tradeoff.choice import Chosen, aim_of
from greycard.studies.tradeoff.family import Confirmed, Family
from greycard.studies.tradeoff.plan import CONTROL, TuneJob
from greycard.tracking import Run
from greycard.tracking.provenance import git_commit
from greycard.tuning import SearchResult

_ARMS = {CONTROL: "Control, trained on alike without the term"}
_ON_THE_PAGE = ("groups", "disparities", "cells", "table", "paper", "squeezing")


class Found(NamedTuple):
    """What a study found, as the report takes it.

    Attributes:
        result: the result of the search.
        baseline: the baseline's validation metrics, means over the search's seeds.
        chosen: the chosen trials.
        confirmed: what the chosen settings do on the test split.
        warnings: warnings about the data.
    """

    result: SearchResult
    baseline: Mapping[str, float]
    chosen: Chosen
    confirmed: Confirmed
    warnings: tuple[str, ...]


def write_recipes(job: TuneJob, recipes: Mapping[str, TrainJob], run: Run) -> dict[str, Path]:
    """Write each recipe as YAML that ``python -m jobs.train`` takes, and log it."""
    paths = {}
    for label, recipe in recipes.items():
        path = Path(job.directory) / f"{label}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(to_yaml(recipe), encoding="utf-8")
        run.log_artifact(path, "recipes")
        paths[label] = path
    return paths


def write_report(job: TuneJob, family: Family, manifest: Manifest, found: Found, run: Run) -> Path:
    """Write the page and the tables, log them with the numbers that sum them up; return the page's path."""
    out = Path(job.directory) / "report"
    tables = _tables(found)
    (out / "tables").mkdir(parents=True, exist_ok=True)
    for name, frame in tables.items():
        frame.to_csv(out / "tables" / f"{name}.csv", index=False)
        run.log_table(frame, f"tables/{name}.json")
    page = write_page(_page(job, family, manifest, found, run), out)
    run.log_artifact(page, "report")
    run.log_artifact(out / "figures", "report/figures")
    run.log_metrics(_numbers(found))
    run.set_tags({f"chosen.{choice.label}": str(choice) for choice in found.chosen.choices})
    run.set_tags({f"verdict.{label}": text for label, text in found.confirmed.verdicts.items()})
    run.describe(*(f"{choice}: {found.confirmed.verdicts[choice.label]}" for choice in found.chosen.choices))
    return page


def _write_study(job: TuneJob, run: Run) -> Path:
    """Write the whole study, as it was resolved, as YAML that ``python -m jobs.tune`` takes, and log it."""
    path = Path(job.directory) / "study.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(to_yaml(job), encoding="utf-8")
    run.log_artifact(path, "recipes")
    return path


def _page(job: TuneJob, family: Family, manifest: Manifest, found: Found, run: Run) -> SearchPage:
    first = found.chosen.choices[0].label
    others = [
        f"{_ARMS.get(label, label)}: {text}" for label, text in found.confirmed.verdicts.items() if label != first
    ]
    recipes = [f"{job.directory}/{choice.label}.yaml" for choice in found.chosen.choices]
    frames = {name: found.confirmed.tables[name] for name in _ON_THE_PAGE if name in found.confirmed.tables}
    return SearchPage(
        title=job.title or f"Search {job.study}",
        study=job.study,
        drawn=manifest.drawn,
        command=f"python -m jobs.tune {_write_study(job, run)}",
        trials=found.result.trials,
        goals=tuple((goal.metric, goal.mode) for goal in job.goals),
        color=f"param/{family.color}",
        baseline=found.baseline,
        chosen=found.chosen.numbers,
        verdict=found.confirmed.verdicts[first],
        comparison=found.confirmed.comparisons[first],
        show=family.show,
        notes=(
            f"Recipes for python -m jobs.train: {', '.join(recipes)}",
            *others,
            *found.chosen.notes,
            *found.confirmed.notes,
            *found.warnings,
        ),
        dataset=manifest.dataset,
        commit=git_commit(),
        aim=aim_of(job),
        provenance={"images": f"{manifest.uri}, manifest {manifest.digest}", "MLflow": f"run {run.run_id}"},
        config=to_yaml(job),
        **frames,
    )


def _tables(found: Found) -> dict[str, pd.DataFrame]:
    compared = [frame.assign(choice=label) for label, frame in found.confirmed.comparisons.items()]
    return {
        "trials": found.result.trials,
        "comparison": pd.concat(compared, ignore_index=True),
        **found.confirmed.tables,
    }


def _numbers(found: Found) -> dict[str, float]:
    """Return the numbers that sum the study up, under flat names."""
    numbers = {f"baseline/{name}": value for name, value in found.baseline.items()}
    for choice in found.chosen.choices:
        numbers |= {f"{choice.label}/{name}": value for name, value in choice.metrics.items()}
    for label, frame in found.confirmed.comparisons.items():
        for row in frame.to_dict("records"):
            for column in ("baseline", "fair", "difference", "reduction"):
                numbers[f"test/{label}/{row['measure']}/{column}"] = float(row[column])
    states = found.result.trials["status"].value_counts()
    return numbers | {f"trials/{state}": float(count) for state, count in states.items()}
