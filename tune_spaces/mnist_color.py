"""MNIST-5k (real digits): whether a digit is 5 or more, by the colour that a program gave it.

Half of the digits are yellow and easy to read, half are blue and fainter. Colour says nothing of the digit where the
choice is made and tested; in the training split alone hardly a blue digit is below 5. So a predictor learns to take
blue for 5 or more, and a fairness loss has something to mend.
"""

from typing import Final

from greycard.classifiers import ResNetConfig
from greycard.datasets.mnist import COLOR, DIGITS, HIGH, MnistConfig
from greycard.datasets.shards_job import ShardsJob
from greycard.datasets.splits import SplitConfig
from greycard.datasets.subsets import SubsetConfig, ThinConfig
from greycard.fitting.kinds.predictors import PredictorTraining
from greycard.fitting.plan import WorkersConfig
from greycard.losses import EoL2
from greycard.studies.tradeoff.plan import PredictorTrial, TuneJob
from greycard.training.loop import LoopConfig
from greycard.training.optimizers import AdamConfig, CosineConfig
from greycard.tuning import Choice, Float, Goal, SearchConfig

TARGET: Final = "high"
KEPT: Final = 0.1  # of the blue digits below 5 in training


def study() -> TuneJob:
    """Coloured MNIST-5k, 5 or more by colour: 20 trials of loss and λ (real images, under 15 minutes on 2 cores)."""
    return TuneJob(
        study="mnist_color",
        title="Coloured MNIST-5k: is the digit 5 or more, by colour",
        directory="runs/tune/mnist_color",
        shards=(shards("runs/tune/mnist_color/shards"),),
        size=32,
        trial=PredictorTrial(training=training(), fair=EoL2()),
        space={
            "fair.kind": Choice(values=("eo_l2", "iou")),
            "fair.lam": Float(low=0.1, high=100.0, log=True),
        },
        goals=(Goal(metric="sigma_iou"), Goal(metric="accuracy", mode="max")),
        search=SearchConfig(
            trials=20,
            startup=8,
            seeds=(0, 1),
            points=({"fair.kind": "eo_l2", "fair.lam": 1.0}, {"fair.kind": "iou", "fair.lam": 10.0}),
        ),
        workers=WorkersConfig(parallel=2),
    )


def shards(directory: str) -> ShardsJob:
    """Return the digits, of which the training split is thinned."""
    digits = MnistConfig(colors=("yellow", "blue"), shares=(0.5, 0.5), contrasts=(1.0, 0.5), correlation=0.0, seed=7)
    bias = ThinConfig(where={COLOR: ("blue",), "digit": DIGITS[:5]}, share=KEPT)
    return ShardsJob(
        source=digits,
        directory=directory,
        split=SplitConfig(by="image", train=0.5, val=0.2, test=0.3, exact=True, seed=7),
        subset=SubsetConfig(thin=(bias,)),
    )


def training() -> PredictorTraining:
    """Return the baseline, and a fair phase with larger batches that hold their share of every colour and label.

    Few epochs: once all training images are known by heart, no group difference is left there to act on.
    """
    loop = LoopConfig(
        epochs=8,
        batch_size=64,
        optimizer=AdamConfig(learning_rate=3e-3, weight_decay=0.01),
        schedule=CosineConfig(warmup=0.15),
        channels_last=True,
    )
    fair_loop = LoopConfig(
        epochs=4,
        batch_size=128,
        optimizer=AdamConfig(learning_rate=2e-3, weight_decay=0.01),
        schedule=CosineConfig(warmup=0.15),
        keep="last",
        stratify=(TARGET, COLOR),
        channels_last=True,
    )
    return PredictorTraining(
        name=TARGET,
        classifier=ResNetConfig(tasks=(TARGET,), classes={TARGET: HIGH}, width=4, shared=True),
        target=TARGET,
        sensitive=(COLOR,),
        loop=loop,
        fair_loop=fair_loop,
    )
