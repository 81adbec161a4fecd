"""A store that does not answer gives a clear error, soon."""

import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from greycard.tracking import TrackingError, check_store, job_run, store, store_uri
from tests.tracking.test_jobs import Config


@pytest.fixture
def silent_port():
    """A port that takes connections and never says anything."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def refused_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.parametrize("scheme", ["http", "postgresql"])
def test_nothing_listens(monkeypatch, tmp_path, scheme):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"{scheme}://user:secret@127.0.0.1:{refused_port()}")
    begin = time.monotonic()
    job = job_run(study="s", name="n", directory=tmp_path, config=Config())
    with pytest.raises(TrackingError, match=r"does not answer.*MLFLOW_TRACKING_URI") as error, job:
        pass
    assert time.monotonic() - begin < 30
    assert "secret" not in str(error.value)


def test_a_silent_server(monkeypatch, silent_port):
    monkeypatch.setattr(store, "PROBE_SECONDS", 0.5)
    begin = time.monotonic()
    with pytest.raises(TrackingError, match=r"does not answer: ReadTimeout"):
        check_store(f"http://127.0.0.1:{silent_port}")
    assert time.monotonic() - begin < 30


def test_the_probe_waits_less_than_a_minute():
    assert store.PROBE_SECONDS <= 30


def test_a_file_that_is_no_store(tmp_path):
    (tmp_path / "mlflow.db").write_text("not a database, by any means")
    with pytest.raises(TrackingError, match="is not a sqlite database"):
        check_store(f"sqlite:///{tmp_path / 'mlflow.db'}")


def test_the_default_store_lies_under_runs(monkeypatch, tmp_path):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    assert store_uri() == f"sqlite:///{tmp_path}/runs/mlflow.db"


@pytest.mark.slow
def test_two_first_connections_at_once(tmp_path):
    """The store is created once, also by two processes that come together."""
    uri = f"sqlite:///{tmp_path / 'new' / 'mlflow.db'}"
    code = f"from greycard.tracking import check_store; check_store({uri!r})"
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda _: subprocess.run([sys.executable, "-c", code], capture_output=True), range(2)))
    assert [process.returncode for process in done] == [0, 0], done[0].stderr + done[1].stderr


def test_importing_loads_no_mlflow():
    code = "import sys, greycard.tracking; sys.exit('mlflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
