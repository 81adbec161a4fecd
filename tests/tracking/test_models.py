"""Models in the store: registered, without pickles, loadable by MLflow and by ``fetch``."""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import numpy as np
import pytest

from greycard.classifiers import ResNetConfig
from greycard.layers.weights import save_weights
from greycard.serving import load
from greycard.tracking import TrackingError, fetch, job_run
from tests.tracking.test_jobs import Config


@pytest.fixture
def classifier(tmp_path):
    """A directory with an untrained classifier's weights, images, and its readings of them."""
    config = ResNetConfig(tasks=("eye_type", "skin_type"), width=4, shared=True)
    directory = save_weights(tmp_path / "weights", config.network().state_dict(), config.description())
    images = np.random.default_rng(0).integers(0, 256, (3, 3, 64, 64), dtype=np.uint8)
    return directory, images, load(directory)(images)


def log(run, classifier, **more):
    directory, images, codes = classifier
    return run.log_model(
        directory, name="eyes", registered_name="test-eyes", example_input=images, example_output=codes, **more
    )


def test_mlflow_serves_what_was_logged(client, study, tmp_path, classifier):
    import mlflow

    with job_run(study=study, name="train", directory=tmp_path / "job", config=Config()) as run:
        uri = log(run, classifier, params={"width": 4}, tags={"stopped": "early"})
        assert log(run, classifier) == uri
        run.set_alias(uri, "best")
    assert uri == "models:/test-eyes/1"
    model = mlflow.pyfunc.load_model(uri)
    codes = model.predict(classifier[1])
    assert {task: array.tolist() for task, array in codes.items()} == {
        task: array.tolist() for task, array in classifier[2].items()
    }
    assert model.metadata.signature.inputs.inputs[0].shape == (-1, 3, 64, 64)
    for name in (uri, "models:/test-eyes@best", f"runs:/{run.run_id}/eyes"):
        found = fetch(name)
        assert json.loads((found / "model.json").read_text())["kind"] == "resnet18"
        assert (found / "weights.pt").read_bytes() == (classifier[0] / "weights.pt").read_bytes()
        assert not [path for path in found.parent.rglob("*") if path.suffix in (".pkl", ".pickle")]


def test_a_directory_without_weights_is_refused(client, study, tmp_path):
    (tmp_path / "model.json").write_text("{}")
    job = job_run(study=study, name="train", directory=tmp_path / "job", config=Config())
    with pytest.raises(FileNotFoundError, match=r"weights\.pt"), job as run:
        log(run, (tmp_path, np.zeros((1, 3, 8, 8), np.uint8), np.zeros(1)))


def test_unknown_runs_models_and_files_are_named(client, study, tmp_path):
    (tmp_path / "groups.json").write_text("{}")
    with job_run(study=study, name="job", directory=tmp_path / "job", config=Config()) as run:
        run.log_artifact(tmp_path / "groups.json", "tables")
    assert fetch(f"runs:/{run.run_id}/tables/groups.json").read_text() == "{}"
    with pytest.raises(FileNotFoundError, match=r"holds groups\.json"):
        fetch(f"runs:/{run.run_id}/tables/group.json")
    with pytest.raises(TrackingError, match="knows no run 'abcdef'"):
        fetch("runs:/abcdef/weights")
    with pytest.raises(TrackingError, match="knows no model nothing/3"):
        fetch("models:/nothing/3")


def test_paths(tmp_path):
    (tmp_path / "weights").mkdir()
    assert fetch(tmp_path / "weights") == tmp_path / "weights"
    assert fetch((tmp_path / "weights").as_uri()) == tmp_path / "weights"
    with pytest.raises(FileNotFoundError, match=r"weigths does not exist; .* holds 'weights'"):
        fetch(tmp_path / "weigths")
    with pytest.raises(ValueError, match=r"NAME/VERSION"):
        fetch("models:/name")
    with pytest.raises(ValueError, match="empty"):
        fetch("")
    with pytest.raises(ValueError, match="must be a path"):
        fetch("ftp://host/file")


@pytest.mark.slow
def test_over_http(new_store, tmp_path, classifier, monkeypatch):
    """The same through a tracking server that keeps the artifacts itself."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    uri = f"http://127.0.0.1:{port}"
    backend = ["--backend-store-uri", new_store(), "--artifacts-destination", str(tmp_path / "a")]
    environment = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    with (tmp_path / "server.log").open("w") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
             *backend],
            stdout=output, stderr=output, start_new_session=True, env=environment,
        )  # fmt: skip
    try:
        _wait_for(uri, server)
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        with job_run(study="http", name="train", directory=tmp_path / "job", config=Config()) as run:
            model = log(run, classifier)
        found = fetch(model)
        assert (found / "weights.pt").read_bytes() == (classifier[0] / "weights.pt").read_bytes()
        assert (fetch(f"runs:/{run.run_id}/eyes") / "model.json").is_file()
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def _wait_for(uri, server):
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        assert server.poll() is None, "the server ended"
        try:
            urllib.request.urlopen(f"{uri}/health", timeout=5).close()
            return
        except OSError:
            select.select([], [], [], 0.2)
    raise AssertionError("the server did not start in 90 s")
