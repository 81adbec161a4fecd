"""Carry out a plan of training: Ray tasks started as their predecessors finish, followed and logged by the driver."""

from collections.abc import Mapping
from typing import Any

import ray
from ray.exceptions import RayTaskError
from tqdm import tqdm

from greycard.fitting.distributed import Processes, train_distributed
from greycard.fitting.generator import GeneratorTask, read_result, train_generator
from greycard.fitting.model import ModelTask, Outcome, read_outcome, train_model
from greycard.fitting.model_log import ModelLog, TrainedModel
from greycard.fitting.plan import Planned, TrainJob
from greycard.tracking import Run

POLL_SECONDS = 0.5


class TrainError(RuntimeError):
    """Some models could not be trained; lists each with its reason."""


def outcome_of(task: ModelTask | GeneratorTask) -> Outcome | None:
    """Return the outcome of a finished model, None while it is not finished.

    Raises:
        CheckpointError: its directory holds another model.
    """
    return read_result(task) if isinstance(task, GeneratorTask) else read_outcome(task)


def rounds_of(task: ModelTask | GeneratorTask) -> int:
    """Return how often a model reports at most: a classifier's or codec's epochs, a generator's ticks."""
    if not isinstance(task, GeneratorTask):
        return task.loop.epochs
    shown = task.training.steps * task.training.batch
    return max(1, -(-shown // task.training.report_images))


class Driver:
    """Starts tasks as their predecessors finish, follows their metrics and logs them."""

    def __init__(self, job: TrainJob, run: Run, planned: Mapping[str, Planned], unfinished: set[str]) -> None:
        self.job, self.run, self.planned = job, run, planned
        self.waiting = [name for name in planned if name in unfinished]
        self.running: dict[Any, str] = {}
        self.logs = {name: ModelLog(run, planned[name], job.registry) for name in planned}
        self.trained: dict[str, TrainedModel] = {}
        self.failures: dict[str, Exception] = {}

    def run_all(self) -> dict[str, TrainedModel]:
        """Train what is unfinished and log everything."""
        epochs = sum(rounds_of(item.task) for item in self.planned.values())
        with tqdm(total=epochs, unit="epoch", desc="training", disable=not self.job.session.show_progress) as bar:
            try:
                for name in self.planned:
                    if name not in self.waiting:
                        self._finish(name)
                self._show(bar)
                while self.waiting or self.running:
                    self._start()
                    self._collect()
                    self._show(bar)
            except BaseException as error:
                self._abandon(error)
                raise
            bar.update(epochs - bar.n)
        if self.failures:
            reasons = "; ".join(f"{name}: {error}" for name, error in self.failures.items())
            raise TrainError(f"{len(self.failures)} of {len(self.planned)} models could not be trained: {reasons}")
        return {name: self.trained[name] for name in self.planned}

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
        work: Any = train_generator if isinstance(item.task, GeneratorTask) else train_model
        remote = ray.remote(work).options(num_cpus=workers.num_cpus, num_gpus=workers.num_gpus, **options)
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
        outcome = outcome_of(self.planned[name].task)
        assert outcome is not None, f"{name} ended without an outcome"
        self.trained[name] = self.logs[name].finish(outcome)
        tqdm.write(f"trained {name}: {self.trained[name].uri}")

    def _show(self, bar: Any) -> None:
        epochs = sum(
            rounds_of(self.planned[name].task) if name in self.trained or name in self.failures else log.epochs
            for name, log in self.logs.items()
        )
        bar.update(epochs - bar.n)
        bar.set_postfix_str(", ".join(self.running.values()))

    def _abandon(self, error: BaseException) -> None:
        for reference, name in self.running.items():
            ray.cancel(reference, force=True)
            self.logs[name].close(error)
