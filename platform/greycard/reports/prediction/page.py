"""The page of a prediction audit alone: how well attributes are predicted in each group, and how groups differ."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from greycard.reports.page_words import DRAWN, INTERVAL, NOISE_FLOOR, limits, provenance, reading, words
from greycard.reports.pages import Block, Page, write_page
from greycard.reports.prediction import sections, tables
from greycard.reports.prediction.verdict import ACCURACY_COST, AcceptedCost


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionPage:
    """What the page of a prediction audit is made of.

    Attributes:
        title: of the page.
        dataset: the data set's name.
        split: what was audited.
        drawn: True where the images are drawings, not people.
        command: what makes the page again.
        commit: of the source; "" leaves it out.
        verdict: the first sentence; "" takes one from ``comparison`` or, without it, from ``disparities``.
        groups: the audit's frame: system, target, attribute, group, measure, value, low, high, count, identities.
        disparities: system, target, attribute, measure, decisions, estimate, value, low, high, noise_floor, p_value,
            missing.
        cells: system, target, label, group, count; None leaves the counts of (label, group) cells out.
        table: a row a system: target, sensitive, loss, system, seed, accuracy, ... (the layout of Tables 1-3).
        paper: the same with a column ``source`` and the paper's printed rows; None shows ``table`` alone.
        squeezing: system, measure, view, baseline, fair, reduction, low, high, survives, verdict; None without pairs.
        comparison: the frame of ``compare_seeds``; None without repetitions.
        counts: image results (n_in, n_ok, n_failed) of each system, with a column ``reasons``; None leaves it out.
        level: coverage of the intervals.
        goal: the measure of ``comparison`` that is to fall.
        min_reduction: the reduction of ``goal`` that is aimed at, as a share.
        costs: what may become worse meanwhile, and by how much.
        notes: sentences below the first ones.
        provenance: more of what was run: name -> text.
        config: the resolved config as YAML.
    """

    title: str
    dataset: str
    split: str = "test"
    drawn: bool = False
    command: str = ""
    commit: str = ""
    verdict: str = ""
    groups: pd.DataFrame
    disparities: pd.DataFrame
    table: pd.DataFrame
    paper: pd.DataFrame | None = None
    cells: pd.DataFrame | None = None
    squeezing: pd.DataFrame | None = None
    comparison: pd.DataFrame | None = None
    counts: pd.DataFrame | None = None
    level: float = 0.95
    goal: str = "sigma_iou"
    min_reduction: float = 0.3
    costs: tuple[AcceptedCost, ...] = ACCURACY_COST
    notes: tuple[str, ...] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)
    config: str = ""


def write(page: PredictionPage, out: Path) -> Path:
    """Write ``out/index.html`` (which needs nothing else) and ``out/figures/*.png``; return the page's path."""
    return write_page(compose(page), out)


def compose(page: PredictionPage) -> Page:
    """Return what the page says."""
    systems = page.groups["system"].nunique()
    images = int(page.groups["count"].max()) if len(page.groups) else 0
    return Page(
        title=page.title,
        subtitle=f"How evenly {systems} predictors treat groups, assessed on {images:,} images of the {page.split} "
        f"split of {page.dataset}.",
        drawn=DRAWN if page.drawn else "",
        headline=headline(page),
        lines=page.notes,
        reading=reading(page.level),
        blocks=(*sections.blocks(page), *_counts(page)),
        provenance=provenance(page.command, page.commit, page.provenance),
        config=page.config,
        words=words(page.groups, page.disparities) | {"noise floor": NOISE_FLOOR, "interval": INTERVAL},
        limits=limits(drawn=page.drawn),
    )


def headline(page: PredictionPage) -> tuple[str, ...]:
    """Return the first sentences: the verdict or comparison, and what was found."""
    return tuple(filter(None, (page.verdict or sections.compared(page), *sections.headline(page))))


def _counts(page: PredictionPage) -> tuple[Block, ...]:
    return () if page.counts is None else (Block(title="Failures", tables=(tables.counts(page.counts),)),)
