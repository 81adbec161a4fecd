"""What a restoration audit is configured with: systems, images and measures."""

from dataclasses import dataclass, field
from typing import Any, Final

from greycard.audits.configs import check_common, check_name
from greycard.classifiers import ClassifierConfig
from greycard.codecs import CodecConfig
from greycard.config import later
from greycard.metrics.full_reference.distortion import MeasureConfig
from greycard.streaming.cluster import SessionConfig
from greycard.streaming.pipeline import Resources

FAMILIES: Final = ("codec",)
"""Fields of a system that its model can stand in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """A model that restores images, under the name that tables and reports give it.

    The model's config stands in the field of its family, and all that an audit does goes by ``model``. A family joins
    with one field here, ``later(None)``, and its name in ``FAMILIES``; the loader finds the class by ``kind`` among
    those of the field.

    Attributes:
        name: letters, digits, ``-``, ``_`` and ``.``; it names files.
        codec: its config, with all its operating points. A recipe or ``--set`` names one of the family; code may put
            any frozen dataclass here that has ``build()`` and returns a ``greycard.protocols.Restorer``; with
            ``draws`` if its results depend on seeds.
        samples: how many are drawn of each image at each operating point, each with its own seed; more than one needs a
            model that draws.
    """

    name: str
    codec: CodecConfig | None = None
    samples: int = later(1)

    def __post_init__(self) -> None:
        check_name(self.name)
        if len(self._set) != 1:
            raise ValueError(f"system {self.name} must have one model ({' or '.join(FAMILIES)}), got {len(self._set)}")
        if self.samples < 1 or (self.samples > 1 and not self.draws):
            raise ValueError(
                f"system {self.name}: samples must be 1, or more of a model that draws, got {self.samples}"
            )

    @property
    def model(self) -> Any:
        """The config of what is audited, whatever its family."""
        return getattr(self, self._set[0])

    @property
    def draws(self) -> bool:
        """Whether its results depend on seeds."""
        return bool(getattr(self.model, "draws", False))

    @property
    def _set(self) -> list[str]:
        return [name for name in FAMILIES if getattr(self, name) is not None]


@dataclass(frozen=True, slots=True, kw_only=True)
class RestorationAudit:
    """What is audited, on which images, with which measures.

    Attributes:
        study: the name under which results belong together.
        shards: folder of the shards, local or ``s3://``.
        split: the split to audit.
        subset: attribute -> classes that take part; others are left out.
        limit: at most so many images, chosen by a hash of their ids; 0 takes all.
        systems: what is audited; ``raw`` among them is the reference of bias differences.
        measures: full-reference measures, one number per image and point.
        classifiers: the ensemble: a task's classifiers (seeds) give one prediction each, in this order.
        attributes: group attributes that the audit table carries; none means all that the data set has.
        size: height and width that a system gets, in pixels.
        resize: cut and resample images of another size; otherwise they fail.
        max_failed_share: share of rows that may fail before the job ends with an error (after writing the table).
        directory: where results go, local or ``s3://``; it must be reachable from every node.
        seed: the run's seed: with an image's id and the number of its sample it gives the seed that the image is drawn
            from, where a system draws.
        resources: how the work is spread; results do not depend on it.
        ray: how to reach Ray.
    """

    study: str = "audit"
    shards: str = "runs/shards"
    split: str = "test"
    subset: dict[str, tuple[str, ...]] = field(default_factory=dict)
    limit: int = 0
    systems: tuple[System, ...] = ()
    measures: tuple[MeasureConfig, ...] = ()
    classifiers: tuple[ClassifierConfig, ...] = ()
    attributes: tuple[str, ...] = ()
    size: int = 64
    resize: bool = False
    max_failed_share: float = 0.01
    directory: str = "runs/audit"
    seed: int = later(0)
    resources: Resources = field(default_factory=Resources)
    ray: SessionConfig = field(default_factory=SessionConfig)

    def __post_init__(self) -> None:
        check_common(self, [system.name for system in self.systems])
