"""What the page of a search is made from: its trials, what was chosen, and how that does on the test split."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from greycard.reports.prediction.evidence import Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchPage(Evidence):
    """What the page of a search is made of: the trials, and the audit of what was chosen.

    Attributes:
        study: the search's name.
        trials: number, status (finished, failed, stopped), error, attempts, seconds, ``param/<name>``,
            ``metric/<name>`` (means over seeds), ``metric/<name>/seed<k>``.
        goals: (metric, "min" or "max"), one or more.
        color: the column whose value colours the points, as ``param/lam``; "" leaves them plain.
        baseline: the baseline's metrics on the validation split, by the metrics' names; {} without one.
        chosen: "best" or "knee" -> trial number.
        show: (x, y) metrics of the trade-off figure; () takes accuracy and σ_IOU where the trials have both.
    """

    study: str
    trials: pd.DataFrame
    goals: tuple[tuple[str, str], ...]
    color: str = "param/lam"
    baseline: Mapping[str, float] = field(default_factory=dict)
    chosen: Mapping[str, int] = field(default_factory=dict)
    show: tuple[str, ...] = ()
