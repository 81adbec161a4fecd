"""The generators of paper 004 (Tables 1 and 4) on FFHQ and CIFAR-10, and small ones on MNIST-5k and drawn faces.

Eight rows, in two jobs, since synthetic data exist only once the biased generator has been searched:

====================  =========================  =============  ==================================================
row                   data                       starts from    besides
====================  =========================  =============  ==================================================
``balanced_real``     balanced real              nothing        (Table 4 only)
``reweighting``       biased real                nothing        importance weights of eq. 5
``real``              biased real                nothing        the biased generator that is searched
``real_bias``         biased real                nothing        share loss
``finetune``          balanced synthetic         ``real``       share loss, a tenth of the learning rate
``finetune_freeze5``  balanced synthetic         ``real``       the same, and five frozen layers
``syn``               balanced synthetic         nothing
``syn_bias``          balanced synthetic         nothing        share loss (the paper's proposal)
====================  =========================  =============  ==================================================

Where paper and published code differ, these follow the paper, with a share loss that has a gradient (the printed one,
``shares.estimator=hard``, has none). Reweighting here knows the real images' own labels where the paper's asks its
classifier: it stands for the best that reweighting can do. The code's is ``reweighting=generated``; a later version of
its fine-tuning draws half of each batch from real images (``extra``). How long the paper fine-tunes is not said: the
full-size recipes take a fifth of the training from scratch. Its text names the CIFAR configuration, its scripts point
at 25 million mirrored images. All of this can be set.
"""

from collections.abc import Mapping
from typing import Any, Final

from greycard.classifiers import ResNet32Config, ResNetConfig
from greycard.datasets import cifar10, mnist
from greycard.fitting.kinds.generators import SEED
from greycard.fitting.plan import MODELS, TrainJob, WorkersConfig
from greycard.generators import StyleGan2Config
from greycard.losses.shares import ShareLossConfig
from greycard.metrics.no_reference import Brisque, ClipIqa, EqFace, Niqe, NoReferenceConfig
from greycard.schema import RACE
from greycard.studies.rebalancing.rows import BALANCED, DIRECTORY, FROM_REAL, FROM_SYNTHETIC, SYNTHETIC, RowsConfig, row
from greycard.training.stylegan2.config import AdversarialConfig

HOME: Final = "runs/paper004"
_DIRECTORIES: Final = {"config_f": DIRECTORY, "paper256": f"{DIRECTORY}_paper256"}
FFHQ_RACES: Final = ("asian", "indian", "black", "white", "middle eastern", "latino hispanic")
"""The classes, in code order, that the paper's classifier (DeepFace) tells apart."""
FFHQ_SHARES: Final = (0.1748, 0.0026, 0.0171, 0.6540, 0.0306, 0.1213)
"""Their shares in FFHQ, as the weights in the published code imply."""

_OF_IMAGES: Final = (Brisque(), ClipIqa(prompts="pairs"))
QUALITY: Final[Mapping[str, tuple[NoReferenceConfig, ...]]] = {
    "FFHQ": (EqFace(), Niqe(channel="y"), *_OF_IMAGES),
    "CIFAR10-LT": _OF_IMAGES,
}
"""Data set -> the measures of Tables 2 and 5, set as pyiqa has them; each wants ``weights``, and is absent without."""


def job(
    config: RowsConfig, names: tuple[str, ...], *, setting: str, directory: str, workers: WorkersConfig
) -> TrainJob:
    """Return the job that trains some rows of a setting in ``runs/paper004/<setting>/<directory>``."""
    return TrainJob(
        study=f"paper004-{setting}",
        directory=f"{HOME}/{setting}/{directory}",
        shards=config.real,
        models=tuple(row(config, name) for name in names if name in config.rows),
        size=config.generator.size,
        registry=f"paper004-{setting}",
        workers=workers,
    )


def _places(setting: str, directory: str = DIRECTORY) -> dict[str, Any]:
    home = f"{HOME}/{setting}"
    return {
        "real": f"{home}/shards/real",
        "synthetic": f"{home}/synthesis/shards",
        "balanced": f"{home}/shards/balanced",
        "start": f"{home}/{directory}/{MODELS}/real-seed{SEED}",
    }


def _judge(setting: str) -> str:
    return f"{HOME}/{setting}/classifiers/{MODELS}/judge-seed0/weights"


def ffhq(network: str = "config_f") -> RowsConfig:
    """Table 1: FFHQ at 256 pixels by race, with config F or the paper256 network of StyleGAN2-ADA."""
    return RowsConfig(
        generator=StyleGan2Config.preset(network),
        training=AdversarialConfig.preset(network, mirror=True, device="cuda"),
        fine_tune_images=5_000_000,
        judge=ResNetConfig(tasks=("race",), classes={"race": FFHQ_RACES}, weights=_judge("ffhq")),
        task="race",
        samples=16,
        **(_places("ffhq", _DIRECTORIES[network]) | {"balanced": ""}),
    )


def cifar() -> RowsConfig:
    """Table 4: CIFAR-10 as a long tail."""
    return RowsConfig(
        generator=StyleGan2Config.preset("cifar"),
        training=AdversarialConfig.preset("cifar", mirror=True, device="cuda"),
        fine_tune_images=20_000_000,
        judge=ResNet32Config(tasks=("label",), classes={"label": cifar10.CLASSES}, width=64, weights=_judge("cifar10")),
        task="label",
        **_places("cifar10"),
    )


def mnist_small() -> RowsConfig:
    """MNIST-5k as a long tail, 32 pixels: networks of 83,000 weights, a quarter of an hour a row on one CPU thread.

    Real and synthetic digits are moved a little, so that a discriminator does not learn thirty nines by heart.
    """
    return RowsConfig(
        generator=StyleGan2Config.preset("small32"),
        training=AdversarialConfig.preset("small32", jitter=0.5),
        fine_tune_images=60_000,
        shares=_SMALL_SHARES,
        judge=ResNet32Config(tasks=("digit",), classes={"digit": mnist.DIGITS}, width=8, weights=_judge("mnist")),
        task="digit",
        **_places("mnist"),
    )


def faces_small() -> RowsConfig:
    """Drawn faces (not people) with FFHQ-like shares of races, 32 pixels; as long as those of MNIST."""
    return RowsConfig(
        generator=StyleGan2Config.preset("small32"),
        training=AdversarialConfig.preset("small32", mirror=True),
        fine_tune_images=60_000,
        shares=_SMALL_SHARES,
        judge=ResNet32Config(tasks=(RACE.name,), width=8, weights=_judge("faces")),
        task=RACE.name,
        **_places("faces"),
    )


_SMALL_SHARES: Final = ShareLossConfig(memory=0.98)
"""Of about 800 images: those of one batch of 16 say nothing about ten classes."""

_GPU: Final = WorkersConfig(num_gpus=1.0, num_cpus=4.0)
_CPU: Final = WorkersConfig(parallel=2)


def paper004_ffhq() -> TrainJob:
    """Table 1, FFHQ's real images with config F: reweighting, real, real + share loss (weeks of a GPU)."""
    return job(ffhq(), FROM_REAL, setting="ffhq", directory=DIRECTORY, workers=_GPU)


def paper004_ffhq_synthetic() -> TrainJob:
    """Table 1, FFHQ's synthetic images with config F: fine-tuned, with FreezeD, from scratch without and with loss."""
    return job(ffhq(), FROM_SYNTHETIC, setting="ffhq", directory=SYNTHETIC, workers=_GPU)


def paper004_ffhq_paper256() -> TrainJob:
    """The rows of paper004_ffhq with the paper256 network of StyleGAN2-ADA."""
    return job(ffhq("paper256"), FROM_REAL, setting="ffhq", directory=f"{DIRECTORY}_paper256", workers=_GPU)


def paper004_ffhq_paper256_synthetic() -> TrainJob:
    """The rows of paper004_ffhq_synthetic with the paper256 network of StyleGAN2-ADA."""
    return job(ffhq("paper256"), FROM_SYNTHETIC, setting="ffhq", directory=f"{SYNTHETIC}_paper256", workers=_GPU)


def paper004_cifar() -> TrainJob:
    """Table 4, CIFAR-10's real images: balanced, reweighting, long tail, long tail + share loss (days of a GPU)."""
    return job(cifar(), (BALANCED, *FROM_REAL), setting="cifar10", directory=DIRECTORY, workers=_GPU)


def paper004_cifar_synthetic() -> TrainJob:
    """Table 4, CIFAR-10's synthetic images: fine-tuned, with FreezeD, from scratch without and with the share loss."""
    return job(cifar(), FROM_SYNTHETIC, setting="cifar10", directory=SYNTHETIC, workers=_GPU)


def paper004_mnist() -> TrainJob:
    """The rows of real images on MNIST-5k, small networks (about half an hour on two CPU threads)."""
    return job(mnist_small(), (BALANCED, *FROM_REAL), setting="mnist", directory=DIRECTORY, workers=_CPU)


def paper004_mnist_synthetic() -> TrainJob:
    """The rows of synthetic images on MNIST-5k, small networks."""
    return job(mnist_small(), FROM_SYNTHETIC, setting="mnist", directory=SYNTHETIC, workers=_CPU)


def paper004_faces() -> TrainJob:
    """The rows of real images on drawn faces (not people), small networks."""
    return job(faces_small(), (BALANCED, *FROM_REAL), setting="faces", directory=DIRECTORY, workers=_CPU)


def paper004_faces_synthetic() -> TrainJob:
    """The rows of synthetic images on drawn faces (not people), small networks."""
    return job(faces_small(), FROM_SYNTHETIC, setting="faces", directory=SYNTHETIC, workers=_CPU)


RECIPES: Final = {
    recipe.__name__: recipe
    for recipe in (
        paper004_ffhq,
        paper004_ffhq_synthetic,
        paper004_ffhq_paper256,
        paper004_ffhq_paper256_synthetic,
        paper004_cifar,
        paper004_cifar_synthetic,
        paper004_mnist,
        paper004_mnist_synthetic,
        paper004_faces,
        paper004_faces_synthetic,
    )
}
