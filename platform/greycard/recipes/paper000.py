"""Paper 000: codecs at the paper's rates, phenotype classifiers, and the audit of both on RFW."""

from dataclasses import replace

from greycard.audits.restoration.configs import RestorationAudit, System
from greycard.audits.restoration.job import AuditJob
from greycard.audits.restoration.report import ReportConfig
from greycard.classifiers import ResNetConfig
from greycard.codecs import GaussianMixAttnConfig, HyperpriorConfig, JointConfig, JpegConfig
from greycard.fitting.kinds.classifiers import ClassifierTraining
from greycard.fitting.kinds.codecs import CodecTraining
from greycard.fitting.plan import TrainJob
from greycard.metrics.full_reference.lpips import Lpips
from greycard.metrics.restoration.findings import FindingsConfig
from greycard.recipes.systems import PIXEL_MEASURES, RAW, classifiers_of, codec_systems
from greycard.training.loop import LoopConfig
from greycard.training.optimizers import AdamConfig, PlateauConfig, SgdConfig


def codecs_paper() -> TrainJob:
    """Hyperprior, Joint and GaussianMix-Attn, full width, at the paper's five λ (days on a GPU)."""
    loop = LoopConfig(
        epochs=1000,
        batch_size=64,
        patience=50,
        optimizer=AdamConfig(learning_rate=1e-4),
        schedule=PlateauConfig(factor=0.1, patience=10),
        clip_norm=1.0,
        checkpoint_steps=2000,
        device="auto",
    )
    return TrainJob(
        study="paper000",
        directory="runs/paper000/codecs",
        shards="runs/shards/celeba",
        models=(
            CodecTraining(name="hyperprior", codec=HyperpriorConfig(), loop=loop),
            CodecTraining(name="joint", codec=JointConfig(), loop=loop),
            CodecTraining(name="gaussian_mix_attn", codec=GaussianMixAttnConfig(), loop=loop),
        ),
    )


def classifiers_paper() -> TrainJob:
    """A ResNet18 per phenotype from scratch at 64 pixels, five seeds: the recipe of the paper's text (section 3.3)."""
    return TrainJob(
        study="paper000",
        directory="runs/paper000/classifiers",
        shards="runs/shards/rfw",
        models=(ClassifierTraining(name="resnet18", classifier=ResNetConfig(), loop=_paper_classifier_loop()),),
    )


def classifiers_code() -> TrainJob:
    """A ResNet18 per phenotype from ImageNet weights at 224 pixels and values 0..255, as the published code has it."""
    classifier = ResNetConfig(pretrained="weights/resnet18-f37072fd.pth", pixels="bytes", resize=224)
    return TrainJob(
        study="paper000",
        directory="runs/paper000/classifiers_code",
        shards="runs/shards/rfw",
        models=(
            ClassifierTraining(
                name="resnet18_code", classifier=classifier, loop=replace(_paper_classifier_loop(), epochs=20)
            ),
        ),
    )


def _paper_classifier_loop() -> LoopConfig:
    return LoopConfig(
        epochs=50,
        batch_size=32,
        patience=5,
        optimizer=SgdConfig(learning_rate=0.01),
        checkpoint_steps=1000,
        device="auto",
    )


def jpeg() -> AuditJob:
    """JPEG at the paper's qualities, pixels measured; needs no trained model."""
    return AuditJob(
        audit=RestorationAudit(
            study="jpeg",
            shards="runs/shards/faces",
            systems=(RAW, System(name="jpeg", codec=JpegConfig())),
            measures=PIXEL_MEASURES,
            directory="runs/jpeg/audit",
        ),
        report=ReportConfig(findings=FindingsConfig(qualities=("psnr_db", "ssim"))),
    )


def paper000_audit() -> AuditJob:
    """Paper 000: JPEG and the three CompressAI codecs at five λ on RFW, seen by six phenotype classifiers x 5 seeds."""
    return AuditJob(
        audit=RestorationAudit(
            study="paper000",
            shards="runs/shards/rfw",
            systems=(RAW, System(name="jpeg", codec=JpegConfig()), *codec_systems(codecs_paper())),
            measures=(*PIXEL_MEASURES, Lpips()),
            classifiers=classifiers_of(classifiers_paper()),
            resize=True,
            directory="runs/paper000/audit",
        )
    )
