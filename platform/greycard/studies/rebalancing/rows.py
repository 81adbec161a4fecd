"""The rows of paper 004's Tables 1 and 4 as trainings of generators."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from greycard.classifiers import ClassifierConfig
from greycard.fitting.kinds.generators import GeneratorTraining
from greycard.generators import GeneratorConfig
from greycard.losses.shares import ShareLossConfig
from greycard.schema import unknown
from greycard.training.stylegan2.config import AdversarialConfig

FROM_REAL: Final = ("reweighting", "real", "real_bias")
FROM_SYNTHETIC: Final = ("finetune", "finetune_freeze5", "syn", "syn_bias")
BALANCED: Final = "balanced_real"
ROWS: Final = (BALANCED, *FROM_REAL, *FROM_SYNTHETIC)
FROZEN: Final = 5
DIRECTORY: Final = "generators"
SYNTHETIC: Final = "generators_synthetic"


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsConfig:
    """What the rows of one table share.

    Attributes:
        generator: the networks.
        training: how they are trained from scratch; ``shares``, ``reweighting`` and ``freeze`` are set by the rows.
        fine_tune_images: images that fine-tuning shows.
        judge: the classifier of the share loss, with its weights.
        task: the attribute whose classes the judge predicts.
        shares: the share loss of the rows that have one.
        real: URI of the biased images.
        synthetic: URI of the balanced synthetic images.
        balanced: URI of balanced real images; "" leaves that row out.
        start: folder of a finished ``real``, from which fine-tuning starts; ``{seed}`` stands for the seed.
        seeds: one model per row and seed.
        samples: seeds on the sheets.
    """

    generator: GeneratorConfig
    training: AdversarialConfig
    fine_tune_images: int
    judge: ClassifierConfig
    task: str
    shares: ShareLossConfig = field(default_factory=ShareLossConfig)
    real: str
    synthetic: str
    balanced: str = ""
    start: str
    seeds: tuple[int, ...] = (0,)
    samples: int = 64

    @property
    def rows(self) -> tuple[str, ...]:
        """The rows that there are images for."""
        return ROWS if self.balanced else ROWS[1:]

    @property
    def fine_tuning(self) -> AdversarialConfig:
        """How rows are fine-tuned: at a tenth of the learning rate, with averaged weights that do not start afresh."""
        return replace(
            self.training,
            learning_rate=self.training.learning_rate / 10,
            images=self.fine_tune_images,
            average_ramp=0.0,
            shares=self.shares,
        )


def row(config: RowsConfig, name: str) -> GeneratorTraining:
    """Return the training of a row.

    Raises:
        ValueError: there is no such row; the message lists near matches.
    """
    if name not in config.rows:
        raise ValueError(unknown("row", name, config.rows))
    scratch, with_shares = config.training, replace(config.training, shares=config.shares)
    trainings: Mapping[str, AdversarialConfig] = {
        "reweighting": replace(scratch, reweighting="real"),
        "real_bias": with_shares,
        "finetune": config.fine_tuning,
        "finetune_freeze5": replace(config.fine_tuning, freeze=FROZEN),
        "syn_bias": with_shares,
    }
    synthetic = name in FROM_SYNTHETIC
    return GeneratorTraining(
        name=name,
        generator=config.generator,
        training=trainings.get(name, scratch),
        judge=config.judge if trainings.get(name, scratch).shares else None,
        task=config.task,
        judge_shards=config.real if synthetic else "",
        start=config.start if name.startswith("finetune") else "",
        shards=config.synthetic if synthetic else config.balanced if name == BALANCED else config.real,
        size=config.generator.size,
        samples=config.samples,
        seeds=config.seeds,
    )
