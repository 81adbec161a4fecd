"""Which run comes next: interrupted ones first, then suggestions in their order, each drawn when its results are in."""

from collections import deque
from typing import NamedTuple

from optuna.trial import TrialState

from greycard.tuning.configs import SearchConfig, run_name
from greycard.tuning.study import Entry, RunOutcome, Study
from greycard.tuning.suggestions import Seen, suggest


class RunKey(NamedTuple):
    """One run: a suggestion's number and a seed."""

    number: int
    seed: int

    @property
    def name(self) -> str:
        """``trial-<number>-seed<seed>``."""
        return run_name(self.number, self.seed)


class Ledger:
    """The runs of a search: which have ended, which are out and which comes next.

    It knows nothing of Ray or of time: what it hands out depends on the study and on what is handed back.
    """

    def __init__(self, study: Study, config: SearchConfig) -> None:
        self.study, self.config = study, config
        self.out: set[RunKey] = set()
        self._waiting = deque(
            RunKey(entry.number, seed) for entry in study.entries for seed in config.seeds if seed not in entry.runs
        )

    @property
    def left(self) -> int:
        """How many runs have not been handed out."""
        fresh = max(0, self.config.trials - len(self.study.entries))
        return len(self._waiting) + fresh * len(self.config.seeds)

    def untold(self) -> list[int]:
        """Return the trials whose runs have all ended but of which Optuna has not been notified."""
        return [entry.number for entry in self.study.entries if self._ended(entry) and not entry.told]

    def take(self) -> RunKey | None:
        """Hand out the next run; None while the slots are taken, results are missing or nothing is left."""
        if len(self.out) >= self.config.concurrent:
            return None
        if not self._waiting:
            self._draw()
        if not self._waiting:
            return None
        run = self._waiting.popleft()
        self.out.add(run)
        return run

    def give_back(self, run: RunKey, outcome: RunOutcome) -> bool:
        """Take a run's outcome; returns whether that ended its trial."""
        self.out.discard(run)
        self.study.end(run.number, run.seed, outcome)
        return self._ended(self.study.entries[run.number])

    def take_back(self, run: RunKey) -> None:
        """Put a run that was handed out but never begun before those that wait."""
        self.out.discard(run)
        self._waiting.appendleft(run)

    def _draw(self) -> None:
        """Draw the next suggestion, if the trials that it must know have ended."""
        entries, number = self.study.entries, len(self.study.entries)
        if number >= self.config.trials:
            return
        border = max(0, number - self.study.lag)
        if not all(self._ended(entry) for entry in entries[:border]):
            return
        if number < len(self.config.points):
            settings = dict(self.config.points[number])
        else:
            seen = [entry.seen(self.study.goals) for entry in entries[:border]]
            seen += [Seen(entry.settings, TrialState.RUNNING) for entry in entries[border:]]
            settings = suggest(
                self.study.space,
                self.study.goals,
                seen,
                number=number,
                seed=self.config.seed,
                startup=self.config.startup,
            )
        self.study.add(settings)
        self._waiting.extend(RunKey(number, seed) for seed in self.config.seeds)

    def _ended(self, entry: Entry) -> bool:
        return all(seed in entry.runs for seed in self.config.seeds)
