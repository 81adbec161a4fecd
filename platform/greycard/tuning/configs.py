"""How a search is run, and what a trial is given."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from greycard.tuning.space import Value

Report = Callable[[Mapping[str, float], int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchConfig:
    """How many trials, how many at once, and who chooses them.

    With ``scheduler="none"`` the trials of a search depend on its config alone: not on which trial ends first, and not
    on a kill in between. Suggestion n is drawn by TPE (Bergstra et al. 2011; several goals: Ozaki et al. 2022) from a
    seed of its own and from the results of the trials before n - lag, whatever else has finished. A scheduler decides
    by what runs at that moment, so its searches go on after a kill but are not repeated exactly.

    Attributes:
        trials: suggestions in all; raising it continues a finished search.
        concurrent: (trial, seed) runs at once.
        seed: of the suggestions.
        startup: the first so many are drawn at random, points included.
        storage: URL of the Optuna study, ``sqlite:///...`` or ``postgresql://...``; "" is ``optuna.db`` in the
            search's directory.
        points: settings tried first, each naming every parameter.
        seeds: every suggestion is trained with each of them; the search learns from the means.
        scheduler: "asha" (Li et al. 2020) or "median" (Golovin et al. 2017) stop trials early, by the first goal.
        grace: reports that a scheduler leaves a trial.
        slack: how many suggestions more than the concurrency asks for may be out, so that a slot need not wait for
            a slower neighbour; part of the study, as it sets the lag.
        retries: how often a failed run is started again, in the same directory.
        num_cpus: CPU slots of one run.
        num_gpus: GPUs of one run; fractions share one.
    """

    trials: int = 20
    concurrent: int = 2
    seed: int = 0
    startup: int = 10
    storage: str = ""
    points: tuple[dict[str, Value], ...] = ()
    seeds: tuple[int, ...] = (0,)
    scheduler: Literal["none", "asha", "median"] = "none"
    grace: int = 1
    slack: int = 1
    retries: int = 1
    num_cpus: float = 1.0
    num_gpus: float = 0.0

    def __post_init__(self) -> None:
        for name in ("trials", "concurrent", "grace"):
            if getattr(self, name) < 1:
                raise ValueError(f"search.{name} must be at least 1, got {getattr(self, name)}")
        for name in ("seed", "startup", "slack", "retries", "num_gpus"):
            if getattr(self, name) < 0:
                raise ValueError(f"search.{name} must be at least 0, got {getattr(self, name)}")
        if self.num_cpus <= 0:
            raise ValueError(f"search.num_cpus must be above 0, got {self.num_cpus}")
        if self.num_gpus > 1 and self.num_gpus != int(self.num_gpus):
            raise ValueError(f"search.num_gpus must be a fraction below 1 or a whole number, got {self.num_gpus}")
        if not self.seeds or len(set(self.seeds)) < len(self.seeds) or min(self.seeds) < 0:
            raise ValueError(f"search.seeds must be one or more different numbers from 0, got {list(self.seeds)}")

    @property
    def lag(self) -> int:
        """How many suggestions just before n may be unfinished when n is drawn: it sees results below n - lag."""
        return -(-(self.concurrent - 1) // len(self.seeds)) + (self.slack if self.concurrent > 1 else 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What a trial function is given besides the shared data.

    Attributes:
        number: of the suggestion, from 0.
        seed: of this run.
        settings: parameter -> value.
        directory: the run's own, the same after a retry or a kill; what it finds there it may continue.
        report: hands numbers at a step (from 1, rising) to the search while it runs.
    """

    number: int
    seed: int
    settings: dict[str, Value]
    directory: Path
    report: Report

    @property
    def name(self) -> str:
        """``trial-<number>-seed<seed>``."""
        return run_name(self.number, self.seed)


TrialFunction = Callable[[Trial, Any], Mapping[str, float]]


def run_name(number: int, seed: int) -> str:
    """Return the name of one run: of its directory, its event files and its Ray Tune trial."""
    return f"trial-{number}-seed{seed}"
