"""Drawn faces (not people): a smile, learnt from mostly Caucasian faces, by race. The embedded study of `make`."""

from greycard.classifiers import ResNetConfig
from greycard.datasets.faces import SMILE, FacesConfig
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
    """Drawn faces, smile by race: 20 trials of λ, σ_IOU against accuracy (embedded, under 15 minutes on 2 cores)."""
    smiles = {"African": 0.5, "Asian": 0.5, "Caucasian": 0.5, "Indian": 0.5}
    faces = FacesConfig(count=15_000, size=32, mix="celeba_like", images_per_identity=1, seed=20, smile=smiles)
    loop = LoopConfig(epochs=4, batch_size=128, optimizer=AdamConfig(learning_rate=2e-3), channels_last=True)
    return TuneJob(
        study="faces_smile",
        title="Drawn faces: smile by race",
        directory="runs/tune/faces_smile",
        shards=(
            ShardsJob(
                source=faces,
                directory="runs/tune/faces_smile/shards",
                split=SplitConfig(train=0.4, val=0.2, test=0.4),
            ),
        ),
        size=32,
        trial=PredictorTrial(
            training=PredictorTraining(
                name="smile",
                classifier=ResNetConfig(tasks=(SMILE.name,), classes={SMILE.name: SMILE.classes}, width=8, shared=True),
                target=SMILE.name,
                sensitive=("race",),
                loop=loop,
            ),
            fair=Iou(),
        ),
        space={"fair.lam": Float(low=0.1, high=1000.0, log=True)},
        goals=(Goal(metric="sigma_iou"), Goal(metric="accuracy", mode="max")),
        search=SearchConfig(trials=20, concurrent=2),
        workers=WorkersConfig(parallel=2),
    )
