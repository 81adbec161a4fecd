"""A Hyperprior on drawn faces (not people): λ and μ for rate, distortion and the gap between races, all at once.

Beyond paper 002: the same machinery for another family. Trials minimise ``R + λ D + μ Σ_c (D_c / D - 1)²``
(``greycard.training.objectives.parity``) from the weights of a codec without the last term.
"""

from greycard.codecs import HyperpriorConfig
from greycard.datasets.faces import FacesConfig
from greycard.datasets.shards_job import ShardsJob
from greycard.datasets.splits import SplitConfig
from greycard.fitting.kinds.parity_codecs import ParityCodecTraining
from greycard.fitting.plan import WorkersConfig
from greycard.schema import RACE
from greycard.studies.tradeoff.plan import CodecTrial, ConfirmConfig, Cost, TuneJob
from greycard.training.loop import LoopConfig
from greycard.training.objectives.parity import ParityRateDistortion
from greycard.training.optimizers import AdamConfig, CosineConfig
from greycard.tuning import Float, Goal, SearchConfig


def study() -> TuneJob:
    """Drawn faces, a small Hyperprior: 20 trials of λ and μ for rate, PSNR and the PSNR gap between races."""
    faces = FacesConfig(count=4000, size=64, mix="celeba_like", images_per_identity=1, seed=30)
    loop = LoopConfig(
        epochs=4,
        batch_size=16,
        optimizer=AdamConfig(learning_rate=2e-3),
        schedule=CosineConfig(warmup=0.02, final=0.02),
        clip_norm=1.0,
        mirror=True,
        keep="last",
        channels_last=True,
    )
    fine_tune = LoopConfig(
        epochs=2,
        batch_size=32,
        optimizer=AdamConfig(learning_rate=1e-3),
        schedule=CosineConfig(final=0.02),
        clip_norm=1.0,
        mirror=True,
        keep="last",
        channels_last=True,
        stratify=(RACE.name,),
    )
    plain = ParityRateDistortion(lam=9e-4, sensitive=RACE.name, groups=RACE.classes, auxiliary_learning_rate=1e-2)
    return TuneJob(
        study="codec_rate_disparity",
        title="Drawn faces through a Hyperprior: rate, distortion and the gap between races",
        directory="runs/tune/codec_rate_disparity",
        shards=(
            ShardsJob(
                source=faces,
                directory="runs/tune/codec_rate_disparity/shards",
                split=SplitConfig(train=0.5, val=0.2, test=0.3),
            ),
        ),
        trial=CodecTrial(
            training=ParityCodecTraining(
                name="hyperprior",
                codec=HyperpriorConfig(width="tiny"),
                baseline=plain,
                loop=loop,
                fine_tune=fine_tune,
            ),
            parity=plain,
        ),
        space={
            "parity.lam": Float(low=3e-4, high=3e-3, log=True),
            "parity.mu": Float(low=0.01, high=100.0, log=True),
        },
        goals=(
            Goal(metric="psnr_gap_db"),
            Goal(metric="bpp"),
            Goal(metric="psnr_db", mode="max"),
        ),
        search=SearchConfig(trials=20, concurrent=2),
        confirm=ConfirmConfig(
            costs=(
                Cost(metric="psnr_db", most=0.25),
                Cost(metric="bpp", mode="min", most=0.1, relative=True),
            ),
            seeds=(0, 1, 2),
        ),
        workers=WorkersConfig(parallel=2),
    )
