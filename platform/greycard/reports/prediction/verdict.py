"""What a comparison of seeds shows of an aim: one disparity lower by a share, at costs that were accepted before."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple

import numpy as np
import pandas as pd

from greycard.metrics.prediction.findings import HARD

_Row = Mapping[Any, Any]
_NAMES: Final = {"sigma_iou": "σ_IOU", "auc": "AUC", "ece": "ECE", "iou": "IoU"}
_SHARES: Final = ("accuracy", "balanced_accuracy", "dp_difference", "eo_difference", "ece")
_ITS_COST: Final = "its cost is not judged"
_ZERO: Final = 1e-12  # a disparity that counts as none


class AcceptedCost(NamedTuple):
    """A measure that may become worse than the baseline's, and by how much.

    Attributes:
        metric: a measure of the comparison.
        mode: "max" where more is better, "min" where less is.
        most: the largest loss that is accepted, at least 0; in the measure's unit, or a share of the baseline's value.
        relative: whether ``most`` is that share.
    """

    metric: str = "accuracy"
    mode: Literal["min", "max"] = "max"
    most: float = 0.01
    relative: bool = False

    def room(self, baseline: float) -> float:
        """Return the accepted loss in the measure's unit."""
        return self.most * abs(baseline) if self.relative else self.most


ACCURACY_COST: Final = (AcceptedCost(),)


def verdict(
    frame: pd.DataFrame,
    min_reduction: float = 0.3,
    costs: Sequence[AcceptedCost] = ACCURACY_COST,
    goal: str = "sigma_iou",
) -> str:
    """Say what the comparison shows of an aim, with its numbers; what was not compared is named, not judged.

    Args:
        frame: from ``compare_seeds``.
        min_reduction: the reduction of the goal that is aimed at, as a share.
        costs: what may become worse meanwhile.
        goal: the disparity that is to fall.
    """
    rows = {str(row["measure"]): row for row in frame.to_dict("records")}
    judged = [(cost, rows[cost.metric]) for cost in costs if cost.metric in rows]
    left_out = [cost for cost in costs if cost.metric not in rows]
    aim = f"at least {_percent(min_reduction)} less at a cost of at most {_costs(costs)}"
    unjudged = "".join(f" {_name(cost.metric, first=True)} was not compared: {_ITS_COST}." for cost in left_out)
    gap = rows.get(goal)
    if gap is None:
        changes = f"; {_changes(judged)}" if judged else ""
        return f"{_name(goal, first=True)} was not compared, so the aim ({aim}) is not judged{changes}.{unjudged}"
    seeds = f"{gap['seeds']} seed" + ("s" if gap["seeds"] != 1 else "")
    if np.isnan(gap["reduction"]) and gap["baseline"] > _ZERO:
        return (
            f"{_name(goal, first=True)} is no group difference, so there is no reduction to judge ({aim} was aimed "
            f"at): {_changes([(None, gap), *judged])}, over {seeds} and {gap['count']:,} rows.{unjudged}"
        )
    if np.isnan(gap["reduction"]):
        return (
            f"{_name(goal, first=True)} of the baseline's {_seen(gap)} is {gap['baseline']:.4f} on {gap['count']:,} "
            f"rows ({seeds}), so there is nothing that a fairness loss could reduce ({aim} was aimed at)."
        )
    way = "falls" if gap["reduction"] >= 0 else "rises"
    met = gap["reduction"] >= min_reduction and all(_worse(cost, row) <= _room(cost, row) for cost, row in judged)
    told = _told(gap, judged, min_reduction) if met else "The aim is missed"
    if met and left_out:
        told = f"As far as it was measured, {told[0].lower()}{told[1:]}"
    changes = f", and {_changes(judged)}" if judged else ""
    return (
        f"{told} ({aim}): in {'hard decisions' if gap.get('decisions', HARD) == HARD else 'probabilities'} "
        f"{_name(goal)} {way} by {_percent(abs(gap['reduction']))}, from "
        f"{gap['baseline']:.4f} to {gap['fair']:.4f}{_reduction_interval(gap)}{changes}, over {seeds} and "
        f"{gap['count']:,} rows.{unjudged}"
    )


def _told(gap: _Row, judged: Sequence[tuple[AcceptedCost, _Row]], min_reduction: float) -> str:
    """Word how sure it is that the aim is met, once the means meet it."""
    low = gap["reduction_low"]
    if np.isnan(low) or any(np.isnan(row["low"]) for _, row in judged):
        return "The means meet the aim, and no interval says how sure that is"
    if low >= min_reduction and all(_worst(cost, row) <= _room(cost, row) for cost, row in judged):
        return "The aim is met, and the whole intervals lie within it"
    if low > 0:
        return "The means meet the aim; the intervals show a reduction, but not that it is as large or as cheap as that"
    return "The means meet the aim, but the interval does not exclude that nothing is reduced"


def _worse(cost: AcceptedCost, row: _Row) -> float:
    return float(row["difference"] if cost.mode == "min" else -row["difference"])


def _worst(cost: AcceptedCost, row: _Row) -> float:
    """Return the loss at the interval's worse end."""
    return float(row["high"] if cost.mode == "min" else -row["low"])


def _room(cost: AcceptedCost, row: _Row) -> float:
    return cost.room(float(row["baseline"]))


def _costs(costs: Sequence[AcceptedCost]) -> str:
    """Word the accepted costs; that of accuracy alone, in points, needs no name."""
    if len(costs) == 1 and costs[0].metric == "accuracy" and not costs[0].relative:
        return _points(costs[0].most)
    return " and ".join(f"{_most(cost)} of {_name(cost.metric)}" for cost in costs)


def _most(cost: AcceptedCost) -> str:
    if cost.relative:
        return f"{100 * cost.most:g} %"
    return _points(cost.most) if cost.metric in _SHARES else f"{cost.most:g}"


def _changes(rows: Sequence[tuple[AcceptedCost | None, _Row]]) -> str:
    return ", ".join(f"{_name(row['measure'])} changes by {_change(row)}" for _, row in rows)


def _change(row: _Row) -> str:
    """Return a difference with its interval: a share's in points, another's with its own unit."""
    if row["measure"] in _SHARES:
        return f"{_points(row['difference'], signed=True)}{_interval(row, 100, 2)}"
    return f"{row['difference']:+.4f}{_interval(row, 1, 4)}"


def _interval(row: _Row, scale: float, digits: int) -> str:
    if np.isnan(row["low"]):
        return ""
    return f" ({scale * row['low']:+.{digits}f} to {scale * row['high']:+.{digits}f})"


def _reduction_interval(row: _Row) -> str:
    if np.isnan(row["reduction_low"]):
        return ""
    low, high = _percent(row["reduction_low"]), _percent(row["reduction_high"])
    return f" (reduction {_percent(row['level'])} interval {low} to {high})"


def _seen(row: _Row) -> str:
    return "decisions" if row.get("decisions", HARD) == HARD else "probabilities"


def _name(metric: str, *, first: bool = False) -> str:
    name = _NAMES.get(metric, metric.replace("_", " "))
    return f"{name[0].upper()}{name[1:]}" if first and name[0] != "σ" else name


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _points(share: float, *, signed: bool = False) -> str:
    number = f"{100 * share:+.2f}" if signed else f"{100 * share:g}"
    return f"{number} point" + ("" if number == "1" else "s")
