"""What figures and pages ask a search's trials: which count, what they measured, which are not beaten."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from greycard.reports.prediction.words import measured_name
from greycard.schema import unknown

METRIC: Final = "metric/"
PARAM: Final = "param/"
FINISHED, FAILED, STOPPED = "finished", "failed", "stopped"
Goals = Sequence[tuple[str, str]]


def column(trials: pd.DataFrame, metric: str) -> str:
    """Return the column of a metric, found by its full name or, where that is clear, by its last part.

    Raises:
        ValueError: no trial has it; names near matches.
    """
    there = metrics(trials)
    for name in (metric, METRIC + metric):
        if name in there:
            return name
    alike = [name for name in there if measured_name(name) == measured_name(metric)]
    if len(alike) == 1:
        return alike[0]
    raise ValueError(unknown("metric", metric, [name.removeprefix(METRIC) for name in there]))


def metrics(trials: pd.DataFrame) -> list[str]:
    """Return the columns of metrics, those of single seeds left out."""
    return [name for name in trials.columns if name.startswith(METRIC) and not measured_name(name).startswith("seed")]


def parameters(trials: pd.DataFrame) -> list[str]:
    """Return the columns of settings."""
    return [name for name in trials.columns if name.startswith(PARAM)]


def kinds(trials: pd.DataFrame) -> str:
    """Return the first setting that is a choice of words, "" where there is none."""
    for name in parameters(trials):
        values = trials[name].dropna()
        if len(values) and all(isinstance(value, str) for value in values) and values.nunique() > 1:
            return name
    return ""


def seeds(trials: pd.DataFrame, of: str) -> list[str]:
    """Return the columns of a metric's single seeds."""
    return [name for name in trials.columns if name.startswith(f"{of}/seed")]


def finished(trials: pd.DataFrame, needs: Iterable[str] = ()) -> pd.DataFrame:
    """Return the trials that ended well and have a number for each of the metrics."""
    rows = trials[trials["status"] == FINISHED]
    for metric in needs:
        values = rows[column(trials, metric)].astype(float)
        rows = rows[np.isfinite(values)]
    return rows


def values(rows: pd.DataFrame, metric: str) -> NDArray[np.float64]:
    """Return a metric of each row, (N,) float64."""
    return np.asarray(rows[column(rows, metric)], np.float64)


def front(rows: pd.DataFrame, goals: Goals) -> NDArray[np.bool_]:
    """Return which rows no other row beats: as good in every goal and better in one. (N,) bool.

    With one goal these are the rows with its best value.
    """
    losses = np.stack([values(rows, metric) * (1 if mode == "min" else -1) for metric, mode in goals], axis=1)
    beaten = [((losses <= row).all(axis=1) & (losses < row).any(axis=1)).any() for row in losses]
    return ~np.array(beaten, bool)


def baseline_of(baseline: Mapping[str, float], metric: str) -> float:
    """Return the baseline's value of a metric, by its full name or its last part; NaN without one."""
    for name in (metric, metric.removeprefix(METRIC)):
        if name in baseline:
            return float(baseline[name])
    alike = [float(value) for name, value in baseline.items() if measured_name(name) == measured_name(metric)]
    return alike[0] if len(alike) == 1 else float("nan")


def trade_off(trials: pd.DataFrame, goals: Goals, show: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the two metrics (x, y) whose trade-off a page shows; () where there are not two.

    Those asked for; else σ_IOU and accuracy where trials have both; else the first two goals.
    """
    if show:
        return tuple(show)
    there = {measured_name(name) for name in metrics(trials)}
    if {"sigma_iou", "accuracy"} <= there:
        return "sigma_iou", "accuracy"
    return (goals[0][0], goals[1][0]) if len(goals) > 1 else ()


def is_numeric(trials: pd.DataFrame, name: str) -> bool:
    """Return whether a setting can be an axis or a colour: there, numbers, more than one."""
    if name not in trials:
        return False
    numbers = pd.to_numeric(trials[name], errors="coerce").dropna()
    return len(numbers) > 0 and numbers.nunique() > 1


def is_logarithmic(found: Iterable[float]) -> bool:
    """Return whether numbers spread so that a logarithmic axis shows them better: above 0, over more than 1:20."""
    known = [value for value in found if not math.isnan(value)]
    return bool(known) and min(known) > 0 and max(known) / min(known) > 20
