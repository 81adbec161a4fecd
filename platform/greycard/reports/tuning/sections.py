"""From a search's trials to the blocks of a page: the trade-off, λ against it, every trial, what failed."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from greycard.reports.pages import Block, Picture, picture
from greycard.reports.prediction.figures import lowered
from greycard.reports.prediction.verdict import verdict as seeds_verdict
from greycard.reports.prediction.words import measure_word, measured_name, metric_word, parameter_label, value_label
from greycard.reports.tuning import figures, tables
from greycard.reports.tuning.evidence import SearchPage
from greycard.reports.tuning.frames import (
    FAILED,
    FINISHED,
    STOPPED,
    Goals,
    baseline_of,
    column,
    finished,
    front,
    is_numeric,
    kinds,
    parameters,
    trade_off,
)
from greycard.reports.tuning.frames import metrics as all_metrics
from greycard.reports.wording import EQUALS, amount, listing, share, to
from greycard.schema import unknown

LIMIT: Final = (
    "Numbers of the search are of the validation split on which settings were chosen; a chosen setting looks better "
    "there than it is. What was trained again and measured on the test split is said so."
)
_COLUMNS: Final = ("number", "status")


def check(page: SearchPage) -> None:
    """Check that the page's parts fit together.

    Raises:
        ValueError: a column, a goal's metric or a chosen trial is not there; says what is.
    """
    for name in _COLUMNS:
        if name not in page.trials:
            raise ValueError(unknown("column of trials", name, list(map(str, page.trials.columns))))
    if not page.goals:
        raise ValueError("goals must name at least one metric, got none")
    for metric, mode in page.goals:
        column(page.trials, metric)
        if mode not in ("min", "max"):
            raise ValueError(unknown("mode of a goal", mode, ["min", "max"]))
    there = set(page.trials["number"])
    for name, trial in page.chosen.items():
        if trial not in there:
            raise ValueError(f"chosen {name!r} must be a trial of the search, got {trial} of {len(there)} trials")


def blocks(page: SearchPage) -> tuple[Block, ...]:
    """Return the blocks of a search."""
    lost = page.trials[page.trials["status"].isin((FAILED, STOPPED))]
    told = {measured_name(name) for name in _told(page)}
    others = [name for name in all_metrics(page.trials) if measured_name(name) not in told]
    known = (tables.chosen(page.trials, page.goals, page.chosen, page.baseline),)
    return (
        Block(
            title="The search",
            pictures=tuple(_pictures(page)),
            tables=known if page.chosen or page.baseline else (),
            details=tuple(
                (summary, (tables.every(page.trials, page.goals, names),))
                for summary, names in (("Every trial", _told(page)), ("Other metrics of every trial", others))
                if names
            ),
        ),
        Block(
            title="Trials without a result",
            paragraphs=() if len(lost) else ("None: every trial finished.",),
            tables=(tables.failures(page.trials),) if len(lost) else (),
        ),
    )


def headline(page: SearchPage) -> tuple[str, ...]:
    """Return the first sentences: the verdict, what was chosen, and what was tried."""
    return tuple(filter(None, (page.verdict or _verdict(page), _chosen(page), counts_text(page.trials))))


def reading(page: SearchPage) -> tuple[str, ...]:
    """Say how to read the search's figures."""
    star = " The blue star and the blue lines are the baseline." if page.baseline else ""
    return (
        f"Each point is a trial: one setting, trained and measured on the validation split.{star} The chosen trials "
        "have rings.",
        "“Best” is the trial that does best in the first goal within the bounds that were set; “knee” the one on the "
        "front that lies furthest towards being best in all goals at once.",
    )


def words(page: SearchPage) -> dict[str, str]:
    """Return what the search's words mean."""
    found = {
        "front": "The trials that no other trial beats: none is as good in all goals and better in one (Pareto front).",
    }
    if is_numeric(page.trials, page.color):
        found[parameter_label(page.color)] = "How much the added loss weighs against the main one."
    for metric, _ in page.goals:
        word = metric_word(metric)
        found |= {word.label: word.explains} if word.explains else {}
    return found


def goals_text(page: SearchPage) -> str:
    """Return the goals for people: ``low σ_IOU and high accuracy``."""
    each = [f"{'low' if mode == 'min' else 'high'} {metric_word(metric).name}" for metric, mode in page.goals]
    return listing(each)


def counts_text(trials: pd.DataFrame) -> str:
    """Say how many trials ended how."""
    status = trials["status"].value_counts()
    known = ((FINISHED, "finished"), (FAILED, "failed"), (STOPPED, "stopped early"))
    parts = [f"{int(status.get(name, 0))} {words}" for name, words in known if name in status or name != STOPPED]
    other = len(trials) - sum(int(status.get(name, 0)) for name, _ in known)
    return f"{len(trials)} trials: {', '.join(parts)}{f', {other} not finished' if other else ''}."


def _pictures(page: SearchPage) -> list[Picture]:
    trials, goals, made = page.trials, page.goals, []
    if not len(finished(trials)):
        return []
    pair = trade_off(trials, goals, page.show)
    if pair:
        figure = figures.trade(trials, *pair, color=page.color, baseline=page.baseline, chosen=page.chosen, goals=goals)
        made.append(picture(figure, "trade-off", _trade_caption(page, pair), f"{_of(pair)}, one point per trial"))
    if len(goals) > 1:
        figure = figures.pareto(trials, goals, color=page.color, baseline=page.baseline, chosen=page.chosen)
        made.append(picture(figure, "pareto-front", _front_caption(page), f"Front of {_of([g for g, _ in goals])}"))
    else:
        figure = figures.progress(trials, goals[0], baseline=page.baseline)
        caption = "The search in order of trials: each trial's value, and the best so far as a line."
        made.append(picture(figure, "progress", caption, f"{metric_word(goals[0][0]).label} of each trial in order"))
    if is_numeric(trials, page.color):
        metrics = tuple(dict.fromkeys([*[metric for metric, _ in goals], *reversed(pair)]))
        figure = figures.against(trials, page.color, metrics, baseline=page.baseline, chosen=page.chosen)
        name = parameter_label(page.color)
        caption = (
            f"{name} against {_of(metrics)}. Thin lines span the seeds of a trial where it has several; the blue "
            "line is the baseline; a × at the foot is a trial that failed there."
        )
        made.append(picture(figure, "setting", caption, f"{name} against {_of(metrics)}"))
    return made


def _trade_caption(page: SearchPage, pair: tuple[str, ...]) -> str:
    name = parameter_label(page.color)
    kind = kinds(page.trials)
    marks = f" Markers show the {parameter_label(kind)}." if kind else ""
    colour = f" Its colour is {name}." if is_numeric(page.trials, page.color) else ""
    shaded = " Shaded: better than the baseline in both." if page.baseline else ""
    name_of = _of(pair[::-1], " against ")
    return f"{name_of[0].upper()}{name_of[1:]}: each point is a trial.{colour}{marks}{shaded}"


def _front_caption(page: SearchPage) -> str:
    rows = finished(page.trials, [metric for metric, _ in page.goals])
    count = int(front(rows, page.goals).sum()) if len(rows) else 0
    more = (
        " With more than two goals a trial can be on the front because of a goal that its panel does not show."
        if len(page.goals) > 2
        else ""
    )
    return (
        f"The front: {count} of {len(rows)} finished trials are beaten by no other in all goals (filled); the "
        f"others are hollow.{more}"
    )


def _of(metrics: Sequence[str], between: str = " and ") -> str:
    return between.join(metric_word(name).name for name in metrics)


def _verdict(page: SearchPage) -> str:
    if page.comparison is not None and {"sigma_iou", "accuracy"} <= set(page.comparison["measure"]):
        return seeds_verdict(page.comparison, page.aim)
    rows = finished(page.trials, [metric for metric, _ in page.goals])
    if not len(rows):
        return (
            f"No trial finished with {_of([metric for metric, _ in page.goals])} measured, so nothing could be chosen."
        )
    better = _beats_baseline(rows, page.goals, page.baseline)
    against = (
        ""
        if better is None
        else f" {int(better.sum())} of {len(rows)} trials are better than the baseline in "
        f"{'it' if len(page.goals) == 1 else 'all goals'}."
    )
    unconfirmed = "No setting was trained again on the test split: what follows is the validation split."
    return f"{_confirmed(page) or unconfirmed}{against}"


def _confirmed(page: SearchPage) -> str:
    """Say what the first disparity of a comparison did; "" without one."""
    rows = [] if page.comparison is None else lowered(page.comparison).to_dict("records")
    if not rows or pd.isna(rows[0]["reduction"]):
        return ""
    row, word = rows[0], measure_word(rows[0]["measure"])
    return (
        f"Trained again with {int(row['seeds'])} seeds and measured on the test split, the chosen setting changes the "
        f"{word.name} from {amount(row['baseline'], word)} to {amount(row['fair'], word)}: "
        f"{share(row['reduction'], 0)} lower (interval "
        f"{to(share(row['reduction_low'], 0), share(row['reduction_high'], 0))})."
    )


def _beats_baseline(rows: pd.DataFrame, goals: Goals, baseline: Mapping[str, float]) -> NDArray[np.bool_] | None:
    levels = [baseline_of(baseline, metric) for metric, _ in goals]
    if np.isnan(levels).any():
        return None
    sides = [
        rows[column(rows, metric)] < level if mode == "min" else rows[column(rows, metric)] > level
        for (metric, mode), level in zip(goals, levels, strict=True)
    ]
    return np.asarray(np.all(sides, axis=0), np.bool_)


def _chosen(page: SearchPage) -> str:
    """Say what was chosen, with its settings and its numbers beside the baseline's."""
    names: dict[int, list[str]] = {}
    for name, trial in page.chosen.items():
        names.setdefault(trial, []).append(name)
    return " ".join(
        f"Chosen as {' and '.join(called)}: trial {trial} ({_settings(page, trial)}); on the validation split "
        f"{', '.join(_number(page, trial, metric) for metric in _told(page))}."
        for trial, called in names.items()
    )


def _settings(page: SearchPage, trial: int) -> str:
    row = _row(page, trial)
    known = (name for name in parameters(page.trials) if not pd.isna(row[name]))
    return ", ".join(f"{parameter_label(name)}{EQUALS}{value_label(row[name])}" for name in known)


def _row(page: SearchPage, trial: int) -> "pd.Series[object]":
    return page.trials[page.trials["number"] == trial].iloc[0]


def _told(page: SearchPage) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*(metric for metric, _ in page.goals), *trade_off(page.trials, page.goals, page.show)]))


def _number(page: SearchPage, trial: int, metric: str) -> str:
    row, word = _row(page, trial), metric_word(metric)
    level = baseline_of(page.baseline, metric)
    before = "" if np.isnan(level) else f" (baseline {amount(level, word)})"
    return f"{word.name} {amount(float(str(row[column(page.trials, metric)])), word)}{before}"
