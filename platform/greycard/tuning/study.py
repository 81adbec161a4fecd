"""The Optuna study of a search: the state of record, in sqlite or PostgreSQL, that a killed search resumes from.

Each suggestion is a trial of the study from the moment it is drawn, with its settings; each run of it (a seed) leaves
its outcome as the trial's attribute ``seed<k>`` when it ends; when all have ended the trial is told. What began the
study (space, goals, seeds, data) is its attribute ``greycard``; another beginning under the same name is refused.
"""

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal, cast

import optuna
from optuna.trial import TrialState

from greycard.config import to_dict
from greycard.metrics.trials import FAILED, FINISHED, STOPPED, Goal
from greycard.tuning.configs import SearchConfig
from greycard.tuning.space import Parameter, Value
from greycard.tuning.suggestions import Seen, directions, distributions

PLAN: Final = "greycard"
ERROR: Final = "error"
_SECONDS: Final = 20
_STATES: Final = {FINISHED: TrialState.COMPLETE, FAILED: TrialState.FAIL, STOPPED: TrialState.PRUNED}
Status = Literal["finished", "failed", "stopped"]


class StudyError(RuntimeError):
    """The study's storage does not answer, or holds another search of that name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOutcome:
    """How one run (a trial with one seed) ended.

    Attributes:
        status: finished, failed or stopped (by a scheduler).
        metrics: what it returned, or last reported when stopped; NaN where a number was not finite.
        error: why it failed.
        attempts: how often it was started.
        seconds: of the last start.
    """

    status: Status
    metrics: dict[str, float] = field(default_factory=dict)
    error: str = ""
    attempts: int = 1
    seconds: float = 0.0


@dataclass(slots=True, kw_only=True)
class Entry:
    """A trial of the study.

    Attributes:
        number: from 0, in the order of suggestion.
        settings: parameter -> value.
        runs: seed -> outcome, of the runs that have ended.
        attempts: seed -> starts, of all that were begun.
        told: Optuna has been told.
    """

    number: int
    settings: dict[str, Value]
    runs: dict[int, RunOutcome] = field(default_factory=dict)
    attempts: dict[int, int] = field(default_factory=dict)
    told: bool = False

    def status(self) -> Status:
        """Return failed where one run failed, else stopped where one was, else finished."""
        found = {outcome.status for outcome in self.runs.values()}
        return next(status for status in _STATUSES if status in found)

    def error(self) -> str:
        """Return why it failed, "" otherwise."""
        many = len(self.runs) > 1
        parts = [(f"seed {seed}: " if many else "") + run.error for seed, run in self.runs.items() if run.error]
        return "; ".join(parts)

    def means(self) -> dict[str, float]:
        """Return metric -> mean over the runs, NaN where one has no such number."""
        names = dict.fromkeys(name for run in self.runs.values() for name in run.metrics)
        runs = self.runs.values()
        return {name: math.fsum(run.metrics.get(name, math.nan) for run in runs) / len(runs) for name in names}

    def seen(self, goals: Sequence[Goal]) -> Seen:
        """Return what later suggestions may know of it once its runs have ended."""
        status = self.status()
        means = self.means()
        values = tuple(means[goal.metric] for goal in goals) if status == FINISHED else None
        return Seen(self.settings, _STATES[status], values)


_STATUSES: Final[tuple[Status, ...]] = ("failed", "stopped", "finished")


class Study:
    """The study of a search, opened.

    Attributes:
        url: of its storage.
        lag: how many trials just before a suggestion it does not see; fixed when the study was begun.
        entries: its trials, in order.
    """

    def __init__(self, study: optuna.Study, url: str, space: Mapping[str, Parameter], goals: Sequence[Goal]) -> None:
        self.url, self.space, self.goals = url, space, goals
        self.lag = int(study.user_attrs[PLAN]["lag"])
        self._study = study
        self._storage = study._storage
        trials = study.get_trials(deepcopy=False)
        self._ids = [trial._trial_id for trial in trials]
        self.entries = [_entry(trial, space) for trial in trials]

    def add(self, settings: Mapping[str, Value]) -> Entry:
        """Write a new suggestion down, with its settings, as running."""
        trial = optuna.trial.create_trial(
            state=TrialState.RUNNING, params=dict(settings), distributions=distributions(self.space)
        )
        trial.datetime_start = datetime.now()
        self._ids.append(self._storage.create_new_trial(self._study._study_id, template_trial=trial))
        self.entries.append(Entry(number=len(self.entries), settings=dict(settings)))
        return self.entries[-1]

    def start(self, number: int, seed: int) -> int:
        """Count a start of a run; returns how many there were. ``write_attempts`` keeps it."""
        attempts = self.entries[number].attempts
        attempts[seed] = attempts.get(seed, 0) + 1
        return attempts[seed]

    def write_attempts(self, number: int, seed: int, attempts: int) -> None:
        """Write down how often a run was started."""
        self._storage.set_trial_user_attr(self._ids[number], f"attempts/seed{seed}", attempts)

    def end(self, number: int, seed: int, outcome: RunOutcome) -> None:
        """Write a run's outcome down."""
        self.entries[number].runs[seed] = outcome
        values = to_dict(outcome)
        values["metrics"] = {name: None if math.isnan(value) else value for name, value in outcome.metrics.items()}
        self._storage.set_trial_user_attr(self._ids[number], f"seed{seed}", values)

    def tell(self, number: int) -> None:
        """Close a trial whose runs have all ended: as complete with the goals' means, as failed or as pruned."""
        entry = self.entries[number]
        if entry.error():
            self._storage.set_trial_user_attr(self._ids[number], ERROR, entry.error()[:2000])
        _, state, values = entry.seen(self.goals)
        self._study.tell(number, list(values) if values else None, state=state)
        entry.told = True


def open_study(
    name: str,
    directory: Path,
    space: Mapping[str, Parameter],
    goals: Sequence[Goal],
    config: SearchConfig,
    identity: Mapping[str, str],
) -> Study:
    """Open the study of a search, made where it is missing.

    Raises:
        StudyError: the storage does not answer, or the name belongs to another search.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # it would print a line per trial
    url = config.storage or f"sqlite:///{directory / 'optuna.db'}"
    plan = _plan(space, goals, config, identity, directory)
    storage = _open_storage(url)
    try:
        study = optuna.create_study(
            study_name=name, storage=storage, directions=directions(goals), sampler=optuna.samplers.RandomSampler(0)
        )
        begun = False
    except optuna.exceptions.DuplicatedStudyError:
        study = optuna.load_study(study_name=name, storage=storage, sampler=optuna.samplers.RandomSampler(0))
        begun = bool(study.user_attrs or study.get_trials(deepcopy=False))
    if begun:
        _check_plan(study.user_attrs.get(PLAN), plan, name, url)
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            study.set_metric_names([goal.metric for goal in goals])
        study.set_user_attr(PLAN, plan)
    return Study(study, url, space, goals)


def _plan(
    space: Mapping[str, Parameter],
    goals: Sequence[Goal],
    config: SearchConfig,
    identity: Mapping[str, str],
    directory: Path,
) -> dict[str, Any]:
    """Return what makes two searches one: all that suggestions and their results depend on, as plain values."""
    plain = to_dict(config)
    plan = {
        "space": {name: to_dict(space[name]) for name in sorted(space)},
        "goals": [to_dict(goal) for goal in goals],
        "identity": dict(sorted(identity.items())),
        **{field: plain[field] for field in ("seed", "seeds", "startup", "points", "scheduler", "grace")},
        "lag": config.lag,
    }
    if config.storage:  # a storage that several searches share; a file in the directory moves with it
        plan["directory"] = str(directory)
    return plan


def _check_plan(old: Any, new: Mapping[str, Any], name: str, url: str) -> None:
    place = f"study {name!r} in {_without_password(url)}"
    out = "set it back to continue that search, or give this one a name (or a directory and storage) of its own"
    if not isinstance(old, Mapping):
        raise StudyError(f"{place} was not begun by greycard; {out}")
    changes = []
    for part, value in new.items():
        before = old.get(part)
        if part == "lag" or before == value:  # another concurrency may go on; the lag stays as it was begun
            continue
        if isinstance(value, Mapping) and isinstance(before, Mapping):
            for item in sorted({*before, *value}):
                if before.get(item) != value.get(item):
                    changes.append(f"{part} {item} was {_worded(before, item)}, is now {_worded(value, item)}")
        else:
            changes.append(f"{part} was {before}, is now {value}")
    if changes:
        raise StudyError(f"{place} was begun with another search: {'; '.join(changes)[:2000]}. {out.capitalize()}")


def _worded(values: Mapping[str, Any], name: str) -> str:
    return str(values[name]) if name in values else "absent"


def _open_storage(url: str) -> optuna.storages.RDBStorage:
    """Return a storage that answers, its tables made."""
    from sqlalchemy.exc import SQLAlchemyError

    kind = url.partition(":")[0].partition("+")[0]
    limits = {"sqlite": {"timeout": _SECONDS}, "postgresql": {"connect_timeout": _SECONDS}}.get(kind)
    if limits is None:
        raise StudyError(f"search.storage must begin with sqlite:/// or postgresql://, got {_without_password(url)!r}")
    try:
        return optuna.storages.RDBStorage(url, engine_kwargs={"connect_args": limits})
    except ImportError as error:
        raise StudyError(
            f"search.storage {_without_password(url)} needs a driver that is not installed ({error}): "
            "pip install 'greycard[postgres]'"
        ) from error
    except (SQLAlchemyError, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        raise StudyError(
            f"the study's storage {_without_password(url)} does not answer: {reason}. Start it, or set search.storage "
            "(unset: a sqlite file in the search's directory)"
        ) from error


def _without_password(url: str) -> str:
    head, separator, tail = url.rpartition("@")
    return f"{head.rpartition(':')[0]}:***@{tail}" if separator and head.count(":") > 1 else url


def _entry(trial: optuna.trial.FrozenTrial, space: Mapping[str, Parameter]) -> Entry:
    """Return a trial of the storage as ours."""
    attributes = trial.user_attrs
    return Entry(
        number=trial.number,
        settings={name: cast(Value, trial.params[name]) for name in space},
        runs={int(key[4:]): _outcome(value) for key, value in attributes.items() if key.startswith("seed")},
        attempts={int(key[13:]): value for key, value in attributes.items() if key.startswith("attempts/seed")},
        told=trial.state.is_finished(),
    )


def _outcome(values: Mapping[str, Any]) -> RunOutcome:
    metrics = {name: math.nan if value is None else value for name, value in values["metrics"].items()}
    return RunOutcome(**{**values, "metrics": metrics})
