"""``greycard submit VERB RECIPE``: run a job on a Ray cluster, follow its log and pass its exit code on."""

import asyncio
import ipaddress
import json
import logging
import os
import shlex
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from greycard.cli.verbs import VERBS
from greycard.schema import unknown

FORWARDED = ("MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "RAY_AUTH_MODE")
DEFAULT_ADDRESS = "http://127.0.0.1:8265"
AGENT_SECONDS = 45.0


class SubmissionError(RuntimeError):
    """A job that could not be submitted: the cluster did not answer or refused it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A job as the cluster gets it.

    Attributes:
        verb: one of ``VERBS``; the entry point is ``python -m jobs.VERB``.
        arguments: the recipe and its ``--set`` options.
        address: the dashboard's address, ``http://HOST:8265``.
        working_dir: the folder to upload (what ``.rayignore`` and ``.gitignore`` name stays behind), or an URI.
        python: the interpreter on the head; by default this one on a loopback address, else ``python``.
        env: environment variables of the driver and of every worker.
    """

    verb: str
    arguments: tuple[str, ...] = ()
    address: str = DEFAULT_ADDRESS
    working_dir: str = "."
    python: str = ""
    env: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.verb not in VERBS:
            raise ValueError(unknown("verb", self.verb, list(VERBS)))

    @property
    def entrypoint(self) -> str:
        """The command that the head runs."""
        python = self.python or (sys.executable if _is_loopback(self.address) else "python")
        return shlex.join([python, "-m", f"jobs.{self.verb}", *self.arguments])

    @property
    def runtime_env(self) -> dict[str, Any]:
        """What travels with the job: the code, and the variables that jobs read."""
        forwarded = {name: os.environ[name] for name in FORWARDED if name in os.environ}
        return {
            "working_dir": self.working_dir,
            "env_vars": {"PYTHONPATH": "platform", "OMP_NUM_THREADS": "1", **forwarded, **self.env},
        }


def submit(submission: Submission, *, wait: bool = True) -> int:
    """Submit a job and follow its log.

    Returns:
        0 when the job succeeded (or was only submitted, with ``wait=False``), 1 when it failed or was stopped; a
        driver's own exit code where Ray reports it.

    Raises:
        SubmissionError: the cluster does not answer, or refuses the job.
    """
    from ray.job_submission import JobSubmissionClient

    logging.getLogger("ray").setLevel(logging.ERROR)  # a line for every file that is not uploaded
    try:
        client = JobSubmissionClient(submission.address)
        job = _patiently(
            lambda: client.submit_job(entrypoint=submission.entrypoint, runtime_env=submission.runtime_env)
        )
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise SubmissionError(
            f"the Ray job server at {submission.address} did not take the job: {error}. Is the dashboard running there "
            "and reachable (`ray start --head`, or a port-forward to the head's port 8265)?"
        ) from error
    print(f"submitted {job} to {submission.address}: {submission.entrypoint}", flush=True)
    if not wait:
        print(f"follow it with: ray job logs --follow --address {submission.address} {job}")
        return 0
    try:
        asyncio.run(_follow(client, job))
    except KeyboardInterrupt:
        print(f"\nleft {job} running; stop it with: ray job stop --address {submission.address} {job}")
        return 130
    return _exit_code(client, job)


def _patiently(attempt: Callable[[], str]) -> str:
    """Try again while the head has started and the agent that runs jobs has not."""
    deadline = time.monotonic() + AGENT_SECONDS
    while True:
        try:
            return attempt()
        except RuntimeError as error:
            if "No available agent" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(1)


async def _follow(client: Any, job: str) -> None:
    async for text in client.tail_job_logs(job):
        print(text, end="", flush=True)


def _exit_code(client: Any, job: str) -> int:
    info = client.get_job_info(job)
    status = str(getattr(info.status, "value", info.status))
    code = info.driver_exit_code
    if status == "SUCCEEDED":
        return 0
    details = json.dumps({"status": status, "exit code": code, "message": info.message}, ensure_ascii=False)
    print(f"job {job} did not succeed: {details}", file=sys.stderr)
    return code if code else 1


def _is_loopback(address: str) -> bool:
    host = urlsplit(address if "//" in address else f"//{address}").hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def parse_env(settings: Sequence[str]) -> dict[str, str]:
    """Read ``NAME=VALUE`` settings of environment variables.

    Raises:
        ValueError: a setting has no ``=``.
    """
    pairs = [setting.partition("=") for setting in settings]
    for name, separator, _ in pairs:
        if not (name and separator):
            raise ValueError(f"--env takes NAME=VALUE, got {name!r}")
    return {name: value for name, _, value in pairs}
