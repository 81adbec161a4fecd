"""MNIST-5k (real digits): the digit by the colour that a program gave it. The embedded study on real images."""

from greycard.classifiers import ResNetConfig
from greycard.datasets.mnist import DIGITS, MnistConfig
from greycard.datasets.splits import SplitConfig
from greycard.losses import Iou
from greycard.training.loop import LoopConfig
from greycard.training.optimizers import AdamConfig
from greycard.tuning import Float, Goal, SearchConfig
from jobs.shards import ShardsJob
from jobs.train_plan import WorkersConfig
from jobs.train_predictors import PredictorTraining
from jobs.tune_plan import PredictorTrial, TuneJob


def study() -> TuneJob:
    """Coloured MNIST-5k, digit by colour: 20 trials of λ, σ_IOU against accuracy (embedded, under 15 minutes)."""
    loop = LoopConfig(epochs=6, batch_size=128, optimizer=AdamConfig(learning_rate=2e-3), channels_last=True)
    return TuneJob(
        study="mnist_color",
        title="Coloured MNIST-5k: digit by colour",
        directory="runs/tune/mnist_color",
        shards=(
            ShardsJob(
                source=MnistConfig(),
                directory="runs/tune/mnist_color/shards",
                split=SplitConfig(by="image", train=0.4, val=0.25, test=0.35, exact=True),
            ),
        ),
        size=32,
        trial=PredictorTrial(
            training=PredictorTraining(
                name="digit",
                classifier=ResNetConfig(tasks=("digit",), classes={"digit": DIGITS}, width=8, shared=True),
                target="digit",
                sensitive=("color",),
                loop=loop,
            ),
            fair=Iou(),
        ),
        space={"fair.lam": Float(low=0.1, high=1000.0, log=True)},
        goals=(Goal(metric="sigma_iou"), Goal(metric="accuracy", mode="max")),
        search=SearchConfig(trials=20, concurrent=2),
        workers=WorkersConfig(parallel=2),
    )
