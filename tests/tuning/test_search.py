"""Searches through Ray Tune: what is recorded, where, and what a second start does."""

import dataclasses
import math

import pandas as pd
import pytest

from greycard.streaming.cluster import RayError
from greycard.tracking import job_run
from greycard.tuning import Choice, Float, Goal, SearchConfig, search
from greycard.tuning.run_queue import Ledger
from greycard.tuning.study import StudyError
from tests.tuning.trials import clinging, quick, shortened, troubled

SPACE = {"lam": Float(low=0.1, high=1000, log=True), "kind": Choice(values=("a", "b"))}
GOALS = (Goal(metric="gap"), Goal(metric="accuracy", mode="max"))

pytestmark = pytest.mark.usefixtures("ray_session")


def searched(directory, study, config, trial=quick, goals=GOALS, name="study", **changes):
    """Run a search in a job of its own, as jobs.tune does."""
    arguments = {"space": SPACE, "shared": {"offset": 0.1}, "identity": {"data": "1"}, **changes}
    with job_run(study=study, name="search", directory=directory, config=SearchConfig()) as run:
        return search(name=name, directory=directory, goals=goals, config=config, trial=trial, run=run, **arguments)


def children(client, study):
    experiment = client.get_experiment_by_name(study).experiment_id
    runs = client.search_runs([experiment], max_results=1000)
    (parent,) = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    assert parent.info.status == "FINISHED"
    found = {run.info.run_name: run for run in runs if run is not parent}
    assert len(found) == len(runs) - 1
    return found


def starts(directory):
    """Return run -> the processes that ran it."""
    return {file.parent.name: file.read_text().split() for file in directory.glob("trials/*/starts.txt")}


def events(directory, run):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    accumulator = EventAccumulator(str(directory / "tensorboard" / run))
    accumulator.Reload()
    return accumulator


def test_a_study_in_postgresql_is_that_of_a_file_and_goes_on(tmp_path, client, postgres):
    config = SearchConfig(trials=4, startup=2, seeds=(0, 1))
    expected = searched(tmp_path / "file", "in a file", config).trials
    shared = dataclasses.replace(config, storage=postgres)
    searched(tmp_path / "server", "on a server", dataclasses.replace(shared, trials=2))
    result = searched(tmp_path / "server", "on a server", shared)
    same = [name for name in expected if name != "seconds"]
    pd.testing.assert_frame_equal(result.trials[same], expected[same])
    assert all(len(processes) == 1 for processes in starts(tmp_path / "server").values())
    with pytest.raises(StudyError, match="directory was"):
        searched(tmp_path / "other", "another", shared)


def test_a_search_is_recorded_everywhere_and_goes_on_where_it_ended(tmp_path, client, request):
    study = request.node.name
    config = SearchConfig(trials=3, startup=2, seeds=(0, 4))
    result = searched(tmp_path, study, config)
    trials = result.trials
    assert trials["number"].tolist() == [0, 1, 2]
    assert trials["status"].tolist() == ["finished"] * 3
    assert trials["attempts"].tolist() == [2, 2, 2]
    assert trials["metric/accuracy"].tolist() == pytest.approx(
        [0.9 - 0.02 * math.log10(lam) + 0.002 for lam in trials["param/lam"]]
    )
    assert (trials["metric/accuracy/seed4"] - trials["metric/accuracy/seed0"]).tolist() == pytest.approx([0.004] * 3)
    assert trials["metric/spare"].isna().all()  # infinite
    assert set(starts(tmp_path)) == {f"trial-{number}-seed{seed}" for number in range(3) for seed in (0, 4)}

    found = children(client, study)
    assert {name: run.info.status for name, run in found.items()} == {f"trial-{n}": "FINISHED" for n in range(3)}
    run = found["trial-1"]
    assert float(run.data.params["lam"]) == trials["param/lam"][1]
    assert run.data.metrics["final/gap"] == pytest.approx(trials["metric/gap"][1])
    history = client.get_metric_history(run.info.run_id, "gap/seed4")
    assert [point.step for point in history] == [1, 2, 3]
    assert history[2].value == pytest.approx(trials["metric/gap/seed4"][1] + 1 / 3)

    board = events(tmp_path, "trial-1-seed4")
    assert [event.step for event in board.Scalars("gap")][:3] == [1, 2, 3]
    assert "_hparams_/experiment" in board.PluginTagToContent("hparams")

    again = searched(tmp_path, study, config)
    pd.testing.assert_frame_equal(again.trials, trials)
    longer = searched(tmp_path, study, SearchConfig(trials=4, startup=2, seeds=(0, 4)))
    pd.testing.assert_frame_equal(longer.trials.iloc[:3], trials)
    assert all(len(processes) == 1 for processes in starts(tmp_path).values())
    assert len(children(client, study)) == 4
    with pytest.raises(StudyError, match=r"space lam was .*give this one a name"):
        searched(tmp_path, study, config, space=SPACE | {"lam": Float(low=0.1, high=1)})


@pytest.mark.slow
def test_trials_that_fail_are_recorded_retried_and_passed_over(tmp_path, client, request):
    config = SearchConfig(trials=6, startup=2, retries=1)
    trials = searched(tmp_path, request.node.name, config, troubled).trials
    assert trials["status"].tolist() == ["finished", "failed", "finished", "failed", "failed", "finished"]
    assert trials["attempts"].tolist() == [1, 2, 2, 2, 2, 1]
    assert trials["error"][1] == "ValueError: no such luck\nat all"
    assert trials["error"][3] == "TrialError: goal gap is nan"
    assert "its process died" in trials["error"][4]
    assert trials["metric/gap"].isna().tolist() == [False, True, False, True, True, False]
    found = children(client, request.node.name)
    assert {name for name, run in found.items() if run.info.status == "FAILED"} == {"trial-1", "trial-3", "trial-4"}
    assert "no such luck" in found["trial-1"].data.tags["greycard.error"]

    import optuna

    study = optuna.load_study(study_name="study", storage=f"sqlite:///{tmp_path / 'optuna.db'}")
    assert [trial.state.name for trial in study.trials] == ["COMPLETE", "FAIL", "COMPLETE", "FAIL", "FAIL", "COMPLETE"]
    assert study.trials[3].user_attrs["error"] == "TrialError: goal gap is nan"


@pytest.mark.slow
@pytest.mark.parametrize("scheduler", ["asha", "median"])
def test_trials_that_a_scheduler_stops_are_pruned(tmp_path, client, request, scheduler):
    config = SearchConfig(trials=8, concurrent=1, startup=20, scheduler=scheduler)
    trials = searched(tmp_path, request.node.name, config, shortened, GOALS[:1]).trials
    stopped = trials["status"] == "stopped"
    assert 1 <= stopped.sum() <= 6
    assert set(trials["status"]) == {"stopped", "finished"}
    assert trials["metric/gap"].isna().equals(stopped)
    found = children(client, request.node.name)
    assert {run.info.status for name, run in found.items() if stopped[int(name[6:])]} == {"KILLED"}

    import optuna

    study = optuna.load_study(study_name="study", storage=f"sqlite:///{tmp_path / 'optuna.db'}")
    assert [trial.state.name == "PRUNED" for trial in study.trials] == stopped.tolist()


@pytest.mark.slow
@pytest.mark.long
def test_runs_that_tune_drops_behind_a_clinging_trial_are_run(tmp_path, client, request, monkeypatch):
    dropped, take_back = [], Ledger.take_back
    monkeypatch.setattr(Ledger, "take_back", lambda ledger, run: (dropped.append(run), take_back(ledger, run)))
    config = SearchConfig(trials=5, concurrent=1, startup=20, scheduler="asha")
    trials = searched(tmp_path, request.node.name, config, clinging, GOALS[:1]).trials
    assert trials["number"].tolist() == list(range(5))
    assert dropped
    assert "stopped" in set(trials["status"])
    assert set(trials["status"]) <= {"stopped", "finished"}


def test_a_trial_that_fits_nowhere_is_refused(tmp_path, client, request, monkeypatch):
    import greycard.tuning.driver as driver

    monkeypatch.setattr(driver, "SessionConfig", lambda: driver_session(wait_seconds=0.1))
    with pytest.raises(RayError, match=r"a trial needs 99 CPU .*search.num_cpus"):
        searched(tmp_path, request.node.name, SearchConfig(num_cpus=99))


def driver_session(**changes):
    from greycard.streaming.cluster import SessionConfig

    return SessionConfig(**changes)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"space": {}}, "space of one or more"),
        ({"goals": ()}, "one or more goals"),
        ({"config": SearchConfig(points=({"lam": 1.0},))}, "no value for 'kind'"),
        ({"directory": "s3://bucket/search"}, "path on a disk"),
    ],
)
def test_bad_input_is_refused_before_anything_is_written(tmp_path, changes, words):
    arguments = {"space": SPACE, "goals": GOALS, "config": SearchConfig(), "directory": tmp_path, **changes}
    with pytest.raises(ValueError, match=words):
        search(name="study", trial=quick, shared=None, run=None, identity={}, **arguments)
    assert not list(tmp_path.iterdir())
