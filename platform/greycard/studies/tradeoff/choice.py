"""Which trials a study chooses: the best within the costs, and the knee of the front; each as a recipe."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import pandas as pd

from greycard.reports.prediction.verdict import AcceptedCost, Aim
from greycard.schema import unknown
from greycard.studies.tradeoff.plan import BEST, CONTROL, TuneJob, Value, setting_text
from greycard.tuning import Goal, best, knee

_PARAM: Final = "param/"
_METRIC: Final = "metric/"
NO_TRIAL: Final = -1


@dataclass(frozen=True, slots=True)
class Choice:
    """A chosen trial.

    Attributes:
        label: ``best``, ``knee`` or ``control``.
        number: the trial's number; ``NO_TRIAL`` for the control.
        settings: parameter -> value.
        metrics: its validation metrics.
    """

    label: str
    number: int
    settings: dict[str, Value]
    metrics: dict[str, float]

    def __str__(self) -> str:
        """Say it in one line."""
        return f"{self.label}: trial {self.number}, {setting_text(self.settings)}"

    def without(self, off: Mapping[str, Value]) -> "Choice":
        """Return the control: trained in the same way with its term switched off by ``off``; no trial of the search."""
        return Choice(CONTROL, NO_TRIAL, {**self.settings, **off}, {})


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a study chose.

    Attributes:
        choices: the choices in the order of ``confirm.choose``.
        notes: what has to be said of the choice.
    """

    choices: tuple[Choice, ...]
    notes: tuple[str, ...]

    @property
    def numbers(self) -> dict[str, int]:
        """Label of each choice -> number of its trial."""
        return {choice.label: choice.number for choice in self.choices}


def distinct(choices: Iterable[Choice]) -> dict[str, Choice]:
    """Return label -> the choice, the first of those that are the same trial, so that nothing is measured twice."""
    found: dict[int, Choice] = {}
    return {choice.label: found.setdefault(choice.number, choice) for choice in choices}


def check_metrics(job: TuneJob, known: Collection[str]) -> None:
    """Check that goals and costs are metrics, once the baseline says which there are.

    Args:
        job: the study.
        known: what the baseline validates.

    Raises:
        ValueError: a goal or cost is none of them.
    """
    names = sorted(known)
    for goal in job.goals:
        if goal.metric not in (*names, *job.trial.own_metrics):
            raise ValueError(f"goals: {unknown('metric', goal.metric, names)}")
    for cost in job.confirm.costs:
        if cost.metric not in names:
            raise ValueError(f"confirm.costs: {unknown('metric', cost.metric, names)}")


def choose(job: TuneJob, trials: pd.DataFrame, baseline: Mapping[str, float]) -> Chosen:
    """Choose among the finished trials, by validation metrics alone.

    Args:
        job: the study.
        trials: ``SearchResult.trials``.
        baseline: the baseline's validation metrics, means over the search's seeds.

    Raises:
        ValueError: no trial finished, or a goal or cost is no metric.
    """
    check_metrics(job, baseline)
    choices, notes = [], []
    for label in job.confirm.choose:
        if label == BEST:
            number, note = _best(job, trials, baseline)
        else:
            number, note = knee(trials, with_costs(job, job.goals)), ""
        choices.append(_choice(label, trials, number))
        notes += [note] if note else []
    if len(choices) > 1 and len({choice.number for choice in choices}) == 1:
        notes.append(f"{' and '.join(job.confirm.choose)} are the same trial, {choices[0].number}.")
    return Chosen(tuple(choices), tuple(notes))


def aim_of(job: TuneJob) -> Aim:
    """Return what a study set out to reach, as verdicts and pages take it."""
    costs = tuple(AcceptedCost(cost.metric, cost.mode, cost.most, cost.relative) for cost in job.confirm.costs)
    return Aim(job.goals[0].metric, job.confirm.min_reduction, costs)


def with_costs(job: TuneJob, goals: tuple[Goal, ...]) -> tuple[Goal, ...]:
    """Return the goals, and the costs that are none as goals: alone, a disparity is lowest in a useless model."""
    named = {goal.metric for goal in goals}
    return (
        *goals,
        *(Goal(metric=cost.metric, mode=cost.mode) for cost in job.confirm.costs if cost.metric not in named),
    )


def _best(job: TuneJob, trials: pd.DataFrame, baseline: Mapping[str, float]) -> tuple[int, str]:
    costs = job.confirm.costs
    goals = with_costs(job, job.goals[:1])
    within = {cost.metric: cost.bound(baseline[cost.metric]) for cost in costs}
    try:
        return best(trials, goals, within), ""
    except ValueError:
        number = best(trials, goals[1:] or goals)  # raises where none finished at all
        bounds = ", ".join(f"{name} {bound:.4g}" for name, bound in within.items())
        return number, f"No trial kept within {bounds} on the validation split; best is the one that costs least."


def _choice(label: str, trials: pd.DataFrame, number: int) -> Choice:
    row = trials.set_index("number").loc[number]
    settings = {name.removeprefix(_PARAM): _plain(row[name]) for name in row.index if name.startswith(_PARAM)}
    metrics = {
        name.removeprefix(_METRIC): float(row[name])
        for name in row.index
        if name.startswith(_METRIC) and "/seed" not in name
    }
    return Choice(label, number, settings, metrics)


def _plain(value: object) -> Value:
    """Return a cell of a frame as Python's own bool, int, float or str."""
    plain = value.item() if hasattr(value, "item") else value
    assert isinstance(plain, bool | int | float | str)
    return plain
