import contextlib
import dataclasses
import json
import math

import numpy as np
import pytest
import torch

from greycard.config import from_dict, to_dict
from greycard.latent_search.config import LatentSearchConfig
from greycard.latent_search.labelling import GeneratorLabeller
from greycard.latent_search.search import search
from greycard.recipes.paper004.syntheses import RECIPES
from greycard.streaming.cluster import SessionConfig
from greycard.streaming.pipeline import Resources
from greycard.synthesis.config import SynthesisConfig
from greycard.synthesis.job import SynthesisJob, synthesize
from greycard.synthesis.parts import Part
from jobs.benchmarks import search as search_bench
from tests.synthesis.networks import TASK, stream_here, write_models


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return write_models(tmp_path_factory.mktemp("models"))


def test_a_set_is_logged_with_its_account(models, own_store, tmp_path, monkeypatch, capsys):
    from mlflow import MlflowClient

    monkeypatch.setattr(Part, "_stream", stream_here)
    monkeypatch.setattr("greycard.synthesis.run.session", lambda config: contextlib.nullcontext())
    home = tmp_path / "set"
    folder = str(models[0].weights).rpartition("/")[0]
    monkeypatch.chdir(folder)  # where relative weights are looked for without ``models``
    job = SynthesisJob(
        study="kinds",
        synthesis=SynthesisConfig(
            generator=dataclasses.replace(models[0], weights="generator"),
            classifier=dataclasses.replace(models[1], weights="classifier"),
            task=TASK,
            count=10,
            search=LatentSearchConfig(cap=8, start_budget=40, max_evaluations=60),
            lineages=4,
            directory=str(home),
            ray=SessionConfig(progress=False),
        ),
    )
    done = synthesize(job)
    spread = dataclasses.replace(job.synthesis, resources=Resources(actors=2))
    assert synthesize(dataclasses.replace(job, synthesis=spread)).run_id == done.run_id
    assert done.run_id == json.loads((home / "mlflow_run.json").read_text())["run_id"]
    said = capsys.readouterr()
    assert "40 images" not in said.out
    assert "36 train, 4 val images of kind by search" in said.out
    assert "warning: never lacks 10 of 10" in said.err
    run = MlflowClient(tracking_uri=own_store).get_run(done.run_id)
    assert run.info.status == "FINISHED"
    found = run.data.metrics
    assert (found["chosen"], found["short"], found["chosen/one"], found["short/never"]) == (40, 10, 10, 10)
    assert 0 <= found["near/one"] <= 1
    assert math.isfinite(found["evaluated_per_chosen/two"])
    assert run.inputs.dataset_inputs[0].dataset.digest == done.result.manifest.digest
    assert run.data.tags["greycard.short"].startswith("never lacks 10 of 10")


def test_the_serial_side_of_the_benchmark_finds_what_the_search_finds(models):
    labeller = GeneratorLabeller(models[0].build(), models[1].build(), TASK)
    config = LatentSearchConfig(cap=8, relative=False, min_distance=0.0, start_budget=50)
    for lineage in search([(0, 0), (2, 50)], labeller, config):
        latents, _ = search_bench.serial(labeller, config, np.ones((), np.float32), lineage.start[:2])
        np.testing.assert_allclose(latents, np.stack([item.latent for _, item in lineage.results]), rtol=1e-5)


def test_models_of_the_benchmark_show_several_classes(tmp_path):
    config = search_bench.SearchBenchmarkConfig()
    models = search_bench.Models(*search_bench.random_models(config, tmp_path))
    assert len(search_bench.classes_seen(models)) >= 2
    assert torch.get_num_threads() >= 1


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_recipes_survive_being_written_down(name):
    recipe = RECIPES[name]()
    assert from_dict(SynthesisJob, to_dict(recipe)) == recipe
    assert recipe.synthesis.generator.weights.startswith("runs/paper004/")


def test_rejection_recipes_differ_from_their_search_in_the_method_alone():
    for name in ("mnist", "faces", "cifar10"):
        first, second = RECIPES[name]().synthesis, RECIPES[f"{name}_rejection"]().synthesis
        assert (first.method, second.method) == ("search", "rejection")
        assert dataclasses.replace(
            second, method="search", directory=first.directory, lineages=first.lineages
        ) == dataclasses.replace(first)
