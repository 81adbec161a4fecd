"""What tests share: a local Ray, MLflow stores that are copies of one, and the mark of what needs a cluster."""

import os
import shutil
import sys
import time

import pytest

# Before any test imports Ray: it would switch tokens on and write a token file into the home directory.
os.environ.setdefault("RAY_AUTH_MODE", "disabled")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
if "PYTEST_XDIST_WORKER" in os.environ:  # before any test imports torch: the workers share the cores
    os.environ["OMP_NUM_THREADS"] = "1"

CLUSTERS = {"ray_session", "job_server"}  # fixtures
MODULES_PER_RAY = 8


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Mark what takes a cluster, before ``-m`` selects; modules with such tests take longest and go first."""
    for item in items:
        if CLUSTERS & set(item.fixturenames):
            item.add_marker(pytest.mark.cluster)
    long = {item.path for item in items if item.get_closest_marker("cluster")}
    items.sort(key=lambda item: item.path not in long)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    """Refuse Ray to tests without the mark: `make check` runs them and counts on them to be quick."""
    with pytest.MonkeyPatch.context() as patch:
        if "ray" in sys.modules and item.get_closest_marker("cluster") is None:
            patch.setattr("ray.init", _refuse)
        return (yield)


def _refuse(*_, **__):
    raise AssertionError("a test that starts Ray takes the fixture ray_session")


class LocalRay:
    """A local cluster of 4 CPU slots and one logical GPU that serves module after module.

    It is renewed after some modules, since after some hundred actors and placement groups Ray once failed to tell the
    driver that an actor was alive, and where a module has left something running.
    """

    def __init__(self):
        self._modules = 0

    def serve(self):
        """Be there for one more module."""
        import ray

        if self._modules == MODULES_PER_RAY or not ray.is_initialized() or not _is_idle():
            self.stop()
            ray.init(
                address="local",
                num_cpus=4,
                num_gpus=1,
                include_dashboard=False,
                log_to_driver=False,
                logging_level="ERROR",
                object_store_memory=300 * 2**20,
            )
        self._modules += 1

    def stop(self):
        """Stop it, if it runs."""
        import ray

        ray.shutdown()
        self._modules = 0


def _is_idle(seconds=10.0):
    """Whether all slots are free: Ray takes a moment to clear away what has ended."""
    import ray

    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        free, total = ray.available_resources(), ray.cluster_resources()
        if all(free.get(name) == total[name] for name in ("CPU", "GPU")):
            return True
        time.sleep(0.1)
    return False


@pytest.fixture(scope="session")
def local_ray():
    cluster = LocalRay()
    yield cluster
    cluster.stop()


@pytest.fixture(scope="module")
def ray_session(local_ray):
    """The local Ray, for a module's tests; jobs that would start one of their own use it too."""
    local_ray.serve()


@pytest.fixture(scope="session")
def new_store(tmp_path_factory):
    """Make sqlite stores for MLflow: copies of one, since the migrations of a new one take seconds."""
    from greycard.tracking import check_store

    first = tmp_path_factory.mktemp("first") / "mlflow.db"
    check_store(f"sqlite:///{first}")

    def copy():
        return f"sqlite:///{shutil.copy(first, tmp_path_factory.mktemp('store'))}"

    return copy


@pytest.fixture(scope="module")
def store(new_store):
    """URI of one store for a module's tests, which tell their runs apart by the study."""
    return new_store()


@pytest.fixture
def client(store, monkeypatch):
    """MLflow's client of the module's store, which the test's jobs log to."""
    from mlflow import MlflowClient

    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    return MlflowClient(tracking_uri=store, registry_uri=store)


@pytest.fixture
def own_store(new_store, monkeypatch):
    """URI of a store that a test has for itself, and its jobs log to."""
    uri = new_store()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    return uri


@pytest.fixture
def one_thread():
    """As in Ray's workers: with several threads the same image may come out otherwise in its last bits."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
