"""Jobs submitted to a real Ray head with its job server: by `greycard submit` and by plain `ray job submit`."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from greycard.cli.submit import Submission, SubmissionError, parse_env, submit
from greycard.datasets.faces import FacesConfig
from greycard.datasets.shards import write_shards
from greycard.datasets.splits import SplitConfig

ROOT = Path(__file__).parents[2]
IMAGES = 24


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shards")
    source = FacesConfig(count=IMAGES, size=32, images_per_identity=1)
    write_shards(source, folder, split=SplitConfig(train=0, val=0, test=1), progress=False)
    return folder


def arguments(shards, directory):
    settings = [
        f"audit.shards={shards}",
        f"audit.directory={directory}",
        "audit.size=32",
        "audit.systems.1.codec.qualities=[5, 50]",
        "audit.resources.actors=1",
        "report.findings.resamples=20",
        "report.findings.permutations=20",
    ]
    return ["jpeg", *(part for setting in settings for part in ("--set", setting))]


def call(command, store):
    environment = {**os.environ, "MLFLOW_TRACKING_URI": f"sqlite:///{store}", "RAY_AUTH_MODE": "disabled"}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    return subprocess.run(
        [str(part) for part in command], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300
    )


@pytest.mark.slow
def test_greycard_submit_follows_the_log_and_ends_as_the_job_does(job_server, shards, tmp_path):
    command = [sys.executable, "-m", "greycard.cli.command", "submit", "audit", "--address", job_server]
    done = call([*command, *arguments(shards, tmp_path / "audit")], tmp_path / "mlflow.db")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"jpeg: {IMAGES} images x 2 points, 0 failed" in done.stdout
    assert (tmp_path / "audit" / "report" / "index.html").stat().st_size > 10_000

    refused = call([*command, "jpeg", "--set", "audit.shard=x"], tmp_path / "mlflow.db")
    assert refused.returncode == 2, refused.stdout + refused.stderr
    assert "unknown field 'shard'" in refused.stdout

    failed = call([*command, "jpeg", "--set", f"audit.shards={tmp_path}"], tmp_path / "mlflow.db")
    assert failed.returncode == 1, failed.stdout + failed.stderr
    assert "FAILED" in failed.stderr


@pytest.mark.slow
def test_plain_ray_job_submit_runs_a_job(job_server, shards, tmp_path):
    runtime = {"env_vars": {"MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path / 'mlflow.db'}", "RAY_AUTH_MODE": "disabled"}}
    command = [Path(sys.executable).with_name("ray"), "job", "submit", "--address", job_server, "--working-dir", "."]
    command += ["--runtime-env-json", json.dumps(runtime), "--", "python", "-m", "jobs.audit"]
    done = call([*command, *arguments(shards, tmp_path / "audit")], tmp_path / "mlflow.db")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "audit" / "audit" / "jpeg.parquet").exists()


def test_a_job_server_that_does_not_answer_is_a_clear_error():
    with pytest.raises(SubmissionError, match=r"at http://127\.0\.0\.1:9 did not take the job.*8265"):
        submit(Submission(verb="audit", arguments=("jpeg",), address="http://127.0.0.1:9"))


def test_the_entry_point_is_quoted_and_uses_this_python_on_this_machine():
    here = Submission(verb="audit", arguments=("jpeg", "--set", "report.title=Two words"))
    assert here.entrypoint == f"{sys.executable} -m jobs.audit jpeg --set 'report.title=Two words'"
    away = Submission(verb="study", arguments=("demo",), address="https://ray.example.org")
    assert away.entrypoint == "python -m jobs.study demo"


def test_an_unknown_verb_and_a_bad_variable_are_named():
    with pytest.raises(ValueError, match="did you mean 'audit'"):
        Submission(verb="audits")
    with pytest.raises(ValueError, match="NAME=VALUE, got 'A'"):
        parse_env(["A"])
