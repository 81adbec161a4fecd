"""The audits of paper 004: every row of Tables 1 to 5, and the sets that the generators learn from, in one table.

For generators that ``jobs.train paper004_...`` trained one job at a time, all eight rows of them; ``jobs.rebalance``
audits its own. The measuring classifier is another than the judge that searches and trains: another architecture and
seed. It and the sets of real images are where ``jobs.rebalance`` leaves them (``--set rows=[real]`` is enough); all of
it can be set.
"""

from typing import Any, Final, Literal

from greycard.audits.generation.configs import GenerationAudit, GeneratorSystem, RealismConfig
from greycard.audits.generation.job import GenerationAuditJob
from greycard.classifiers import ClassifierConfig, ResNetConfig
from greycard.datasets import cifar10, mnist
from greycard.datasets.groups import RACE_MIXES, race_shares
from greycard.fitting.plan import MODELS, TrainJob
from greycard.recipes.paper004.generators import FFHQ_RACES, FFHQ_SHARES, QUALITY, cifar, faces_small, ffhq, mnist_small
from greycard.recipes.paper004.generators import paper004_cifar as train_cifar
from greycard.recipes.paper004.generators import paper004_cifar_synthetic as train_cifar_synthetic
from greycard.recipes.paper004.generators import paper004_faces as train_faces
from greycard.recipes.paper004.generators import paper004_faces_synthetic as train_faces_synthetic
from greycard.recipes.paper004.generators import paper004_ffhq as train_ffhq
from greycard.recipes.paper004.generators import paper004_ffhq_synthetic as train_ffhq_synthetic
from greycard.recipes.paper004.generators import paper004_mnist as train_mnist
from greycard.recipes.paper004.generators import paper004_mnist_synthetic as train_mnist_synthetic
from greycard.recipes.systems import generator_systems
from greycard.schema import RACE
from greycard.studies.rebalancing.rows import RowsConfig

DATA_REAL: Final = "data_real"
DATA_SYNTHETIC: Final = "data_synthetic"
"""The sets themselves, beside the generators that learn from them."""


def audit_of(
    rows: RowsConfig,
    jobs: tuple[TrainJob, ...],
    classifier: ClassifierConfig,
    *,
    setting: str,
    count: int,
    paths: int = 0,
    synthetic: bool = True,
    printed: Literal["FFHQ", "CIFAR10-LT"] = "CIFAR10-LT",
    **changes: Any,
) -> GenerationAuditJob:
    """Return the audit of a setting's generators and of their training sets.

    Args:
        rows: the setting.
        jobs: the trainings whose generators are audited.
        classifier: the measuring one, with its weights.
        setting: of the folders, ``runs/paper004/<setting>``.
        count: images a generator.
        paths: of them, those whose path length is measured.
        synthetic: whether the synthetic set is there.
        printed: whose printed rows stand beside.
        changes: of the audit's other fields.
    """
    sets = ((DATA_REAL, rows.real), (DATA_SYNTHETIC, rows.synthetic))[: 1 + synthetic]
    values: dict[str, Any] = {
        "study": f"paper004-{setting}",
        "systems": (
            *(system for job in jobs for system in generator_systems(job)),
            *(GeneratorSystem(name=name, images=shards) for name, shards in sets),
        ),
        "count": count,
        "classifier": classifier,
        "task": rows.task,
        "reference": f"runs/paper004/{setting}/shards/reference",
        "size": rows.generator.size,
        "resize": True,
        "paths": paths,
        "directory": f"runs/paper004/{setting}/audit_rows",
    }
    return GenerationAuditJob(audit=GenerationAudit(**(values | changes)), printed=printed)


def measuring(setting: str, task: str, classes: tuple[str, ...], **changes: int | str) -> ResNetConfig:
    """Return the measuring classifier of a setting, a ResNet-18 where the judge is a ResNet-32."""
    place = f"runs/paper004/{setting}/classifiers/{MODELS}/measuring-seed1/weights"
    return ResNetConfig(tasks=(task,), classes={task: classes}, weights=place, **changes)  # type: ignore[arg-type]


def paper004_cifar() -> GenerationAuditJob:
    """Tables 3, 4 and 5 of paper 004: eight generators of CIFAR-10's long tail, 50,000 images each."""
    return audit_of(
        cifar(),
        (train_cifar(), train_cifar_synthetic()),
        measuring("cifar10", "label", cifar10.CLASSES, stem="small"),
        setting="cifar10",
        count=50_000,
        paths=10_000,
        quality=QUALITY["CIFAR10-LT"],
    )


def paper004_ffhq() -> GenerationAuditJob:
    """Tables 1 and 2 of paper 004: seven generators of FFHQ by race, 50,000 images each."""
    return audit_of(
        ffhq(),
        (train_ffhq(), train_ffhq_synthetic()),
        measuring("ffhq", RACE.name, FFHQ_RACES),
        setting="ffhq",
        printed="FFHQ",
        count=50_000,
        paths=10_000,
        quality=QUALITY["FFHQ"],
        reference="runs/paper004/ffhq/shards/real",
        reference_split="val",
        realism=RealismConfig(unbalanced=FFHQ_SHARES),
    )


def paper004_mnist() -> GenerationAuditJob:
    """The same rows on MNIST-5k, small networks, 5,000 images each."""
    return audit_of(
        mnist_small(),
        (train_mnist(), train_mnist_synthetic()),
        measuring("mnist", "digit", mnist.DIGITS, stem="small", width=16),
        setting="mnist",
        count=5000,
        paths=500,
    )


def paper004_mnist_biased() -> GenerationAuditJob:
    """The generators of real images alone and their set, before anything was synthesised."""
    return audit_of(
        mnist_small(),
        (train_mnist(),),
        measuring("mnist", "digit", mnist.DIGITS, stem="small", width=16),
        setting="mnist",
        count=5000,
        synthetic=False,
    )


def paper004_faces() -> GenerationAuditJob:
    """The same rows on drawn faces (not people), small networks, 5,000 images each."""
    return audit_of(
        faces_small(),
        (train_faces(), train_faces_synthetic()),
        measuring("faces", RACE.name, RACE.classes, stem="small", width=16),
        setting="faces",
        printed="FFHQ",
        count=5000,
        paths=500,
        realism=RealismConfig(unbalanced=race_shares(RACE_MIXES["ffhq_like"])),
    )


RECIPES: Final = {
    recipe.__name__: recipe
    for recipe in (paper004_cifar, paper004_ffhq, paper004_mnist, paper004_mnist_biased, paper004_faces)
}
