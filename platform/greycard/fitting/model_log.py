"""What MLflow keeps of a trained model: a child run with its curves, and the model in the registry."""

import contextlib
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from greycard.fitting.kinds.contract import Planned
from greycard.fitting.task import Outcome, read_example
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
        child.log_metrics(task.summary(outcome))
        for folder in task.artifacts:
            child.log_artifact(Path(task.directory) / folder, folder)
        child.set_tags({"stopped": outcome.stopped, "concerns": "; ".join(outcome.concerns)})
        registered = f"{self._registry}-{task.name.replace('@', '-')}"
        example_input, example_output = read_example(task.directory)
        uri = child.log_model(
            outcome.weights,
            name=task.name.replace("@", "-").replace(".", "_"),
            registered_name=registered,
            example_input=example_input,
            example_output=example_output,
            params=task.params(),
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
            child = self._run.child(task.name, name=task.name, params=task.params(), tags={"shards": task.shards})
            self._child = self._stack.enter_context(child)
        return self._child
