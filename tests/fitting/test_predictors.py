"""Predictors under fairness losses, from the plan to the registry, on one process and on two."""

import dataclasses
import json
import os
import signal
import threading
import time

import numpy as np
import pytest
import torch

from greycard.classifiers import ResNetConfig
from greycard.config import ConfigError, from_dict, override, to_dict
from greycard.datasets.faces import FacesConfig
from greycard.datasets.loading import load_images, load_labels
from greycard.datasets.manifest import Manifest, ManifestError
from greycard.datasets.shards import write_shards
from greycard.datasets.splits import SplitConfig
from greycard.fitting.distributed import Processes, train_distributed
from greycard.fitting.job import train
from greycard.fitting.kinds.codecs import CodecTraining
from greycard.fitting.kinds.predictors import PredictorTraining
from greycard.fitting.model import read_data
from greycard.fitting.plan import TrainJob, WorkersConfig, plan
from greycard.layers.weights import load_weights
from greycard.losses import DpMi, EoL2, Iou
from greycard.streaming.cluster import SessionConfig
from greycard.training.data import TrainingData
from greycard.training.loop import LoopConfig
from greycard.training.optimizers import SgdConfig
from greycard.training.progress import read_epochs
from greycard.training.session import DivergedError

SESSION = SessionConfig(address="local", num_cpus=3, object_store_mb=80, progress=False)
LOOP = LoopConfig(epochs=2, batch_size=16, optimizer=SgdConfig(learning_rate=0.01))
EYES = PredictorTraining(
    name="eyes",
    classifier=ResNetConfig(tasks=("eye_type", "lip_type"), width=2, shared=True),
    target="eye_type",
    sensitive=("race",),
    loop=LOOP,
    fair=(Iou(lam=2.0), DpMi(lam=0.5)),
    seeds=(0, 3),
)


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    directory = tmp_path_factory.mktemp("shards")
    split = SplitConfig(train=0.6, val=0.2, test=0.2)
    write_shards(FacesConfig(count=96, images_per_identity=2), directory, split=split, progress=False)
    return str(directory)


@pytest.fixture(autouse=True)
def here(own_store, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def job(shards, tmp_path, *models, **fields):
    options = {"study": "test", "directory": str(tmp_path / "train"), "session": SESSION, "size": 32}
    return TrainJob(shards=shards, models=models, **(options | fields))


def test_each_seed_has_a_baseline_and_fair_phases_that_start_from_it(shards, tmp_path):
    planned = plan(job(shards, tmp_path, EYES), tmp_path)
    assert list(planned) == [
        "eyes-seed0",
        "eyes-iou-lam2-seed0",
        "eyes-dp_mi-lam0.5-seed0",
        "eyes-seed3",
        "eyes-iou-lam2-seed3",
        "eyes-dp_mi-lam0.5-seed3",
    ]
    baseline, fair = planned["eyes-seed3"].task, planned["eyes-dp_mi-lam0.5-seed3"]
    assert (baseline.objective.fair, baseline.start, baseline.loop) == (None, "", dataclasses.replace(LOOP, seed=3))
    assert fair.after == "eyes-seed3"
    assert fair.task.start == f"{baseline.directory}/weights"
    assert fair.task.objective.fair == DpMi(lam=0.5)
    assert fair.task.objective.groups == (("African", "Asian", "Caucasian", "Indian"),)
    assert (fair.task.loop.keep, fair.task.loop.seed, fair.task.model.seed) == ("last", 3, 3)
    assert baseline.attributes == ("eye_type", "lip_type", "race")
    trained = job(shards, tmp_path, EYES).trained(EYES)
    assert trained["eyes-seed3"].weights.endswith("models/eyes-seed3/weights")


def test_class_weights_follow_the_training_split_by_class_index(shards, tmp_path):
    weighted = dataclasses.replace(EYES, class_weighting="inverse")
    weights = plan(job(shards, tmp_path, weighted), tmp_path)["eyes-seed0"].task.objective.class_weights
    manifest = Manifest.load(shards)
    for task in ("eye_type", "lip_type"):
        counts = np.array([manifest.counts["train"][task][name] for name in manifest.attributes[task]])
        assert weights[task] == pytest.approx(2 / counts / (1 / counts).sum(), rel=1e-5)


def counted_cells(manifest, split):
    labels = load_labels(manifest, split, ("skin_type", "race"))
    cells = np.zeros((6, 4), int)
    np.add.at(cells, (labels["skin_type"].numpy(), labels["race"].numpy()), 1)
    return cells


def without_test(manifest):
    return dataclasses.replace(manifest, rows={"train": manifest.rows["train"], "val": manifest.rows["val"]})


def test_empty_cells_are_told_with_names_and_counts(shards):
    skin = dataclasses.replace(
        EYES, classifier=ResNetConfig(tasks=("skin_type",), width=2), target="skin_type", fair=()
    )
    manifest = Manifest.load(shards)
    told = skin.empty_cells(manifest)
    assert list(told) == ["train", "val", "test"]
    assert told["test"].count("(of ") == (counted_cells(manifest, "test") == 0).sum() > 0
    assert list(skin.empty_cells(without_test(manifest))) == ["train", "val"]
    labels = load_labels(manifest, "val", ("skin_type", "race"))
    images = load_images(shards, "val", size=8, attributes=("skin_type", "race"))
    assert all(torch.equal(labels[name], images.labels[name]) for name in labels)
    cells = counted_cells(manifest, "val")
    assert told["val"].startswith(f"{(cells == 0).sum()} of 24 (label, group) cells have no rows")
    label, group = np.argwhere(cells == 0)[0]
    race = manifest.attributes["race"][group]
    name = f"type{label + 1}"
    assert f"{name}, {race} (of {cells[label].sum()} {name} and {cells[:, group].sum()} {race})" in told["val"]


def test_bad_names_are_refused_with_near_matches(shards, tmp_path):
    with pytest.raises(ValueError, match="'eye_tipe'; did you mean 'eye_type'"):
        dataclasses.replace(EYES, target="eye_tipe")
    with pytest.raises(ManifestError, match="'rase'; did you mean 'race'"):
        plan(job(shards, tmp_path, dataclasses.replace(EYES, sensitive=("rase",))), tmp_path)
    stratified = dataclasses.replace(LOOP, stratify=("eye_type", "rase"))
    with pytest.raises(ManifestError, match="'rase'; did you mean 'race'"):
        plan(job(shards, tmp_path, dataclasses.replace(EYES, fair_loop=stratified)), tmp_path)
    recipe = job(shards, tmp_path, EYES)
    with pytest.raises(ConfigError, match="dp_l2"):
        override(recipe, ["models.0.fair.0.kind=dp_l3"])
    with pytest.raises(ConfigError, match=r"fair\.lam must be 0 or above"):
        override(recipe, ["models.0.fair.0.lam=-1"])
    with pytest.raises(ValueError, match="one_logit"):
        dataclasses.replace(EYES, ce_mode="doubled")
    with pytest.raises(ValueError, match="must not hold the target"):
        dataclasses.replace(EYES, sensitive=("eye_type",))
    assert from_dict(TrainJob, to_dict(recipe)) == recipe


def test_codecs_do_not_train_on_several_processes(shards, tmp_path):
    from greycard.codecs import HyperpriorConfig

    chain = CodecTraining(name="c", codec=HyperpriorConfig(channels=(2, 3), lambdas=(0.01,)), loop=LOOP)
    with pytest.raises(ValueError, match=r"workers\.processes to 1"):
        plan(job(shards, tmp_path, chain, workers=WorkersConfig(processes=2)), tmp_path)


def task_of(shards, tmp_path, name="eyes-seed0", training=EYES):
    return plan(job(shards, tmp_path, training), tmp_path)[name].task


def weights_of(task):
    return load_weights(f"{task.directory}/weights", task.model.description())


def test_a_trial_trains_on_shared_data_and_weights_without_reading(shards, tmp_path):
    baseline = task_of(shards, tmp_path)
    baseline.train()
    fair = task_of(shards, tmp_path, "eyes-iou-lam2-seed0")
    outcome = fair.train()
    data = TrainingData(*read_data(fair)[:2], start=weights_of(baseline))
    trial = dataclasses.replace(fair, shards="/nowhere", directory=str(tmp_path / "trial"), start="")
    seen = []
    found = trial.train(data, lambda metrics, epoch: seen.append((epoch, metrics)))
    assert [epoch for epoch, _ in seen] == [1, 2]
    assert found.metrics == outcome.metrics
    assert all(torch.equal(value, weights_of(trial)[name]) for name, value in weights_of(fair).items())
    again = []
    trial.train(data, lambda metrics, epoch: again.append((epoch, metrics)))
    assert again == seen


def test_a_report_may_end_a_trial_which_can_be_gone_on_with(shards, tmp_path):
    def prune(metrics, epoch):
        raise StopIteration

    task = task_of(shards, tmp_path)
    with pytest.raises(StopIteration):
        task.train(report=prune)
    assert len(read_epochs(task.directory)) == 1
    assert task.train().epochs == 2


def test_training_data_travels_through_the_object_store_without_a_copy(shards, tmp_path, ray_session):
    import ray

    data = read_data(task_of(shards, tmp_path))
    reference = ray.put(data)
    first, second = ray.get(reference), ray.get(reference)
    assert torch.equal(first.train.images, data.train.images)
    assert all(torch.equal(first.val.labels[name], codes) for name, codes in data.val.labels.items())
    assert first.train.images.data_ptr() == second.train.images.data_ptr()


@pytest.mark.slow
def test_two_ray_train_workers_come_to_the_weights_of_one_process(shards, tmp_path, ray_session):
    alone = task_of(shards, tmp_path / "one")
    together = task_of(shards, tmp_path / "two")
    alone.train()
    seen = []
    outcome = train_distributed(
        together, Processes(count=2), report=lambda metrics, epoch: seen.append((epoch, metrics["val/loss"]))
    )
    for name, value in weights_of(alone).items():
        torch.testing.assert_close(weights_of(together)[name], value, rtol=1e-4, atol=1e-5)
    assert [epoch for epoch, _ in seen] == [1, 2]
    assert outcome.epochs == 2
    assert not (tmp_path / "two" / "models" / "eyes-seed0" / "ray_train").exists()
    wild = dataclasses.replace(EYES, loop=dataclasses.replace(LOOP, optimizer=SgdConfig(learning_rate=1e30)))
    with pytest.raises(DivergedError, match="Lower the learning rate"):
        train_distributed(task_of(shards, tmp_path / "wild", training=wild), Processes(count=2))


@pytest.mark.slow
def test_a_job_trains_baselines_and_fair_phases_and_logs_them(shards, tmp_path, ray_session):
    from mlflow import MlflowClient

    training = dataclasses.replace(EYES, seeds=(0,), fair=(EoL2(lam=3.0),))
    models = train(job(shards, tmp_path, training))
    assert list(models) == ["eyes-seed0", "eyes-eo_l2-lam3-seed0"]
    assert {"sigma_iou", "dp_difference", "eo_difference", "accuracy_all", "fair"} <= models[
        "eyes-eo_l2-lam3-seed0"
    ].metrics.keys()
    client = MlflowClient(os.environ["MLFLOW_TRACKING_URI"])
    experiment = client.get_experiment_by_name("test")
    runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    assert runs["train train"].data.tags["empty_cells/eyes/train"]
    fair = runs["eyes-eo_l2-lam3-seed0"]
    assert fair.data.params["objective.fair.lam"] == "3.0"
    assert fair.data.params["objective.fair.kind"] == "eo_l2"
    assert len(client.get_metric_history(fair.info.run_id, "val/sigma_iou")) == 2
    fair_classifier = job(shards, tmp_path, training).trained(training)["eyes-eo_l2-lam3-seed0"].build()
    images = load_images(shards, "test", size=32).images
    assert fair_classifier.probabilities(images)["eye_type"].shape == (len(images), 2)


@pytest.mark.slow
@pytest.mark.long
def test_a_ray_train_worker_killed_in_the_middle_is_replaced(shards, tmp_path, ray_session):
    training = dataclasses.replace(EYES, loop=dataclasses.replace(LOOP, epochs=12, checkpoint_steps=1))
    alone = task_of(shards, tmp_path / "one", training=training)
    together = task_of(shards, tmp_path / "two", training=training)
    alone.train()
    progress = tmp_path / "two" / "models" / "eyes-seed0" / "progress.json"
    killed = []

    def kill():
        while not progress.exists():
            time.sleep(0.01)
        killed.append(json.loads(progress.read_text()))
        os.kill(killed[0]["pid"], signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    outcome = train_distributed(together, Processes(count=2, max_retries=2))
    killer.join()
    assert len(killed[0]["epochs"]) < 12 == outcome.epochs
    assert json.loads(progress.read_text())["pid"] != killed[0]["pid"]
    for name, value in weights_of(alone).items():
        torch.testing.assert_close(weights_of(together)[name], value, rtol=1e-3, atol=1e-4)
