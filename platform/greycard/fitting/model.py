"""Train one model from its config to its saved weights: what `jobs.train` runs on a Ray worker.

A model's directory, on a file system that driver and workers share, holds:

    checkpoint.pt   the training state, until the model is finished
    progress.json   the metrics of each epoch so far
    weights/        weights.pt and model.json, when finished
    example.npz     a few images and what the model makes of them, for the signature
    outcome.json    what came of it; its presence says that the model is finished
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from greycard.classifiers import AttributeClassifier, PredictorConfig
from greycard.codecs.learned import LearnedCodecConfig
from greycard.config import to_dict
from greycard.datasets.loading import load_images
from greycard.fitting.task import EXAMPLE, NUM_EXAMPLES, WEIGHTS, Outcome, Task, read_finished, write_outcome
from greycard.layers.weights import MODEL, fingerprint, load_weights, read_description, save_weights
from greycard.training.data import TrainingData
from greycard.training.loop import FitResult, LoopConfig, fit
from greycard.training.objectives.contract import Objective
from greycard.training.progress import PROGRESS, Progress, report_epochs
from greycard.training.session import Report, Session
from greycard.training.workers import ALONE, Workers

SPLITS: Final = ("train", "val")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelTask(Task):
    """A codec, classifier or predictor to train epoch by epoch, fully resolved.

    Attributes:
        model: the config of its network.
        objective: what it minimises.
        loop: how.
        start: directory of the weights that it starts from; "" starts from its initial weights.
    """

    model: LearnedCodecConfig | PredictorConfig
    objective: Objective
    loop: LoopConfig

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
    def fingerprints(self) -> dict[str, str]:
        """That of the weights that it starts from, where it starts from some and they are there."""
        there = self.start and (Path(self.start) / MODEL).exists()
        found = read_description(self.start).get("fingerprint", "") if there else ""
        return {"start_weights": str(found)} if found else {}

    @property
    def rounds(self) -> int:
        """How often it reports at most: its epochs."""
        return self.loop.epochs

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
        key = self.identity | {"start_weights": ""} | self.fingerprints
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
    state = task.model.export(network) if isinstance(task.model, LearnedCodecConfig) else network.state_dict()
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
