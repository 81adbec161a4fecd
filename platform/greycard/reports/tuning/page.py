"""The page of a search: what was tried, the trade-off that was found, what the chosen setting does on the test."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from greycard.reports.page_words import DRAWN, INTERVAL, NOISE_FLOOR, limits, provenance, reading, words
from greycard.reports.pages import Block, Page, write_page
from greycard.reports.prediction import sections as prediction_sections
from greycard.reports.prediction.verdict import ACCURACY_COST, AcceptedCost
from greycard.reports.tuning import sections as search_sections


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchPage:
    """What the page of a search is made of.

    Attributes:
        title: of the page.
        study: the search's name.
        drawn: True where the images are drawings, not people.
        command: what makes the search again.
        trials: number, status (finished, failed, stopped), error, attempts, seconds, ``param/<name>``,
            ``metric/<name>`` (means over seeds), ``metric/<name>/seed<k>``.
        goals: (metric, "min" or "max"), one or more.
        color: the column whose value colours the points, as ``param/lam``; "" leaves them plain.
        baseline: the baseline's metrics on the validation split, by the metrics' names; {} without one.
        chosen: "best" or "knee" -> trial number.
        verdict: the first sentence; "" takes one from ``comparison`` or, without it, from the trials.
        comparison: the frame of ``compare_seeds`` on the test split; None without repetitions.
        groups: the prediction audit's frame (see ``PredictionPage``); None, like the next five, leaves it out.
        disparities: alike.
        cells: alike.
        table: alike.
        paper: alike.
        squeezing: alike.
        show: (x, y) metrics of the trade-off figure; () takes accuracy and σ_IOU where the trials have both.
        notes: sentences below the first ones.
        dataset: the data set's name.
        commit: of the source; "" leaves it out.
        level: coverage of the intervals.
        goal: the measure of ``comparison`` that is to fall.
        min_reduction: the reduction of ``goal`` that is aimed at, as a share.
        costs: what may become worse meanwhile, and by how much.
        provenance: more of what was run: name -> text.
        config: the resolved config as YAML.
    """

    title: str
    study: str
    drawn: bool
    command: str
    trials: pd.DataFrame
    goals: tuple[tuple[str, str], ...]
    color: str = "param/lam"
    baseline: Mapping[str, float] = field(default_factory=dict)
    chosen: Mapping[str, int] = field(default_factory=dict)
    verdict: str = ""
    comparison: pd.DataFrame | None = None
    groups: pd.DataFrame | None = None
    disparities: pd.DataFrame | None = None
    cells: pd.DataFrame | None = None
    table: pd.DataFrame | None = None
    paper: pd.DataFrame | None = None
    squeezing: pd.DataFrame | None = None
    show: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    dataset: str = ""
    commit: str = ""
    level: float = 0.95
    goal: str = "sigma_iou"
    min_reduction: float = 0.3
    costs: tuple[AcceptedCost, ...] = ACCURACY_COST
    provenance: Mapping[str, str] = field(default_factory=dict)
    config: str = ""


def write(page: SearchPage, out: Path) -> Path:
    """Write ``out/index.html`` (which needs nothing else) and ``out/figures/*.png``; return the page's path.

    Raises:
        ValueError: the trials lack a column that the page needs, a goal is not among their metrics, or a chosen trial
            is not among them.
    """
    return write_page(compose(page), out)


def compose(page: SearchPage) -> Page:
    """Return what the page says.

    Raises:
        ValueError: as ``write``.
    """
    search_sections.check(page)
    audited = page.groups is not None
    of = f" on {page.dataset}" if page.dataset else ""
    return Page(
        title=page.title,
        subtitle=f"The search “{page.study}”{of}: {len(page.trials)} trials for {search_sections.goals_text(page)}.",
        drawn=DRAWN if page.drawn else "",
        headline=search_sections.headline(page),
        lines=page.notes,
        reading=(*search_sections.reading(page), *(reading(page.level) if audited else ())),
        blocks=(*_confirmed(page), *search_sections.blocks(page), *_audited(page)),
        provenance=provenance(page.command, page.commit, page.provenance),
        config=page.config,
        words=search_sections.words(page)
        | (words(page.groups, page.disparities) if audited else {})
        | ({"noise floor": NOISE_FLOOR, "interval": INTERVAL} if audited else {}),
        limits=(search_sections.LIMIT, *limits(drawn=page.drawn)),
    )


def _confirmed(page: SearchPage) -> tuple[Block, ...]:
    """Return the block that says first whether the choice holds on the test split."""
    there = page.comparison is not None and len(page.comparison) > 0
    return prediction_sections.blocks(page)[:1] if there else ()


def _audited(page: SearchPage) -> tuple[Block, ...]:
    return prediction_sections.blocks(page)[len(_confirmed(page)) :]
