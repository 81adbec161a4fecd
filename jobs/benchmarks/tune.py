"""A search of short trials through Ray Tune against a plain Optuna loop over a pool of processes, in the same run.

Both train the same small networks (torch, some two seconds each), at the same concurrency, with the same sampler.
The clock of each starts when its first trial begins and all of its processes are up: start-up is not compared. The
plain loop logs nothing; the search keeps its study, MLflow children and event files, so its ratio holds that cost too.
Of logging, what can slow trials down is the time for which Ray Tune's loop is held (``held_share``) and the processor
time that the logging thread takes from them (``logging_cpu_share``); ``logging_share`` is mostly waiting for a disk.
"""

import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from greycard.streaming.cluster import SessionConfig, session
from greycard.tracking import job_run
from greycard.tuning import Float, Goal, Parameter, SearchConfig, Trial, search
from jobs.benchmarks.timing import Comparison, Measured, in_turns

SPACE: Mapping[str, Parameter] = {"lam": Float(low=0.1, high=1000.0, log=True)}
GOALS = (Goal(metric="loss"),)


@dataclass(frozen=True, slots=True, kw_only=True)
class TuneConfig:
    """What is timed.

    Attributes:
        trials: in each of the two.
        concurrent: trials at once.
        epochs: reports of a trial.
        steps: optimiser steps per epoch; 300 take about two fifths of a second on one core, so that a trial takes two
            (the shortest runs of ``tune_spaces.mnist_color`` take three).
        rounds: how often the pair is timed, in turn; the ratio is the median of theirs.
        seed: of the suggestions and of the training.
    """

    kind: Literal["tune"] = "tune"
    trials: int = 24
    concurrent: int = 2
    epochs: int = 5
    steps: int = 300
    rounds: int = 2
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("trials", "concurrent", "epochs", "steps", "rounds"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")

    def measure(self) -> Measured:
        """Time both in turns, after their start-up."""
        with tempfile.TemporaryDirectory() as folder, session(SessionConfig(address="local", progress=False)):
            turns = {
                "search": lambda number: _tuned(self, Path(folder) / str(number)),
                "plain loop": lambda _: {"search": _plain(self)},
            }
            sides = in_turns(turns, self.rounds)
        seconds = {name: [found["search"] for found in sides[name]] for name in turns}
        shares = {
            f"{name}_share": statistics.median(found[name] / found["search"] for found in sides["search"])
            for name in ("logging", "logging_cpu", "held")
        }
        times = {
            f"{name}_seconds": statistics.median(found[name] for found in sides["search"])
            for name in ("trial", "startup")
        }
        return Measured((Comparison.of("time", "s", seconds, at_most=1.1),), {**times, **shares, "target_share": 0.05})


def train(settings: Mapping[str, Any], config: TuneConfig, report: Any) -> float:
    """Fit a small network to noise under weight decay λ/1000; returns its last loss."""
    import torch

    torch.set_num_threads(1)
    random = torch.Generator().manual_seed(config.seed)
    images, labels = torch.randn(64, 3, 32, 32, generator=random), torch.randint(0, 10, (64,), generator=random)
    torch.manual_seed(config.seed)
    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 16, 3, 2, 1), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(16 * 256, 10)
    )
    optimizer = torch.optim.SGD(network.parameters(), 0.01, weight_decay=settings["lam"] / 1000)
    loss = torch.zeros(())
    for epoch in range(config.epochs):
        for _ in range(config.steps):
            loss = torch.nn.functional.cross_entropy(network(images), labels)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        report({"loss": loss.item()}, epoch + 1)
    return loss.item()


def _tuned(config: TuneConfig, directory: Path) -> dict[str, float]:
    """Return the search's seconds by what they went into, with those of its median trial."""
    how = SearchConfig(trials=config.trials, concurrent=config.concurrent, seed=config.seed)
    with job_run(study="bench", name="tune: the search", directory=directory, config=how) as parent:
        result = search(
            name="bench",
            directory=directory,
            space=SPACE,
            goals=GOALS,
            config=how,
            trial=_trial,
            shared=config,
            run=parent,
            identity={},
            progress=False,
        )
    return {**result.seconds, "trial": float(result.trials["seconds"].median())}


def _trial(trial: Trial, config: TuneConfig) -> dict[str, float]:
    return {"loss": train(trial.settings, config, trial.report)}


def _plain(config: TuneConfig) -> float:
    """Return the seconds of an ask-and-tell loop over a warm pool."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=config.seed))
    ranges = {name: parameter.distribution() for name, parameter in SPACE.items()}
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(config.concurrent, mp_context=context) as pool:
        list(pool.map(_warm, range(config.concurrent)))
        start = time.perf_counter()
        running: dict[Any, Any] = {}
        asked = 0
        while asked < config.trials or running:
            while asked < config.trials and len(running) < config.concurrent:
                trial = study.ask(fixed_distributions=ranges)
                running[pool.submit(_quiet, trial.params, config)] = trial
                asked += 1
            for done in wait(running, return_when=FIRST_COMPLETED).done:
                study.tell(running.pop(done), done.result())
        return time.perf_counter() - start


def _warm(_: int) -> None:
    """Import what training needs, long enough that each process of the pool gets one call."""
    import torch

    torch.set_num_threads(1)
    time.sleep(1.0)


def _quiet(settings: Mapping[str, Any], config: TuneConfig) -> float:
    return train(settings, config, lambda metrics, step: None)
