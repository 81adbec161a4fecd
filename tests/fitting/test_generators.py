"""Generators as training jobs: end to end, fine-tuning, mixtures, judges, and what is refused."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from greycard import serving
from greycard.classifiers import ResNet32Config
from greycard.config import from_dict, override, to_dict
from greycard.datasets.manifest import ManifestError
from greycard.datasets.mnist import MnistConfig
from greycard.datasets.shards import write_shards
from greycard.datasets.splits import SplitConfig
from greycard.datasets.subsets import LongTailConfig, SubsetConfig
from greycard.fitting import generator as fit_generator
from greycard.fitting.driver import TrainError
from greycard.fitting.generator import read_sets
from greycard.fitting.job import train
from greycard.fitting.kinds.generators import GeneratorTraining
from greycard.fitting.plan import TrainJob, WorkersConfig, plan, unfinished
from greycard.generators import StyleGan2Config
from greycard.layers.weights import WeightsError, load_weights, read_description, save_weights
from greycard.losses.shares import ShareLossConfig
from greycard.streaming.cluster import SessionConfig
from greycard.training.checkpoints import CheckpointError
from greycard.training.progress import read_epochs
from greycard.training.session import DivergedError
from greycard.training.stylegan2.config import AdversarialConfig
from greycard.training.stylegan2.mixture import Mixture

SESSION = SessionConfig(address="local", num_cpus=2, object_store_mb=80, progress=False)
NETWORK = StyleGan2Config.preset("tiny", size=8, base=16, most=4, latent=4, styles=4, mapping=1)
SHORT = AdversarialConfig.preset("tiny", images=32, report_images=16, gamma_every=2)
REAL = GeneratorTraining(name="real", generator=NETWORK, training=SHORT, task="digit", samples=4)
DIGITS = tuple("0123456789")


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    """A long tail: 8 zeros down to 4 nines."""
    directory = tmp_path_factory.mktemp("shards")
    write_shards(
        MnistConfig(colored=False, per_digit=8),
        directory,
        split=SplitConfig(by="image", train=1.0, val=0.0, test=0.0),
        subset=SubsetConfig(longtail=LongTailConfig(attribute="digit", beta=0.5)),
        progress=False,
    )
    return str(directory)


@pytest.fixture(scope="module")
def balanced(tmp_path_factory):
    directory = tmp_path_factory.mktemp("balanced")
    split = SplitConfig(by="image", train=1.0, val=0.0, test=0.0)
    write_shards(MnistConfig(colored=False, per_digit=3), directory, split=split, progress=False)
    return str(directory)


@pytest.fixture(scope="module")
def judge(tmp_path_factory):
    config = ResNet32Config(tasks=("digit",), classes={"digit": DIGITS}, width=1)
    directory = tmp_path_factory.mktemp("judge")
    save_weights(directory, config.network().state_dict(), config.description())
    return dataclasses.replace(config, weights=str(directory))


@pytest.fixture(autouse=True)
def here(own_store, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def job(shards, tmp_path, *models, **fields):
    options = {"study": "test", "directory": str(tmp_path / "train"), "size": 8, "session": SESSION}
    options["workers"] = WorkersConfig(parallel=2)
    return TrainJob(shards=shards, models=models, **(options | fields))


def task_of(shards, tmp_path, **fields):
    (item,) = plan(job(shards, tmp_path, dataclasses.replace(REAL, **fields)), tmp_path / "train").values()
    return item.task


def state(folder):
    return torch.load(f"{folder}/weights.pt", weights_only=True)


@pytest.mark.slow
def test_a_job_trains_generators_one_from_the_other_and_registers_them_one_diverges(
    shards, tmp_path, judge, ray_session
):
    import mlflow

    tuned = dataclasses.replace(
        REAL,
        name="tuned",
        judge=judge,
        start=str(tmp_path / "train" / "models" / "real-seed{seed}"),
        training=dataclasses.replace(SHORT, freeze=2, learning_rate=2e-4, shares=ShareLossConfig()),
    )
    wild = dataclasses.replace(REAL, name="wild", training=dataclasses.replace(SHORT, learning_rate=1e30))
    config = job(shards, tmp_path, REAL, tuned, wild)
    with pytest.raises(TrainError, match=r"1 of 3 models .* wild-seed0: .*(gradient|loss)"):
        train(config)
    assert (tmp_path / "train" / "models" / "wild-seed0" / "checkpoint.pt").exists()
    planned = plan(config, tmp_path / "train")
    assert unfinished(planned) == ["wild-seed0"]
    directory = tmp_path / "train" / "models" / "real-seed0"
    assert sorted(path.name for path in directory.iterdir()) == [
        "discriminator", "example.npz", "outcome.json", "progress.json", "samples", "weights",
    ]  # fmt: skip
    assert sorted(path.name for path in (directory / "samples").iterdir()) == [
        "tick-000000016.png", "tick-000000032.png",
    ]  # fmt: skip
    built = config.trained(REAL)["real-seed0"].build()
    seeds = torch.tensor([5, 0, 7])
    expected = built.generate(built.latents(seeds)).numpy()
    np.testing.assert_array_equal(serving.load(directory / "weights")(seeds.numpy()), expected)
    served = mlflow.pyfunc.load_model("models:/greycard-real-seed0/1")
    np.testing.assert_array_equal(served.predict(seeds.numpy()), expected)

    client = mlflow.MlflowClient()
    experiment = client.get_experiment_by_name("test")
    runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    assert {name: run.info.status for name, run in runs.items()} == {
        "train train": "FAILED", "real-seed0": "FINISHED", "tuned-seed0": "FINISHED", "wild-seed0": "FAILED",
    }  # fmt: skip
    assert "DivergedError" in runs["wild-seed0"].data.tags["greycard.error"]
    run = runs["tuned-seed0"]
    assert [point.step for point in client.get_metric_history(run.info.run_id, "discriminator")] == [16, 32]
    assert (run.data.params["shares.estimator"], run.data.params["training.freeze"]) == ("straight_through", "2")
    assert run.data.metrics["last/images"] == 32
    assert {item.path for item in client.list_artifacts(run.info.run_id)} >= {"samples", "discriminator"}
    before, after = (state(item.task.directory + "/discriminator") for item in list(planned.values())[:2])
    same = {name for name, values in after.items() if torch.equal(values, before[name])}
    assert {name for name in same if name.endswith("weight")} == {"from_rgb.weight", "blocks.0.first.weight"}


def test_fine_tuning_starts_both_networks_from_the_model(shards, tmp_path):
    first = task_of(shards, tmp_path)
    first.train()
    barely = dataclasses.replace(SHORT, images=8, learning_rate=1e-12, average_images=1)
    task = task_of(shards, tmp_path, name="tuned", start=first.directory, training=barely)
    task.train()
    for folder in ("weights", "discriminator"):
        before, after = state(f"{first.directory}/{folder}"), state(f"{task.directory}/{folder}")
        untrained = (NETWORK.network() if folder == "weights" else NETWORK.discriminator()).state_dict()
        for name, values in after.items():
            if name != "mapping.average":
                torch.testing.assert_close(values, before[name], rtol=0, atol=1e-9)
        assert any(not torch.equal(values, untrained[name]) for name, values in before.items())


def test_samples_and_judge_follow_the_device_of_training(shards, tmp_path, judge):
    short = dataclasses.replace(SHORT, images=16, shares=ShareLossConfig(), device="auto")
    task = task_of(shards, tmp_path, training=short, judge=judge)
    task.train()
    assert (Path(task.directory) / "samples" / "tick-000000016.png").exists()
    assert "share/7" in read_epochs(task.directory)[0]


class Killed(BaseException):
    """Stands for a worker that dies."""


def kill(metrics, number):
    raise Killed


def test_a_killed_training_goes_on_to_the_same_weights_and_tells_every_tick(shards, tmp_path):
    whole = task_of(shards, tmp_path, name="whole")
    whole.train()
    task = task_of(shards, tmp_path, name="killed")
    with pytest.raises(Killed):
        task.train(report=kill)  # after the checkpoint and before the sheet of the first tick
    told = []
    task.train(report=lambda metrics, number: told.append(number))
    assert told == [1, 2]
    assert read_epochs(task.directory) == read_epochs(whole.directory)
    for name, values in state(f"{task.directory}/weights").items():
        assert torch.equal(values, state(f"{whole.directory}/weights")[name]), name
    with pytest.raises(CheckpointError, match="training"):
        dataclasses.replace(task, training=dataclasses.replace(SHORT, gamma=3.0)).train()
    told.clear()
    task.train(report=lambda metrics, number: told.append(number))
    assert told == [1, 2]


def test_a_mixture_takes_its_share_of_every_batch(shards, balanced, tmp_path, monkeypatch):
    task = task_of(shards, tmp_path, extra=balanced, extra_share=0.25)
    assert task.identity["extra"].endswith(" 0.25")
    sets = read_sets(task)
    assert isinstance(sets, Mixture)
    assert [len(images.images) for images in (sets.first, sets.second)] == [54, 30]
    marked = Mixture(
        sets.first._replace(images=torch.zeros_like(sets.first.images)),
        sets.second._replace(images=torch.full_like(sets.second.images, 255)),
        sets.share,
    )
    seen = []
    real = fit_generator.train_adversarial

    def spied(generator, discriminator, data, config, session, **options):
        run = discriminator.forward
        discriminator.forward = lambda images: (seen.append(images.detach().mean(dim=(1, 2, 3))), run(images))[1]
        return real(generator, discriminator, data, config, session, **options)

    monkeypatch.setattr(fit_generator, "train_adversarial", spied)
    dataclasses.replace(task, samples=0).train(marked)
    batches = [means for means in seen if set(means.abs().tolist()) == {1.0}]
    assert len(batches) >= 4
    assert {int((means > 0).sum()) for means in batches} == {2}  # of 8


def test_the_judge_starts_from_shares_of_labels_or_from_those_given(shards, balanced, tmp_path, judge):
    counts = [8, 7, 6, 6, 5, 5, 5, 4, 4, 4]
    by_label = task_of(shards, tmp_path, judge=judge).shares
    assert by_label == pytest.approx([count / sum(counts) for count in counts])
    assert task_of(balanced, tmp_path, judge=judge).shares == pytest.approx([0.1] * 10)
    assert task_of(balanced, tmp_path, judge=judge, judge_shards=shards).shares == by_label
    given = (0.55, *[0.05] * 9)
    assert task_of(balanced, tmp_path, judge=judge, judge_shares=given).shares == given


@pytest.mark.parametrize("reweighting", ["real", "generated"])
def test_reweighting_of_real_images_needs_labels_alone(shards, tmp_path, judge, reweighting):
    training = dataclasses.replace(SHORT, images=16, reweighting=reweighting)
    task = task_of(shards, tmp_path, training=training, judge=judge if reweighting == "generated" else None)
    assert task.train().metrics["images"] == 16


def test_a_judge_with_one_logit_has_two_classes(shards, tmp_path):
    config = ResNet32Config(tasks=("parity",), classes={"parity": ("even", "odd")}, width=1, binary="one_logit", seed=1)
    save_weights(tmp_path / "judge", config.network().state_dict(), config.description())
    task = task_of(shards, tmp_path, task="parity", judge=dataclasses.replace(config, weights=str(tmp_path / "judge")))
    images = torch.rand(3, 3, 8, 8) * 255
    logits = fit_generator.judge_of(task).logits(images)
    expected = task.judge.build().probabilities(images.round().to(torch.uint8))["parity"]
    torch.testing.assert_close(logits.softmax(dim=1).double(), expected, rtol=0, atol=0.02)


def test_what_does_not_fit_is_refused_with_words(shards, balanced, tmp_path, judge):
    shares = dataclasses.replace(SHORT, shares=ShareLossConfig())
    with pytest.raises(ValueError, match="need a judge: set judge"):
        dataclasses.replace(REAL, training=shares)
    with pytest.raises(ValueError, match="unknown task 'digits'; did you mean 'digit'"):
        dataclasses.replace(REAL, judge=judge, task="digits")
    with pytest.raises(ValueError, match="set start"):
        dataclasses.replace(REAL, training=dataclasses.replace(SHORT, freeze=5))
    with pytest.raises(ValueError, match="judge has no weights"):
        task_of(shards, tmp_path, judge=dataclasses.replace(judge, weights=""))
    other = dataclasses.replace(judge, classes={"digit": (*DIGITS[:9], "ten")})
    with pytest.raises(ManifestError, match="unknown digit label 'ten'"):
        task_of(shards, tmp_path, judge=other)
    with pytest.raises(ManifestError, match="unknown attribute 'digits'"):
        task_of(shards, tmp_path, task="digits")
    with pytest.raises(ValueError, match=r"generator\.size is 16, images are used at 8"):
        task_of(shards, tmp_path, generator=StyleGan2Config.preset("tiny"))
    with pytest.raises(WeightsError, match="must be the folder of a finished generator"):
        task_of(shards, tmp_path, start=str(tmp_path / "nowhere"))
    with pytest.raises(ValueError, match="judge_shares must be 10"):
        task_of(shards, tmp_path, judge=judge, judge_shares=(0.5, 0.5))
    with pytest.raises(ValueError, match="trains on one"):
        plan(job(shards, tmp_path, REAL, workers=WorkersConfig(processes=2)), tmp_path)


def test_a_start_of_another_size_is_refused(shards, tmp_path):
    first = task_of(shards, tmp_path)
    first.train()
    with pytest.raises(WeightsError, match=r"its size is 8, generator\.size is 16"):
        task_of(shards, tmp_path, generator=dataclasses.replace(NETWORK, size=16), size=16, start=first.directory)


def test_a_diverged_training_keeps_the_checkpoint_from_before(shards, tmp_path):
    task = task_of(shards, tmp_path, training=dataclasses.replace(SHORT, learning_rate=1e30))
    with pytest.raises(DivergedError, match=r"checkpoint\.pt is from before that\. Lower the learning rate"):
        task.train()
    kept = torch.load(f"{task.directory}/checkpoint.pt", weights_only=True)
    assert all(values.isfinite().all() for values in kept["generator"].values())


def test_a_generator_is_described_well_enough_to_be_served(shards, tmp_path):
    task = task_of(shards, tmp_path, generator=dataclasses.replace(NETWORK, truncation=0.5))
    weights = task.train().weights
    assert read_description(weights)["truncation"] == 0.5
    served = serving.generator(weights)
    built = dataclasses.replace(task.model, weights=weights).build()
    latents = built.latents(torch.arange(2))
    assert torch.equal(served.generate(latents), built.generate(latents))
    with pytest.raises(ValueError, match="takes seeds"):
        serving.load(weights)(np.zeros((2, 2)))
    with pytest.raises(WeightsError, match="unknown generator"):
        serving.generator(f"{task.directory}/discriminator")
    assert json.loads((tmp_path / "train/models/real-seed0/outcome.json").read_text())["outcome"]["stopped"] == "images"
    assert set(load_weights(weights, task.model.description())) == set(task.model.network().state_dict())
    with Image.open(f"{task.directory}/samples/tick-000000032.png") as image:
        assert image.size == (2 * 66 + 2, 2 * 66 + 2)  # 4 images of 8 pixels, 8 times as large


def test_the_config_of_a_generator_job_survives_yaml_and_overrides(tmp_path, judge):
    config = job("runs/shards/mnist", tmp_path, dataclasses.replace(REAL, judge=judge))
    assert from_dict(TrainJob, to_dict(config)) == config
    changed = override(config, ["models.0.training.images=99", "models.0.generator.size=16"])
    assert (changed.models[0].training.images, changed.models[0].generator.size) == (99, 16)
