"""What a comparison of seeds shows of an aim: one disparity lower by a share, at costs that were accepted before."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple

import numpy as np
import pandas as pd

from greycard.metrics.prediction.findings import HARD
from greycard.reports.wording import DASH, decimal, level, points, share, spell, to

_Row = Mapping[Any, Any]
SIGMA_IOU: Final = "sigma_iou"
_NAMES: Final = {SIGMA_IOU: "σ_IOU", "auc": "AUC", "ece": "ECE", "iou": "IoU"}
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


class Aim(NamedTuple):
    """What a search set out to reach.

    Attributes:
        goal: the disparity that is to fall.
        min_reduction: by how much at least, as a share.
        costs: what may become worse meanwhile.
    """

    goal: str = SIGMA_IOU
    min_reduction: float = 0.3
    costs: tuple[AcceptedCost, ...] = (AcceptedCost(),)


def verdict(frame: pd.DataFrame, aim: Aim | None = None) -> str:
    """Say what a comparison of seeds shows, with its numbers, and judge the aim where there was one.

    What was not compared is named, not judged.

    Args:
        frame: from ``compare_seeds``.
        aim: what it is judged by; None states how σ_IOU and accuracy changed and judges nothing.
    """
    rows = {str(row["measure"]): row for row in frame.to_dict("records")}
    return _stated(rows) if aim is None else _judged(rows, aim)


def _stated(rows: Mapping[str, _Row]) -> str:
    """State how σ_IOU and accuracy changed."""
    gap = rows[SIGMA_IOU]
    if np.isnan(gap["reduction"]):
        return f"{_nothing(gap)}."
    return f"Measured over {_over(gap)}, {_fall(gap)}{_and([(None, rows['accuracy'])])}."


def _judged(rows: Mapping[str, _Row], aim: Aim) -> str:
    """Say whether an aim is met, and how sure that is."""
    judged = [(cost, rows[cost.metric]) for cost in aim.costs if cost.metric in rows]
    left_out = [cost for cost in aim.costs if cost.metric not in rows]
    wanted = f"at least {level(aim.min_reduction)} less at a cost of at most {_costs(aim.costs)}"
    unjudged = "".join(f" {_name(cost.metric, first=True)} was not compared: {_ITS_COST}." for cost in left_out)
    gap = rows.get(aim.goal)
    if gap is None:
        changes = f"; {_changes(judged)}" if judged else ""
        return (
            f"{_name(aim.goal, first=True)} was not compared, so the aim ({wanted}) is not judged{changes}.{unjudged}"
        )
    if np.isnan(gap["reduction"]) and gap["baseline"] > _ZERO:
        return (
            f"{_name(aim.goal, first=True)} is no group difference, so there is no reduction to judge ({wanted} was "
            f"aimed at): {_changes([(None, gap), *judged])}, over {_over(gap)}.{unjudged}"
        )
    if np.isnan(gap["reduction"]):
        return f"{_nothing(gap)} ({wanted} was aimed at)."
    met = gap["reduction"] >= aim.min_reduction and all(_worse(cost, row) <= _room(cost, row) for cost, row in judged)
    told = _told(gap, judged, aim.min_reduction) if met else "The aim is missed"
    if met and left_out:
        told = f"As far as it was measured, {told[0].lower()}{told[1:]}"
    return f"{told} ({wanted}): {_fall(gap)}{_and(judged)}, over {_over(gap)}.{unjudged}"


def _fall(gap: _Row) -> str:
    """Say how much a disparity fell or rose, from what to what."""
    way = "falls" if gap["reduction"] >= 0 else "rises"
    return (
        f"in {'hard decisions' if _seen(gap) == 'decisions' else 'probabilities'} {_name(gap['measure'])} {way} by "
        f"{share(abs(gap['reduction']), 0)}, from {decimal(gap['baseline'], 4)} to {decimal(gap['fair'], 4)}"
        f"{_reduction_interval(gap)}"
    )


def _nothing(gap: _Row) -> str:
    return (
        f"{_name(gap['measure'], first=True)} of the baseline's {_seen(gap)} is {decimal(gap['baseline'], 4)} on "
        f"{gap['count']:,} rows ({_seeds(gap)}), so there is nothing that a fairness loss could reduce"
    )


def _over(gap: _Row) -> str:
    return f"{_seeds(gap)} and {gap['count']:,} rows"


def _seeds(gap: _Row) -> str:
    return f"{gap['seeds']} seed" + ("s" if gap["seeds"] != 1 else "")


def _and(rows: Sequence[tuple[AcceptedCost | None, _Row]]) -> str:
    return f", and {_changes(rows)}" if rows else ""


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
        return _points(f"{100 * costs[0].most:g}")
    return " and ".join(f"{_most(cost)} of {_name(cost.metric)}" for cost in costs)


def _most(cost: AcceptedCost) -> str:
    if cost.relative:
        return level(cost.most)
    return _points(f"{100 * cost.most:g}") if cost.metric in _SHARES else f"{cost.most:g}"


def _changes(rows: Sequence[tuple[AcceptedCost | None, _Row]]) -> str:
    return ", ".join(f"{_name(row['measure'])} changes by {_change(row)}" for _, row in rows)


def _change(row: _Row) -> str:
    """Return a difference with its interval: a share's in points, another's with its own unit."""
    in_points = row["measure"] in _SHARES
    value, low, high = (
        points(row[name], plus=True) if in_points else decimal(row[name], 4, plus=True)
        for name in ("difference", "low", "high")
    )
    interval = "" if DASH in (low, high) else f" ({to(low, high)})"
    return f"{_points(value) if in_points else value}{interval}"


def _reduction_interval(row: _Row) -> str:
    if np.isnan(row["reduction_low"]):
        return ""
    low, high = (share(row[name], 0) for name in ("reduction_low", "reduction_high"))
    return f" (reduction {level(row['level'])} interval {to(low, high)})"


def _seen(row: _Row) -> str:
    return "decisions" if row.get("decisions", HARD) == HARD else "probabilities"


def _name(metric: str, *, first: bool = False) -> str:
    name = _NAMES.get(metric, spell(metric))
    return f"{name[0].upper()}{name[1:]}" if first and name[0] != "σ" else name


def _points(number: str) -> str:
    return f"{number} point" + ("" if number == "1" else "s")
