"""The trainings of paper 002 (Tables 1-3): SlimCNN on CelebA, EfficientNet-B1 on UTKFace and on SIIM-ISIC.

From the published code: Adam at a constant 1e-3, batches of 256, 15 epochs (25 of its example of a fair phase on
SIIM-ISIC), the fair phase from the baseline of the lowest validation loss with a fresh optimiser to its last epoch. The
λ of the tables and the baselines' settings are in a supplement that is not public; λ here is 150, that of the one
published example (L_iou on SIIM-ISIC), for every loss: set it to what a search on your data finds.

CelebA's shards must hold all 40 attributes (``datasets.celeba.ATTRIBUTES``), since its predictor has 40 heads. Images
are squares here, so CelebA's 218 x 178 are cut to 178 x 178.

What else differs from the published code, and how to have it (N counts a recipe's sensitive attributes from 0, M its
fairness losses; in a search ``trial.training`` stands for ``models.N`` and ``trial.fair`` for ``models.N.fair.M``):

- EfficientNet-B1 starts from random weights, there from ImageNet's: set ``models.N.classifier.pretrained`` to a file of
  torchvision's ImageNet weights (the code takes those of efficientnet_pytorch). Numbers from random weights are not
  comparable with Tables 2 and 3.
- SIIM-ISIC is not augmented, there with flips, rotations by any angle and colour jitter. Of these there is the
  mirroring left to right: ``models.N.loop.mirror=true``.
- SIIM-ISIC's shards are split by patient and leave a missing sex unknown: the code's (by image, the mode filled in)
  are written by ``python -m jobs.shards siim_published_split``, and taken with ``shards``.
- A fairness loss leaves out cells without rows; there the whole batch's loss is 0, or an absent class's IoU:
  ``models.N.fair.M.empty=zero_batch``.
- σ_IOU leaves out a class that a group has no images of, there it scores 0. Training and searches have no field for
  that; ``metrics.prediction.disparities.sigma_iou(tables, published=True)`` computes it.
"""

from dataclasses import replace
from typing import Final, NamedTuple

from greycard.classifiers import ClassifierConfig, EfficientNetB1Config, SlimCnnConfig
from greycard.datasets import celeba as celeba_source
from greycard.datasets import siim as siim_source
from greycard.datasets import utkface as utkface_source
from greycard.fitting.kinds.predictors import PredictorTraining
from greycard.fitting.plan import TrainJob
from greycard.losses import DpL2, DpMi, EoL2, EoMi, FairLossConfig, Iou
from greycard.training.loop import LoopConfig
from greycard.training.objectives.class_weights import Scheme
from greycard.training.optimizers import AdamConfig

LAM: Final = 150.0
LOSSES: Final[tuple[FairLossConfig, ...]] = (
    Iou(lam=LAM, reduction="mean"),  # as the published code, whose λ this is
    EoL2(lam=LAM),
    EoMi(lam=LAM),
    DpL2(lam=LAM),
    DpMi(lam=LAM),
)


class Setting(NamedTuple):
    """One data set of the paper: its predictor, target and sensitive attributes, and the size of its images."""

    dataset: str
    classifier: ClassifierConfig
    target: str
    sensitive: tuple[str, ...]
    size: int
    epochs: int
    class_weighting: Scheme = "none"


def celeba() -> Setting:
    """Table 1: is the person smiling; by Male and by Young."""
    names = celeba_source.ATTRIBUTES
    classes: dict[str, tuple[str, ...]] = dict.fromkeys(names, celeba_source.CLASSES)
    return Setting(
        "celeba",
        SlimCnnConfig(tasks=names, classes=classes, binary="one_logit"),
        "Smiling",
        ("Male", "Young"),
        size=178,
        epochs=15,
    )


def utkface() -> Setting:
    """Table 2: the age group; by gender and by race."""
    classes = {
        "age_group": utkface_source.AGE_GROUPS,
        "gender": utkface_source.GENDERS,
        "race": utkface_source.RACES,
    }
    classifier = EfficientNetB1Config(tasks=tuple(classes), classes=classes, binary="one_logit")
    return Setting("utkface", classifier, "age_group", ("gender", "race"), size=200, epochs=15)


def siim() -> Setting:
    """Table 3: benign or malignant; by sex."""
    classifier = EfficientNetB1Config(
        tasks=("diagnosis",), classes={"diagnosis": siim_source.DIAGNOSES}, binary="one_logit"
    )
    return Setting("siim", classifier, "diagnosis", ("sex",), size=256, epochs=25, class_weighting="effective")


def predictor(setting: Setting, sensitive: str) -> PredictorTraining:
    """Return the baseline of a data set for one sensitive attribute, and how the fair phase is trained."""
    return PredictorTraining(
        name=sensitive.lower(),
        classifier=setting.classifier,
        target=setting.target,
        sensitive=(sensitive,),
        loop=LoopConfig(
            epochs=setting.epochs,
            batch_size=256,
            optimizer=AdamConfig(learning_rate=1e-3),
            checkpoint_steps=200,
            device="auto",
        ),
        class_weighting=setting.class_weighting,
        ce_mode="doubled",
    )


def training(setting: Setting, seeds: tuple[int, ...] = (0,)) -> TrainJob:
    """Return the training of a data set: for each sensitive attribute one baseline and five fair phases per seed.

    The baseline of every sensitive attribute is the same but for its name, so that each can be trained on its own.
    """
    sets = tuple(replace(predictor(setting, attribute), fair=LOSSES, seeds=seeds) for attribute in setting.sensitive)
    return TrainJob(
        study=f"paper002-{setting.dataset}",
        directory=f"runs/paper002/{setting.dataset}",
        shards=f"runs/shards/{setting.dataset}",
        models=sets,
        size=setting.size,
        registry="paper002",
    )


def train_celeba() -> TrainJob:
    """Table 1 of paper 002: SlimCNN on CelebA, a baseline and five fairness losses for Male and for Young (a GPU)."""
    return training(celeba())


def train_utkface() -> TrainJob:
    """Table 2 of paper 002: EfficientNet-B1 on UTKFace, a baseline and five losses for gender and for race (a GPU)."""
    return training(utkface())


def train_siim() -> TrainJob:
    """Table 3 of paper 002: EfficientNet-B1 on SIIM-ISIC, a baseline and five losses for sex (a GPU)."""
    return training(siim())


RECIPES: Final = {"paper002_celeba": train_celeba, "paper002_utkface": train_utkface, "paper002_siim": train_siim}
