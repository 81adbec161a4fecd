"""What a synthesis is configured with: generator, classifier, images per class, how they are found, where they go."""

from dataclasses import dataclass, field
from typing import Final, Literal

from greycard.classifiers import ClassifierConfig
from greycard.generators import GeneratorConfig
from greycard.latent_search.config import LatentSearchConfig
from greycard.schema import unknown
from greycard.streaming.cluster import SessionConfig
from greycard.streaming.pipeline import Resources

Method = Literal["search", "rejection"]
LAST_SEED: Final = 2**31
"""Seeds below this are looked at: torch tells no more than 2^32 apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SynthesisConfig:
    """A balanced set of images, the same number per class.

    Lineage j of every class looks for its start from seed ``first_seed + j * search.start_budget`` on. After the first
    lineages, classes that are short get more of them in waves, until they have enough or ``max_lineages``.

    Attributes:
        name: the name of the data set.
        generator: the config of the generator that makes the images, with weights. Code may put any frozen dataclass
            here that has ``size`` and ``build()``, which returns a ``greycard.protocols.Generator``.
        classifier: the config of the classifier that says which class an image is, with weights.
        task: the classifier's attribute that is balanced.
        classes: the classes that are wanted; () takes all of the task.
        like: folder of shards that the synthetic ones are to fit: their classes of the task must be the classifier's;
            "" checks nothing.
        size: side of the images that is expected; 0 takes the generator's.
        count: images per class, over all splits.
        method: ``search`` (paper 004, Algorithm 2) or ``rejection`` (its control: random latents of the class).
        search: of latents; ``rejection`` takes its space, truncation, cap and start_budget: a row then looks through
            ``start_budget`` seeds for at most ``cap`` images.
        lineages: of a class in the first wave, more than ``count`` needs for the sake of variety; ``rejection`` starts
            with no more than could be enough.
        max_lineages: of a class altogether; 0 is 4 times the first wave (of ``rejection``: enough for a class that is
            at least ``cap / (4 * start_budget)`` of the images).
        first_seed: the first seed that is looked at.
        val: share of each class's images that validate; whole lineages go to one split.
        test: share that tests.
        near: images whose features lie nearer than this are reported as near-duplicates, in units of the median
            distance between random images; for both methods alike.
        sheet: lineages per class whose first latents are kept as images for a lineage sheet, duplicates too; 0 keeps
            none.
        batch: latents that an actor evaluates at once.
        together: lineages that an actor has under way at once.
        rows_per_call: lineages that an actor is given at once, and at most a crash repeats.
        rows_per_shard: images per file.
        directory: where results go, local or ``s3://``; it must be reachable from every node.
        resources: how the work is spread; results do not depend on it.
        ray: how to reach Ray.
    """

    name: str = "synthetic"
    generator: GeneratorConfig
    classifier: ClassifierConfig
    task: str
    classes: tuple[str, ...] = ()
    like: str = ""
    size: int = 0
    count: int = 500
    method: Method = "search"
    search: LatentSearchConfig = field(default_factory=LatentSearchConfig)
    lineages: int = 20
    max_lineages: int = 0
    first_seed: int = 0
    val: float = 0.1
    test: float = 0.0
    near: float = 0.1
    sheet: int = 2
    batch: int = 128
    together: int = 32
    rows_per_call: int = 64
    rows_per_shard: int = 4096
    directory: str = "runs/synthesis"
    resources: Resources = field(default_factory=Resources)
    ray: SessionConfig = field(default_factory=SessionConfig)

    def __post_init__(self) -> None:
        if self.task not in self.classifier.tasks:
            raise ValueError(
                f"the classifier does not predict {unknown('task', self.task, tuple(self.classifier.tasks))}"
            )
        known = self.known_classes
        for label in self.classes:
            if label not in known:
                raise ValueError(f"synthesis.classes: {unknown(f'{self.task} class', label, known)}")
        if len(set(self.classes)) < len(self.classes):
            raise ValueError(f"synthesis.classes must name each class once, got {self.classes}")
        for name in ("count", "lineages", "batch", "together", "rows_per_call", "rows_per_shard"):
            if getattr(self, name) < 1:
                raise ValueError(f"synthesis.{name} must be at least 1, got {getattr(self, name)}")
        for name in ("max_lineages", "first_seed", "sheet", "near", "size"):
            if getattr(self, name) < 0:
                raise ValueError(f"synthesis.{name} must be at least 0, got {getattr(self, name)}")
        if min(self.val, self.test) < 0 or self.val + self.test >= 1:
            raise ValueError(f"synthesis.val + synthesis.test must be below 1, got {self.val} and {self.test}")
        self._check_sizes()
        self._check_seeds()

    @property
    def known_classes(self) -> tuple[str, ...]:
        """The task's classes in code order."""
        return tuple(self.classifier.class_sets[self.task])

    @property
    def wanted(self) -> dict[int, str]:
        """Code -> class of those that are asked for, in code order."""
        wanted = self.classes or self.known_classes
        return {code: label for code, label in enumerate(self.known_classes) if label in wanted}

    @property
    def quotas(self) -> dict[str, int]:
        """Split -> images per class; they sum to ``count``."""
        val, test = round(self.count * self.val), round(self.count * self.test)
        return {"train": self.count - val - test, "val": val, "test": test}

    @property
    def first_wave(self) -> int:
        """Lineages per class in the first wave."""
        enough = -(-self.count // self.search.cap)
        return min(self.lineages, enough) if self.method == "rejection" else self.lineages

    @property
    def most_lineages(self) -> int:
        """Lineages per class at most, over all waves."""
        room = (LAST_SEED - self.first_seed) // self.search.start_budget
        return min(self.max_lineages or 4 * self.first_wave, room)

    def seed_of(self, lineage: int) -> int:
        """Return the seed from which a class's lineage of that number looks for its start."""
        return self.first_seed + lineage * self.search.start_budget

    def _check_sizes(self) -> None:
        side = self.generator.size
        if self.size not in (0, side):
            raise ValueError(f"the generator makes images of {side} px, and synthesis.size is {self.size}")
        check = getattr(self.classifier, "check_size", None)
        if check is not None:
            check(side, side)

    def _check_seeds(self) -> None:
        if self.max_lineages and self.max_lineages < self.first_wave:
            raise ValueError(
                f"synthesis.max_lineages {self.max_lineages} is below synthesis.lineages {self.first_wave}"
            )
        if self.seed_of(max(self.first_wave, self.max_lineages)) > LAST_SEED:
            raise ValueError(
                f"synthesis.first_seed {self.first_seed} leaves no room below 2^31 for {self.lineages} lineages that "
                f"look at {self.search.start_budget} seeds each"
            )
