"""What a prediction audit is configured with: predictors, targets, groups to compare, and how the work is spread."""

from dataclasses import dataclass, field

from greycard.audits.configs import check_common, check_name
from greycard.classifiers import ClassifierConfig
from greycard.metrics.by_group import CROSS
from greycard.metrics.prediction.findings import PredictionConfig
from greycard.metrics.prediction.squeezing import SqueezingConfig
from greycard.schema import unknown
from greycard.streaming.cluster import SessionConfig
from greycard.streaming.pipeline import Resources

BASELINE_LOSS = "ce"


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictorSystem:
    """A trained predictor under the name that tables and reports give it.

    Attributes:
        name: letters, digits, ``-``, ``_`` and ``.``; it names files.
        classifier: its config with its weights. Code may put any frozen dataclass here that has ``tasks``,
            ``class_sets`` and ``build()``, which returns a ``Classifier``.
        loss: what it was trained with: ``ce``, or the kind of a fairness loss, for the tables.
        lam: λ of that loss, 0 for ``ce``.
        seed: the seed of its training.
        baseline: name of the system that it was trained from; "" for a baseline. The squeezing check compares the two.
        trained_for: sensitive attributes of its fairness loss; () leaves it open.
    """

    name: str
    classifier: ClassifierConfig
    loss: str = BASELINE_LOSS
    lam: float = 0.0
    seed: int = 0
    baseline: str = ""
    trained_for: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_name(self.name)
        if not self.lam >= 0:
            raise ValueError(f"λ of system {self.name} must be at least 0, got {self.lam}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionAudit:
    """Which predictors are audited on which images, for which attributes.

    Attributes:
        study: the name under which results belong together.
        shards: folder of the shards, local or ``s3://``.
        split: the split to audit.
        subset: attribute -> classes that take part; others are left out.
        limit: at most so many images, chosen by a hash of their ids; 0 takes all.
        systems: the predictors; each must predict every target.
        targets: the attributes whose predictions are audited.
        sensitive: what groups are compared by: each entry one attribute, or several that are crossed.
        size: height and width that a predictor gets, in pixels.
        resize: cut and resample images of another size; otherwise they fail.
        max_failed_share: share of images that may fail before the job ends with an error (after writing the table).
        directory: where results go, local or ``s3://``; it must be reachable from every node.
        findings: intervals, noise floors and batch means; they may change when an audit is resumed.
        squeezing: the check of systems that have a baseline; it may change too.
        resources: how the work is spread; results do not depend on it.
        ray: how to reach Ray.
    """

    study: str = "predictions"
    shards: str = "runs/shards"
    split: str = "test"
    subset: dict[str, tuple[str, ...]] = field(default_factory=dict)
    limit: int = 0
    systems: tuple[PredictorSystem, ...] = ()
    targets: tuple[str, ...] = ()
    sensitive: tuple[tuple[str, ...], ...] = ()
    size: int = 64
    resize: bool = False
    max_failed_share: float = 0.01
    directory: str = "runs/predictions"
    findings: PredictionConfig = field(default_factory=PredictionConfig)
    squeezing: SqueezingConfig = field(default_factory=SqueezingConfig)
    resources: Resources = field(default_factory=Resources)
    ray: SessionConfig = field(default_factory=SessionConfig)

    def __post_init__(self) -> None:
        names = [system.name for system in self.systems]
        check_common(self, names)
        if not self.targets or not self.sensitive or not all(self.sensitive):
            raise ValueError(
                "audit.targets and audit.sensitive must each name at least one attribute, got "
                f"{self.targets} and {self.sensitive}"
            )
        for values in (self.targets, self.sensitive, *self.sensitive):
            if len(set(values)) < len(values):
                raise ValueError(f"audit.targets and audit.sensitive must name each attribute once, got {values}")
        for system in self.systems:
            self._check_system(system, names)

    def _check_system(self, system: PredictorSystem, names: list[str]) -> None:
        if system.baseline == system.name:
            raise ValueError(f"system {system.name} can not be its own baseline")
        if system.baseline and system.baseline not in names:
            raise ValueError(f"baseline of {system.name}: {unknown('system', system.baseline, names)}")
        for target in self.targets:
            if target not in system.classifier.tasks:
                raise ValueError(f"system {system.name} does not predict {unknown('target', target, tasks_of(system))}")

    @property
    def classifiers(self) -> tuple[ClassifierConfig, ...]:
        """The predictors' configs."""
        return tuple(system.classifier for system in self.systems)

    @property
    def attributes(self) -> tuple[str, ...]:
        """The attributes that must be labelled: targets and sensitive ones."""
        return tuple(dict.fromkeys([*self.targets, *(name for names in self.sensitive for name in names)]))

    @property
    def pairs(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Every target with every entry of ``sensitive``, where the target is not part of it."""
        return tuple((target, names) for target in self.targets for names in self.sensitive if target not in names)


def tasks_of(system: PredictorSystem) -> tuple[str, ...]:
    """Return the attributes that a system predicts."""
    return tuple(system.classifier.tasks)


def joined(names: tuple[str, ...]) -> str:
    """Return crossed attributes under one name, as tables have it."""
    return CROSS.join(names)
