"""A real Ray head with its job server, in a process group of its own."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import pytest

RAY = Path(sys.executable).with_name("ray")
START_SECONDS = 90


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _answers(address):
    """Whether a job that does nothing is taken: the server listens a while before it can run jobs."""
    job = json.dumps({"entrypoint": "true"}).encode()
    request = urllib.request.Request(f"{address}/api/jobs/", job, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=10) as reply:
            return reply.status == 200
    except OSError:
        return False


@pytest.fixture(scope="module")
def job_server():
    """Start a head and yield the address of its job server."""
    dashboard = _free_port()
    address = f"http://127.0.0.1:{dashboard}"
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    environment |= {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0"}
    environment["PATH"] = f"{RAY.parent}{os.pathsep}{environment['PATH']}"  # `python` is ours, as in a cluster's image
    # a socket path has 107 characters at most: keep Ray's folder short and out of pytest's
    with tempfile.TemporaryDirectory(prefix="gc", dir="/tmp", ignore_cleanup_errors=True) as folder:
        command = [RAY, "start", "--head", "--block", "--num-cpus=4", "--node-ip-address=127.0.0.1"]
        command += [f"--port={_free_port()}", f"--dashboard-port={dashboard}", "--dashboard-host=127.0.0.1"]
        command += [f"--dashboard-agent-listen-port={_free_port()}"]  # another Ray of this machine may hold the default
        command += [f"--temp-dir={folder}", "--disable-usage-stats", "--object-store-memory=300000000"]
        with Path(folder, "head.log").open("w") as log:
            head = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
            try:
                _await(head, address, Path(folder, "head.log"))
                yield address
            finally:
                _stop(head)


def _await(head, address, log):
    deadline = time.monotonic() + START_SECONDS
    while not _answers(address):
        assert head.poll() is None, log.read_text()
        assert time.monotonic() < deadline, f"the head's job server did not answer: {log.read_text()}"
        with contextlib.suppress(subprocess.TimeoutExpired):
            head.wait(0.5)


def _stop(head):
    os.killpg(head.pid, signal.SIGTERM)
    try:
        head.wait(5)
    except subprocess.TimeoutExpired:
        os.killpg(head.pid, signal.SIGKILL)
        head.wait()
