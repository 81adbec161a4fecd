"""What finished folders, checkpoints and runs are known by stays what it was: one model of each kind of training."""

import hashlib
import json
from pathlib import Path

import pytest

from greycard.classifiers import ResNet32Config, ResNetConfig
from greycard.codecs import HyperpriorConfig
from greycard.config import digest, from_yaml, to_yaml
from greycard.datasets.manifest import MANIFEST, Manifest
from greycard.fitting.kinds.classifiers import ClassifierTraining
from greycard.fitting.kinds.codecs import CodecTraining
from greycard.fitting.kinds.generators import GeneratorTraining
from greycard.fitting.kinds.parity_codecs import ParityCodecTraining
from greycard.fitting.kinds.predictors import PredictorTraining
from greycard.fitting.plan import TrainJob, plan
from greycard.generators import StyleGan2Config
from greycard.losses import Iou
from greycard.losses.shares import ShareLossConfig
from greycard.training.loop import LoopConfig
from greycard.training.objectives.parity import ParityRateDistortion
from greycard.training.optimizers import AdamConfig, CosineConfig, SgdConfig
from greycard.training.stylegan2.config import AdversarialConfig

HOME = "/runs/train"
LOOP = LoopConfig(epochs=3, batch_size=16, optimizer=AdamConfig(learning_rate=1e-3), schedule=CosineConfig())
CODEC = HyperpriorConfig(channels=(4, 6), lambdas=(0.0009, 0.0067))
PARITY = ParityRateDistortion(lam=0.01, mu=2.0, sensitive="race", groups=("African", "Asian"))
CLASSES = {"race": ("African", "Asian"), "eyes": ("narrow", "other")}
JUDGE = ResNet32Config(tasks=("race",), classes=CLASSES, width=1, weights="judge")
NETWORK = StyleGan2Config.preset("tiny", size=8, base=16, most=4, latent=4, styles=4, mapping=1)
ADVERSARIAL = AdversarialConfig.preset("tiny", images=32, report_images=16)
MODELS = (
    CodecTraining(name="chain", codec=CODEC, loop=LOOP, fine_tune=LoopConfig(epochs=1, batch_size=8)),
    ParityCodecTraining(name="even", codec=CODEC, baseline=PARITY, parity=(PARITY,), loop=LOOP, seeds=(1,)),
    ClassifierTraining(
        name="skin",
        classifier=ResNetConfig(tasks=("race", "eyes"), classes=CLASSES, width=4),
        seeds=(2,),
        loop=LoopConfig(epochs=2, batch_size=32, optimizer=SgdConfig(learning_rate=0.1)),
        class_weighting="balanced",
    ),
    PredictorTraining(
        name="eyes",
        classifier=ResNetConfig(tasks=("eyes",), classes=CLASSES, width=2),
        target="eyes",
        sensitive=("race",),
        loop=LOOP,
        fair=(Iou(lam=2.0),),
        seeds=(3,),
    ),
    GeneratorTraining(name="real", generator=NETWORK, training=ADVERSARIAL, task="race", size=8, samples=4, seeds=(4,)),
    GeneratorTraining(
        name="tuned",
        generator=NETWORK,
        training=AdversarialConfig.preset("tiny", images=32, report_images=16, freeze=2, shares=ShareLossConfig()),
        judge=JUDGE,
        task="race",
        start=f"{HOME}/models/real-seed{{seed}}",
        extra="shards",
        size=8,
        seeds=(4,),
    ),
)
JOB = TrainJob(directory=HOME, shards="shards", models=MODELS, size=64)
COUNTS = {"race": {"African": 3, "Asian": 1}, "eyes": {"narrow": 2, "other": 2}}


@pytest.fixture
def planned(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    splits = ("train", "val")
    manifest = Manifest(
        uri="", dataset="made", version="1", drawn=True, attributes=CLASSES, shards=(), made={}, made_digest="0",
        counts=dict.fromkeys(splits, COUNTS), unlabelled=dict.fromkeys(splits, dict.fromkeys(CLASSES, 0)),
        rows=dict.fromkeys(splits, 4), identities=dict.fromkeys(splits, 0), missing=dict.fromkeys(splits, 0),
    )  # fmt: skip
    Path("shards").mkdir()
    (Path("shards") / MANIFEST).write_bytes(manifest.to_json())
    return plan(JOB, Path(HOME))


def short(values):
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]


EXPECTED = {  # model: its identity, its task, the params of its run, what it starts from, rounds
    "chain@0.0067": ("528448bcdb397503", "d1e83dad714f0f6b", "6bfed08f0318b516", "", 3),
    "chain@0.0009": ("6f55b11b1e6ecc69", "48434cd429857976", "420ccb8ddf1cabc3", "chain@0.0067", 1),
    "even-seed1": ("3d506fd10c4e1c27", "a50de202d118bef0", "0659f1c1c09c215f", "", 3),
    "even-lam0.01-mu2-seed1": ("6ca62bc521d24f39", "697ce3f435517fb0", "0659f1c1c09c215f", "even-seed1", 3),
    "skin-race-seed2": ("555224f25bde113d", "8faa8db5e792fed5", "dfdefa8e07353501", "", 2),
    "skin-eyes-seed2": ("8be8304eca4beec5", "3127cf9fedf7322b", "745bb91c4c4e91d0", "", 2),
    "eyes-seed3": ("3c907e15fa309d11", "da119ad2d31483fa", "ea13ca42ddc0849a", "", 3),
    "eyes-iou-lam2-seed3": ("8062fc34f3843838", "bc5380961aa2460d", "14a97e32d55de57e", "eyes-seed3", 3),
    "real-seed4": ("a189e0920b58279c", "32091558865a9548", "e4ba2de93d9e2a9a", "", 2),
    "tuned-seed4": ("20f350414dea8328", "e7408657a9b21fcd", "d754e79402844093", "real-seed4", 2),
}


def test_every_task_is_known_by_what_it_was(planned):
    found = {
        name: (short(item.task.identity), digest(item.task), short(item.task.params()), item.after, item.task.rounds)
        for name, item in planned.items()
    }
    assert found == EXPECTED


def test_a_job_is_known_by_what_it_was_and_survives_yaml():
    assert digest(JOB) == "0228bbe8012ccdc6"
    assert from_yaml(TrainJob, to_yaml(JOB)) == JOB
