"""What a kind of training says of itself: its models, and the tasks that a job carries out to train them."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

from greycard.classifiers import PredictorConfig
from greycard.codecs.learned import LearnedCodecConfig
from greycard.datasets.manifest import Manifest
from greycard.fitting.model import ModelTask
from greycard.fitting.task import WEIGHTS, Task
from greycard.training.loop import LoopConfig
from greycard.training.objectives.contract import Objective

C = TypeVar("C")


@dataclass(frozen=True, slots=True)
class Planned:
    """A model to train, and the model of the same job that must be finished first ("" if none)."""

    task: Task
    after: str

    def renamed(self, name: str) -> "Planned":
        """Return the same model under another name, in a folder beside its own."""
        directory = str(Path(self.task.directory).with_name(name))
        return replace(self, task=replace(self.task, name=name, directory=directory))


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What a job gives to one of its trainings.

    Attributes:
        manifest: URI -> manifest; each is read once.
        shards: URI of the images, the job's where the training names none.
        size: height and width at which the job uses images.
        models: the folder of the job's models.
        planned: names of the models that the job trains before.
        threads: torch threads of each model.
    """

    manifest: Callable[[str], Manifest]
    shards: str
    size: int
    models: Path
    planned: Collection[str]
    threads: int

    def plan_model(
        self,
        name: str,
        model: LearnedCodecConfig | PredictorConfig,
        objective: Objective,
        loop: LoopConfig,
        after: str = "",
    ) -> Planned:
        """Return a model that is trained epoch by epoch, from the weights of another of the job where one is named."""
        task = ModelTask(
            name=name,
            model=model,
            objective=objective,
            loop=loop,
            shards=self.shards,
            shards_digest=self.manifest(self.shards).digest,
            size=self.size,
            directory=str(self.models / name),
            start=str(self.models / after / WEIGHTS) if after else "",
            threads=self.threads,
        )
        return Planned(task, after)


class TrainingKind(ABC, Generic[C]):
    """A kind of training: a frozen config with ``kind``, and what it comes to.

    Attributes:
        name: of the set of models, unique within the job.
        shards: URI of the images; "" takes the job's.
        several_processes: whether several processes may train one of its models; not where training draws noise.
    """

    __slots__ = ()
    name: str
    shards: str
    several_processes = False  # without an annotation: of the kind, no field

    @abstractmethod
    def models(self) -> dict[str, C]:
        """Return model name -> its config without weights, each after the one that it starts from."""

    @abstractmethod
    def tasks(self, site: Site) -> list[Planned]:
        """Return what is trained, each after the model that it starts from.

        Raises:
            ManifestError: shards are not there, or lack an attribute or class.
            WeightsError: what a model starts from is not there, or is of another network.
            ValueError: something else does not fit the images.
        """

    def trained(self, weights: Callable[[str], str]) -> dict[str, C]:
        """Return name -> config with weights, of each model, or of the models that are used as one.

        Args:
            weights: model name -> the directory of its weights.
        """
        return {
            name: cast(C, replace(cast(Any, config), weights=weights(name))) for name, config in self.models().items()
        }

    def empty_cells(self, manifest: Manifest) -> dict[str, str]:
        """Return split -> which (label, group) cells that matter have no rows; "" where all have."""
        return {}


def check_seeds(seeds: tuple[int, ...]) -> None:
    """Check the seeds of a set of models.

    Raises:
        ValueError: there is none, or one stands twice.
    """
    if not seeds or len(set(seeds)) < len(seeds):
        raise ValueError(f"seeds must differ, at least one, got {seeds}")
