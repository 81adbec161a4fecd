"""Which of a search's trials are good: the Pareto front of its goals, the best within costs, the knee of the front."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from greycard.schema import unknown

FINISHED: Final = "finished"
FAILED: Final = "failed"
STOPPED: Final = "stopped"
PARAM: Final = "param/"
METRIC: Final = "metric/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """A number that a trial returns and the search lowers or raises.

    Attributes:
        metric: its name among what the trial returns.
        mode: "min" or "max".
    """

    metric: str
    mode: Literal["min", "max"] = "min"

    @property
    def sign(self) -> float:
        """1 where less is better, -1 where more is."""
        return 1.0 if self.mode == "min" else -1.0


def check_goals(goals: Sequence[Goal]) -> None:
    """Raise ``ValueError`` unless there are goals and each metric occurs once."""
    names = [goal.metric for goal in goals]
    if not names or len(set(names)) < len(names):
        raise ValueError(f"a search needs one or more goals, each with a metric of its own, got {names}")


def pareto(frame: pd.DataFrame, goals: Sequence[Goal]) -> npt.NDArray[np.bool_]:
    """Say which trials are on the Pareto front: no finished trial is as good in every goal and better in one.

    Args:
        frame: ``SearchResult.trials``.
        goals: with their directions.

    Returns:
        (rows,) bool; False for trials that failed or were stopped.

    Example:
        >>> frame = pd.DataFrame({"number": [0, 1, 2], "status": "finished",
        ...                       "metric/acc": [0.9, 0.8, 0.7], "metric/gap": [0.3, 0.1, 0.2]})
        >>> pareto(frame, (Goal(metric="acc", mode="max"), Goal(metric="gap"))).tolist()
        [True, True, False]
    """
    costs, usable = _costs(frame, goals)
    front = usable.copy()
    for row in np.flatnonzero(usable):
        others = costs[usable]
        front[row] = not ((others <= costs[row]).all(1) & (others < costs[row]).any(1)).any()
    return front


def best(frame: pd.DataFrame, goals: Sequence[Goal], within: Mapping[str, float] | None = None) -> int:
    """Return the number of the best trial among those that keep the bounds.

    Goals without a bound decide, in their order; then those with one; then the lower number.

    Args:
        frame: ``SearchResult.trials``.
        goals: with their directions.
        within: metric of a goal -> bound: at most it where less is better, at least it where more is.

    Raises:
        ValueError: a bound's metric is no goal, or no finished trial keeps the bounds.
    """
    within = within or {}
    for name in within:
        if name not in [goal.metric for goal in goals]:
            raise ValueError(unknown("goal", name, [goal.metric for goal in goals]))
    costs, usable = _costs(frame, goals)
    for column, goal in enumerate(goals):
        if goal.metric in within:
            usable = usable & (costs[:, column] <= goal.sign * within[goal.metric])
    if not usable.any():
        bounds = ", ".join(f"{name} within {bound:g}" for name, bound in within.items())
        states = frame["status"].value_counts().to_dict()
        raise ValueError(
            f"no finished trial{' has ' + bounds if bounds else ''}; trials: {states}. Loosen the bounds, or see the "
            "errors of those that failed"
        )
    order = sorted(range(len(goals)), key=lambda column: goals[column].metric in within)
    rows = np.flatnonzero(usable)
    keys = [frame["number"].to_numpy()[rows], *(costs[rows, column] for column in reversed(order))]
    return int(frame["number"].iloc[rows[np.lexsort(keys)[0]]])


def knee(frame: pd.DataFrame, goals: Sequence[Goal]) -> int:
    """Return the number of the front's knee: the trial furthest from the line between the front's ends.

    Each goal is scaled to [0, 1] over the front (0 the best, 1 the worst on it); the trial with the smallest sum lies
    furthest towards the ideal point (Das 1999, where the line is a hyperplane for more goals). One goal: the best.

    Raises:
        ValueError: no trial finished.
    """
    costs, _ = _costs(frame, goals)
    rows = np.flatnonzero(pareto(frame, goals))
    if not len(rows):
        return best(frame, goals)  # raises, with the counts
    low, high = costs[rows].min(0), costs[rows].max(0)
    scaled = (costs[rows] - low) / np.where(high > low, high - low, 1.0)
    numbers = frame["number"].to_numpy()[rows]
    return int(numbers[np.lexsort([numbers, scaled.sum(1).round(12)])[0]])


def _costs(frame: pd.DataFrame, goals: Sequence[Goal]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Return (rows, goals) numbers to lower, and which rows finished with all of them."""
    for goal in goals:
        if METRIC + goal.metric not in frame:
            known = [name.removeprefix(METRIC) for name in frame if str(name).startswith(METRIC)]
            raise ValueError(unknown("metric", goal.metric, known))
    costs = np.stack([goal.sign * frame[METRIC + goal.metric].to_numpy(float) for goal in goals], axis=1)
    return costs, (frame["status"].to_numpy() == FINISHED) & np.isfinite(costs).all(1)
