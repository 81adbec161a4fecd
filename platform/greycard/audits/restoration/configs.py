"""What a restoration audit is told: codecs, images and measures."""

from dataclasses import dataclass, field

from greycard.audits.configs import check_common, check_name
from greycard.classifiers import ClassifierConfig
from greycard.codecs import CodecConfig
from greycard.metrics.full_reference.distortion import MeasureConfig
from greycard.streaming.cluster import SessionConfig
from greycard.streaming.pipeline import Resources


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """A codec under the name that tables and reports give it.

    Attributes:
        name: letters, digits, ``-``, ``_`` and ``.``; it names files.
        codec: its config, with all its operating points. A recipe or ``--set`` names one of the family; code may put
            any frozen dataclass here that has ``build()`` and returns a ``Codec``.
    """

    name: str
    codec: CodecConfig

    def __post_init__(self) -> None:
        check_name(self.name)


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
        measures: full-reference measures, one number an image and point.
        classifiers: the ensemble: a task's classifiers (seeds) give one prediction each, in this order.
        attributes: group attributes that the audit table carries; none means all that the data set has.
        size: height and width that a system gets, in pixels.
        resize: cut and resample images of another size; otherwise they fail.
        max_failed_share: share of rows that may fail before the job ends with an error (after writing the table).
        directory: where results go, local or ``s3://``; it must be reachable from every node.
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
    resources: Resources = field(default_factory=Resources)
    ray: SessionConfig = field(default_factory=SessionConfig)

    def __post_init__(self) -> None:
        check_common(self, [system.name for system in self.systems])
