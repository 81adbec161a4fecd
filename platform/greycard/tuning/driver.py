"""Carry out a search: Ray Tune runs the trials, the Optuna study keeps what came of them, MLflow shows them."""

import contextlib
import logging
import os
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import ray
from ray import tune

from greycard.metrics.trials import Goal, check_goals
from greycard.progress import meter
from greycard.streaming.cluster import Demand, RayError, SessionConfig, require
from greycard.tracking import Run
from greycard.tracking.endings import deaf
from greycard.tuning.configs import SearchConfig, TrialFunction
from greycard.tuning.frame import trials_frame
from greycard.tuning.outcomes import SearchResult
from greycard.tuning.progress_line import ProgressLine
from greycard.tuning.ray_tune import Follower, HaltError, LedgerSearcher
from greycard.tuning.recorder import Scribe
from greycard.tuning.run_queue import Ledger
from greycard.tuning.space import Parameter, check_point
from greycard.tuning.study import open_study
from greycard.tuning.worker import LEADING, Errand, clear, run_trial

_TUNE: Final = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # CSV, JSON and TensorBoard files where nobody looks
    "TUNE_DISABLE_AUTO_INIT": "1",  # a Ray that has died is an error, not a reason to start another
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_GLOBAL_CHECKPOINT_S": "36000",  # the study is the record
    "TUNE_FORCE_TRIAL_CLEANUP_S": "5",  # else an interrupted search waits ten minutes for its trials
    "RAY_AIR_NEW_OUTPUT": "0",
}
_MOST_REPORTS: Final = 1_000_000  # ASHA ends a trial there; its rungs below it are what is wanted
_ENDLESS: Final = 1_000_000_000
_LOGGERS: Final = ("ray.tune", "ray.train", "ray.air")


def search(
    *,
    name: str,
    directory: str | Path,
    space: Mapping[str, Parameter],
    goals: tuple[Goal, ...],
    config: SearchConfig,
    trial: TrialFunction,
    shared: Any,
    run: Run,
    identity: Mapping[str, str],
    progress: bool = False,
) -> SearchResult:
    """Run a search to its end, or continue the one that a killed driver left; returns all of its trials.

    Ray must have been started or joined. Failed trials are recorded with their reason and the search continues.

    Args:
        name: of the study in its storage.
        directory: of the search, on a disk that all nodes share; holds ``trials/<run>/``, ``tensorboard/<run>/`` and,
            by default, the study.
        space: parameter -> range.
        goals: what the trials return and the search improves; several make it a Pareto search.
        config: how many, how many at once, with which seeds.
        trial: called in a Ray worker with a ``Trial`` and the shared data; returns metric -> number, with every goal
            among them. A goal that is NaN makes it a failed trial.
        shared: whatever all trials need, put in the object store once.
        run: the parent; each trial becomes its child ``trial-<number>``.
        identity: what else makes the search what it is (digests of data, of the baseline); a study begun with another
            identity is refused.
        progress: show how far it is.

    Raises:
        StudyError: the storage does not answer, or its study of that name was begun with another space, other goals or
            another identity.
        ValueError: the space, a goal or a point is not accepted.
    """
    began = time.perf_counter()
    home = _home(directory)
    _check(space, goals, config)
    study = open_study(name, home, space, goals, config, identity)
    ledger = Ledger(study, config)
    scribe = Scribe(run, study, home, config.seeds)
    errand = Errand(
        function=trial, root=home / "trials", goals=goals, scheduled=config.scheduler != "none", home=os.getcwd()
    )
    try:
        for number in ledger.untold():
            scribe.end_trial(number)
        total, done = max(config.trials, len(study.entries)), len(trials_frame(study, config.seeds))
        with meter(name, total, "trial", done=done, show=progress) as shown:
            line = ProgressLine(study, config.seeds, shown)
            line.show()
            follower = Follower(ledger, scribe, line, errand.root)
            if ledger.left:
                _require(config)
                _in_thread(lambda: _carry_out(ledger, follower, errand, shared, home / "tune"), follower)
    except BaseException as error:
        scribe.close(error)
        raise
    scribe.close(None)
    frame = trials_frame(study, config.seeds)
    run.log_table(frame, "search/trials.json")
    first = follower.first_start or time.perf_counter()
    seconds = {
        "startup": first - began,
        "search": time.perf_counter() - first,
        "logging": scribe.seconds,
        "logging_cpu": scribe.cpu_seconds,
        "held": follower.held,
    }
    return SearchResult(trials=frame, name=name, storage=study.url, seconds=seconds)


def _home(directory: str | Path) -> Path:
    if "://" in str(directory):
        raise ValueError(f"a search's directory must be a path on a disk that all nodes share, got {directory}")
    home = Path(directory).absolute()
    home.mkdir(parents=True, exist_ok=True)
    return home


def _check(space: Mapping[str, Parameter], goals: tuple[Goal, ...], config: SearchConfig) -> None:
    check_goals(goals)
    if not space:
        raise ValueError("a search needs a space of one or more parameters, got none")
    for index, point in enumerate(config.points):
        check_point(space, point, f"search.points.{index}")


def _require(config: SearchConfig) -> None:
    """Raise ``RayError`` unless one run fits the cluster: Ray Tune would wait for it without end."""
    if not ray.is_initialized():
        raise RayError("a search needs Ray: start or join it first (greycard.streaming.cluster.session)")
    demand = Demand(count=1, num_cpus=config.num_cpus, num_gpus=config.num_gpus, spare_cpus=0)
    try:
        require(demand, SessionConfig(), "one trial")
    except RayError as error:
        needs = f"{config.num_cpus:g} CPU and {config.num_gpus:g} GPU"
        raise RayError(
            f"a trial needs {needs}, which the Ray cluster does not have free: lower search.num_cpus or "
            f"search.num_gpus, or add nodes ({error})"
        ) from error


def _carry_out(ledger: Ledger, follower: Follower, errand: Errand, shared: Any, records: Path) -> None:
    """Let Ray Tune work until nothing is left; a run that it dropped at the very end takes another round."""
    while left := ledger.left:
        _tune(ledger, follower, errand, shared, records)
        if ledger.left == left:
            raise RuntimeError(f"Ray Tune ended with {left} runs to go; start the search again to continue it")


def _tune(ledger: Ledger, follower: Follower, errand: Errand, shared: Any, records: Path) -> None:
    """Let Ray Tune carry out what the ledger hands out."""
    config = ledger.config
    function = tune.with_parameters(run_trial, errand=errand, shared=shared)
    bundle = {"CPU": config.num_cpus} | ({"GPU": config.num_gpus} if config.num_gpus else {})
    clear(records)
    with _quiet(config.concurrent):
        tune.run(
            tune.with_resources(function, tune.PlacementGroupFactory([bundle])),
            name="runs",
            storage_path=str(records),
            num_samples=_ENDLESS,  # the searcher says when it is finished
            search_alg=LedgerSearcher(ledger),
            scheduler=_scheduler(config, errand.goals[0]),
            callbacks=[follower],
            max_failures=config.retries,
            reuse_actors=True,  # a fresh process per trial would import torch each time
            raise_on_failed_trial=False,
            trial_name_creator=_name,
            trial_dirname_creator=lambda trial: f"{_name(trial)}-{trial.trial_id}",
            verbose=0,
        )
    clear(records)


def _name(trial: Any) -> str:
    return str(trial.config["name"])


def _scheduler(config: SearchConfig, goal: Goal) -> Any:
    """Return Tune's scheduler, which judges by the first goal as reported; counted in reports."""
    from ray.tune.schedulers import AsyncHyperBandScheduler, FIFOScheduler, MedianStoppingRule

    by = {"time_attr": "training_iteration", "metric": LEADING, "mode": goal.mode, "grace_period": config.grace}
    if config.scheduler == "asha":
        return AsyncHyperBandScheduler(**by, max_t=_MOST_REPORTS)
    if config.scheduler == "median":
        return MedianStoppingRule(**by)
    return FIFOScheduler()


def _in_thread(body: Any, follower: Follower) -> None:
    """Run Ray Tune beside the main thread, which stays free for signals: Tune would take Ctrl-C for itself."""
    raised: list[BaseException] = []

    def target() -> None:
        try:
            body()
        except HaltError:
            pass
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=target, name="greycard-tune", daemon=True)
    thread.start()
    try:
        while thread.is_alive():
            thread.join(1.0)
    except BaseException:
        follower.halt.set()
        with deaf():
            thread.join(60.0)
        raise
    if raised:
        raise raised[0]


@contextlib.contextmanager
def _quiet(concurrent: int) -> Iterator[None]:
    """Set up Tune through its environment for the block, and keep its log to itself."""
    wanted = {**_TUNE, "TUNE_MAX_PENDING_TRIALS_PG": str(concurrent)}
    before = {name: os.environ.get(name) for name in wanted}
    levels = {name: logging.getLogger(name).level for name in _LOGGERS}
    os.environ.update(wanted)
    for name in _LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
