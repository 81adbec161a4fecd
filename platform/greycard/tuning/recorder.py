"""The records that people look at (MLflow children, event files), kept beside the runs in a thread of their own.

Ray Tune hands every report to its driver and waits: a store that takes 30 ms per call would hold all trials. Here the
driver leaves a report in a queue; every two seconds, and when a trial ends, the thread makes one batched call of what a
trial has reported.
"""

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from greycard.metrics.trials import FAILED, STOPPED
from greycard.tracking import Run, Terminated
from greycard.tuning.run_queue import RunKey
from greycard.tuning.study import Entry, RunOutcome, Study
from greycard.tuning.tensorboard import EventFiles

_EVERY: Final = 2.0  # seconds


class FailedTrialError(RuntimeError):
    """Ends a trial's MLflow run as FAILED, with its reason."""


class Scribe:
    """Writes in the order in which it is told; what goes wrong is raised at the next ``check``.

    Attributes:
        seconds: spent writing, in the thread; most of it waiting for disks and stores.
        cpu_seconds: of processor time in the thread.
    """

    def __init__(self, run: Run, study: Study, directory: Path, seeds: tuple[int, ...]) -> None:
        self._run, self._study, self._several = run, study, len(seeds) > 1
        self._events = EventFiles(directory / "tensorboard")
        self._children: dict[int, tuple[contextlib.ExitStack, Run]] = {}
        self._points: dict[int, list[tuple[dict[str, float], int | None]]] = {}  # of trials, to be logged
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="greycard-scribe", daemon=True)
        self.seconds = 0.0
        self.cpu_seconds = 0.0
        self._thread.start()

    def begin(self, key: RunKey, attempts: int) -> None:
        """Show a trial as running and write down how often the run was started."""

        def job() -> None:
            self._study.write_attempts(key.number, key.seed, attempts)
            self._child(key.number)

        self._jobs.put(job)

    def report(self, key: RunKey, metrics: Mapping[str, float], step: int) -> None:
        """Log what a run reported at a step, with what else its trial reports in these seconds."""

        def job() -> None:
            self._points.setdefault(key.number, []).append((self._named(metrics, key.seed), step))
            self._events.write(key.name, metrics, step)

        self._jobs.put(job)

    def end_run(self, key: RunKey, outcome: RunOutcome) -> None:
        """Close a run's event file."""
        settings = self._study.entries[key.number].settings
        self._jobs.put(lambda: self._events.close(key.name, settings, outcome.metrics))

    def end_trial(self, number: int) -> None:
        """Log a trial's result, end its MLflow run with its true status, then tell Optuna.

        In this order, so that a search killed in between finds the trial untold and does the rest again.
        """

        def job() -> None:
            entry = self._study.entries[number]
            self._points.setdefault(number, []).append((self._result(entry), None))
            self._log(number)
            self._close(number, _ending(entry))
            self._study.tell(number)

        self._jobs.put(job)

    def check(self) -> None:
        """Raise what went wrong in the thread.

        Raises:
            BaseException: as it was raised there, such as ``TrackingError``.
        """
        if self._failure is not None:
            raise self._failure

    def close(self, error: BaseException | None) -> None:
        """Write what is waiting and end the runs that are open, as ended by ``error``."""
        self._jobs.put(None)
        self._thread.join()
        for number in list(self._children):
            with contextlib.suppress(Exception):  # the error that ends the search is the one to see
                self._close(number, error or self._failure or FailedTrialError("the search ended before it"))
        self._events.close_all()
        if error is None:
            self.check()

    def _work(self) -> None:
        due, open_ = time.monotonic() + _EVERY, True
        while open_:
            try:
                job = self._jobs.get(timeout=max(0.0, due - time.monotonic()))
            except queue.Empty:
                job, due = self._log_all, time.monotonic() + _EVERY
            if job is None:
                job, open_ = self._log_all, False
            if self._failure is None:
                self._do(job)

    def _do(self, job: Callable[[], None]) -> None:
        start, cpu = time.perf_counter(), time.thread_time()
        try:
            job()
        except BaseException as error:  # raised in the driver by check()
            self._failure = error
        self.seconds += time.perf_counter() - start
        self.cpu_seconds += time.thread_time() - cpu

    def _log_all(self) -> None:
        for number in list(self._points):
            self._log(number)

    def _log(self, number: int) -> None:
        self._child(number).log_points(self._points.pop(number))

    def _child(self, number: int) -> Run:
        if number not in self._children:
            settings: Mapping[str, Any] = self._study.entries[number].settings
            stack = contextlib.ExitStack()
            name = f"trial-{number}"
            child = stack.enter_context(self._run.child(name, name=name, params={**settings, "trial": number}))
            self._children[number] = (stack, child)
        return self._children[number][1]

    def _close(self, number: int, error: BaseException | None) -> None:
        stack, _ = self._children.pop(number)
        try:
            stack.__exit__(type(error) if error else None, error, None)
        except BaseException as raised:
            if raised is not error:  # the child's own context lets it through
                raise

    def _result(self, entry: Entry) -> dict[str, float]:
        means = {f"final/{name}": value for name, value in entry.means().items()}
        each: dict[str, float] = {}
        if self._several:
            for seed, run in entry.runs.items():
                each |= {f"final/{name}/seed{seed}": value for name, value in run.metrics.items()}
        times = {"seconds": sum(run.seconds for run in entry.runs.values())}
        return means | each | times | {"attempts": float(sum(run.attempts for run in entry.runs.values()))}

    def _named(self, metrics: Mapping[str, float], seed: int) -> dict[str, float]:
        return {f"{name}/seed{seed}" if self._several else name: value for name, value in metrics.items()}


def _ending(entry: Entry) -> BaseException | None:
    """Return what ends the trial's MLflow run: nothing, its failure, or the scheduler's stop (KILLED)."""
    if entry.status() == FAILED:
        return FailedTrialError(entry.error())
    return Terminated("stopped early by the scheduler") if entry.status() == STOPPED else None
