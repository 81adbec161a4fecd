"""Classifiers of several tasks, each trained with several seeds."""

from dataclasses import dataclass, replace
from typing import Literal

from greycard.classifiers import ClassifierConfig
from greycard.fitting.kinds.predictors import Weighting
from greycard.training.loop import LoopConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassifierTraining:
    """Classifiers of several tasks, each trained with several seeds.

    Attributes:
        name: of the set, unique within the job.
        classifier: the classifier; its ``tasks`` are what is trained, its ``seed`` and ``weights`` are ignored.
        seeds: a model each, with these initial weights and orders of the images.
        a_model: ``task`` trains a model a task and seed, ``all`` one with all tasks a seed.
        loop: how each is trained.
        label_smoothing: of the cross-entropy.
        class_weighting: of the cross-entropy, from the training split's counts by class index; "none" weighs all alike.
        beta: of "effective" numbers, in [0, 1).
        shards: URI of the images; "" takes the job's.
    """

    kind: Literal["classifier"] = "classifier"
    name: str
    classifier: ClassifierConfig
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    a_model: Literal["task", "all"] = "task"
    loop: LoopConfig
    label_smoothing: float = 0.0
    class_weighting: Weighting = "none"
    beta: float = 0.9998
    shards: str = ""

    def __post_init__(self) -> None:
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds must differ, at least one, got {self.seeds}")

    def models(self) -> dict[str, ClassifierConfig]:
        """Return model name -> its config, seed by seed."""
        tasks = self.classifier.tasks
        groups = {f"-{task}": (task,) for task in tasks} if self.a_model == "task" else {"": tasks}
        return {
            f"{self.name}{label}-seed{seed}": replace(self.classifier, tasks=group, seed=seed, weights="")
            for seed in self.seeds
            for label, group in groups.items()
        }
