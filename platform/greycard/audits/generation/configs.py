"""What a generation audit is configured with: generators and sets of images, the classifier, and the reference."""

from dataclasses import dataclass, field
from typing import Any, Final

from greycard.audits.configs import check_name
from greycard.classifiers import ClassifierConfig
from greycard.generators import GeneratorConfig
from greycard.metrics.no_reference import NoReferenceConfig
from greycard.schema import unknown
from greycard.streaming.cluster import SessionConfig
from greycard.streaming.pipeline import Resources

REFERENCE: Final = "reference"
"""Name under which the reference stands among the systems."""
_SEEDS: Final = 2**32  # torch's generator tells no more apart


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratorSystem:
    """A trained generator, or a set of images in its place, under the name that tables and reports give it.

    Attributes:
        name: letters, digits, ``-``, ``_`` and ``.``; it names files.
        generator: its config with its weights. Code may put any frozen dataclass here that has ``build()``, which
            returns a ``greycard.protocols.Generator``. None for a set of images.
        images: folder of shards that stand in the table like what a generator makes (real or synthetic data); ""
            for a generator.
        split: the split of ``images`` to audit.
        subset: attribute -> classes of ``images`` that take part.
        truncation: ψ to use instead of the generator's own.
        variant: row of the paper's tables that it stands for (``real``, ``syn_scratch``, ...), for tables; "" for none.
        seed: the seed of its training, for tables.
    """

    name: str
    generator: GeneratorConfig | None = None
    images: str = ""
    split: str = "train"
    subset: dict[str, tuple[str, ...]] = field(default_factory=dict)
    truncation: float | None = None
    variant: str = ""
    seed: int = 0

    def __post_init__(self) -> None:
        check_name(self.name)
        if (self.generator is None) == (not self.images):
            raise ValueError(f"system {self.name} needs either a generator or images (a folder of shards)")
        if self.truncation is not None and (self.generator is None or not 0 <= self.truncation <= 1):
            raise ValueError(
                f"truncation of system {self.name} must be in [0, 1], of a generator, got {self.truncation}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class RealismConfig:
    """How sets are compared; it may change when an audit is resumed, without making images again.

    Attributes:
        splits: the number of sets that the images are cut into for means ± deviations (paper 004's text: 5 sets of
            10,000; its code: 10 of 5,000).
        sample: the number of images kept of each set for kernel distance, precision and recall.
        subsets: the number of subsets behind the kernel distance.
        subset: images per subset.
        neighbours: k of precision and recall.
        unbalanced: shares of the unbalanced reference, by class; () is a long tail with β = 0.1 in class order.
        resamples: the number of resamples behind the discrepancy's interval.
        seed: the seed that subsets and resamples are drawn with.
    """

    splits: int = 10
    sample: int = 10_000
    subsets: int = 100
    subset: int = 1000
    neighbours: int = 3
    unbalanced: tuple[float, ...] = ()
    resamples: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("splits", "subsets", "neighbours"):
            if getattr(self, name) < 1:
                raise ValueError(f"audit.realism.{name} must be at least 1, got {getattr(self, name)}")
        if self.sample < 2 or self.subset < 2 or self.resamples < 0:
            raise ValueError(
                "audit.realism.sample and subset must be at least 2 and resamples at least 0, got "
                f"{self.sample}, {self.subset}, {self.resamples}"
            )
        if self.unbalanced and (min(self.unbalanced) < 0 or not sum(self.unbalanced) > 0):
            raise ValueError(f"audit.realism.unbalanced must be shares of 0 or above, got {self.unbalanced}")


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationAudit:
    """Which generators and sets of images are audited, and which classifier measures them.

    Attributes:
        study: the name under which results belong together.
        systems: the generators and sets of images to audit.
        count: images per generator; of a set of images at most so many, chosen by a hash of their ids (0 takes all).
            The reference is taken whole.
        seed: the seed of the first image; the others follow one by one. Take seeds that no search or training has used.
        classifier: the one that measures; it should not be the one that a generator was searched or trained with.
        task: the attribute whose classes are counted.
        reference: folder of balanced, held-out shards, labelled with the task; its row in the tables is called
            ``reference``.
        reference_split: the split of ``reference`` to compare with.
        size: height and width in pixels; generators make images of that size.
        resize: cut and resample real images of another size; otherwise they fail.
        inception: file of the Inception weights of torch-fidelity (``weights-inception-2015-12-05-6726825d.pth``), for
            ``fid``, ``kid`` and ``inception_score``; "" measures with the classifier's features alone.
        quality: no-reference measures, one number per image; those whose files are not there, or that such small images
            have no value of, are absent, with the reason. Code may put any config with ``name`` and ``build()`` here,
            as ``greycard.streaming.generating.QualityBuilder`` says.
        paths: images of each generator whose path length is measured; 0 leaves it out.
        realism: how sets are compared; it may change when an audit is resumed.
        max_failed_share: share of images that may fail before the job ends with an error (after writing the table).
        directory: where results go, local or ``s3://``; it must be reachable from every node.
        resources: how the work is spread; results do not depend on it.
        ray: how to reach Ray.
    """

    study: str = "generations"
    systems: tuple[GeneratorSystem, ...] = ()
    count: int = 10_000
    seed: int = 1_000_000_000
    classifier: ClassifierConfig
    task: str
    reference: str = "runs/shards/reference"
    reference_split: str = "test"
    size: int = 32
    resize: bool = False
    inception: str = ""
    quality: tuple[NoReferenceConfig, ...] = ()
    paths: int = 0
    realism: RealismConfig = field(default_factory=RealismConfig)
    max_failed_share: float = 0.01
    directory: str = "runs/generations"
    resources: Resources = field(default_factory=Resources)
    ray: SessionConfig = field(default_factory=SessionConfig)

    def __post_init__(self) -> None:
        names = [REFERENCE, *(system.name for system in self.systems)]
        if len(set(names)) < len(names):
            raise ValueError(f"audit.systems must have different names, none of them 'reference', got {names[1:]}")
        if self.task not in self.classifier.tasks:
            raise ValueError(
                f"the measuring classifier does not predict {unknown('task', self.task, tuple(self.classifier.tasks))}"
            )
        if self.size < 1 or self.count < 0 or self.paths < 0:
            raise ValueError(
                "audit.size must be at least 1, audit.count and audit.paths at least 0, got "
                f"{self.size}, {self.count}, {self.paths}"
            )
        if not self.count and any(system.generator is not None for system in self.systems):
            raise ValueError("audit.count must be at least 1 for a generator; 0 takes all of a set of images")
        if not 0 <= self.seed <= _SEEDS // 2 - self.count:
            raise ValueError(f"audit.seed must be 0..2^31 - audit.count, got {self.seed}")
        for system in self.systems:
            side = getattr(system.generator, "size", self.size)
            if side != self.size:
                raise ValueError(f"system {system.name} makes images of {side} px, and audit.size is {self.size}")
        measures = [getattr(item, "name", "") for item in self.quality]
        if not all(measures) or len(set(measures)) < len(measures):
            raise ValueError(
                f"audit.quality must be configs of no-reference measures with different names, got {measures}"
            )
        if not 0.0 <= self.max_failed_share <= 1.0:
            raise ValueError(f"audit.max_failed_share must be 0..1, got {self.max_failed_share}")

    @property
    def classes(self) -> tuple[str, ...]:
        """The task's classes in code order."""
        return tuple(self.classifier.class_sets[self.task])

    def sets(self) -> tuple[GeneratorSystem, ...]:
        """The reference and the systems, in the order of the tables."""
        held_out = GeneratorSystem(name=REFERENCE, images=self.reference, split=self.reference_split)
        return (held_out, *self.systems)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSet:
    """A system's images as other audits describe theirs: ``audits.configs.ImageAudit``."""

    shards: str
    split: str
    subset: dict[str, tuple[str, ...]]
    limit: int
    size: int
    resize: bool
    max_failed_share: float
    directory: str
    resources: Resources
    ray: SessionConfig
    classifiers: tuple[Any, ...] = ()
    attributes: tuple[str, ...] = ()


def image_set(config: GenerationAudit, system: GeneratorSystem) -> ImageSet:
    """Return how a system's images are chosen and spread; a generator's have no shards."""
    return ImageSet(
        shards=system.images,
        split=system.split if system.images else "",
        subset=dict(system.subset),
        limit=0 if system.name == REFERENCE else config.count,
        size=config.size,
        resize=config.resize,
        max_failed_share=config.max_failed_share,
        directory=config.directory,
        resources=config.resources,
        ray=config.ray,
    )
