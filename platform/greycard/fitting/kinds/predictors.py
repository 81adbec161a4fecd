"""Predictors under fairness losses: a baseline a seed, and from its weights a model per loss and λ (paper 002)."""

from dataclasses import dataclass, replace
from typing import Literal

from greycard.classifiers import ClassifierConfig
from greycard.datasets.loading import load_labels
from greycard.datasets.manifest import Manifest, check_attributes, check_classes
from greycard.fitting.kinds.contract import Planned, Site, TrainingKind, check_seeds
from greycard.fitting.kinds.labels import check_labels, label_weights
from greycard.losses import AnyFairLoss, FairLossConfig
from greycard.losses.cells import describe_empty
from greycard.schema import unknown
from greycard.training.loop import LoopConfig
from greycard.training.objectives.class_weights import Scheme
from greycard.training.objectives.cross_entropy import CeMode
from greycard.training.objectives.fair_prediction import FairPrediction


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictorTraining(TrainingKind[ClassifierConfig]):
    """A baseline per seed, and a fair phase per seed and fairness loss, which starts from it with a fresh optimiser.

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
        class_weighting: of the cross-entropy, from the training split's counts by class index; "none" weighs all the
            same.
        beta: of "effective" numbers, in [0, 1).
        ce_mode: "single", or "doubled" for the cross-entropy of the published code (heads of one logit only).
        seeds: a baseline each, with these initial weights and orders of the images.
        shards: URI of the images; "" takes the job's.
    """

    several_processes = True
    kind: Literal["predictor"] = "predictor"
    name: str
    classifier: ClassifierConfig
    target: str
    sensitive: tuple[str, ...]
    loop: LoopConfig
    fair_loop: LoopConfig | None = None
    fair: tuple[FairLossConfig, ...] = ()
    class_weighting: Scheme = "none"
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
        check_seeds(self.seeds)
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

    def objective(self, manifest: Manifest, fair: AnyFairLoss | None = None) -> FairPrediction:
        """Return what a baseline (None) or fair phase minimises on a data set.

        Raises:
            ManifestError: the data set lacks an attribute, or has other classes of a task.
        """
        classes = self.classifier.class_sets
        check_classes(manifest, {task: classes[task] for task in self.classifier.tasks})
        check_attributes(manifest, self.sensitive)
        return FairPrediction(
            target=self.target,
            sensitive=self.sensitive,
            groups=tuple(manifest.attributes[name] for name in self.sensitive),
            classes=classes[self.target],
            fair=fair,
            ce_mode=self.ce_mode,
            class_weights=label_weights(self.classifier, manifest, self.class_weighting, self.beta),
        )

    def tasks(self, site: Site) -> list[Planned]:
        """Return what is trained, seed by seed, each baseline before the models that start from it.

        Raises:
            ManifestError: the data set lacks an attribute, or has other classes of a task.
        """
        manifest = site.manifest(site.shards)
        check_labels(self.classifier, manifest, site.size, self.loop, self.fair_loop)
        models = self.models()
        planned: list[Planned] = []
        for seed in self.seeds:
            first = self.baseline_name(seed)
            planned.append(site.plan_model(first, models[first], self.objective(manifest), self.loop_of(None, seed)))
            for fair in self.fair:
                name, objective = self.fair_name(fair, seed), self.objective(manifest, fair)
                planned.append(site.plan_model(name, models[name], objective, self.loop_of(fair, seed), first))
        return planned

    def empty_cells(self, manifest: Manifest) -> dict[str, str]:
        """Return split -> which (label, group) cells have no rows, with the counts; "" where all have.

        Of train, of val, and of test where there is one: what is missing there can not be judged at the end.
        """
        objective = self.objective(manifest)
        names = tuple(dict.fromkeys((self.target, *self.sensitive)))
        return {
            split: describe_empty(
                objective.cells(load_labels(manifest, split, names)), objective.classes, objective.group_names
            )
            for split in ("train", "val", "test")
            if split != "test" or split in manifest.splits
        }
