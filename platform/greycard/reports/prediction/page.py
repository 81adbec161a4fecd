"""The page of a prediction audit alone: how well attributes are predicted in each group, and how groups differ."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from greycard.reports.pages import Block, Page, write_page
from greycard.reports.prediction import sections
from greycard.reports.prediction.evidence import Evidence
from greycard.reports.prediction.explanations import limits, reading, words
from greycard.reports.table import counts


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionPage(Evidence):
    """What the page of a prediction audit is made of.

    Attributes:
        split: the split that was audited.
        groups: as ``Evidence`` has it, and always there.
        disparities: as ``Evidence`` has it, and always there.
        table: as ``Evidence`` has it, and always there.
        counts: image results (n_in, n_ok, n_failed) of each system, with a column ``reasons``; None leaves it out.
    """

    split: str = "test"
    groups: pd.DataFrame
    disparities: pd.DataFrame
    table: pd.DataFrame
    counts: pd.DataFrame | None = None


def write(page: PredictionPage, out: Path) -> Path:
    """Write ``out/index.html`` (which needs nothing else) and ``out/figures/*.png``; return the page's path."""
    return write_page(compose(page), out)


def compose(page: PredictionPage) -> Page:
    """Return what the page says."""
    systems = page.groups["system"].nunique()
    images = int(page.groups["count"].max()) if len(page.groups) else 0
    return Page(
        cover=page,
        subtitle=f"How evenly {systems} predictors treat groups, assessed on {images:,} images of the {page.split} "
        f"split of {page.dataset}.",
        headline=headline(page),
        reading=reading(page.level),
        blocks=(*sections.compared(page), *sections.audited(page), *_counts(page)),
        words=words(page),
        limits=limits(drawn=page.drawn),
    )


def headline(page: PredictionPage) -> tuple[str, ...]:
    """Return the first sentences: the verdict or comparison, and what was found."""
    return tuple(filter(None, (page.verdict or sections.verdict_of(page), *sections.headline(page))))


def _counts(page: PredictionPage) -> tuple[Block, ...]:
    return () if page.counts is None else (Block(title="Failures", tables=(counts(page.counts),)),)
