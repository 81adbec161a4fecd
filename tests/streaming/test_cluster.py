import os
import socket
import subprocess
import sys

import pytest
import ray
from ray.data import DataContext

from greycard.streaming import cluster as sessions
from greycard.streaming.cluster import Demand, RayError, SessionConfig, require, session
from greycard.streaming.pipeline import Resources

HASTY = SessionConfig(wait_seconds=0, progress=False)


@pytest.fixture
def silent_port():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


@pytest.mark.parametrize("scheme", ["", "ray://"])
def test_a_head_that_does_not_answer_is_an_error(silent_port, monkeypatch, scheme):
    monkeypatch.setattr(sessions, "CONNECT_SECONDS", 1.0)
    with pytest.raises(RayError, match=r"no Ray answers .* within 1 s.*RAY_ADDRESS"):
        sessions.check_reachable(f"{scheme}127.0.0.1:{silent_port}")


@pytest.mark.parametrize("address", ["somewhere", "host:port", "ray://"])
def test_an_address_that_is_none_is_named(address):
    with pytest.raises(RayError, match="host:port"):
        sessions.check_reachable(address)


def test_nobody_at_the_address_of_the_environment(silent_port):
    """As a job meets it: in a process of its own, through RAY_ADDRESS; Ray itself would wait for minutes."""
    code = (
        "from greycard.streaming import cluster as s; s.CONNECT_SECONDS = 1.0\n"
        "try:\n    with s.session(s.SessionConfig()): pass\n"
        "except s.RayError as error: print('refused:', error)"
    )
    environment = os.environ | {"RAY_ADDRESS": f"127.0.0.1:{silent_port}"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60)
    assert f"refused: no Ray answers at '127.0.0.1:{silent_port}'" in done.stdout, done.stderr


def test_a_session_uses_the_ray_that_runs_and_leaves_it_as_it_was(ray_session):
    before = DataContext.get_current().execution_no_progress_timeout_s
    with session(SessionConfig(stall_seconds=33)):
        assert DataContext.get_current().execution_no_progress_timeout_s == 33
        assert not DataContext.get_current().enable_progress_bars
    assert ray.is_initialized()
    assert DataContext.get_current().execution_no_progress_timeout_s == before


@pytest.mark.parametrize(
    ("demand", "message"),
    [
        (Demand(count=5, num_cpus=1), r"needs 5 actors of 1 CPU each and 1 CPU for tasks .* that is 6 CPU"),
        (Demand(count=4, num_cpus=1), "that is 5 CPU"),
        (Demand(count=3, num_cpus=1, num_gpus=0.5), r"1 CPU and 0.5 GPU each .* that is 1.5 GPU"),
        (Demand(count=1, num_cpus=3, num_gpus=2), "that is 2 GPU"),
        (
            Demand(count=2, num_cpus=1, memory_mb=10_000_000),
            r"1 CPU and 9.77e\+03 GiB memory each .* that is 1.95e\+04 GiB",
        ),
        (Resources(actors=1, memory_mb=1_000_000).demand(resuming=False), "977 GiB memory"),
    ],
)
def test_what_does_not_fit_is_said_at_once(ray_session, demand, message):
    with pytest.raises(RayError, match=message):
        require(demand, HASTY, "the audit")


def test_what_fits_passes(ray_session):
    require(Demand(count=2, num_cpus=1, num_gpus=0.5), SessionConfig(wait_seconds=20), "the audit")


def test_slots_that_another_job_holds_are_not_free(ray_session):
    @ray.remote(num_cpus=3)
    class Holder:
        def ready(self):
            return True

    holder = Holder.remote()
    ray.get(holder.ready.remote())
    with pytest.raises(RayError, match="of 4 CPU no more than 1 CPU is free"):
        require(Demand(count=2, num_cpus=1), HASTY, "the audit")
    ray.kill(holder)
    require(Demand(count=2, num_cpus=1), SessionConfig(wait_seconds=20), "the audit")


def test_a_resume_also_needs_room_for_the_filter():
    """Ray's checkpoint filter: an actor of 1 CPU and at least 1 GiB."""
    first, again = (Resources(actors=2, memory_mb=512).demand(resuming=resuming) for resuming in (False, True))
    assert first.total == {"CPU": 3.0, "memory": 1024 * 2**20}
    assert again.total == {"CPU": 4.0, "memory": 2048 * 2**20}


def test_a_cluster_without_memory_for_the_filter_is_refused(monkeypatch):
    """Ray itself would wait for it."""
    have = {"CPU": 8.0, "memory": 2.0**29}
    monkeypatch.setattr(sessions.ray, "nodes", lambda: [{"Alive": True, "Resources": have}])
    monkeypatch.setattr(sessions.ray, "cluster_resources", lambda: have)
    monkeypatch.setattr(sessions.ray, "available_resources", lambda: have)
    require(Resources(actors=1).demand(resuming=False), HASTY, "the audit")
    with pytest.raises(RayError, match=r"2 CPU and 1 GiB memory for tasks .* 1 nodes have 0.5 GiB memory"):
        require(Resources(actors=1).demand(resuming=True), HASTY, "the audit")


def test_actors_must_fit_whole_nodes():
    nodes = [{"CPU": 2.0}, {"CPU": 2.0}]
    assert sum(sessions._room(node, Demand(count=1, num_cpus=1.5)) for node in nodes) == 2
    assert sum(sessions._room(node, Demand(count=1, num_cpus=3)) for node in nodes) == 0
    assert sessions._room({"CPU": 8.0, "memory": 2.0**30}, Demand(count=1, num_cpus=1, memory_mb=400)) == 2


@pytest.mark.parametrize(
    ("resources", "images", "actors"),
    [
        (Resources(), 10_000, 2),  # 4 slots less one to read and one to filter
        (Resources(), 100, 1),  # one block
        (Resources(num_gpus=0.5), 10_000, 2),
        (Resources(num_gpus=1), 10_000, 1),
        (Resources(num_cpus=8), 10_000, 1),  # does not fit: left to the check that says so
        (Resources(actors=7), 10_000, 7),
    ],
)
def test_the_number_of_actors_follows_the_cluster(ray_session, resources, images, actors):
    assert resources.on_this_cluster(images).actors == actors


def test_importing_the_session_starts_nothing():
    code = "import greycard.audits.restoration.run, os, ray; print(ray.is_initialized(), 'RAY_AUTH_MODE' in os.environ)"
    environment = {name: value for name, value in os.environ.items() if name != "RAY_AUTH_MODE"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120)
    assert done.stdout.split() == ["False", "False"], done.stderr


@pytest.mark.parametrize("change", [{"wait_seconds": -1}, {"num_gpus": -1}, {"stall_seconds": 0}, {"num_cpus": -1}])
def test_session_values_are_checked(change):
    with pytest.raises(ValueError, match="session"):
        SessionConfig(**change)
