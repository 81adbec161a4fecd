"""The rows of paper 004's tables, and the places where a study leaves what they need."""

import dataclasses

import pytest

from greycard.fitting.plan import MODELS
from greycard.generators import StyleGan2Config
from greycard.recipes.paper004 import generators as paper004
from greycard.recipes.paper004 import studies
from greycard.recipes.paper004.audits import paper004_mnist
from greycard.recipes.paper004.syntheses import RECIPES as SYNTHESES
from greycard.studies.rebalancing.rows import DIRECTORY, ROWS, row


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


SETTINGS = {
    "ffhq": paper004.ffhq(),
    "ffhq_paper256": paper004.ffhq("paper256"),
    "cifar10": paper004.cifar(),
    "mnist": paper004.mnist_small(),
    "faces": paper004.faces_small(),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_fine_tuning_and_search_find_the_generator_that_the_study_leaves(name):
    config = SETTINGS[name]
    study = studies.RECIPES["faces_ffhq" if name == "faces" else name]()
    assert config.start == f"{study.directory}/{DIRECTORY}/{MODELS}/real-seed{{seed}}"
    rows = {name: row(config, name) for name in config.rows}
    assert {found.start for name, found in rows.items() if name.startswith("finetune")} == {config.start}
    assert not any(found.start for name, found in rows.items() if not name.startswith("finetune"))
    assert all(found.generator.size == found.size == study.generator.size for found in rows.values())
    assert study.generator == config.generator
    if name in SYNTHESES:
        weights = SYNTHESES[name]().synthesis.generator.weights
        assert weights == f"{study.directory}/{DIRECTORY}/{MODELS}/real-seed0/weights"


def test_both_networks_of_ffhq_have_a_study():
    first, second = studies.ffhq(), studies.ffhq_paper256()
    assert first.generator == StyleGan2Config.preset("config_f")
    assert second.generator == StyleGan2Config.preset("paper256")
    assert first.directory != second.directory
    assert first.rows == second.rows


def test_the_audit_takes_what_the_study_of_digits_leaves():
    job, study = paper004_mnist(), studies.mnist()
    audit = job.audit
    generators = {system.variant: system.generator for system in audit.systems if system.generator}
    assert tuple(generators) == study.rows
    assert all(found == study.generator for found in (without_weights(one) for one in generators.values()))
    for name, found in generators.items():
        folder = "generators_synthetic" if name in study.synthetic_rows else "generators"
        assert found.weights == f"{study.directory}/{folder}/models/{name}-seed0/weights"
    assert dataclasses.replace(audit.classifier, weights="") == study.measuring.classifier
    assert audit.reference == f"{study.directory}/shards/reference"


def without_weights(generator):
    return dataclasses.replace(generator, weights="")


def test_rows_of_small_networks_are_trained_alike():
    for config, jitter in ((paper004.mnist_small(), 0.5), (paper004.faces_small(), 0.0)):
        trainings = {name: row(config, name).training for name in config.rows}
        assert {(one.batch, one.cooldown, one.jitter) for one in trainings.values()} == {(16, 0.5, jitter)}
        assert {one.shares.memory for one in trainings.values() if one.shares} == {0.98}


def test_small_networks_have_the_size_that_a_cpu_trains():
    networks = StyleGan2Config.preset("small32")
    count = sum(parameter.numel() for parameter in networks.network().parameters())
    assert 70_000 < count < 110_000
