"""The job around a prediction audit: one run with a child a system, tables, a page; recipes and YAML of either kind."""

import dataclasses
import json

import pandas as pd
import pytest

from greycard.audits.job import run_audit
from greycard.audits.prediction.configs import PredictionAudit, PredictorSystem
from greycard.audits.prediction.job import PredictionAuditJob
from greycard.audits.restoration.job import AuditJob
from greycard.config import to_yaml
from greycard.metrics.prediction.findings import PredictionConfig
from greycard.metrics.prediction.squeezing import SqueezingConfig
from greycard.recipes.paper002.audits import paper002_celeba, paper002_siim, paper002_utkface
from greycard.recipes.paper002.trainings import training, utkface
from greycard.recipes.systems import predictor_systems
from greycard.streaming.cluster import SessionConfig
from greycard.streaming.pipeline import Resources
from jobs import command
from jobs.audit import RECIPES
from tests.audits.prediction.predictors import SIZE, PlantedConfig, write_smiles


def job(shards, directory):
    systems = (
        PredictorSystem(name="base", classifier=PlantedConfig()),
        PredictorSystem(name="fair", classifier=PlantedConfig(sure=0.52), loss="eo_l2", lam=5.0, baseline="base"),
    )
    return PredictionAuditJob(
        audit=PredictionAudit(
            study="smiles",
            shards=shards,
            directory=directory,
            systems=systems,
            targets=("smile",),
            sensitive=(("race",),),
            size=SIZE,
            findings=PredictionConfig(resamples=20, permutations=10),
            squeezing=SqueezingConfig(resamples=20),
            resources=Resources(actors=1),
            ray=SessionConfig(progress=False),
        )
    )


def test_one_run_with_a_child_a_system_is_continued(ray_session, own_store, tmp_path, monkeypatch):
    from mlflow import MlflowClient

    monkeypatch.chdir(tmp_path)
    shards = write_smiles(tmp_path / "shards", count=60).uri
    home = tmp_path / "audit"
    first = job(shards, str(home))
    done = run_audit(first)
    changed = dataclasses.replace(first.audit, findings=PredictionConfig(resamples=0, permutations=0))
    again = run_audit(dataclasses.replace(first, audit=changed, title="Smiles"))
    assert done.run_id == again.run_id == json.loads((home / "mlflow_run.json").read_text())["run_id"]

    client = MlflowClient(tracking_uri=own_store)
    run = client.get_run(done.run_id)
    assert run.info.status == "FINISHED"
    children = client.search_runs([run.info.experiment_id], f"tags.`mlflow.parentRunId` = '{done.run_id}'")
    assert {child.info.run_name for child in children} == {"base", "fair"}
    fair = next(child for child in children if child.info.run_name == "fair")
    row = done.frames.table.set_index("system").loc["fair"]
    assert fair.data.metrics["sigma_iou/smile by race"] == pytest.approx(row["sigma_iou"])
    assert fair.data.metrics["n_ok"] == 60
    assert (fair.data.params["lam"], fair.data.params["baseline"]) == ("5.0", "base")
    assert fair.inputs.dataset_inputs[0].dataset.name == "predictions of fair"
    tables = {item.path for item in client.list_artifacts(done.run_id, "tables")}
    wanted = {f"tables/{name}.json" for name in ("groups", "disparities", "table", "paper", "squeezing", "comparisons")}
    assert wanted <= tables

    assert {item.path for item in client.list_artifacts(done.run_id, "report")} == {
        "report/figures",
        "report/index.html",
    }

    paper = pd.read_csv(home / "tables" / "paper.csv")
    assert paper["source"].unique().tolist() == ["measured"]
    found = pd.read_parquet(home / "tables" / "comparisons.parquet").set_index("measure")
    assert found.loc["eo_l2", "reduction"] > 0.99
    assert found.loc["sigma_iou", "reduction"] == 0  # squeezing changes no decision
    page = (home / "report" / "index.html").read_text()
    assert "Smiles" in page
    assert "squeezed" in page


def test_a_training_becomes_systems_with_their_baselines():
    found = predictor_systems(training(utkface(), seeds=(0, 1)), names=("race",))
    assert [system.name for system in found][:3] == ["race-seed0", "race-iou-lam150-seed0", "race-eo_l2-lam150-seed0"]
    assert len(found) == 12
    assert found[1].baseline == "race-seed0"
    assert (found[7].baseline, found[7].seed, found[7].trained_for) == ("race-seed1", 1, ("race",))
    assert found[1].classifier.weights == "runs/paper002/utkface/models/race-iou-lam150-seed0/weights"
    assert found[0].loss == "ce"


@pytest.mark.parametrize("recipe", [paper002_celeba, paper002_utkface, paper002_siim])
def test_the_papers_recipes_pair_every_loss_with_its_baseline(recipe):
    audit = recipe().audit
    assert audit.split == "val"
    for (attribute,) in audit.sensitive:
        mine = [system for system in audit.systems if system.trained_for == (attribute,)]
        assert [system.loss for system in mine] == ["iou", "eo_l2", "eo_mi", "dp_l2", "dp_mi"]
        assert len({system.baseline for system in mine}) == 1
    assert audit.resources.actors == 0


def test_a_yaml_file_of_either_kind_is_a_recipe_of_audits(tmp_path, capsys):
    for name in ("paper002_siim", "jpeg"):
        config = RECIPES[name]()
        path = tmp_path / f"{name}.yaml"
        path.write_text(to_yaml(config))
        ran = []
        assert command.main("audit", RECIPES, ran.append, "", [str(path)]) == 0
        assert ran == [config]
        assert isinstance(ran[0], AuditJob if name == "jpeg" else PredictionAuditJob)
    path.write_text("kind: predictionss\n")
    assert command.main("audit", RECIPES, print, "", [str(path)]) == 2
    assert "kind" in capsys.readouterr().err
