"""Predictors under fairness losses: a baseline a seed, and from its weights a model a loss and λ (paper 002)."""

from dataclasses import dataclass, replace
from typing import Literal, Protocol

from greycard.classifiers import ClassifierConfig
from greycard.datasets.loading import load_labels
from greycard.datasets.manifest import Manifest, check_attributes, check_classes
from greycard.losses import AnyFairLoss, FairLossConfig
from greycard.losses.cells import describe_empty
from greycard.schema import unknown
from greycard.training.loop import LoopConfig
from greycard.training.objectives.class_weights import class_weights
from greycard.training.objectives.cross_entropy import CeMode
from greycard.training.objectives.fair_prediction import FairPrediction

Weighting = Literal["none", "balanced", "inverse", "inverse_sqrt", "effective"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictorTraining:
    """A baseline a seed, and a fair phase a seed and fairness loss, which starts from it with a fresh optimiser.

    Models are called ``<name>-seed<seed>`` and ``<name>-<loss>-lam<λ>-seed<seed>``.

    Attributes:
        name: of the set, unique within the job.
        classifier: the predictor; its ``tasks`` are what is trained, its ``seed`` and ``weights`` are ignored.
        target: the task that is to be predicted fairly.
        sensitive: the attributes whose groups are compared; several are crossed.
        loop: how the baseline is trained; ``keep`` says whether the best or the last epoch's weights are taken.
        fair_loop: how the fair phase is; None trains it like the baseline, but takes the last epoch, as the published
            code does.
        fair: the fairness losses, a model each.
        class_weighting: of the cross-entropy, from the training split's counts by class index; "none" weighs all alike.
        beta: of "effective" numbers, in [0, 1).
        ce_mode: "single", or "doubled" for the cross-entropy of the published code (heads of one logit only).
        seeds: a baseline each, with these initial weights and orders of the images.
        shards: URI of the images; "" takes the job's.
    """

    kind: Literal["predictor"] = "predictor"
    name: str
    classifier: ClassifierConfig
    target: str
    sensitive: tuple[str, ...]
    loop: LoopConfig
    fair_loop: LoopConfig | None = None
    fair: tuple[FairLossConfig, ...] = ()
    class_weighting: Weighting = "none"
    beta: float = 0.9998
    ce_mode: CeMode = "single"
    seeds: tuple[int, ...] = (0,)
    shards: str = ""

    def __post_init__(self) -> None:
        if self.target not in self.classifier.tasks:
            raise ValueError(
                f"target must be one of classifier.tasks: {unknown('task', self.target, self.classifier.tasks)}"
            )
        if not self.sensitive or len(set(self.sensitive)) < len(self.sensitive):
            raise ValueError(f"sensitive must name each attribute once, at least one, got {self.sensitive}")
        if self.target in self.sensitive:
            raise ValueError(f"sensitive must not hold the target {self.target!r}: groups are then labels")
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds must differ, at least one, got {self.seeds}")
        if self.ce_mode == "doubled" and 1 not in self.classifier.heads.values():
            raise ValueError("ce_mode doubled is of heads of one logit: set classifier.binary to one_logit")

    def baseline_name(self, seed: int) -> str:
        """Return the name of a seed's baseline."""
        return f"{self.name}-seed{seed}"

    def fair_name(self, fair: AnyFairLoss, seed: int, mark: str = "") -> str:
        """Return the name of a seed's model with a fairness loss; a mark sets apart what kind and λ do not."""
        return f"{self.name}-{fair.kind}-lam{fair.lam:g}{mark}-seed{seed}"

    def loop_of(self, fair: AnyFairLoss | None, seed: int) -> LoopConfig:
        """Return how a seed's baseline (None) or fair phase is trained."""
        loop = self.loop if fair is None else self.fair_loop or replace(self.loop, keep="last")
        return replace(loop, seed=seed)

    def models(self) -> dict[str, ClassifierConfig]:
        """Return model name -> its config, seed by seed, each baseline before the models that start from it."""
        found: dict[str, ClassifierConfig] = {}
        for seed in self.seeds:
            config = replace(self.classifier, seed=seed, weights="")
            names = [self.baseline_name(seed), *(self.fair_name(fair, seed) for fair in self.fair)]
            found |= dict.fromkeys(names, config)
        return found


def objective(training: PredictorTraining, manifest: Manifest, fair: AnyFairLoss | None = None) -> FairPrediction:
    """Return what a baseline (None) or fair phase minimises on a data set.

    Raises:
        ManifestError: the data set lacks an attribute, or has other classes of a task.
    """
    tasks, classes = training.classifier.tasks, training.classifier.class_sets
    check_classes(manifest, {task: classes[task] for task in tasks})
    check_attributes(manifest, training.sensitive)
    return FairPrediction(
        target=training.target,
        sensitive=training.sensitive,
        groups=tuple(manifest.attributes[name] for name in training.sensitive),
        classes=classes[training.target],
        fair=fair,
        ce_mode=training.ce_mode,
        class_weights=label_weights(training, manifest),
    )


class Weighted(Protocol):
    """A training of a classifier whose cross-entropy may weigh classes."""

    @property
    def classifier(self) -> ClassifierConfig:
        """What is trained."""
        ...

    @property
    def class_weighting(self) -> Weighting:
        """How weights follow from counts."""
        ...

    @property
    def beta(self) -> float:
        """Of "effective" numbers."""
        ...


def label_weights(training: Weighted, manifest: Manifest) -> dict[str, tuple[float, ...]]:
    """Return task -> the weight of each class, by the training split's counts; {} where all weigh alike.

    Raises:
        ValueError: a class has no image.
    """
    if training.class_weighting == "none":
        return {}
    tasks, classes = training.classifier.tasks, training.classifier.class_sets
    counts = {task: [manifest.counts["train"][task][name] for name in classes[task]] for task in tasks}
    return {
        task: tuple(class_weights(counts[task], training.class_weighting, training.beta).tolist()) for task in tasks
    }


def describe_cells(training: PredictorTraining, manifest: Manifest) -> dict[str, str]:
    """Return split -> which (label, group) cells have no rows, with the counts; "" where all have.

    Of train, of val, and of test where there is one: what is missing there can not be judged at the end.
    """
    minimised = objective(training, manifest)
    names = tuple(dict.fromkeys((training.target, *training.sensitive)))
    return {
        split: describe_empty(
            minimised.cells(load_labels(manifest, split, names)), minimised.classes, minimised.group_names
        )
        for split in ("train", "val", "test")
        if split != "test" or split in manifest.splits
    }
