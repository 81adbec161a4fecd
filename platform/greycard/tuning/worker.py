"""What runs in a Ray Tune actor: one call of the trial function, with its reports and its result checked."""

import contextlib
import fcntl
import json
import math
import os
import shutil
import time
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ray import tune

from greycard.metrics.trials import Goal
from greycard.schema import unknown
from greycard.tuning.configs import Trial, TrialFunction

ERROR_FILE: Final = "error.txt"  # in a run's directory: why its last start failed
VALUES: Final = "values"
STEP: Final = "step"
OUTCOME: Final = "outcome"
SECONDS: Final = "seconds"
LEADING: Final = "leading"  # the first goal, by which a scheduler judges


_LOCK: Final = ".lock"
_LOCK_SECONDS: Final = 120


class TrialError(ValueError):
    """A trial function returned or reported what the search can not use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """What all runs of a search have in common besides the shared data.

    Attributes:
        function: the trial function.
        root: holds the runs' directories.
        goals: what the function must return.
        scheduled: a scheduler needs the first goal in each report.
        home: the driver's working directory, where relative paths begin.
    """

    function: TrialFunction
    root: Path
    goals: tuple[Goal, ...]
    scheduled: bool
    home: str


def run_trial(config: Mapping[str, Any], *, errand: Errand, shared: Any) -> None:
    """Run one trial with one seed; what it raises is left in the run's directory in words.

    Args:
        config: ``number``, ``seed`` and ``settings`` (JSON, so that Tune does not look into them).
        errand: the same for all runs.
        shared: handed to the function.
    """
    with contextlib.suppress(OSError):  # on another machine it need not exist
        os.chdir(errand.home)  # Tune moves each trial into a folder of its own
    start = time.perf_counter()
    trial = Trial(
        number=config["number"],
        seed=config["seed"],
        settings=json.loads(config["settings"]),
        directory=errand.root / config["name"],
        report=lambda metrics, step: _report(errand, metrics, step),
    )
    trial.directory.mkdir(parents=True, exist_ok=True)
    with _alone(trial.directory):
        (trial.directory / ERROR_FILE).unlink(missing_ok=True)
        try:
            metrics = checked(errand.function(trial, shared), errand.goals)
        except Exception as error:
            _write_error(trial.directory, error)
            raise
    leading = metrics[errand.goals[0].metric]
    tune.report({OUTCOME: json.dumps(metrics), SECONDS: time.perf_counter() - start, LEADING: leading})


def checked(metrics: Mapping[str, float], goals: tuple[Goal, ...]) -> dict[str, float]:
    """Return what a trial function returned as plain numbers, infinite ones as NaN.

    Raises:
        TrialError: a goal is missing or not a finite number.
    """
    if not isinstance(metrics, Mapping):
        raise TrialError(f"a trial must return metric -> number, got {type(metrics).__name__}")
    plain = {str(name): float(value) for name, value in metrics.items()}
    for goal in goals:
        if goal.metric not in plain:
            raise TrialError(f"the trial returned no goal {goal.metric!r}: {unknown('metric', goal.metric, [*plain])}")
        if not math.isfinite(plain[goal.metric]):
            raise TrialError(f"goal {goal.metric} is {plain[goal.metric]}")
    return {name: value if math.isfinite(value) else math.nan for name, value in plain.items()}


def read_error(directory: Path) -> str:
    """Return why a run's last start failed, as it said itself; "" where its process died without a word."""
    try:
        return (directory / ERROR_FILE).read_text().partition("\n\nTraceback")[0].strip()
    except OSError:
        return ""


def clear(directory: Path) -> None:
    """Remove Tune's own records, which nothing reads: the study is the record."""
    shutil.rmtree(directory, ignore_errors=True)


@contextlib.contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Hold a run's directory: a worker that outlives its killed driver by some seconds may still write there.

    Raises:
        TrialError: it is held for longer than Ray takes to end such a worker.
    """
    with (directory / _LOCK).open("w") as lock:
        for _ in range(_LOCK_SECONDS * 10):
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(0.1)
        else:
            raise TrialError(f"another process has been working in {directory} for {_LOCK_SECONDS} s")
        yield


def _report(errand: Errand, metrics: Mapping[str, float], step: int) -> None:
    plain = {str(name): float(value) for name, value in metrics.items()}
    message: dict[str, Any] = {VALUES: json.dumps(plain), STEP: int(step)}
    leading = errand.goals[0].metric
    if leading in plain:
        message[LEADING] = plain[leading]
    elif errand.scheduled:
        raise TrialError(
            f"a scheduler judges by {leading!r}, which the report at step {step} lacks: {', '.join(plain)}"
        )
    tune.report(message)


def _write_error(directory: Path, error: Exception) -> None:
    text = f"{type(error).__name__}: {error}\n\n{''.join(traceback.format_exception(error))}"
    with contextlib.suppress(OSError):  # a full disk must not hide the error itself
        (directory / ERROR_FILE).write_text(text)
