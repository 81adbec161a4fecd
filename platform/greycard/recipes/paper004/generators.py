"""The generators of paper 004 (Tables 1 and 4) on FFHQ and CIFAR-10, and small ones on MNIST-5k and drawn faces.

``python -m jobs.rebalance`` trains them, those of synthetic images once the biased generator has been searched:

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
from greycard.fitting.plan import MODELS
from greycard.generators import StyleGan2Config
from greycard.losses.shares import ShareLossConfig
from greycard.metrics.no_reference import Brisque, ClipIqa, EqFace, Niqe, NoReferenceConfig
from greycard.schema import RACE
from greycard.studies.rebalancing.rows import DIRECTORY, RowsConfig
from greycard.training.stylegan2.config import AdversarialConfig

HOME: Final = "runs/paper004"
FFHQ: Final = {"config_f": "ffhq", "paper256": "ffhq_paper256"}
"""Network -> setting of FFHQ."""
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


def _places(setting: str) -> dict[str, Any]:
    home = f"{HOME}/{setting}"
    return {
        "real": f"{home}/shards/real",
        "synthetic": f"{home}/synthesis/shards",
        "balanced": f"{home}/shards/balanced",
        "start": f"{home}/{DIRECTORY}/{MODELS}/real-seed{SEED}",
    }


def _judge(setting: str) -> str:
    return f"{HOME}/{setting}/classifiers/{MODELS}/judge-seed0/weights"


def ffhq(network: str = "config_f") -> RowsConfig:
    """Table 1: FFHQ at 256 pixels by race, with config F or the paper256 network of StyleGAN2-ADA."""
    setting = FFHQ[network]
    return RowsConfig(
        generator=StyleGan2Config.preset(network),
        training=AdversarialConfig.preset(network, mirror=True, device="cuda"),
        fine_tune_images=5_000_000,
        judge=ResNetConfig(tasks=("race",), classes={"race": FFHQ_RACES}, weights=_judge(setting)),
        task="race",
        samples=16,
        **(_places(setting) | {"balanced": ""}),
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
    """MNIST-5k as a long tail, 32 pixels: networks of 83,000 weights, a quarter of an hour per row on one CPU thread.

    Real and synthetic digits are moved a little, so that a discriminator does not memorise the thirty nines.
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
"""The share loss remembers about 800 images: those of one batch of 16 say nothing about ten classes."""
