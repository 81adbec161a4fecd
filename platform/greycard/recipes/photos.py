"""The study of `make photos`: JPEG and three small neural codecs on photographs that packages ship."""

from dataclasses import replace

from greycard.audits.restoration.configs import RestorationAudit, System
from greycard.audits.restoration.job import AuditJob
from greycard.audits.restoration.report import ReportConfig
from greycard.codecs import GaussianMixAttnConfig, HyperpriorConfig, JointConfig, JpegConfig, LearnedCodec
from greycard.datasets.photos import PhotosConfig
from greycard.datasets.shards_job import ShardsJob
from greycard.datasets.splits import SplitConfig
from greycard.fitting.kinds.codecs import CodecTraining
from greycard.fitting.plan import TrainJob, WorkersConfig
from greycard.metrics.full_reference.lpips import Lpips
from greycard.recipes.systems import PIXEL_MEASURES, RAW, codec_systems
from greycard.streaming.cluster import SessionConfig
from greycard.studies.chain import StudyJob
from greycard.training.loop import LoopConfig
from greycard.training.optimizers import AdamConfig, CosineConfig


def photos_codecs() -> TrainJob:
    """The three neural codecs, tiny, at two rates on tiles of real photographs (a minute or two)."""
    loop = LoopConfig(
        epochs=40,
        batch_size=16,
        optimizer=AdamConfig(learning_rate=2e-3),
        schedule=CosineConfig(warmup=0.05),
        clip_norm=1.0,
        mirror=True,
        keep="last",
    )
    fine_tune = replace(loop, epochs=15, optimizer=AdamConfig(learning_rate=1e-3))
    lambdas = (9e-4, 6.7e-3)
    codecs: dict[str, LearnedCodec] = {
        "hyperprior": HyperpriorConfig(width="tiny", lambdas=lambdas),
        "joint": JointConfig(width="tiny", lambdas=lambdas),
        "gaussian_mix_attn": GaussianMixAttnConfig(width="tiny", lambdas=lambdas),
    }
    return TrainJob(
        study="photos",
        directory="runs/photos/codecs",
        shards="runs/photos/shards",
        models=tuple(
            CodecTraining(name=name, codec=codec, loop=loop, fine_tune=fine_tune, auxiliary_learning_rate=1e-2)
            for name, codec in codecs.items()
        ),
        workers=WorkersConfig(parallel=2),
    )


def photos_audit() -> AuditJob:
    """The audit of `make photos`: JPEG and three small neural codecs on photographs, by photograph."""
    return AuditJob(
        audit=RestorationAudit(
            study="photos",
            shards="runs/photos/shards",
            systems=(
                RAW,
                System(name="jpeg", codec=JpegConfig(qualities=(1, 5, 10, 25, 50, 75), tables="once")),
                *codec_systems(photos_codecs()),
            ),
            measures=(*PIXEL_MEASURES, Lpips()),
            directory="runs/photos/audit",
        ),
        report=ReportConfig(
            title="Photographs through JPEG and three small neural codecs",
        ),
    )


def photos_study() -> StudyJob:
    """Real photographs from installed packages: three neural codecs and JPEG; the group is the photograph."""
    return StudyJob(
        shards=(
            ShardsJob(
                source=PhotosConfig(),
                directory="runs/photos/shards",
                split=SplitConfig(by="image", train=0.7, val=0.1, test=0.2),
            ),
        ),
        train=(photos_codecs(),),
        audit=photos_audit(),
        ray=SessionConfig(),
    )
