"""The tables of a search: every trial with its settings and numbers, and those that failed with their reasons."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from greycard.reports.prediction.words import metric_word, parameter_label, value_label
from greycard.reports.table import Table
from greycard.reports.tuning.frames import (
    FAILED,
    STOPPED,
    Goals,
    baseline_of,
    column,
    finished,
    front,
    metrics,
    parameters,
    seeds,
)
from greycard.reports.wording import DASH, amount, number, to


def chosen(trials: pd.DataFrame, goals: Goals, picked: Mapping[str, int], baseline: Mapping[str, float]) -> Table:
    """Return the baseline and the chosen trials, with settings and metrics."""
    shown = list(dict.fromkeys([column(trials, metric) for metric, _ in goals] + metrics(trials)))
    heads, columns = ["baseline"] if baseline else [], []
    if baseline:
        columns.append([DASH] * len(parameters(trials)) + [_level(baseline, name) for name in shown])
    for name, trial in picked.items():
        row = trials[trials["number"] == trial].iloc[0]
        heads.append(f"{name} (trial {trial})")
        columns.append(_settings(row, trials) + _metrics(row, shown, trials))
    return Table(
        "The baseline and the chosen settings on the validation split, on which they were chosen.",
        ("", *heads),
        tuple(zip(_heads(trials, shown), *columns, strict=True)),
    )


def every(trials: pd.DataFrame, goals: Goals, told: Sequence[str]) -> Table:
    """Return all trials that did not fail, with some metrics; those that no other beats are set off."""
    shown = [column(trials, metric) for metric in told]
    whole = finished(trials, [metric for metric, _ in goals])
    unbeaten = set(whole.loc[front(whole, goals), "number"]) if len(whole) else set()
    rows = trials[trials["status"] != FAILED].sort_values("number")
    made = [
        (str(row["number"]), str(row["status"]), *_settings(row, trials), *_metrics(row, shown, trials), _seconds(row))
        for _, row in rows.iterrows()
    ]
    several = any(seeds(trials, name) for name in shown)
    return Table(
        "Every trial that did not fail, in order. A row is set off where no other trial beats it in all goals."
        + (" In round brackets: lowest to highest seed." if several else ""),
        ("trial", "status", *_heads(trials, shown), "seconds"),
        tuple(made),
        tuple(row["number"] in unbeaten for _, row in rows.iterrows()),
    )


def failures(trials: pd.DataFrame) -> Table:
    """Return the trials that failed or were stopped, with settings, attempts and reasons."""
    rows = trials[trials["status"].isin((FAILED, STOPPED))].sort_values("number")
    made = [
        (
            str(row["number"]),
            str(row["status"]),
            *_settings(row, trials),
            DASH if pd.isna(row.get("attempts")) else f"{int(row['attempts'])}",
            str(row["error"]) if isinstance(row.get("error"), str) and row["error"] else DASH,
        )
        for _, row in rows.iterrows()
    ]
    heads = (parameter_label(name) for name in parameters(trials))
    return Table("Trials without a result, and why.", ("trial", "status", *heads, "attempts", "reason"), tuple(made))


def _level(baseline: Mapping[str, float], name: str) -> str:
    return amount(baseline_of(baseline, name), metric_word(name))


def _heads(trials: pd.DataFrame, shown: list[str]) -> tuple[str, ...]:
    return (
        *(parameter_label(name) for name in parameters(trials)),
        *(metric_word(name).label for name in shown),
    )


def _settings(row: "pd.Series[object]", trials: pd.DataFrame) -> list[str]:
    return [DASH if pd.isna(row[name]) else value_label(row[name]) for name in parameters(trials)]


def _metrics(row: "pd.Series[object]", shown: list[str], trials: pd.DataFrame) -> list[str]:
    return [_metric(row, name, trials) for name in shown]


def _metric(row: "pd.Series[object]", name: str, trials: pd.DataFrame) -> str:
    word, value = metric_word(name), float(str(row[name]))
    single = np.array([float(str(row[seed])) for seed in seeds(trials, name)])
    if np.isnan(value) or len(single) < 2 or np.isnan(single).any():
        return amount(value, word)
    return f"{amount(value, word)} ({to(amount(single.min(), word), amount(single.max(), word))})"


def _seconds(row: "pd.Series[object]") -> str:
    return number(float(str(row["seconds"]))) if "seconds" in row else DASH
