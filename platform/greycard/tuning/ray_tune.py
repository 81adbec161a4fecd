"""Between Ray Tune and the ledger: a searcher that hands out its runs and a callback that hands back what they did."""

import json
import math
import re
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ray.tune import Callback
from ray.tune.search import Searcher

from greycard.tuning.progress_line import ProgressLine
from greycard.tuning.recorder import Scribe
from greycard.tuning.run_queue import Ledger, RunKey
from greycard.tuning.study import RunOutcome
from greycard.tuning.worker import OUTCOME, SECONDS, STEP, VALUES, read_error

_LENGTH = 1000


class HaltError(Exception):
    """The driver asks Ray Tune to stop."""


class LedgerSearcher(Searcher):  # type: ignore[misc]
    """Hands the ledger's next run to Ray Tune whenever it asks for a trial."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__()
        self._ledger = ledger

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """Return the next run as a Tune config; None asks Tune to come back."""
        key = self._ledger.take()
        if key is None:
            return None if self._ledger.left else str(Searcher.FINISHED)
        settings = json.dumps(self._ledger.study.entries[key.number].settings)
        return {"number": key.number, "seed": key.seed, "name": key.name, "settings": settings}

    def on_trial_complete(self, trial_id: str, result: Mapping[str, Any] | None = None, error: bool = False) -> None:
        """Do nothing: ``Follower`` knows more of how a run ended."""

    def save(self, checkpoint_path: str) -> None:
        """Do nothing: the study is the record."""

    def restore(self, checkpoint_path: str) -> None:
        """Do nothing: a search resumes from its study."""


class Follower(Callback):  # type: ignore[misc]
    """Follows the runs in Ray Tune's loop: reports to the scribe, outcomes to the ledger.

    Attributes:
        halt: set it to stop the search from another thread.
        first_start: ``time.perf_counter()`` at which the first run began.
        held: seconds that this took from Tune's loop.
    """

    def __init__(self, ledger: Ledger, scribe: Scribe, line: ProgressLine, root: Path) -> None:
        self._ledger, self._scribe, self._line, self._root = ledger, scribe, line, root
        self._last: dict[RunKey, dict[str, float]] = {}
        self._began: dict[RunKey, float] = {}
        self._done: set[str] = set()
        self.halt = threading.Event()
        self.first_start: float | None = None
        self.held = 0.0

    def on_step_begin(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """Stop when asked to, or when the records can not be written."""
        if self.halt.is_set():
            raise HaltError
        self._scribe.check()

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """Take back runs that Tune dropped without a word: it does when a process still clings to its last trial."""
        for trial in trials:
            if trial.status in (trial.ERROR, trial.TERMINATED) and trial.trial_id not in self._done:
                self._done.add(trial.trial_id)
                self._ledger.take_back(_key(trial))

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Count a start."""
        start, key = time.perf_counter(), _key(trial)
        self.first_start = self.first_start or start
        self._began[key] = start
        self._scribe.begin(key, self._ledger.study.start(*key))
        self.held += time.perf_counter() - start

    def on_trial_result(self, iteration: int, trials: list[Any], trial: Any, result: Any, **info: Any) -> None:
        """Log a report."""
        if VALUES not in result:
            return
        start, key = time.perf_counter(), _key(trial)
        self._last[key] = json.loads(result[VALUES])
        self._scribe.report(key, self._last[key], result[STEP])
        self.held += time.perf_counter() - start

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Take the outcome of a run that returned, or that a scheduler stopped."""
        key, result = _key(trial), trial.last_result or {}
        self._done.add(trial.trial_id)
        if OUTCOME in result:
            metrics = {name: float(value) for name, value in json.loads(result[OUTCOME]).items()}
            self._end(key, RunOutcome(status="finished", metrics=metrics, seconds=float(result[SECONDS])))
        else:
            last = self._last.get(key, {})
            self._end(key, RunOutcome(status="stopped", metrics=last, seconds=self._elapsed(key)))

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Take the reason of a run that failed for good."""
        key = _key(trial)
        self._done.add(trial.trial_id)
        reason = read_error(self._root / key.name) or _reason(trial.error_file)
        self._end(key, RunOutcome(status="failed", error=reason[:_LENGTH], seconds=self._elapsed(key)))

    def _end(self, key: RunKey, outcome: RunOutcome) -> None:
        start = time.perf_counter()
        attempts = self._ledger.study.entries[key.number].attempts.get(key.seed, 1)
        metrics = {name: value if math.isfinite(value) else math.nan for name, value in outcome.metrics.items()}
        outcome = RunOutcome(
            status=outcome.status, metrics=metrics, error=outcome.error, attempts=attempts, seconds=outcome.seconds
        )
        ended = self._ledger.give_back(key, outcome)
        self._scribe.end_run(key, outcome)
        if ended:
            self._scribe.end_trial(key.number)
        self._line.show()
        self.held += time.perf_counter() - start

    def _elapsed(self, key: RunKey) -> float:
        return time.perf_counter() - self._began[key] if key in self._began else 0.0


def _key(trial: Any) -> RunKey:
    return RunKey(trial.config["number"], trial.config["seed"])


def _reason(error_file: str | None) -> str:
    """Word the end of a process that left no reason, from what Ray says of it."""
    try:
        text = Path(error_file or "").read_text()
    except OSError:
        return "its process ended without a reason"
    last = re.split(r"^Failure # .*$", text, flags=re.MULTILINE)[-1]
    lines = [line.strip() for line in last.splitlines() if line.strip() and not line.startswith("\t")]
    told = " ".join(lines).partition(" Some common causes")[0]
    return f"its process died (out of memory, or crashed): {told}"
