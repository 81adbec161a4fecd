"""What MLflow keeps of a trained model: a child run with its curves, and the model in the registry."""

import contextlib
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from greycard.config import to_dict
from greycard.fitting.generator import DISCRIMINATOR, GeneratorTask
from greycard.fitting.model import ModelTask, Outcome, read_example
from greycard.fitting.plan import Planned
from greycard.tracking import Run
from greycard.training.progress import read_epochs
from greycard.training.stylegan2.samples import FOLDER, SHEETS


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
