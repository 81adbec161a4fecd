"""What a page that holds a prediction audit is made from, be it the page of an audit or of a search."""

from dataclasses import dataclass

import pandas as pd

from greycard.reports.pages import Cover
from greycard.reports.prediction.verdict import Aim


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence(Cover):
    """The frames of a prediction audit; what is None leaves its part of the page out.

    Attributes:
        verdict: the first sentence; "" takes one from ``comparison`` or, without it, from the other frames.
        groups: system, target, attribute, group, measure, value, low, high, count, identities.
        disparities: system, target, attribute, measure, decisions, estimate, value, low, high, noise_floor, p_value,
            missing.
        cells: system, target, label, group, count.
        table: one row per system: target, sensitive, loss, lam, system, seed, accuracy, ... (layout of Tables 1-3).
        paper: the same with a column ``source`` and the paper's printed rows; None shows ``table`` alone.
        squeezing: system, measure, view, baseline, fair, reduction, low, high, survives, verdict.
        comparison: the frame of ``compare_seeds``.
        level: coverage of the intervals.
        aim: what ``comparison`` is judged by; None states its numbers alone.
    """

    verdict: str = ""
    groups: pd.DataFrame | None = None
    disparities: pd.DataFrame | None = None
    cells: pd.DataFrame | None = None
    table: pd.DataFrame | None = None
    paper: pd.DataFrame | None = None
    squeezing: pd.DataFrame | None = None
    comparison: pd.DataFrame | None = None
    level: float = 0.95
    aim: Aim | None = None
