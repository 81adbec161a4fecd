"""Carry out a plan of training: Ray tasks started as their predecessors finish, followed and logged by the driver."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import ray
from ray.exceptions import RayTaskError
from tqdm import tqdm

from greycard.config import to_dict
from greycard.fitting.distributed import Processes, train_distributed
from greycard.fitting.generator import DISCRIMINATOR, GeneratorTask, read_result, train_generator
from greycard.fitting.model import ModelTask, Outcome, read_example, read_outcome, train_model
from greycard.tracking import Run
from greycard.training.progress import read_epochs
from greycard.training.stylegan2.samples import FOLDER, SHEETS
from jobs.train_plan import Planned, TrainJob

POLL_SECONDS = 0.5


class TrainError(RuntimeError):
    """Some models could not be trained; lists each with its reason."""


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A trained model.

    Attributes:
        weights: directory of its weights.
        uri: ``models:/name/version`` in the registry.
        metrics: validation means.
    """

    weights: str
    uri: str
    metrics: dict[str, float]


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


class ModelLog:
    """A model's child run: opened with its first epoch, closed when it is finished or fails."""

    def __init__(self, run: Run, item: Planned, registry: str) -> None:
        self._run, self._item, self._registry = run, item, registry
        self._stack: contextlib.ExitStack | None = None
        self._child: Run | None = None
        self._sheets: set[str] = set()
        self.epochs = 0

    def follow(self) -> None:
        """Log the epochs, and a generator's sheets of samples, that are new."""
        for metrics in read_epochs(self._item.task.directory)[self.epochs :]:
            self.epochs += 1
            self._open().log_metrics(metrics, step=metrics.get("images", self.epochs))
        self._log_sheets()

    def finish(self, outcome: Outcome) -> TrainedModel:
        """Log the rest, the result and the model, and close the run."""
        self.follow()
        task, child = self._item.task, self._open()
        child.log_metrics(_summary(task, outcome))
        if isinstance(task, GeneratorTask):
            child.log_artifact(Path(task.directory) / DISCRIMINATOR, DISCRIMINATOR)
        child.set_tags({"stopped": outcome.stopped, "concerns": "; ".join(outcome.concerns)})
        registered = f"{self._registry}-{task.name.replace('@', '-')}"
        example_input, example_output = read_example(task.directory)
        uri = child.log_model(
            outcome.weights,
            name=task.name.replace("@", "-").replace(".", "_"),
            registered_name=registered,
            example_input=example_input,
            example_output=example_output,
            params=_params(task),
            tags={"shards": task.shards, "shards_digest": task.shards_digest},
        )
        child.set_tags({"model": uri})
        self.close(None)
        return TrainedModel(weights=outcome.weights, uri=uri, metrics=outcome.metrics)

    def close(self, error: BaseException | None) -> None:
        """Close the run, with the error that ended it."""
        if error is not None:
            self._open()
            self._log_sheets()
        if self._stack is not None:
            stack, self._stack, self._child = self._stack, None, None
            traceback: TracebackType | None = error.__traceback__ if error else None
            try:
                stack.__exit__(type(error) if error else None, error, traceback)
            except BaseException as raised:
                if raised is not error:  # the child's own context lets it through
                    raise

    def _log_sheets(self) -> None:
        """Log the sheets of samples that are new; only generators leave some."""
        for path in sorted((Path(self._item.task.directory) / FOLDER).glob(SHEETS)):
            if path.name not in self._sheets:
                self._sheets.add(path.name)
                self._open().log_artifact(path, FOLDER)

    def _open(self) -> Run:
        if self._child is None:
            self._stack = contextlib.ExitStack()
            task = self._item.task
            child = self._run.child(task.name, name=task.name, params=_params(task), tags={"shards": task.shards})
            self._child = self._stack.enter_context(child)
        return self._child


def _summary(task: ModelTask | GeneratorTask, outcome: Outcome) -> dict[str, float]:
    if isinstance(task, GeneratorTask):
        last = {f"last/{name}": value for name, value in outcome.metrics.items()}
        return last | {"ticks": outcome.epochs, "steps": outcome.steps}
    best = {f"best/{name}": value for name, value in outcome.metrics.items()}
    return best | {"best/epoch": outcome.best_epoch, "epochs": outcome.epochs, "steps": outcome.steps}


def _params(task: ModelTask | GeneratorTask) -> dict[str, Any]:
    if isinstance(task, GeneratorTask):
        return _generator_params(task)
    model = task.model.description()
    fields = to_dict(task.objective)
    fair = fields.pop("fair", None) or {}
    fields |= {f"fair.{name}": value for name, value in fair.items()}
    objective = {f"objective.{name}": value for name, value in fields.items()}
    loop = {f"loop.{name}": value for name, value in to_dict(task.loop).items()}
    return {**model, **objective, **loop, "shards_digest": task.shards_digest, "size": task.size}


def _generator_params(task: GeneratorTask) -> dict[str, Any]:
    training = to_dict(task.training)
    shares = training.pop("shares") or {}
    return {
        **task.model.description(),
        "architecture": task.model.architecture,
        **{f"training.{name}": value for name, value in training.items()},
        **{f"shares.{name}": value for name, value in shares.items()},
        "judge": task.judge.weights if task.judge else "",
        "task": task.attribute,
        "class_shares": list(task.shares),
        "extra_digest": task.extra_digest,
        "extra_share": task.extra_share if task.extra else 0.0,
        "start": task.start,
        "shards_digest": task.shards_digest,
        "size": task.size,
    }
