"""What a job knows of a model that it trains: a task, its outcome, and the files that say that it is finished."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from greycard.training.checkpoints import CheckpointError
from greycard.training.progress import read_json, write_json
from greycard.training.session import CHECKPOINT

OUTCOME: Final = "outcome.json"
EXAMPLE: Final = "example.npz"
WEIGHTS: Final = "weights"
NUM_EXAMPLES: Final = 4


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
class Task(ABC):
    """One model to train, fully resolved; it travels to a Ray worker.

    Attributes:
        name: of the model within its job.
        shards: URI of its images.
        shards_digest: of their content.
        size: height and width at which images are used.
        directory: where the model's files go.
        start: what it starts from; "" starts from initial weights.
        threads: torch threads.
    """

    name: str
    shards: str
    shards_digest: str
    size: int
    directory: str
    start: str = ""
    threads: int = 1

    @property
    @abstractmethod
    def identity(self) -> dict[str, str]:
        """What decides the result; a finished model is used again only if all of it is the same."""

    @property
    @abstractmethod
    def fingerprints(self) -> dict[str, str]:
        """Those of the weights that decide the result too, where they are there to be read."""

    @property
    @abstractmethod
    def rounds(self) -> int:
        """How often it reports at most: epochs, or ticks."""

    @property
    def images(self) -> tuple[str, ...]:
        """URIs of all the shards that it is trained on."""
        return (self.shards,)

    @property
    def artifacts(self) -> tuple[str, ...]:
        """Folders of its directory that are kept beside the weights."""
        return ()

    @abstractmethod
    def train(self) -> Outcome:
        """Train the model, or resume it where it stopped, or return it as it is if it is finished."""

    def outcome(self) -> Outcome | None:
        """Return the outcome of the finished model, None while it is not finished.

        Raises:
            CheckpointError: the directory holds a model of another config or other data.
        """
        return read_finished(self.directory, self.identity | self.fingerprints)

    @abstractmethod
    def params(self) -> dict[str, Any]:
        """Return what its run is described by."""

    @abstractmethod
    def summary(self, outcome: Outcome) -> dict[str, float]:
        """Return the metrics of its run that say what came of it."""


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
