"""The job around a generation audit: one run with a child a system, tables, recipes and YAML."""

import dataclasses
import json

import pandas as pd
import pytest

from greycard.audits.generation.configs import GenerationAudit, GeneratorSystem, RealismConfig
from greycard.audits.generation.job import GenerationAuditJob, flat
from greycard.audits.job import run_audit
from greycard.audits.pinning import with_models
from greycard.config import to_yaml
from greycard.recipes.paper004.audits import DATA_REAL, DATA_SYNTHETIC, paper004_mnist
from greycard.streaming.cluster import SessionConfig
from greycard.streaming.pipeline import Resources
from jobs import command
from jobs.audit import RECIPES
from tests.audits.generation.generators import SIZE, ReaderConfig, ToyConfig, write_kinds


def job(shards, directory):
    return GenerationAuditJob(
        audit=GenerationAudit(
            study="kinds",
            systems=(GeneratorSystem(name="biased", generator=ToyConfig(shares=(0.7, 0.1, 0.1, 0.1)), variant="real"),),
            count=60,
            seed=0,
            classifier=ReaderConfig(),
            task="kind",
            reference=shards,
            size=SIZE,
            realism=RealismConfig(splits=3, subsets=3, subset=20, resamples=50),
            directory=directory,
            resources=Resources(actors=1),
            ray=SessionConfig(progress=False),
        )
    )


def test_one_run_with_a_child_a_system_is_continued(ray_session, own_store, tmp_path, monkeypatch, capsys):
    from mlflow import MlflowClient

    monkeypatch.chdir(tmp_path)
    home = tmp_path / "audit"
    first = job(write_kinds(tmp_path / "shards", counts=(15, 15, 15, 15)).uri, str(home))
    done = run_audit(first)
    changed = dataclasses.replace(first.audit, realism=RealismConfig(splits=2, subsets=2, subset=10))
    again = run_audit(dataclasses.replace(first, audit=changed))
    assert done.run_id == again.run_id == json.loads((home / "mlflow_run.json").read_text())["run_id"]
    assert [item.table_sha256 for item in again.result.systems] == [item.table_sha256 for item in done.result.systems]
    assert "biased: discrepancy 0." in capsys.readouterr().out

    client = MlflowClient(tracking_uri=own_store)
    run = client.get_run(done.run_id)
    assert run.info.status == "FINISHED"
    children = client.search_runs([run.info.experiment_id], f"tags.`mlflow.parentRunId` = '{done.run_id}'")
    assert {child.info.run_name for child in children} == {"reference", "biased"}
    biased = next(child for child in children if child.info.run_name == "biased")
    scores = again.frames.scores.set_index(["system", "measure"])["value"]
    for measure in ("discrepancy[hard]", "frechet[aux]", "recall[aux]"):
        assert biased.data.metrics[flat(measure)] == pytest.approx(scores["biased", measure])
    assert biased.data.metrics["share/a"] > 0.5
    assert biased.data.params["variant"] == "real"
    assert biased.inputs.dataset_inputs[0].dataset.name == "images of biased"
    tables = {item.path for item in client.list_artifacts(done.run_id, "tables")}
    names = ("scores", "shares", "frechet_groups", "references", "confusion", "counts")
    assert {f"tables/{name}.json" for name in names} <= tables
    assert len(pd.read_csv(home / "tables" / "scores.csv")) == len(scores)
    assert (home / "states" / "biased.npz").is_file()
    page = (home / "report" / "index.html").read_text()
    assert again.page == str(home / "report" / "index.html")
    assert "According to a second classifier" in page
    assert "The aim was" not in page
    assert f"python -m jobs.audit {home / 'audit.yaml'}" in page
    assert {item.path for item in client.list_artifacts(done.run_id, "report")} == {
        "report/figures",
        "report/index.html",
    }
    assert (home / "audit.yaml").read_text() == to_yaml(dataclasses.replace(first, audit=changed))


def test_recipes_name_every_row_and_the_sets_and_come_back_from_yaml(tmp_path, capsys):
    systems = {system.name: system for system in paper004_mnist().audit.systems}
    assert list(systems)[-2:] == [DATA_REAL, DATA_SYNTHETIC]
    assert [system.variant for system in systems.values()][:4] == ["real", "reweighting", "balanced_real", "syn_bias"]
    assert len(systems) == 8
    file = tmp_path / "job.yaml"
    file.write_text(to_yaml(paper004_mnist()))
    assert command.main("audit", RECIPES, run_audit, "", [str(file), "--dry-run"]) == 0
    assert capsys.readouterr().out == file.read_text()


def test_models_may_lie_in_a_shared_folder():
    moved = with_models("s3://bucket", paper004_mnist().audit)
    assert moved.classifier.weights.startswith("s3://bucket/runs/paper004/mnist/classifiers/")
    assert moved.systems[0].generator.weights.startswith("s3://bucket/runs/paper004/mnist/generators/")
    assert moved.systems[-1].generator is None
