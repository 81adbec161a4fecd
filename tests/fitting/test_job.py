"""The training job: from shards to registered models, through dead workers and a second run."""

import dataclasses
import json
import os
import signal
import threading
import time
from pathlib import Path

import pytest
import torch

from greycard.classifiers import ResNetConfig
from greycard.codecs import GaussianMixAttnConfig, HyperpriorConfig, JointConfig
from greycard.datasets.faces import FacesConfig
from greycard.datasets.loading import load_images
from greycard.datasets.manifest import ManifestError
from greycard.datasets.shards import write_shards
from greycard.datasets.splits import SplitConfig
from greycard.fitting.driver import TrainError
from greycard.fitting.job import train
from greycard.fitting.kinds.classifiers import ClassifierTraining
from greycard.fitting.kinds.codecs import CodecTraining
from greycard.fitting.plan import TrainJob, WorkersConfig, plan
from greycard.fitting.task import read_example
from greycard.layers.weights import load_weights, read_description, save_weights
from greycard.streaming.cluster import SessionConfig
from greycard.tracking import ConfigChangedError
from greycard.training.checkpoints import CheckpointError
from greycard.training.loop import LoopConfig
from greycard.training.optimizers import AdamConfig, SgdConfig
from greycard.training.progress import read_epochs
from greycard.training.session import DivergedError
from jobs.train import RECIPES

SESSION = SessionConfig(address="local", num_cpus=2, object_store_mb=80, progress=False)
ADAM = AdamConfig(learning_rate=1e-3)
CODEC = CodecTraining(
    name="tiny",
    codec=HyperpriorConfig(channels=(4, 6), lambdas=(0.0009, 0.0067)),
    loop=LoopConfig(
        epochs=3, batch_size=16, optimizer=AdamConfig(learning_rate=1e-3), clip_norm=1.0, checkpoint_steps=2
    ),
    fine_tune=LoopConfig(epochs=1, batch_size=16, optimizer=AdamConfig(learning_rate=1e-3), clip_norm=1.0),
)
CLASSIFIER = ClassifierTraining(
    name="skin",
    classifier=ResNetConfig(tasks=("skin_type", "eye_type"), width=4, shared=True),
    seeds=(0, 1),
    a_model="all",
    loop=LoopConfig(epochs=2, batch_size=32, optimizer=SgdConfig(learning_rate=0.1)),
)


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    directory = tmp_path_factory.mktemp("shards")
    split = SplitConfig(train=0.6, val=0.2, test=0.2)
    write_shards(FacesConfig(count=128, images_per_identity=2), directory, split=split, progress=False)
    return str(directory)


@pytest.fixture(autouse=True)
def here(own_store, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def job(shards, tmp_path, *models, **fields):
    options = {"study": "test", "directory": str(tmp_path / "train"), "session": SESSION}
    return TrainJob(shards=shards, models=models, workers=WorkersConfig(parallel=2), **(options | fields))


def runs(name=None):
    from mlflow import MlflowClient

    client = MlflowClient(os.environ["MLFLOW_TRACKING_URI"])
    experiment = client.get_experiment_by_name("test")
    found = client.search_runs([experiment.experiment_id])
    return {run.info.run_name: run for run in found}, client


def test_the_plan_goes_down_the_lambdas_each_from_the_one_before(shards, tmp_path):
    planned = plan(job(shards, tmp_path, CODEC, CLASSIFIER), tmp_path)
    assert list(planned) == ["tiny@0.0067", "tiny@0.0009", "skin-seed0", "skin-seed1"]
    first, second = planned["tiny@0.0067"].task, planned["tiny@0.0009"]
    assert (first.objective.lam, first.start, first.loop) == (0.0067, "", CODEC.loop)
    assert second.after == "tiny@0.0067"
    assert second.task.start == f"{first.directory}/weights"
    assert second.task.loop == CODEC.fine_tune
    assert planned["skin-seed1"].task.loop.seed == planned["skin-seed1"].task.model.seed == 1


def test_a_classifier_a_task_and_seed():
    training = dataclasses.replace(CLASSIFIER, a_model="task")
    assert list(training.models()) == [
        "skin-skin_type-seed0",
        "skin-eye_type-seed0",
        "skin-skin_type-seed1",
        "skin-eye_type-seed1",
    ]
    assert training.models()["skin-eye_type-seed1"].tasks == ("eye_type",)


def test_bad_plans_are_refused_before_anything_starts(shards, tmp_path):
    other = ResNetConfig(tasks=("gender",), classes={"gender": ("female", "male")}, width=4)
    with pytest.raises(ManifestError, match="gender"):
        train(job(shards, tmp_path, dataclasses.replace(CLASSIFIER, classifier=other)))
    with pytest.raises(ManifestError):
        train(job(str(tmp_path / "nowhere"), tmp_path, CODEC))
    with pytest.raises(ValueError, match="set shards"):
        plan(job("", tmp_path, CODEC), tmp_path)
    with pytest.raises(ValueError, match="names of their own"):
        job(shards, tmp_path, CODEC, CODEC)
    assert not (tmp_path / "train").exists()


@pytest.mark.slow
def test_codecs_and_classifiers_are_trained_logged_registered_and_not_trained_again(shards, tmp_path, ray_session):
    config = job(shards, tmp_path, CODEC, CLASSIFIER)
    models = train(config)
    assert list(models) == ["tiny@0.0067", "tiny@0.0009", "skin-seed0", "skin-seed1"]
    assert models["tiny@0.0009"].uri == "models:/greycard-tiny-0.0009/1"

    codec = config.trained(CODEC)["tiny"].build()
    images = load_images(shards, "test", size=64).images[:3]
    assert codec.points == (0.0009, 0.0067)
    assert codec.reconstruct(images, 0.0009).images.shape == images.shape
    assert config.trained(CLASSIFIER)["skin-seed1"].build().predict(images)["eye_type"].shape == (3,)
    assert read_description(models["tiny@0.0009"].weights)["lambda"] == 0.0009

    found, client = runs()
    assert set(found) == {"train train", *models}
    assert {run.info.status for run in found.values()} == {"FINISHED"}
    child = found["tiny@0.0067"]
    assert child.data.tags["mlflow.parentRunId"] == found["train train"].info.run_id
    curve = client.get_metric_history(child.info.run_id, "val/bpp")
    assert [point.step for point in curve] == [1, 2, 3]
    assert child.data.metrics["best/loss"] == min(
        point.value for point in client.get_metric_history(child.info.run_id, "val/loss")
    )
    before = {path: path.stat().st_mtime_ns for path in Path(config.directory).rglob("weights.pt")}
    assert train(config) == models
    assert {path: path.stat().st_mtime_ns for path in before} == before
    again, _ = runs()
    assert {run.info.run_id for run in again.values()} == {run.info.run_id for run in found.values()}
    assert len(client.get_metric_history(child.info.run_id, "val/bpp")) == 3


@pytest.mark.slow
def test_a_worker_killed_in_the_middle_is_replaced_and_the_weights_are_those_of_an_undisturbed_run(
    shards, tmp_path, one_thread, ray_session
):
    loop = dataclasses.replace(CODEC.loop, epochs=40, checkpoint_steps=1)
    chain = dataclasses.replace(CODEC, codec=dataclasses.replace(CODEC.codec, lambdas=(0.0067,)), loop=loop)
    config = job(shards, tmp_path, chain)
    undisturbed = plan(config, tmp_path / "undisturbed")["tiny@0.0067"].task
    progress = Path(config.directory) / "models" / "tiny@0.0067" / "progress.json"
    killed = []

    def kill():
        while not progress.exists():
            time.sleep(0.01)
        killed.append(json.loads(progress.read_text()))
        os.kill(killed[0]["pid"], signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    models = train(config)
    killer.join()
    assert len(killed[0]["epochs"]) < 40
    after = json.loads(progress.read_text())
    assert after["pid"] != killed[0]["pid"]

    expected = undisturbed.train()
    description = chain.codec.description()
    ours, theirs = load_weights(models["tiny@0.0067"].weights, description), load_weights(expected.weights, description)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


@pytest.mark.slow
def test_a_model_that_diverges_fails_with_its_reason_and_the_others_finish(shards, tmp_path, ray_session):
    loop = dataclasses.replace(CODEC.loop, clip_norm=0.0, optimizer=AdamConfig(learning_rate=1e12))
    wild = dataclasses.replace(CODEC, name="wild", loop=loop)
    message = r"2 of 3 models .*wild@0\.0067: the (loss|gradient) is .*wild@0\.0009: wild@0"
    with pytest.raises(TrainError, match=message):
        train(job(shards, tmp_path, wild, dataclasses.replace(CLASSIFIER, seeds=(0,))))
    found, _ = runs()
    assert found["train train"].info.status == "FAILED"
    assert found["wild@0.0067"].info.status == "FAILED"
    assert found["skin-seed0"].info.status == "FINISHED"


def test_a_model_is_resumed_or_refused_by_its_directory(shards, tmp_path):
    config = job(shards, tmp_path, CLASSIFIER)
    task = plan(config, tmp_path)["skin-seed0"].task
    outcome = task.train()
    assert outcome.epochs == 2
    assert len(read_epochs(task.directory)) == 2
    assert task.train() == outcome
    other = dataclasses.replace(task, loop=dataclasses.replace(task.loop, epochs=1))
    with pytest.raises(CheckpointError, match="its loop differ"):
        other.train()


def interrupt(task, monkeypatch):
    """Train until the first epoch is reported, and die."""

    def die(self, metrics, epoch):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("greycard.fitting.model.Progress.__call__", die)
        with pytest.raises(KeyboardInterrupt):
            task.train()


def test_an_unfinished_model_is_not_resumed_on_other_images_of_the_same_number(shards, tmp_path, monkeypatch):
    split = SplitConfig(train=0.6, val=0.2, test=0.2)
    faces = FacesConfig(count=128, images_per_identity=2, mix="african_only")
    write_shards(faces, tmp_path / "other", split=split, progress=False)
    task, other = (
        plan(job(uri, tmp_path, CLASSIFIER), tmp_path)["skin-seed0"].task for uri in (shards, str(tmp_path / "other"))
    )
    interrupt(task, monkeypatch)
    with pytest.raises(CheckpointError, match="its shards differ"):
        other.train()
    assert task.train().epochs == 2


def test_a_model_is_not_resumed_or_taken_for_finished_after_its_start_was_trained_anew(shards, tmp_path, monkeypatch):
    planned = plan(job(shards, tmp_path, CODEC), tmp_path)
    task = planned["tiny@0.0009"].task

    def start_from(seed):
        torch.manual_seed(seed)
        network = task.model.network()
        save_weights(task.start, task.model.export(network), task.model.description() | {"lambda": 0.0067})

    start_from(0)
    interrupt(task, monkeypatch)
    start_from(1)
    with pytest.raises(CheckpointError, match="its start_weights differ"):
        task.train()
    start_from(0)
    outcome = task.train()
    assert task.train() == outcome
    start_from(1)
    with pytest.raises(CheckpointError, match="its start_weights differ"):
        task.train()


@pytest.mark.parametrize("codec", [JointConfig(channels=(3, 6)), GaussianMixAttnConfig(channels=(3,))])
def test_a_codecs_example_is_what_its_files_decode_to(codec, shards, tmp_path):
    loop = LoopConfig(epochs=1, batch_size=64, optimizer=ADAM)
    chain = CodecTraining(name="c", codec=dataclasses.replace(codec, lambdas=(0.0067,)), loop=loop)
    task = plan(job(shards, tmp_path, chain), tmp_path)["c@0.0067"].task
    weights = task.train().weights
    images, restored = read_example(task.directory)
    trained = dataclasses.replace(task.model, weights=(weights,)).build()
    decoded = [trained.decode(trained.encode(torch.from_numpy(image), 0.0067)) for image in images]
    assert torch.equal(torch.from_numpy(restored), torch.stack(decoded))


def test_a_job_may_be_started_again_with_other_workers(shards, tmp_path):
    config = job(shards, tmp_path, CODEC, CLASSIFIER)
    other = dataclasses.replace(config, workers=WorkersConfig(max_retries=0), session=SessionConfig(address="auto"))
    for item in plan(config, tmp_path / "train").values():
        item.task.train()
    assert train(other) == train(config)  # all are finished: no Ray is needed
    with pytest.raises(ConfigChangedError):
        train(dataclasses.replace(config, registry="other"))


def test_divergence_is_reported_from_a_model(shards, tmp_path):
    loop = dataclasses.replace(CLASSIFIER.loop, optimizer=SgdConfig(learning_rate=1e30))
    task = plan(job(shards, tmp_path, dataclasses.replace(CLASSIFIER, loop=loop)), tmp_path)["skin-seed0"].task
    with pytest.raises(DivergedError, match="Lower the learning rate"):
        task.train()


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_every_recipe_is_a_full_config_that_survives_its_dictionary(name):
    from greycard.config import from_dict, override, to_dict

    recipe = RECIPES[name]()
    assert from_dict(TrainJob, to_dict(recipe)) == recipe
    if recipe.models[0].kind == "generator":
        assert override(recipe, ["models.0.training.images=64"]).models[0].training.images == 64
    else:
        assert override(recipe, ["models.0.loop.epochs=1"]).models[0].loop.epochs == 1
