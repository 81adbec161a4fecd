"""Suggestion n of a search: a function of the seed, of n and of what earlier trials came to, and of nothing else.

Optuna's own sampler carries one random state through a study and looks at whatever has finished, so its suggestions
depend on timing. Here each suggestion is drawn in a study of its own, in memory, which holds the results it may see;
trials just before it, which may still be running, are there as running (TPE keeps away from them).
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import optuna
from optuna.trial import TrialState

from greycard.metrics.trials import Goal
from greycard.tuning.space import Parameter, Value


class Seen(NamedTuple):
    """What a suggestion may know of an earlier trial.

    Attributes:
        settings: parameter -> value.
        state: COMPLETE, PRUNED (a scheduler stopped it: TPE counts it among the worse), FAIL (left out) or RUNNING.
        values: of the goals, in their order; None unless complete.
    """

    settings: Mapping[str, Value]
    state: TrialState
    values: tuple[float, ...] | None = None


def distributions(space: Mapping[str, Parameter]) -> dict[str, optuna.distributions.BaseDistribution]:
    """Return a space as Optuna knows it, by name, so that the order in a file does not matter."""
    return {name: space[name].distribution() for name in sorted(space)}


def directions(goals: Sequence[Goal]) -> list[str]:
    """Return the goals' directions as Optuna names them."""
    return ["minimize" if goal.mode == "min" else "maximize" for goal in goals]


def suggest(
    space: Mapping[str, Parameter], goals: Sequence[Goal], seen: Sequence[Seen], *, number: int, seed: int, startup: int
) -> dict[str, Value]:
    """Draw the settings of trial ``number``.

    Args:
        space: parameter -> range.
        goals: several make it multi-objective TPE.
        seen: the earlier trials in their order.
        number: of the trial.
        seed: of the search.
        startup: trials below it are drawn at random, and so are all as long as none is complete.
    """
    own = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
    known = [trial for trial in seen if trial.state != TrialState.FAIL]
    sampler: optuna.samplers.BaseSampler
    if number < startup or not any(trial.state == TrialState.COMPLETE for trial in known):
        sampler, known = optuna.samplers.RandomSampler(seed=own), []
    else:
        sampler = optuna.samplers.TPESampler(seed=own, n_startup_trials=1)
    study = optuna.create_study(sampler=sampler, directions=directions(goals))
    ranges = distributions(space)
    for trial in known:
        study.add_trial(
            optuna.trial.create_trial(
                state=trial.state, params=dict(trial.settings), distributions=ranges, values=trial.values
            )
        )
    drawn = study.ask(fixed_distributions=ranges).params
    return {name: drawn[name] for name in space}
