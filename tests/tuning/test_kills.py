"""A search whose driver is killed, or asked to end, goes on: the same trials, none run twice, no run left RUNNING."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import optuna
import pandas as pd
import pytest

from greycard.tracking import job_run
from greycard.tuning import Choice, Float, Goal, SearchConfig, search
from tests.tuning.trials import waiting

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
TRIALS = 6


def searched(directory, study, folder, trials=TRIALS):
    config = SearchConfig(trials=trials, startup=2, concurrent=2)
    with job_run(study=study, name="search", directory=directory, config=SearchConfig()) as run:
        return search(
            name="study",
            directory=directory,
            space={"lam": Float(low=0.1, high=1000, log=True), "kind": Choice(values=("a", "b"))},
            goals=(Goal(metric="gap"), Goal(metric="accuracy", mode="max")),
            config=config,
            trial=waiting,
            shared={"offset": 0.1, "folder": str(folder), "from": 3},
            run=run,
            identity={},
            progress=False,
        ).trials


def start(*arguments):
    environment = os.environ | {"PYTHONPATH": f"{ROOT}/platform{os.pathsep}{ROOT}", "RAY_AUTH_MODE": "disabled"}
    return subprocess.Popen(
        [sys.executable, str(Path(__file__).parent / "driver.py"), *map(str, arguments)],
        cwd=ROOT,
        env=environment,
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def wait_for(condition, driver=None, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert driver is None or driver.poll() is None, driver.communicate()[0][-3000:]
        assert time.monotonic() < end
        time.sleep(0.1)


def is_alive(marker):
    return Path(f"/proc/{marker.read_text()}").exists()


def has_starts(directory, numbers):
    """Whether the study knows that these trials were started: the record follows a start by some milliseconds."""
    storage = optuna.storages.RDBStorage(f"sqlite:///{directory / 'optuna.db'}")
    trials = optuna.load_study(study_name="study", storage=storage).trials
    return all("attempts/seed0" in trials[number].user_attrs for number in numbers)


def statuses(client, study):
    experiment = client.get_experiment_by_name(study).experiment_id
    return sorted((run.info.run_name, run.info.status) for run in client.search_runs([experiment], max_results=1000))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, store, ray_session):
    folder = tmp_path_factory.mktemp("calm")
    (folder / "go").touch()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", store)
        return searched(folder / "job", "calm", folder)


ENDS = [pytest.param(signal.SIGKILL, id="kill"), pytest.param(signal.SIGINT, id="ctrl-c", marks=pytest.mark.long)]


@pytest.mark.parametrize("how", ENDS)
def test_a_search_that_was_ended_goes_on(tmp_path, client, undisturbed, how):
    study, directory = f"ended by {how}", tmp_path / "job"
    driver = start(directory, study, tmp_path, TRIALS)
    try:
        wait_for(lambda: len(list(tmp_path.glob("waiting-*"))) == 2, driver)
        wait_for(lambda: has_starts(directory, (3, 4)), driver)
        if how == signal.SIGKILL:
            os.killpg(driver.pid, how)
        else:
            os.kill(driver.pid, how)
        driver.wait(60)
    finally:
        if driver.poll() is None:
            os.killpg(driver.pid, signal.SIGKILL)
        output = driver.communicate()[0]
    left = dict(statuses(client, study))
    if how != signal.SIGKILL:  # which may come before the store was told; what it left is put right below
        assert left["trial-0"] == "FINISHED", output[-3000:]
        assert {left["trial-3"], left["trial-4"], left["search"]} == {"KILLED"}, output[-3000:]
    wait_for(lambda: not any(map(is_alive, tmp_path.glob("waiting-*"))))  # Ray ends what a lost driver has started
    (tmp_path / "go").touch()

    trials = searched(directory, study, tmp_path)
    same = [name for name in trials if name not in ("seconds", "attempts")]
    pd.testing.assert_frame_equal(trials[same], undisturbed[same])
    assert trials["attempts"].tolist() == [1, 1, 1, 2, 2, 1]
    assert statuses(client, study) == [("search", "FINISHED")] + [(f"trial-{n}", "FINISHED") for n in range(TRIALS)]
    runs = {file.parent.name: len(file.read_text().split()) for file in directory.glob("trials/*/starts.txt")}
    assert runs == {f"trial-{number}-seed0": 1 for number in range(TRIALS)}  # each came to its end once
