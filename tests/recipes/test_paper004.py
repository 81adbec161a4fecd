"""The rows of paper 004's tables as training jobs."""

import pytest

from greycard.config import from_dict, to_dict
from greycard.fitting.plan import TrainJob
from greycard.generators import StyleGan2Config
from greycard.recipes.paper004 import generators as paper004
from greycard.studies.rebalancing.rows import ROWS, row
from jobs.train import RECIPES


def test_the_eight_rows_of_table_4():
    config = paper004.cifar()
    rows = {name: row(config, name) for name in config.rows}
    assert tuple(rows) == ROWS
    assert [name for name, found in rows.items() if found.training.shares] == [
        "real_bias", "finetune", "finetune_freeze5", "syn_bias",
    ]  # fmt: skip
    assert {
        name: found.training.reweighting for name, found in rows.items() if found.training.reweighting != "none"
    } == {"reweighting": "real"}
    assert [name for name, found in rows.items() if found.start] == ["finetune", "finetune_freeze5"]
    assert {name: found.training.freeze for name, found in rows.items() if found.training.freeze} == {
        "finetune_freeze5": 5
    }
    assert rows["finetune"].training.learning_rate == pytest.approx(rows["real"].training.learning_rate / 10)
    folders = {name: found.shards.split("/", 3)[3] for name, found in rows.items()}
    assert folders["balanced_real"] == "shards/balanced"
    assert {folders[name] for name in ("reweighting", "real", "real_bias")} == {"shards/real"}
    assert {folders[name] for name in ("finetune", "finetune_freeze5", "syn", "syn_bias")} == {"synthesis/shards"}
    assert rows["syn_bias"].judge_shards == rows["real"].shards  # the bias that is to be made up for
    assert rows["syn_bias"].judge == config.judge


def test_table_1_has_no_balanced_row():
    assert paper004.ffhq().rows == ROWS[1:]
    with pytest.raises(ValueError, match="unknown row 'balanced_real'"):
        row(paper004.ffhq(), "balanced_real")


@pytest.mark.parametrize("name", sorted(paper004.RECIPES))
def test_recipes_are_full_configs_and_fine_tuning_finds_its_start(name):
    job = RECIPES[name]()
    assert from_dict(TrainJob, to_dict(job)) == job
    before = RECIPES[name.removesuffix("_synthetic")]()
    starts = {model.start for model in job.models if model.start}
    assert starts <= {f"{before.directory}/models/real-seed{{seed}}"}
    assert bool(starts) == name.endswith("_synthetic")
    assert (job.directory == before.directory) == (not starts)
    assert all(model.generator.size == model.size == job.size for model in job.models)


def test_rows_of_small_networks_are_trained_alike():
    for config, jitter in ((paper004.mnist_small(), 0.5), (paper004.faces_small(), 0.0)):
        trainings = {name: row(config, name).training for name in config.rows}
        assert {(one.batch, one.cooldown, one.jitter) for one in trainings.values()} == {(16, 0.5, jitter)}
        assert {one.shares.memory for one in trainings.values() if one.shares} == {0.98}


def test_small_networks_have_the_size_that_a_cpu_trains():
    networks = StyleGan2Config.preset("small32")
    count = sum(parameter.numel() for parameter in networks.network().parameters())
    assert 70_000 < count < 110_000
