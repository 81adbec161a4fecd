"""Classifiers of several tasks, each trained with several seeds."""

from dataclasses import dataclass, replace
from typing import Literal

from greycard.classifiers import ClassifierConfig
from greycard.fitting.kinds.contract import Planned, Site, TrainingKind, check_seeds
from greycard.fitting.kinds.labels import check_labels, label_weights
from greycard.training.loop import LoopConfig
from greycard.training.objectives.class_weights import Scheme
from greycard.training.objectives.cross_entropy import CrossEntropy


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassifierTraining(TrainingKind[ClassifierConfig]):
    """Classifiers of several tasks, each trained with several seeds.

    Attributes:
        name: of the set, unique within the job.
        classifier: the classifier; its ``tasks`` are what is trained, its ``seed`` and ``weights`` are ignored.
        seeds: a model each, with these initial weights and orders of the images.
        a_model: ``task`` trains a model per task and seed, ``all`` one with all tasks per seed.
        loop: how each is trained.
        label_smoothing: of the cross-entropy.
        class_weighting: of the cross-entropy, from the training split's counts by class index; "none" weighs all the
            same.
        beta: of "effective" numbers, in [0, 1).
        shards: URI of the images; "" takes the job's.
    """

    several_processes = True
    kind: Literal["classifier"] = "classifier"
    name: str
    classifier: ClassifierConfig
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    a_model: Literal["task", "all"] = "task"
    loop: LoopConfig
    label_smoothing: float = 0.0
    class_weighting: Scheme = "none"
    beta: float = 0.9998
    shards: str = ""

    def __post_init__(self) -> None:
        check_seeds(self.seeds)

    def models(self) -> dict[str, ClassifierConfig]:
        """Return model name -> its config, seed by seed."""
        tasks = self.classifier.tasks
        groups = {f"-{task}": (task,) for task in tasks} if self.a_model == "task" else {"": tasks}
        return {
            f"{self.name}{label}-seed{seed}": replace(self.classifier, tasks=group, seed=seed, weights="")
            for seed in self.seeds
            for label, group in groups.items()
        }

    def tasks(self, site: Site) -> list[Planned]:
        """Return what is trained; none starts from another.

        Raises:
            ManifestError: the data set lacks an attribute, or has other classes of a task.
        """
        manifest = site.manifest(site.shards)
        check_labels(self.classifier, manifest, site.size, self.loop)
        weights = label_weights(self.classifier, manifest, self.class_weighting, self.beta)
        planned = []
        for name, model in self.models().items():
            objective = CrossEntropy(
                label_smoothing=self.label_smoothing,
                class_weights={task: weights[task] for task in model.tasks if task in weights},
            )
            planned.append(site.plan_model(name, model, objective, replace(self.loop, seed=model.seed)))
        return planned
