"""Drawn faces (not people): a smile, learnt from faces among which hardly an African one smiles, by race.

Smiles are equally frequent in all races where the choice is made and tested; the training split alone lacks most of the
smiling African faces. So a predictor learns to expect no smile there, and a fairness loss has something to mend.
"""

from typing import Final

from greycard.classifiers import ResNetConfig
from greycard.datasets.faces import SMILE, FacesConfig
from greycard.datasets.shards_job import ShardsJob
from greycard.datasets.splits import SplitConfig
from greycard.datasets.subsets import SubsetConfig, ThinConfig
from greycard.fitting.kinds.predictors import PredictorTraining
from greycard.fitting.plan import WorkersConfig
from greycard.losses import EoL2
from greycard.schema import RACE
from greycard.studies.tradeoff.plan import PredictorTrial, TuneJob
from greycard.training.loop import LoopConfig
from greycard.training.optimizers import AdamConfig, CosineConfig
from greycard.tuning import Choice, Float, Goal, SearchConfig

SMILES: Final = 0.6
KEPT: Final = 0.09  # of the smiling African faces in training: 12 % of the African faces smile there


def study() -> TuneJob:
    """Drawn faces, smile by race: 20 trials of loss and λ, σ_IOU against accuracy (9 minutes on 2 cores)."""
    return TuneJob(
        study="faces_smile",
        title="Drawn faces: smile by race",
        directory="runs/tune/faces_smile",
        shards=(shards("runs/tune/faces_smile/shards"),),
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
            seeds=(0, 1, 2),
            points=({"fair.kind": "eo_l2", "fair.lam": 1.0}, {"fair.kind": "iou", "fair.lam": 10.0}),
        ),
        workers=WorkersConfig(parallel=2),
    )


def shards(directory: str) -> ShardsJob:
    """Return the faces, of which the training split is thinned."""
    faces = FacesConfig(
        count=20_000, size=32, images_per_identity=1, seed=77, smile=dict.fromkeys(RACE.classes, SMILES)
    )
    bias = ThinConfig(where={RACE.name: ("African",), SMILE.name: ("yes",)}, share=KEPT)
    return ShardsJob(
        source=faces,
        directory=directory,
        split=SplitConfig(train=0.4, val=0.25, test=0.35),
        subset=SubsetConfig(thin=(bias,)),
    )


def training() -> PredictorTraining:
    """Return the baseline, and a fair phase with large batches that hold their share of every race and label."""
    loop = LoopConfig(
        epochs=8,
        batch_size=64,
        optimizer=AdamConfig(learning_rate=4e-3, weight_decay=0.01),
        schedule=CosineConfig(warmup=0.15),
        mirror=True,
        channels_last=True,
    )
    fair_loop = LoopConfig(
        epochs=4,
        batch_size=256,
        optimizer=AdamConfig(learning_rate=2e-3, weight_decay=0.01),
        schedule=CosineConfig(warmup=0.1),
        mirror=True,
        keep="last",
        stratify=(SMILE.name, RACE.name),
        channels_last=True,
    )
    return PredictorTraining(
        name="smile",
        classifier=ResNetConfig(tasks=(SMILE.name,), classes={SMILE.name: SMILE.classes}, width=8, shared=True),
        target=SMILE.name,
        sensitive=(RACE.name,),
        loop=loop,
        fair_loop=fair_loop,
    )
