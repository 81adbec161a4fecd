"""The report of a study of rebalancing: its page, its tables in the paper's layout, and its notes."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import torch

from greycard.audits.generation.configs import REFERENCE
from greycard.audits.generation.run import GenerationFrames, GenerationResult
from greycard.audits.job import log_page
from greycard.config import to_yaml
from greycard.datasets.manifest import Manifest
from greycard.fitting.task import OUTCOME
from greycard.generators import GeneratorConfig
from greycard.metrics.generation.paper004 import ROWS as LABELS
from greycard.metrics.generation.paper004 import printed_rows
from greycard.reports.generation import page as generation_page
from greycard.reports.generation.evidence import GenerationPage, Samples, Syntheses, Way
from greycard.reports.generation.verdict import headline
from greycard.reports.wording import level, share
from greycard.schema import OK, STATUS, prediction_column
from greycard.streaming.generating import SEED
from greycard.studies.rebalancing.models import Judges, Trained
from greycard.studies.rebalancing.plan import REAL, REJECTION, RebalanceJob
from greycard.studies.rebalancing.rows import BALANCED
from greycard.studies.rebalancing.steps import TRAINED_ON, set_name
from greycard.synthesis.run import SynthesisResult
from greycard.tracking import Run
from greycard.tracking.provenance import git_commit
from greycard.training.progress import read_epochs

_MEASURES: Final = {
    "discrepancy[hard]": "discrepancy",
    "discrepancy[corrected]": "discrepancy_corrected",
    "discrepancy_pooled[hard]": "discrepancy_pooled",
}
"""Measure -> column of the table; the others keep their names."""
_OF_DISCREPANCY: Final = ("sd", "floor", "n", "splits")
_SHEET: Final = 4  # times the seeds of a sheet of samples: images per generator from which the page's sheets are made


@dataclass(frozen=True, slots=True)
class Study:
    """What the steps of a study left.

    Attributes:
        manifests: of the sets of real images, by name.
        judges: the classifiers.
        trained: the generators.
        syntheses: method -> result.
        result: the result of the audit.
        frames: the frames of the audit.
        seconds: step -> what it took over all starts.
    """

    manifests: Mapping[str, Manifest]
    judges: Judges
    trained: Trained
    syntheses: Mapping[str, SynthesisResult]
    result: GenerationResult
    frames: GenerationFrames
    seconds: Mapping[str, float]


def write_report(job: RebalanceJob, study: Study, run: Run) -> tuple[Path, pd.DataFrame, str]:
    """Write the page and the tables and log them; return the page's path, the table and the verdict."""
    out = job.home / "report"
    (out / "tables").mkdir(parents=True, exist_ok=True)
    table = table_of(job, study)
    tables = {"rows": table, "classifiers": study.judges.confusion} | _accounts(study)
    for name, frame in tables.items():
        frame.to_csv(out / "tables" / f"{name}.csv", index=False)
        run.log_table(frame, f"tables/{name}.json")
    for name in study.frames.__slots__:
        getattr(study.frames, name).to_csv(out / "tables" / f"{name}.csv", index=False)
    page = page_of(job, study, run)
    found = headline(page)
    verdict = " ".join(found)
    path = generation_page.write(page, out)
    log_page(path, run)
    run.log_metrics(_numbers(table))
    run.set_tags({"verdict": verdict})
    run.describe(*found, _markdown(table))
    return path, table, verdict


def table_of(job: RebalanceJob, study: Study) -> pd.DataFrame:
    """Return one line per row, set and the reference, in the audit's order, with the paper's values where it has any.

    Columns: system, row, label, seed, discrepancy (mean over splits) with _sd, _floor, _n, _splits,
    discrepancy_corrected, discrepancy_pooled with _low and _high, every other measure under its name, and the paper's
    columns as ``paper/<name>``.
    """
    scores = study.frames.scores
    made = []
    for system in scores["system"].drop_duplicates():
        rows = scores[scores["system"] == system].set_index("measure")
        line: dict[str, Any] = {"system": system, "row": rows["variant"].iloc[0], "label": label_of(job, study, system)}
        line["seed"] = int(rows["seed"].iloc[0])
        for measure, row in rows.iterrows():
            name = _MEASURES.get(str(measure), str(measure))
            line[name] = float(row["value"])
            if name == "discrepancy":
                line |= {f"{name}_{part}": float(row[part]) for part in _OF_DISCREPANCY}
            if name == "discrepancy_pooled":
                line |= {f"{name}_{part}": float(row[part]) for part in ("low", "high")}
        made.append(line)
    table = pd.DataFrame(made)
    if job.printed:
        printed = printed_rows(job.printed).drop(columns="label")
        named = {name: f"paper/{name}" for name in printed.columns if name != "row"}
        table = table.merge(printed.rename(columns=named), on="row", how="left", validate="many_to_one")
    return table


def label_of(job: RebalanceJob, study: Study, system: str) -> str:
    """Return what a system is called in the tables."""
    names = {
        TRAINED_ON: "The unbalanced images themselves",
        set_name("search"): "Synthetic images, latent search",
        set_name("rejection"): "Synthetic images, rejection sampling",
        REFERENCE: "Held-out images",
    }
    row = study.trained.rows.get(system, "")
    if not row:
        return names.get(system, system)
    text = "Syn data (rejection sampling) + bias loss" if row == REJECTION else LABELS[row]
    return f"{text} (seed {study.trained.seeds[system]})" if len(job.seeds) > 1 else text


def page_of(job: RebalanceJob, study: Study, run: Run) -> GenerationPage:
    """Return what the page is made of."""
    frames, reference = study.frames, study.manifests["reference"]
    before = _model(study, REAL)
    after = _model(study, job.retrained) or before  # not another row's, where its training failed
    shown = dict.fromkeys(name for name in (before, after) if name)
    search = study.syntheses["search"]
    return GenerationPage(
        title=job.title or f"Rebalancing {job.study}",
        dataset=study.manifests["real"].dataset,
        task=job.task,
        drawn=reference.drawn,
        command=f"python -m jobs.rebalance {job.study}",
        commit=git_commit(),
        scores=frames.scores,
        shares=frames.shares,
        before=before,
        after=after,
        frechet_groups=frames.frechet_groups,
        references=frames.references,
        confusion=frames.confusion,
        counts=frames.counts,
        made=Syntheses(
            accounts=tuple(result.frames for result in study.syntheses.values()),
            ways=_ways(study),
            lineages=search.sheet(),
            angles=job.synthesis.search.by_angle,
        ),
        samples={name: _samples(job, study, name) for name in shown},
        histories={name: read_epochs(str(_folder(study, name))) for name in study.trained.generators},
        paper=job.printed,
        labels={system: label_of(job, study, system) for system in frames.scores["system"].drop_duplicates()},
        absent=study.result.absent,
        classes=job.classes,
        min_ratio=job.aim,
        notes=notes_of(job, study),
        provenance={
            **{f"{name} images": f"{found.uri}, manifest {found.digest}" for name, found in study.manifests.items()},
            **{f"{name} set": f"{found.manifest.uri}, {found.digest}" for name, found in study.syntheses.items()},
            "steps": ", ".join(f"{name} {value / 60:.1f} min" for name, value in study.seconds.items()),
            "MLflow": f"run {run.run_id}",
        },
        config=to_yaml(job),
    )


def notes_of(job: RebalanceJob, study: Study) -> tuple[str, ...]:
    """Return what has to be said besides the verdict."""
    learnt = {"real": "the unbalanced images", "balanced": "balanced real images"}[job.judge_learns]
    accuracy = study.judges.accuracy
    notes = [
        f"The judge, which search and share loss rely on, learnt {learnt}; it labels {share(accuracy['judge'])} "
        "of the held-out images correctly (mean over classes). The measuring classifier, which nothing was trained "
        f"with, labels {share(accuracy['measuring'])} correctly."
    ]
    if sure := job.synthesis.search.min_confidence:
        notes.append(
            f"Search and rejection sampling took only images of whose class the judge was at least {level(sure)} sure: "
            "what is untypical of a class is rarer in the synthetic sets than in the generator."
        )
    if job.training.jitter:
        notes.append(
            "Images were moved at random in training (training.jitter), synthetic ones therefore twice; the held-out "
            "ones are not moved, which adds to the distances of the rows of synthetic images."
        )
    for method, result in study.syntheses.items():
        gone = [name for name, count in result.shortfalls.items() if count >= result.config.count]
        if gone:
            notes.append(
                f"By {method} not one image of {', '.join(gone)} was found: the rows of its images were trained "
                f"without {'them' if len(gone) > 1 else 'it'}."
            )
    notes += [f"{name} is left out: its training failed ({reason})." for name, reason in study.trained.failed.items()]
    if BALANCED in job.rows and "balanced" not in study.manifests:
        notes.append("There are no balanced real images to train on, so their row is missing.")
    notes += [f"{name}: {text}." for name in study.trained.generators for text in _concerns(study, name)]
    if job.printed:
        notes.append(
            f"The printed values are the paper's, of {job.printed} at its scale: to compare how rows differ, not their "
            "size."
        )
    return tuple(notes)


def _ways(study: Study) -> tuple[Way, ...]:
    rows = {"search": ("syn_bias", "syn", "finetune", "finetune_freeze5"), "rejection": (REJECTION,)}
    names = {"search": "latent search", "rejection": "rejection sampling"}
    ways = [
        Way(name=names[method], method=method, set=set_name(method), system=_model(study, *rows[method]))
        for method in study.syntheses
    ]
    if reweighted := _model(study, "reweighting"):
        ways.append(Way(name="reweighting", system=reweighted))
    return tuple(ways)


def _model(study: Study, *rows: str) -> str:
    """Return the first trained model of the first of some rows that has one; "" for none."""
    return next((name for row in rows for name in study.trained.of(row)), "")


def _samples(job: RebalanceJob, study: Study, system: str) -> Samples:
    """Return a generator's first audited images, drawn again, with the measuring classifier's readings."""
    table = study.result.table(system)
    seen = [
        (seed, code)
        for seed, code, status in zip(
            table[SEED].to_pylist(),
            table[prediction_column(job.task)].to_pylist(),
            table[STATUS].to_pylist(),
            strict=True,
        )
        if status == OK
    ]
    seen = sorted(seen)[: _SHEET * max(job.samples, 8)]
    seeds = np.array([seed for seed, _ in seen], np.int64)
    images = draw(study.trained.generators[system], seeds)
    return Samples(images=list(images), labels=[job.classes[code] for _, code in seen])


def draw(generator: GeneratorConfig, seeds: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return a trained generator's images of some seeds: (N,) int64 -> (N, H, W, 3) uint8."""
    return generator.build().sample(torch.from_numpy(seeds)).permute(0, 2, 3, 1).numpy()


def _concerns(study: Study, model: str) -> list[str]:
    found = json.loads((_folder(study, model) / OUTCOME).read_text())
    return list(found["outcome"].get("concerns", ()))


def _folder(study: Study, model: str) -> Path:
    return Path(study.trained.generators[model].weights).parent


def _accounts(study: Study) -> dict[str, pd.DataFrame]:
    results = study.syntheses.values()
    names = ("counts", "duplicates", "cost")
    return {
        f"synthesis_{name}": pd.concat([getattr(item.frames, name) for item in results], ignore_index=True)
        for name in names
    }


def _markdown(table: pd.DataFrame) -> str:
    lines = ["| row | discrepancy of shares | frechet[aux] |", "| --- | --- | --- |"]
    lines += [
        f"| {line['label']} | {line['discrepancy']:.4f} ± {line['discrepancy_sd']:.4f} | {line['frechet[aux]']:.4g} |"
        for line in table.to_dict("records")
    ]
    return "\n".join(lines)


def _numbers(table: pd.DataFrame) -> dict[str, float]:
    """Return the numbers that sum the study up, under flat names."""
    numbers = {}
    for line in table.to_dict("records"):
        for name in ("discrepancy", "discrepancy_pooled", "frechet[aux]"):
            if name in line:
                numbers[f"{name.replace('[', '/').rstrip(']')}/{line['system']}"] = float(line[name])
    return numbers
