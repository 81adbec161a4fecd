"""The audit of what a study of paper 004 leaves, as a job of its own: its generators again, with other settings.

``jobs.rebalance`` audits all its rows itself; this is for other counts, seeds, measures or classifiers. The measuring
classifier is another than the judge that searches and trains: another architecture and seed.
"""

from dataclasses import replace
from typing import Final

from greycard.audits.generation.configs import GenerationAudit, GeneratorSystem
from greycard.audits.generation.job import GenerationAuditJob
from greycard.classifiers import ResNetConfig
from greycard.datasets.mnist import DIGITS
from greycard.fitting.plan import MODELS
from greycard.fitting.task import WEIGHTS
from greycard.recipes.paper004.generators import HOME, mnist_small
from greycard.studies.rebalancing.plan import DEFAULT
from greycard.studies.rebalancing.plan import SYNTHETIC as SYNTHETIC_ROWS
from greycard.studies.rebalancing.rows import DIRECTORY, SYNTHETIC

DATA_REAL: Final = "data_real"
DATA_SYNTHETIC: Final = "data_synthetic"
"""The sets themselves, beside the generators that learn from them."""
_MNIST: Final = f"{HOME}/mnist"


def paper004_mnist() -> GenerationAuditJob:
    """The rows that `python -m jobs.rebalance mnist` leaves and the sets that they learnt from, 5,000 images each."""
    rows = mnist_small()
    return GenerationAuditJob(
        audit=GenerationAudit(
            study="paper004-mnist",
            systems=(
                *(_generator(name) for name in DEFAULT),
                GeneratorSystem(name=DATA_REAL, images=rows.real),
                GeneratorSystem(name=DATA_SYNTHETIC, images=rows.synthetic),
            ),
            count=5000,
            classifier=ResNetConfig(
                tasks=(rows.task,),
                classes={rows.task: DIGITS},
                stem="small",
                width=16,
                weights=f"{_MNIST}/classifiers/{MODELS}/measuring-seed1/{WEIGHTS}",
            ),
            task=rows.task,
            reference=f"{_MNIST}/shards/reference",
            size=rows.generator.size,
            resize=True,
            paths=500,
            directory=f"{_MNIST}/audit_rows",
        ),
        printed="CIFAR10-LT",
    )


def _generator(row: str) -> GeneratorSystem:
    """Return a row's first generator, where the study leaves it."""
    name = f"{row}-seed0"
    folder = SYNTHETIC if row in SYNTHETIC_ROWS else DIRECTORY
    weights = f"{_MNIST}/{folder}/{MODELS}/{name}/{WEIGHTS}"
    return GeneratorSystem(name=name, generator=replace(mnist_small().generator, weights=weights), variant=row)


RECIPES: Final = {"paper004_mnist": paper004_mnist}
