"""Train one model from its config to its saved weights: what `jobs.train` runs on a Ray worker.

A model's directory, on a file system that driver and workers share, holds:

    checkpoint.pt   the training state, until the model is finished
    progress.json   the metrics of each epoch so far
    weights/        weights.pt and model.json, when finished
    example.npz     a few images and what the model makes of them, for the signature
    outcome.json    what came of it; its presence says that the model is finished
"""

import json
import os
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from greycard.classifiers import ResNetConfig
from greycard.classifiers.phenotype import PhenotypeClassifier
from greycard.codecs.neural import NeuralConfig
from greycard.datasets.shards import load_images
from greycard.layers.weights import MODEL, load_weights, read_description, save_weights
from greycard.training.checkpoints import CheckpointError
from greycard.training.loop import CHECKPOINT, FitResult, LoopConfig, fit
from greycard.training.objectives import CrossEntropy, RateDistortion

PROGRESS: Final = "progress.json"
OUTCOME: Final = "outcome.json"
EXAMPLE: Final = "example.npz"
WEIGHTS: Final = "weights"
NUM_EXAMPLES: Final = 4


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
    model: NeuralConfig | ResNetConfig
    objective: RateDistortion | CrossEntropy
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
    def start_weights(self) -> str:
        """The fingerprint of the weights that it starts from; "" where it starts from none, or they are not there."""
        if not self.start or not (Path(self.start) / MODEL).exists():
            return ""
        return str(read_description(self.start).get("fingerprint", ""))


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


def train_model(task: ModelTask) -> Outcome:
    """Train a model, or go on with it where it was left, or return it as it is if it is finished.

    Raises:
        CheckpointError: the directory holds another model.
        DivergedError: the loss became NaN or infinite.
        ManifestError: the shards are not there.
    """
    directory = Path(task.directory)
    finished = read_outcome(task)
    if finished:
        return finished
    directory.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(task.threads)
    train = load_images(task.shards, "train", size=task.size, attributes=_tasks(task))
    val = load_images(task.shards, "val", size=task.size, attributes=_tasks(task))
    network = _network(task)
    progress = Progress(directory / PROGRESS)
    key = task.identity | {"start_weights": task.start_weights}
    result = fit(network, task.objective, train, val, task.loop, directory=directory, key=key, report=progress)
    weights = _save(task, network)
    _save_example(task, network, weights, val.images[:NUM_EXAMPLES])
    outcome = _outcome(result, weights)
    write_json(directory / OUTCOME, {"identity": key, "outcome": asdict(outcome)})
    (directory / CHECKPOINT).unlink(missing_ok=True)
    return outcome


def read_outcome(task: ModelTask) -> Outcome | None:
    """Return the outcome of a finished model, None while it is not finished.

    Raises:
        CheckpointError: the directory holds a model of another config or other data.
    """
    saved = read_json(Path(task.directory) / OUTCOME)
    if not saved:
        return None
    wanted = task.identity
    if task.start_weights and "start_weights" in saved["identity"]:
        wanted["start_weights"] = task.start_weights
    different = [name for name, value in wanted.items() if saved["identity"].get(name) != value]
    if different:
        raise CheckpointError(
            f"{task.directory} holds another model: its {', '.join(different)} differ from this job's; "
            "set directory to a new one, or remove it"
        )
    return Outcome(**{**saved["outcome"], "concerns": tuple(saved["outcome"]["concerns"])})


class Progress:
    """Writes each epoch's metrics to a file that the driver follows; repeated epochs change nothing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._epochs: dict[int, Mapping[str, float]] = {}

    def __call__(self, metrics: Mapping[str, float], epoch: int) -> None:
        """Take an epoch's metrics; epochs count from 1."""
        self._epochs[epoch] = metrics
        write_json(
            self._path, {"host": socket.gethostname(), "pid": os.getpid(), "epochs": list(self._epochs.values())}
        )


def read_epochs(directory: str) -> list[dict[str, float]]:
    """Return the metrics of the epochs so far."""
    epochs: list[dict[str, float]] = read_json(Path(directory) / PROGRESS).get("epochs", [])
    return epochs


def read_example(directory: str) -> tuple[NDArray[Any], NDArray[Any] | dict[str, NDArray[Any]]]:
    """Return a finished model's example: its input images and what it makes of them."""
    with np.load(Path(directory) / EXAMPLE, allow_pickle=False) as arrays:
        outputs = {name.removeprefix("output/"): arrays[name] for name in arrays.files if name != "input"}
        return arrays["input"], outputs[""] if set(outputs) == {""} else outputs


def read_json(path: Path) -> dict[str, Any]:
    """Return a JSON object, empty where there is no file."""
    try:
        content: dict[str, Any] = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    return content


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON object, whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(json.dumps(content, indent=1))
    temporary.replace(path)


def _tasks(task: ModelTask) -> tuple[str, ...]:
    return task.model.tasks if isinstance(task.model, ResNetConfig) else ()


def _network(task: ModelTask) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(task.loop.seed)
        network = task.model.network()
    if task.start:
        network.load_state_dict(load_weights(task.start, task.model.description()))
    return network


def _save(task: ModelTask, network: nn.Module) -> Path:
    description = task.model.description() | {"trained_on": task.shards_digest}
    if isinstance(task.objective, RateDistortion):
        description["lambda"] = task.objective.lam
    state = task.model.export(network) if isinstance(task.model, NeuralConfig) else network.state_dict()
    return save_weights(Path(task.directory) / WEIGHTS, state, description)


@torch.inference_mode()
def _save_example(task: ModelTask, network: nn.Module, weights: Path, images: Tensor) -> None:
    """Save what the model makes of images as it will be used: a codec's pixels are those that it decodes."""
    if isinstance(task.model, ResNetConfig):
        classifier = PhenotypeClassifier(task.model.tasks, network, compute_batch=len(images))
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
