"""Train one model from its config to its saved weights: what `jobs.train` runs on a Ray worker.

A model's directory, on a file system that driver and workers share, holds:

    checkpoint.pt   the training state, until the model is finished
    progress.json   the metrics of each epoch so far
    weights/        weights.pt and model.json, when finished
    example.npz     a few images and what the model makes of them, for the signature
    outcome.json    what came of it; its presence says that the model is finished
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from greycard.classifiers import AttributeClassifier, PredictorConfig
from greycard.codecs.neural import NeuralConfig
from greycard.config import to_dict
from greycard.datasets.loading import load_images
from greycard.layers.weights import MODEL, fingerprint, load_weights, read_description, save_weights
from greycard.training.checkpoints import CheckpointError
from greycard.training.data import TrainingData
from greycard.training.loop import FitResult, LoopConfig, fit
from greycard.training.objectives.contract import Objective
from greycard.training.progress import PROGRESS, Progress, read_json, report_epochs, write_json
from greycard.training.session import CHECKPOINT, Report, Session
from greycard.training.workers import ALONE, Workers

OUTCOME: Final = "outcome.json"
EXAMPLE: Final = "example.npz"
WEIGHTS: Final = "weights"
NUM_EXAMPLES: Final = 4
SPLITS: Final = ("train", "val")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a model.

    Attributes:
        weights: directory of its weights.
        epochs: epochs trained.
        best_epoch: 1-based epoch whose weights were kept.
        steps: optimiser steps.
        stopped: ``epochs`` or ``patience``.
        metrics: validation means of the kept epoch.
        concerns: warnings, such as a collapse.
    """

    weights: str
    epochs: int
    best_epoch: int
    steps: int
    stopped: str
    metrics: dict[str, float]
    concerns: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelTask:
    """One model to train, fully resolved.

    Attributes:
        name: of the model within its job.
        model: the config of its network.
        objective: what it minimises.
        loop: how.
        shards: URI of its images.
        shards_digest: of their content.
        size: height and width at which images are used.
        directory: where the model's files go.
        start: directory of the weights that it starts from; "" starts from its initial weights.
        threads: torch threads.
    """

    name: str
    model: NeuralConfig | PredictorConfig
    objective: Objective
    loop: LoopConfig
    shards: str
    shards_digest: str
    size: int
    directory: str
    start: str = ""
    threads: int = 1

    @property
    def identity(self) -> dict[str, str]:
        """What decides the result; a finished model is used again only if all of it is the same."""
        return {
            "model": f"{self.model.description()}",
            "seed": f"{self.loop.seed}",
            "pretrained": getattr(self.model, "pretrained", ""),
            "objective": repr(self.objective),
            "loop": repr(self.loop),
            "shards": self.shards_digest,
            "size": f"{self.size}",
            "start": Path(self.start).parent.name,
        }

    @property
    def attributes(self) -> tuple[str, ...]:
        """The labels that training reads: of the tasks, the sensitive attributes and the strata of batches."""
        tasks = self.model.tasks if isinstance(self.model, PredictorConfig) else ()
        return tuple(dict.fromkeys([*tasks, *self.objective.labels, *self.loop.stratify]))

    @property
    def start_weights(self) -> str:
        """The fingerprint of the weights that it starts from; "" where it starts from none, or they are not there."""
        if not self.start or not (Path(self.start) / MODEL).exists():
            return ""
        return str(read_description(self.start).get("fingerprint", ""))

    @property
    def images(self) -> tuple[str, ...]:
        """URIs of the shards that it is trained on."""
        return (self.shards,)

    @property
    def rounds(self) -> int:
        """How often it reports at most: its epochs."""
        return self.loop.epochs

    @property
    def artifacts(self) -> tuple[str, ...]:
        """Folders of its directory that are kept beside the weights."""
        return ()

    def train(
        self, data: TrainingData | None = None, report: Report | None = None, *, workers: Workers = ALONE
    ) -> Outcome:
        """Train the model, or resume it where it stopped, or return it as it is if it is finished.

        Args:
            data: what to train from, with the weights that it starts from; None reads it.
            report: called with each epoch's metrics and its 1-based number, after it is saved; a run that is resumed
                first reports the epochs already done. What it raises ends the training, which can be resumed.
            workers: the processes that train together, each calling this with the same arguments; the first one
                writes and reports.

        Raises:
            CheckpointError: the directory holds another model.
            DivergedError: the loss became NaN or infinite.
            ManifestError: the shards are not there.
        """
        directory = Path(self.directory)
        key = self.identity | {"start_weights": self.start_weights}
        if data is not None and data.start is not None:
            key["start_weights"] = fingerprint(data.start)
        finished = read_finished(self.directory, key)
        if finished:
            report_epochs(self.directory, report)
            return finished
        directory.mkdir(parents=True, exist_ok=True)
        torch.set_num_threads(self.threads)
        data = data or read_data(self)
        network = _network(self, data.start)
        progress = Progress(directory / PROGRESS, report)
        session = Session(directory=directory, key=key, report=progress if workers.first else None)
        result = fit(network, self.objective, data.train, data.val, self.loop, session, workers=workers)
        if workers.first:
            weights = _save(self, network)
            _save_example(self, network, weights, data.val.images[:NUM_EXAMPLES].clone())
            write_outcome(self.directory, key, _outcome(result, weights))
        workers.wait()
        done = read_finished(self.directory, key)
        assert done is not None, f"{self.name} ended without an outcome"
        return done

    def outcome(self) -> Outcome | None:
        """Return the outcome of the finished model, None while it is not finished.

        Raises:
            CheckpointError: the directory holds a model of another config or other data.
        """
        wanted = self.identity | ({"start_weights": self.start_weights} if self.start_weights else {})
        return read_finished(self.directory, wanted)

    def params(self) -> dict[str, Any]:
        """Return what its run is described by: the fields of network, objective and loop, and the images."""
        fields = to_dict(self.objective)
        fair = fields.pop("fair", None) or {}
        fields |= {f"fair.{name}": value for name, value in fair.items()}
        objective = {f"objective.{name}": value for name, value in fields.items()}
        loop = {f"loop.{name}": value for name, value in to_dict(self.loop).items()}
        return {**self.model.description(), **objective, **loop, "shards_digest": self.shards_digest, "size": self.size}

    def summary(self, outcome: Outcome) -> dict[str, float]:
        """Return the metrics of its run that say what came of it."""
        best = {f"best/{name}": value for name, value in outcome.metrics.items()}
        return best | {"best/epoch": outcome.best_epoch, "epochs": outcome.epochs, "steps": outcome.steps}


def read_data(task: ModelTask) -> TrainingData:
    """Read a task's images and labels.

    Raises:
        ManifestError: the shards are not there, or lack an attribute.
    """
    train, val = (load_images(task.shards, split, size=task.size, attributes=task.attributes) for split in SPLITS)
    return TrainingData(train, val)


def read_finished(directory: str, wanted: Mapping[str, str]) -> Outcome | None:
    """Return the outcome of a finished model of that identity, None while it is not finished.

    Raises:
        CheckpointError: the directory holds a model of another identity.
    """
    saved = read_json(Path(directory) / OUTCOME)
    if not saved:
        return None
    found = {"start_weights": wanted.get("start_weights"), **saved["identity"]}
    different = [name for name, value in wanted.items() if found.get(name) != value]
    if different:
        raise CheckpointError(
            f"{directory} holds another model: its {', '.join(different)} differ from this job's; "
            "set directory to a new one, or remove it"
        )
    return Outcome(**{**saved["outcome"], "concerns": tuple(saved["outcome"]["concerns"])})


def write_outcome(directory: str, identity: Mapping[str, str], outcome: Outcome) -> None:
    """Say that a model is finished, which no longer needs its checkpoint."""
    write_json(Path(directory) / OUTCOME, {"identity": dict(identity), "outcome": asdict(outcome)})
    (Path(directory) / CHECKPOINT).unlink(missing_ok=True)


def read_example(directory: str) -> tuple[NDArray[Any], NDArray[Any] | dict[str, NDArray[Any]]]:
    """Return a finished model's example: its input images and what it makes of them."""
    with np.load(Path(directory) / EXAMPLE, allow_pickle=False) as arrays:
        outputs = {name.removeprefix("output/"): arrays[name] for name in arrays.files if name != "input"}
        return arrays["input"], outputs[""] if set(outputs) == {""} else outputs


def _network(task: ModelTask, start: Mapping[str, Tensor] | None) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(task.loop.seed)
        network: nn.Module = task.model.network()
    if start is not None:
        network.load_state_dict(start)
    elif task.start:
        network.load_state_dict(load_weights(task.start, task.model.description()))
    return network


def _save(task: ModelTask, network: nn.Module) -> Path:
    made = {"trained_on": task.shards_digest}
    description = task.model.description() | made | task.objective.description()
    state = task.model.export(network) if isinstance(task.model, NeuralConfig) else network.state_dict()
    return save_weights(Path(task.directory) / WEIGHTS, state, description)


@torch.inference_mode()
def _save_example(task: ModelTask, network: nn.Module, weights: Path, images: Tensor) -> None:
    """Save what the model makes of images as it will be used: a codec's pixels are those that it decodes."""
    if isinstance(task.model, PredictorConfig):
        classifier = AttributeClassifier(task.model.tasks, network, compute_batch=len(images))
        outputs = {f"output/{name}": codes.numpy() for name, codes in classifier.predict(images).items()}
    else:
        codec = replace(
            task.model, weights=(str(weights),), bitstreams=False, device="cpu", compute_batch=NUM_EXAMPLES
        ).build()
        outputs = {"output/": codec.reconstruct(images, codec.points[0]).images.numpy()}
    np.savez(Path(task.directory) / EXAMPLE, input=images.numpy(), **outputs)


def _outcome(result: FitResult, weights: Path) -> Outcome:
    kept = result.history[result.best_epoch]
    return Outcome(
        weights=str(weights),
        epochs=len(result.history),
        best_epoch=result.best_epoch + 1,
        steps=result.steps,
        stopped=result.stopped,
        metrics={name.removeprefix("val/"): value for name, value in kept.items() if name.startswith("val/")},
        concerns=result.concerns,
    )
