"""The study of `make demo`: a small Hyperprior from unbalanced and balanced drawn faces, audited with JPEG."""

from dataclasses import replace

from greycard.audits.restoration.configs import RestorationAudit, System
from greycard.audits.restoration.job import AuditJob
from greycard.audits.restoration.report import ReportConfig
from greycard.classifiers import ResNetConfig
from greycard.codecs import HyperpriorConfig, JpegConfig
from greycard.datasets.faces import FacesConfig
from greycard.datasets.shards_job import ShardsJob
from greycard.datasets.splits import SplitConfig
from greycard.fitting.kinds.classifiers import ClassifierTraining
from greycard.fitting.kinds.codecs import CodecTraining
from greycard.fitting.plan import TrainJob, WorkersConfig
from greycard.metrics.full_reference.lpips import Lpips
from greycard.recipes.systems import PIXEL_MEASURES, RAW, classifiers_of, codec_systems
from greycard.streaming.cluster import SessionConfig
from greycard.studies.chain import StudyJob
from greycard.training.loop import LoopConfig
from greycard.training.optimizers import AdamConfig, CosineConfig


def demo_codecs() -> TrainJob:
    """A small Hyperprior at three low rates on an unbalanced and on a balanced set of drawn faces (about a minute)."""
    return TrainJob(
        study="demo",
        directory="runs/demo/codecs",
        models=(
            demo_chain("hyperprior_unbalanced", "runs/demo/shards/unbalanced"),
            demo_chain("hyperprior_balanced", "runs/demo/shards/balanced"),
        ),
        workers=WorkersConfig(parallel=2),
    )


def demo_classifiers() -> TrainJob:
    """Small phenotype classifiers of drawn faces, two seeds (about a minute)."""
    return TrainJob(
        study="demo",
        directory="runs/demo/classifiers",
        models=(demo_phenotypes("phenotypes", "runs/demo/shards/phenotypes"),),
        workers=WorkersConfig(parallel=2),
    )


def demo_chain(name: str, shards: str) -> CodecTraining:
    """Return the demo's codec chain on a training set: schedules for a minute of training.

    At learning rates of 1e-3 and above the entropy model's tails must move as fast as the network does, hence the
    higher auxiliary rate.
    """
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
    return CodecTraining(
        name=name,
        codec=HyperpriorConfig(width="tiny", lambdas=(1e-4, 3e-4, 9e-4)),
        loop=loop,
        fine_tune=replace(loop, epochs=2, optimizer=AdamConfig(learning_rate=1e-3)),
        auxiliary_learning_rate=1e-2,
        shards=shards,
    )


def demo_phenotypes(name: str, shards: str) -> ClassifierTraining:
    """Return the demo's classifiers: one small backbone with six heads, two seeds.

    Some training images are softened: a classifier that has seen sharp images alone reads a blurred dark
    face as lighter, whatever the codec was trained on.
    """
    return ClassifierTraining(
        name=name,
        classifier=ResNetConfig(width=16, shared=True),
        seeds=(0, 1),
        a_model="all",
        loop=LoopConfig(
            epochs=8,
            batch_size=32,
            optimizer=AdamConfig(learning_rate=4e-3, weight_decay=0.01),
            schedule=CosineConfig(warmup=0.15),
            mirror=True,
            soften=0.3,
            keep="last",
            channels_last=True,
        ),
        shards=shards,
    )


def demo_audit() -> AuditJob:
    """The audit of `make demo`: JPEG and a small Hyperprior from unbalanced and balanced training, on drawn faces."""
    return AuditJob(
        audit=RestorationAudit(
            study="demo",
            shards="runs/demo/shards/test",
            systems=(
                RAW,
                System(name="jpeg", codec=JpegConfig(qualities=(1, 5, 10, 25, 50), tables="once")),
                *codec_systems(demo_codecs()),
            ),
            measures=(*PIXEL_MEASURES, Lpips()),
            classifiers=classifiers_of(demo_classifiers()),
            directory="runs/demo/audit",
        ),
        report=ReportConfig(
            title="Drawn faces through JPEG and a small Hyperprior",
            pairs=(("hyperprior_unbalanced", "hyperprior_balanced"),),
        ),
    )


def demo_study() -> StudyJob:
    """Drawn faces (not people): does a codec trained on mostly Caucasian faces treat African faces worse?"""

    def drawn(name: str, count: int, mix: str, seed: int, split: SplitConfig, an_identity: int = 4) -> ShardsJob:
        source = FacesConfig(count=count, mix=mix, seed=seed, images_per_identity=an_identity)
        return ShardsJob(source=source, directory=f"runs/demo/shards/{name}", split=split)

    training = SplitConfig(train=0.95, val=0.05, test=0.0)
    return StudyJob(
        shards=(
            drawn("unbalanced", 4000, "celeba_like", 1, training),
            drawn("balanced", 4000, "balanced", 2, training),
            drawn("phenotypes", 6000, "balanced", 3, training, an_identity=1),
            drawn("test", 2000, "balanced", 4, SplitConfig(train=0.0, val=0.0, test=1.0)),
        ),
        train=(demo_codecs(), demo_classifiers()),
        audit=demo_audit(),
        ray=SessionConfig(),
    )
