"""What a study of `jobs.rebalance` is: images, two classifiers, a generator, its search, rows to train, an audit."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal

from greycard.audits.generation.configs import GenerationAudit, RealismConfig
from greycard.fitting.kinds.classifiers import ClassifierTraining
from greycard.fitting.kinds.contract import check_seeds
from greycard.fitting.plan import WorkersConfig
from greycard.generators import GeneratorConfig
from greycard.losses.shares import ShareLossConfig
from greycard.schema import unknown
from greycard.streaming.cluster import SessionConfig
from greycard.streaming.pipeline import Resources
from greycard.studies.rebalancing.rows import BALANCED, FROM_SYNTHETIC
from greycard.studies.rebalancing.rows import ROWS as PAPER_ROWS
from greycard.studies.rebalancing.sets import SetsConfig
from greycard.synthesis.config import SynthesisConfig
from greycard.training.stylegan2.config import AdversarialConfig

REAL: Final = "real"
REJECTION: Final = "syn_bias_rejection"
"""The control: as ``syn_bias``, on the set that was drawn by rejection instead of searched."""
ROWS: Final = (*PAPER_ROWS, REJECTION)
"""The rows of Tables 1 and 4 of paper 004 (``greycard.recipes.paper004.generators``), and the control."""
SYNTHETIC: Final = (*FROM_SYNTHETIC, REJECTION)
DEFAULT: Final = (REAL, "reweighting", BALANCED, "syn_bias", "finetune", REJECTION)


@dataclass(frozen=True, slots=True, kw_only=True)
class RebalanceJob:
    """A study of rebalancing: from unbalanced images to a retrained generator, and what that changed.

    Attributes:
        study: the MLflow experiment and, after ``registry``, the prefix of the registered models.
        title: the title of the page.
        directory: the study's directory; started again there, it resumes where it stopped.
        data: which images, for what.
        task: the attribute whose classes are to be drawn evenly.
        judge: the classifier of the search and of the share loss.
        judge_learns: ``real``: the unbalanced images, as the paper says; ``balanced``: the balanced ones, as the
            published code has it (its loader reads the whole of CIFAR-10).
        measuring: the classifier of the audit, of another architecture or seed, on images of its own.
        generator: the networks of every row; seeds and weights are set by the study.
        training: how every row is trained from scratch.
        fine_tune_images: images that fine-tuning shows.
        shares: the share loss of the rows that have one.
        rows: which rows are trained: ``real`` and any of ``ROWS``. Rows can be added when a study is resumed.
        retrained: the row whose discrepancy is compared with that of ``real`` in the verdict.
        aim: how many times lower it is to be.
        seeds: one generator per row and seed; the first seed's is the one that is searched.
        samples: seeds on the sheets of samples.
        synthesis: the balanced synthetic set; its generator, classifier, task, method, directory and ray are the
            study's.
        rejection: also make a set by rejection sampling, for comparison.
        audit: of all rows and sets; its study, systems, classifier, task, reference, size, directory and ray are the
            study's.
        printed: whose printed rows stand beside ours: ``FFHQ`` (Tables 1 and 2) or ``CIFAR10-LT`` (Tables 3 to 5).
        registry: prefix of the registered models' names.
        workers: what each training gets.
        session: how to reach Ray.
    """

    study: str
    title: str = ""
    directory: str
    data: SetsConfig
    task: str
    judge: ClassifierTraining
    judge_learns: Literal["real", "balanced"] = "real"
    measuring: ClassifierTraining
    generator: GeneratorConfig
    training: AdversarialConfig
    fine_tune_images: int
    shares: ShareLossConfig = field(default_factory=ShareLossConfig)
    rows: tuple[str, ...] = DEFAULT
    retrained: str = "syn_bias"
    aim: float = 5.0
    seeds: tuple[int, ...] = (0,)
    samples: int = 64
    synthesis: SynthesisConfig
    rejection: bool = True
    audit: GenerationAudit
    printed: Literal["", "FFHQ", "CIFAR10-LT"] = ""
    registry: str = "greycard"
    workers: WorkersConfig = field(default_factory=lambda: WorkersConfig(parallel=2))
    session: SessionConfig = field(default_factory=SessionConfig)

    def __post_init__(self) -> None:
        self._check_rows()
        for name in ("judge", "measuring"):
            classifier = getattr(self, name).classifier
            if self.task not in classifier.tasks:
                raise ValueError(f"{name}.classifier: {unknown('task', self.task, tuple(classifier.tasks))}")
        if self.judge.name == self.measuring.name:
            raise ValueError(f"judge.name and measuring.name must differ, both are {self.judge.name!r}")
        first, second = self.judge.classifier.class_sets[self.task], self.measuring.classifier.class_sets[self.task]
        if first != second:
            raise ValueError(f"judge and measuring must have the same classes of {self.task}: {first} and {second}")
        same = self.judge.classifier.kind == self.measuring.classifier.kind
        if same and self.judge.seeds[0] == self.measuring.seeds[0]:
            raise ValueError(
                "the measuring classifier must be independent of the judge, which the generator may have learnt to "
                "please: give it another architecture, or another seed (measuring.seeds)"
            )
        check_seeds(self.seeds)
        if not self.aim >= 1:
            raise ValueError(f"aim must be at least 1, got {self.aim}")

    @property
    def home(self) -> Path:
        """The study's directory."""
        return Path(self.directory).expanduser().absolute()

    @property
    def classes(self) -> tuple[str, ...]:
        """The task's classes in code order."""
        return tuple(self.judge.classifier.class_sets[self.task])

    @property
    def synthetic_rows(self) -> tuple[str, ...]:
        """The rows that are trained on synthetic images."""
        return tuple(name for name in self.rows if name in SYNTHETIC)

    @property
    def by_rejection(self) -> bool:
        """Whether a set is made by rejection sampling."""
        return self.rejection or REJECTION in self.rows

    @property
    def fixed(self) -> "RebalanceJob":
        """What the study's run is known by: started again, it may have other workers, more rows, other statistics."""
        return replace(
            self,
            title="",
            rows=(REAL,),
            retrained=REAL,
            aim=1.0,
            rejection=False,
            synthesis=replace(
                self.synthesis, resources=Resources(), ray=SessionConfig(), batch=1, together=1, rows_per_call=1
            ),
            audit=replace(self.audit, resources=Resources(), ray=SessionConfig(), realism=RealismConfig()),
            workers=WorkersConfig(),
            session=SessionConfig(),
        )

    def _check_rows(self) -> None:
        for name in self.rows:
            if name not in ROWS:
                raise ValueError(f"rows: {unknown('row', name, ROWS)}")
        if REAL not in self.rows or len(set(self.rows)) < len(self.rows):
            raise ValueError(
                f"rows must name each row once, and {REAL!r} among them: it is what is searched and compared with; "
                f"got {self.rows}"
            )
        if self.retrained not in self.rows:
            raise ValueError(f"retrained must be one of rows: {unknown('row', self.retrained, self.rows)}")
