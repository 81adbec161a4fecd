"""Carry out a plan of training: Ray tasks started as their predecessors finish, followed and logged by the driver."""

from collections.abc import Mapping
from typing import Any

import ray
from ray.exceptions import RayTaskError

from greycard.fitting.distributed import Processes, train_distributed
from greycard.fitting.kinds.contract import Planned
from greycard.fitting.model_log import ModelLog, TrainedModel
from greycard.fitting.plan import TrainJob, unfinished
from greycard.fitting.task import Outcome, Task
from greycard.progress import Meter, meter, say
from greycard.streaming.cluster import Demand, require
from greycard.tracking import Run
from greycard.training.progress import read_epochs

POLL_SECONDS = 0.5


class TrainError(RuntimeError):
    """Some models could not be trained; lists each with its reason.

    Attributes:
        failures: model -> why it could not be trained.
    """

    def __init__(self, message: str, failures: Mapping[str, Exception] | None = None) -> None:
        super().__init__(message)
        self.failures = dict(failures or {})


def train_planned(job: TrainJob, run: Run, planned: Mapping[str, Planned]) -> dict[str, TrainedModel]:
    """Train what is unfinished of a plan, and log all of it as children of a run; return model name -> model.

    Args:
        job: the job, for its workers and its registry; Ray must be running where something is unfinished.
        run: the parent.
        planned: model name -> what to train.

    Raises:
        TrainError: some models failed; the others are finished and logged.
        RayError: there is no node for a task.
    """
    driver, workers = Driver(job, run, planned), job.workers
    if driver.waiting:
        count = workers.processes
        demand = Demand(count=count, num_cpus=workers.num_cpus, num_gpus=workers.num_gpus, spare_cpus=0.0)
        require(demand, job.session, "training a model")
    return driver.run_all()


class Driver:
    """Starts tasks as their predecessors finish, follows their metrics and logs them."""

    def __init__(self, job: TrainJob, run: Run, planned: Mapping[str, Planned]) -> None:
        self.job, self.run, self.planned = job, run, planned
        self.waiting = unfinished(planned)
        self.running: dict[Any, str] = {}
        self.before = {name: len(read_epochs(item.task.directory)) for name, item in planned.items()}
        self.logs = {name: ModelLog(run, planned[name], job.registry) for name in planned}
        self.trained: dict[str, TrainedModel] = {}
        self.failures: dict[str, Exception] = {}

    def run_all(self) -> dict[str, TrainedModel]:
        """Train what is unfinished and log everything."""
        epochs = sum(item.task.rounds for item in self.planned.values())
        try:
            for name in self.planned:
                if name not in self.waiting:
                    self._finish(name)
            show, done = self.job.session.show_progress, self._done
            with meter("training", epochs, "epoch", done=done, show=show) as shown:
                self._train(shown)
                shown.reach(epochs, "")
        except BaseException as error:
            self._abandon(error)
            raise
        if self.failures:
            reasons = "; ".join(f"{name}: {error}" for name, error in self.failures.items())
            message = f"{len(self.failures)} of {len(self.planned)} models could not be trained: {reasons}"
            raise TrainError(message, self.failures)
        return {name: self.trained[name] for name in self.planned}

    def _train(self, shown: Meter) -> None:
        while self.waiting or self.running:
            self._start()
            self._collect()
            shown.reach(self._done, ", ".join(self.running.values()))

    @property
    def _done(self) -> int:
        """Epochs that are over; all of a model that needed fewer, or failed."""
        over = self.trained.keys() | self.failures.keys()
        return sum(
            item.task.rounds if name in over else max(self.before[name], self.logs[name].epochs)
            for name, item in self.planned.items()
        )

    def _start(self) -> None:
        """Start what can be started; give up what waits for a model that failed."""
        for name in list(self.waiting):
            item = self.planned[name]
            if item.after in self.failures:
                self.waiting.remove(name)
                self.failures[name] = TrainError(f"{item.after}, from which it starts, could not be trained")
            elif self.job.workers.at_once and len(self.running) >= self.job.workers.at_once:
                return
            elif not item.after or item.after in self.trained:
                self.waiting.remove(name)
                self.running[self._submit(item)] = name

    def _submit(self, item: Planned) -> Any:
        workers = self.job.workers
        options = {
            "name": f"train {item.task.name}",
            "max_retries": workers.max_retries,
            "retry_exceptions": False,  # a diverged loss diverges again; only dead workers are replaced
        }
        if workers.processes > 1:
            processes = Processes(
                count=workers.processes,
                num_cpus=workers.num_cpus,
                num_gpus=workers.num_gpus,
                max_retries=workers.max_retries,
            )
            return ray.remote(train_distributed).options(num_cpus=0, **options).remote(item.task, processes)
        remote = ray.remote(_train).options(num_cpus=workers.num_cpus, num_gpus=workers.num_gpus, **options)
        return remote.remote(item.task)

    def _collect(self) -> None:
        """Wait a moment, log what is new, and take up what has finished."""
        if not self.running:
            return
        done, _ = ray.wait(list(self.running), num_returns=1, timeout=POLL_SECONDS)
        for name in self.running.values():
            self.logs[name].follow()
        for reference in done:
            name = self.running.pop(reference)
            try:
                ray.get(reference)
            except ray.exceptions.RayError as error:
                cause = error.cause if isinstance(error, RayTaskError) else error
                self.failures[name] = cause
                self.logs[name].close(cause)
            else:
                self._finish(name)

    def _finish(self, name: str) -> None:
        outcome = self.planned[name].task.outcome()
        assert outcome is not None, f"{name} ended without an outcome"
        self.trained[name] = self.logs[name].finish(outcome)
        say(f"trained {name}: {self.trained[name].uri}")

    def _abandon(self, error: BaseException) -> None:
        for reference, name in self.running.items():
            ray.cancel(reference, force=True)
            self.logs[name].close(error)


def _train(task: Task) -> Outcome:
    """Train a model: the work of a Ray task."""
    return task.train()
