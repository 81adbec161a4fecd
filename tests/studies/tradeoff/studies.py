"""Studies small enough for tests."""

import sys

from greycard.classifiers import ResNetConfig
from greycard.codecs import HyperpriorConfig
from greycard.datasets.faces import SMILE, FacesConfig
from greycard.datasets.shards_job import ShardsJob
from greycard.datasets.splits import SplitConfig
from greycard.fitting.kinds.parity_codecs import ParityCodecTraining
from greycard.fitting.kinds.predictors import PredictorTraining
from greycard.fitting.plan import WorkersConfig
from greycard.losses import Iou
from greycard.schema import RACE
from greycard.streaming.cluster import SessionConfig
from greycard.studies.tradeoff.plan import CodecTrial, ConfirmConfig, Cost, PredictorTrial, TuneJob
from greycard.studies.tradeoff.study import tune
from greycard.training.loop import LoopConfig
from greycard.training.objectives.parity import ParityRateDistortion
from greycard.training.optimizers import AdamConfig
from greycard.tuning import Float, Goal, SearchConfig

LOOP = LoopConfig(epochs=1, batch_size=32, optimizer=AdamConfig(learning_rate=1e-2))


def shards(directory, size=16):
    faces = FacesConfig(count=320, size=size, images_per_identity=1, smile=dict.fromkeys(RACE.classes, 0.5))
    split = SplitConfig(train=0.5, val=0.25, test=0.25, exact=True)
    return (ShardsJob(source=faces, directory=f"{directory}/shards", split=split, threads=1),)


def predictors(directory, **fields):
    """Three trials of one epoch, two seeds in the end."""
    classifier = ResNetConfig(tasks=(SMILE.name,), classes={SMILE.name: SMILE.classes}, width=2, shared=True)
    training = PredictorTraining(
        name="smile", classifier=classifier, target=SMILE.name, sensitive=(RACE.name,), loop=LOOP
    )
    usual = {
        "study": "tiny",
        "directory": str(directory),
        "shards": shards(directory),
        "size": 16,
        "trial": PredictorTrial(training=training, fair=Iou()),
        "space": {"fair.lam": Float(low=0.1, high=100.0, log=True)},
        "goals": (Goal(metric="sigma_iou"), Goal(metric="accuracy", mode="max")),
        "search": SearchConfig(trials=3, startup=2),
        "confirm": ConfirmConfig(seeds=(0, 1), costs=(Cost(most=1.0),)),
        "workers": WorkersConfig(parallel=2),
        "session": SessionConfig(address="local", num_cpus=3, object_store_mb=100, progress=False),
    }
    return TuneJob(**usual | fields)


def codecs(directory, **fields):
    """Two trials of one epoch for three goals, one seed in the end."""
    plain = ParityRateDistortion(lam=1e-3, sensitive=RACE.name, groups=RACE.classes)
    training = ParityCodecTraining(name="tiny", codec=HyperpriorConfig(channels=(4, 6)), baseline=plain, loop=LOOP)
    space = {
        "parity.lam": Float(low=5e-4, high=2e-3, log=True),
        "parity.mu": Float(low=0.1, high=10.0, log=True),
    }
    usual = {
        "study": "tiny_codecs",
        "shards": shards(directory, size=64),
        "size": 64,
        "trial": CodecTrial(training=training, parity=plain),
        "space": space,
        "goals": (Goal(metric="psnr_gap_db"), Goal(metric="bpp"), Goal(metric="psnr_db", mode="max")),
        "search": SearchConfig(trials=2, startup=2),
        "confirm": ConfirmConfig(seeds=(0, 1), costs=(Cost(metric="psnr_db", most=0.1),), choose=("best",)),
    }
    return predictors(directory, **usual | fields)


def unconfirmed(directory):
    """The study of ``predictors`` with as little as possible after its search."""
    confirm = ConfirmConfig(seeds=(0,), costs=(Cost(most=1.0),), choose=("best",), control=False)
    return predictors(directory, study="killed", confirm=confirm)


if __name__ == "__main__":
    tune(unconfirmed(sys.argv[1]))
