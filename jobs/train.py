"""Train codecs (down a chain of λ), classifiers, predictors under fairness losses, and generators on shards.

    python -m jobs.train codecs_paper --set shards=runs/shards/celeba --set directory=runs/train/celeba
    python -m jobs.train classifiers_paper --set shards=runs/shards/rfw

Each model is a Ray task that keeps a checkpoint: a worker that dies, or a job that is killed and run again, goes on
where it was and ends with the same weights. Finished models are not trained again. The driver alone logs to MLflow: one
child run a model, with its curves, and the model in the registry. On several nodes, ``directory`` must be on a file
system that all of them see.
"""

import contextlib
import sys
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from greycard.classifiers import ResNetConfig
from greycard.codecs import GaussianMixAttnConfig, HyperpriorConfig, JointConfig
from greycard.datasets.manifest import Manifest
from greycard.fitting.generator import GeneratorTask
from greycard.fitting.model import ModelTask
from greycard.streaming.cluster import Demand, SessionConfig, require, session
from greycard.tracking import job_run
from greycard.training.loop import LoopConfig
from greycard.training.optimizers import AdamConfig, CosineConfig, PlateauConfig, SgdConfig
from jobs import command, paper002, paper004
from jobs.train_driver import Driver, TrainedModel, outcome_of
from jobs.train_plan import ClassifierTraining, CodecTraining, TrainJob, WorkersConfig, plan
from jobs.train_predictors import PredictorTraining, describe_cells


def train(job: TrainJob) -> dict[str, TrainedModel]:
    """Train every model of a job that is not finished; log all; return model name -> model.

    Raises:
        TrainError: some models failed; the others are finished and logged.
        ManifestError: shards are not there, or lack a classifier's attribute.
        CheckpointError: the directory holds models of another config.
        RayError: Ray is not reachable, or has no node for a task.
    """
    directory = Path(job.directory).absolute()
    planned = plan(job, directory)
    unfinished = {name for name, item in planned.items() if outcome_of(item.task) is None}
    with job_run(study=job.study, name=f"train {directory.name}", directory=directory, config=_result_of(job)) as run:
        for uri in sorted({uri for item in planned.values() for uri in images_of(item.task)}):
            run.log_dataset(Manifest.load(uri), "train", uri)
        if unfinished:
            run.set_tags(tell_empty_cells(job))
        with contextlib.ExitStack() as stack:
            if unfinished:
                stack.enter_context(session(job.session))
                workers = job.workers
                demand = Demand(
                    count=workers.processes, num_cpus=workers.num_cpus, num_gpus=workers.num_gpus, spare_cpus=0.0
                )
                require(demand, job.session, "training a model")
            return Driver(job, run, planned, unfinished).run_all()


def images_of(task: ModelTask | GeneratorTask) -> tuple[str, ...]:
    """Return the URIs of the shards that a model is trained on."""
    return (task.shards, task.extra) if isinstance(task, GeneratorTask) and task.extra else (task.shards,)


def tell_empty_cells(job: TrainJob) -> dict[str, str]:
    """Say before training which (label, group) cells of a predictor's splits have no rows; return it as tags."""
    tags = {}
    for training in job.models:
        if isinstance(training, PredictorTraining):
            for split, found in describe_cells(training, Manifest.load(training.shards or job.shards)).items():
                tags[f"empty_cells/{training.name}/{split}"] = found or "none"
                if found:
                    tqdm.write(f"{training.name}, {split}: {found}")
    return tags


def _result_of(job: TrainJob) -> TrainJob:
    """Return what the run is known by: a job that is started again may have other workers."""
    return replace(job, workers=WorkersConfig(), session=SessionConfig())


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
    """ResNet18 a phenotype from scratch at 64 pixels, five seeds: the recipe of the paper's text (section 3.3)."""
    return TrainJob(
        study="paper000",
        directory="runs/paper000/classifiers",
        shards="runs/shards/rfw",
        models=(ClassifierTraining(name="resnet18", classifier=ResNetConfig(), loop=_paper_classifier_loop()),),
    )


def classifiers_code() -> TrainJob:
    """ResNet18 a phenotype from ImageNet weights at 224 pixels and values 0..255, as the published code has it."""
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
    codecs = {
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


RECIPES = {
    "codecs_paper": codecs_paper,
    "classifiers_paper": classifiers_paper,
    "classifiers_code": classifiers_code,
    "demo_codecs": demo_codecs,
    "demo_classifiers": demo_classifiers,
    "photos_codecs": photos_codecs,
    **paper002.RECIPES,
    **paper004.RECIPES,
}

if __name__ == "__main__":
    sys.exit(command.main("train", RECIPES, train, __doc__))
