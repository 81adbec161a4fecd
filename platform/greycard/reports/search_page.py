"""The page of a search: what was tried, the trade-off that was found, what the chosen setting does on the test."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd


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
        min_reduction: the reduction of σ_IOU that is aimed at, as a share.
        max_cost: the loss of accuracy that is accepted, as a share.
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
    min_reduction: float = 0.3
    max_cost: float = 0.01
    provenance: Mapping[str, str] = field(default_factory=dict)
    config: str = ""


def write(page: SearchPage, out: Path) -> Path:
    """Write ``out/index.html`` (which needs nothing else) and ``out/figures/*.png``; return the page's path."""
    raise NotImplementedError
