"""A job's run: made once, continued by the same directory, ended with its true status whatever ended it."""

import json
import signal
import subprocess
import sys
from dataclasses import dataclass

import pytest

from greycard.tracking import ConfigChangedError, TrackingError, job_run


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    quality: int = 3
    lambdas: tuple[float, ...] = (1e-4, 1e-3)


def runs_of(client, study):
    experiment = client.get_experiment_by_name(study)
    return client.search_runs([experiment.experiment_id], order_by=["attributes.start_time ASC"])


def start(study, directory, config=None):
    return job_run(study=study, name="job", directory=directory, config=config or Config())


def test_params_are_the_flattened_config_and_the_commit(client, study, tmp_path):
    with start(study, tmp_path) as run:
        pass
    params = client.get_run(run.run_id).data.params
    assert params["quality"] == "3"
    assert params["lambdas"] == "[0.0001, 0.001]"
    assert params["git_commit"]
    assert client.get_run(run.run_id).info.status == "FINISHED"


def test_a_second_start_continues_the_same_run(client, study, tmp_path):
    for attempt in range(2):
        with start(study, tmp_path) as run, run.child("jpeg@5", name="jpeg 5", params={"point": 5}) as child:
            child.log_metrics({"psnr_db": 30.0 + attempt}, step=5)
    runs = runs_of(client, study)
    assert len(runs) == 2
    assert {item.info.status for item in runs} == {"FINISHED"}
    children = [item for item in runs if "mlflow.parentRunId" in item.data.tags]
    assert [item.data.tags["greycard.key"] for item in children] == ["jpeg@5"]
    assert [point.value for point in client.get_metric_history(children[0].info.run_id, "psnr_db")] == [30.0, 31.0]


def test_a_resumed_run_does_not_repeat_numbers(client, study, tmp_path):
    for _ in range(3):
        with start(study, tmp_path) as run:
            run.log_metrics({"loss": 0.5}, step=1)
            run.log_metrics({"loss": 0.25}, step=2)
    assert [point.step for point in client.get_metric_history(run.run_id, "loss")] == [1, 2]


def test_a_fractional_point_becomes_a_whole_step_and_nan_is_not_logged(client, study, tmp_path):
    with start(study, tmp_path) as run:
        run.log_metrics({"bias/skin_type": 0.1, "lpips": float("nan")}, step=1e-4)
    assert [point.step for point in client.get_metric_history(run.run_id, "bias/skin_type")] == [100]
    assert "lpips" not in client.get_run(run.run_id).data.metrics


def test_more_metrics_and_params_than_one_call_takes(client, study, tmp_path):
    with start(study, tmp_path) as run:
        run.log_params({f"p{i}": i for i in range(250)})
        run.log_metrics({f"m{i}": i for i in range(1500)})
        run.log_params({"long": "x" * 10_000})
    data = client.get_run(run.run_id).data
    assert len(data.metrics) == 1500
    assert data.params["p249"] == "249"
    assert len(data.params["long"]) <= 6000


def test_another_config_is_refused_and_leaves_the_run_as_it_was(client, study, tmp_path):
    with start(study, tmp_path) as run:
        pass
    refused = pytest.raises(ConfigChangedError, match=r"quality was '3', is now '9'.*another directory")
    with refused, start(study, tmp_path, Config(quality=9)):
        pass
    found = client.get_run(run.run_id)
    assert found.data.params["quality"] == "3"
    assert found.info.status == "FINISHED"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ValueError("broken"), "FAILED"),
        (KeyboardInterrupt(), "KILLED"),
        (SystemExit(15), "KILLED"),
        (SystemExit(2), "FAILED"),
        (SystemExit(0), "FINISHED"),
    ],
)
def test_the_status_is_true(client, study, tmp_path, error, status):
    name = study.partition("[")[0]
    with pytest.raises(type(error)), start(name, tmp_path) as run, run.child("one", name="one") as child:
        raise error
    assert client.get_run(run.run_id).info.status == status
    assert client.get_run(child.run_id).info.status == status
    if isinstance(error, ValueError):
        assert client.get_run(run.run_id).data.tags["greycard.error"] == "ValueError: broken"


SCRIPT = """
import signal, sys
from dataclasses import dataclass
from greycard.tracking import job_run


@dataclass(frozen=True)
class Config:
    quality: int = 3
    lambdas: tuple[float, ...] = (1e-4, 1e-3)


with job_run(study=sys.argv[1], name="job", directory=sys.argv[2], config=Config()) as run:
    with run.child("half", name="half"):
        print(run.run_id, flush=True)
        signal.pause()
"""


@pytest.fixture
def driver(tmp_path, study, client):
    """A job in a process of its own, which waits: the process once its run is open, and the run's id."""
    command = [sys.executable, "-c", SCRIPT, study, str(tmp_path / "job")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield process, process.stdout.readline().strip()
        process.kill()


def test_sigterm_ends_the_run_as_killed(client, driver):
    process, run_id = driver
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 128 + signal.SIGTERM
    assert client.get_run(run_id).info.status == "KILLED"


def test_a_driver_killed_outright_is_continued_and_ends_properly(client, study, driver, tmp_path):
    process, run_id = driver
    process.kill()
    process.wait(timeout=60)
    assert client.get_run(run_id).info.status == "RUNNING"
    with start(study, tmp_path / "job") as again, again.child("whole", name="whole"):
        pass
    assert again.run_id == run_id
    statuses = {item.info.run_name: item.info.status for item in runs_of(client, study)}
    assert statuses == {"job": "FINISHED", "half": "KILLED", "whole": "FINISHED"}


def test_a_driver_killed_between_record_and_run_makes_one_run(client, study, tmp_path):
    with start(study, tmp_path) as run:
        pass
    record = json.loads((tmp_path / "mlflow_run.json").read_text())
    del record["run_id"]
    (tmp_path / "mlflow_run.json").write_text(json.dumps(record))
    with start(study, tmp_path) as again:
        assert again.run_id == run.run_id


def test_a_damaged_record_is_named(study, tmp_path):
    (tmp_path / "mlflow_run.json").write_text("{")
    with pytest.raises(TrackingError, match=r"mlflow_run.json is damaged.*delete it"), start(study, tmp_path):
        pass


def test_signal_handlers_are_put_back(study, tmp_path):
    before = signal.getsignal(signal.SIGTERM)
    with start(study, tmp_path):
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before
