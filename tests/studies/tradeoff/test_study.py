"""Whole studies on drawn faces, small ones: from shards to the report, and through a kill in the search."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from greycard import config
from greycard.fitting.job import train
from greycard.fitting.plan import TrainJob
from greycard.studies.tradeoff.study import check_resume, tune
from greycard.tracking import ConfigChangedError
from tests.studies.tradeoff.studies import codecs, predictors, unconfirmed

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def tracking(client):
    """Whatever a test starts logs to the module's store."""


@pytest.fixture(scope="module")
def calm(tmp_path_factory, store, ray_session):
    """A study that nothing disturbed: its job and what it left."""
    job = predictors(tmp_path_factory.mktemp("calm"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", store)
        return job, tune(job)


def runs(client, study):
    experiment = client.get_experiment_by_name(study).experiment_id
    return client.search_runs([experiment], max_results=500)


def test_a_study_leaves_a_report_recipes_models_and_runs(calm, client):
    job, tuned = calm
    assert tuned.result.trials["status"].tolist() == ["finished"] * 3
    assert "Control" in tuned.page.read_text()
    assert set(tuned.verdicts) == {"best", "knee", "control"}
    registered = client.get_registered_model("greycard-tiny").aliases
    assert set(registered) == {"best", "knee"}
    found = runs(client, "tiny")
    assert {run.info.status for run in found} == {"FINISHED"}
    names = [run.info.run_name for run in found]
    assert len(names) == len(set(names))
    assert {"tune tiny", "trial-0", "trial-1", "trial-2", "smile-seed0", "smile-seed1"} <= set(names)
    parent = next(run for run in found if run.info.run_name == "tune tiny")
    assert parent.info.run_id == tuned.run_id
    assert parent.data.metrics["test/best/sigma_iou/baseline"] >= 0
    artifacts = {item.path for item in client.list_artifacts(tuned.run_id)}
    assert {"recipes", "report", "tables"} <= artifacts
    assert (Path(job.directory) / "audit").is_dir()


def test_the_chosen_trial_is_trained_again_to_its_very_metrics(calm, client):
    """A trial shares its data and start through the object store; its recipe reads them: the numbers are the same."""
    _, tuned = calm
    best = tuned.chosen.choices[0]
    name = f"smile-iou-lam{best.settings['fair.lam']:g}-seed0"
    again = next(run for run in runs(client, "tiny") if run.info.run_name == name).data.metrics
    assert again["best/sigma_iou"] == best.metrics["sigma_iou"]
    assert again["best/accuracy"] == best.metrics["accuracy"]


def test_a_finished_study_is_only_reported_again(calm, client):
    job, tuned = calm
    before = {run.info.run_id for run in runs(client, "tiny")}
    check_resume(job)
    again = tune(job)
    pd.testing.assert_frame_equal(again.result.trials, tuned.result.trials)
    assert again.verdicts == tuned.verdicts
    assert again.models == tuned.models
    assert {run.info.run_id for run in runs(client, "tiny")} == before
    with pytest.raises(ConfigChangedError):
        tune(config.override(job, ["size=17"]))


def test_the_best_recipe_is_a_training_job(calm, tmp_path):
    _, tuned = calm
    recipe = config.from_yaml(TrainJob, tuned.recipes["best"].read_text())
    here = [f"directory={tmp_path}/best", "models.0.seeds=[0]", "study=again"]
    trained = train(config.override(recipe, here))
    best = tuned.chosen.choices[0]
    assert (
        trained[f"smile-iou-lam{best.settings['fair.lam']:g}-seed0"].metrics["sigma_iou"] == best.metrics["sigma_iou"]
    )


@pytest.mark.long
def test_a_study_killed_in_its_search_goes_on_to_the_same_result(calm, client, tmp_path):
    _, undisturbed = calm
    driver = subprocess.Popen(
        [sys.executable, "-m", "tests.studies.tradeoff.studies", str(tmp_path)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": f"{ROOT}/platform{os.pathsep}{ROOT}", "RAY_AUTH_MODE": "disabled"},
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        end = time.monotonic() + 240
        while not finished(tmp_path / "search" / "optuna.db"):
            assert driver.poll() is None, driver.communicate()[0][-3000:]
            assert time.monotonic() < end
            time.sleep(0.05)
    finally:
        os.killpg(driver.pid, signal.SIGKILL)
        driver.wait()
    tuned = tune(unconfirmed(tmp_path))
    same = [name for name in tuned.result.trials if name not in ("seconds", "attempts")]
    pd.testing.assert_frame_equal(tuned.result.trials[same], undisturbed.result.trials[same])
    assert tuned.chosen.choices[0] == undisturbed.chosen.choices[0]
    found = runs(client, "killed")
    assert {run.info.status for run in found} == {"FINISHED"}
    names = [run.info.run_name for run in found]
    assert len(names) == len(set(names))


def finished(database):
    """Say whether the search has told at least one trial."""
    if not database.exists():
        return False
    try:
        with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
            return connection.execute("SELECT COUNT(*) FROM trials WHERE state = 'COMPLETE'").fetchone()[0] > 0
    except sqlite3.OperationalError:  # not yet made, or locked
        return False


@pytest.mark.long
def test_codecs_are_searched_for_rate_distortion_and_disparity(client, tmp_path, ray_session):
    tuned = tune(codecs(tmp_path))
    assert tuned.result.trials["status"].tolist() == ["finished"] * 2
    assert {"metric/psnr_gap_db", "metric/bpp", "metric/psnr_db"} <= set(tuned.result.trials)
    assert "dB" in tuned.verdicts["best"]
    recipe = config.from_yaml(TrainJob, tuned.recipes["best"].read_text())
    assert recipe.models[0].parity[0].mu == tuned.chosen.choices[0].settings["parity.mu"]
    assert set(client.get_registered_model("greycard-tiny_codecs").aliases) == {"best"}
    assert {run.info.status for run in runs(client, "tiny_codecs")} == {"FINISHED"}
