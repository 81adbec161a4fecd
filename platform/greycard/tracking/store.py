"""The tracking store: which one it is, that it answers, and that it is created once."""

import contextlib
import fcntl
import logging
import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

STORE_VARIABLE: Final = "MLFLOW_TRACKING_URI"
PROBE_SECONDS: Final = 10.0
_OPENING: Final = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}
_QUIET: Final = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false"}


class TrackingError(RuntimeError):
    """The tracking store does not answer, refuses, or does not hold what was asked for."""


class ConfigChangedError(TrackingError):
    """A job was started again in the same directory with another config or other data."""


def store_uri() -> str:
    """Return the tracking store: ``MLFLOW_TRACKING_URI``, else a sqlite file under ``runs/`` here."""
    return os.environ.get(STORE_VARIABLE) or f"sqlite:///{Path('runs/mlflow.db').absolute()}"


def check_store(uri: str | None = None) -> str:
    """Return the store's URI once it has answered; creates and migrates a sqlite store.

    Raises:
        TrackingError: nothing answers within a minute.
    """
    uri = uri or store_uri()
    open_store(uri)
    return uri


def open_store(uri: str) -> Any:
    """Return an ``MlflowClient`` of a store that is known to answer, and make MLflow quiet.

    Raises:
        TrackingError: nothing answers within a minute.
    """
    _probe(uri)
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        with impatient(), _created_once(uri):
            client = MlflowClient(tracking_uri=uri, registry_uri=uri)
            client.search_experiments(max_results=1)
    except (MlflowException, SQLAlchemyError, OSError) as error:
        raise _no_answer(uri, str(error).strip().splitlines()[0]) from error
    return client


def _probe(uri: str) -> None:
    """Fail fast where nothing listens: MLflow itself would try again for many minutes."""
    parts = urlsplit(uri)
    if parts.scheme in ("http", "https"):
        import requests

        try:
            requests.get(f"{uri.rstrip('/')}/health", timeout=PROBE_SECONDS)
        except requests.RequestException as error:
            raise _no_answer(uri, type(error).__name__) from error
    elif parts.hostname:
        port = parts.port or {"postgresql": 5432, "mysql": 3306, "mssql": 1433}.get(parts.scheme.partition("+")[0], 0)
        try:
            socket.create_connection((parts.hostname, port), timeout=PROBE_SECONDS).close()
        except OSError as error:
            raise _no_answer(uri, str(error)) from error
    elif (path := sqlite_path(uri)) is not None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _no_answer(uri, str(error)) from error
        if path.exists() and path.stat().st_size and path.read_bytes()[:15] != b"SQLite format 3":
            raise _no_answer(uri, f"{path} is not a sqlite database")


def _no_answer(uri: str, reason: str) -> TrackingError:
    return TrackingError(
        f"the MLflow store {without_password(uri)} does not answer: {reason}. Start it, or set {STORE_VARIABLE} to "
        "another store (unset: a sqlite file under runs/)"
    )


def without_password(uri: str) -> str:
    """Return a URI fit for a message."""
    return re.sub(r"(://[^:/@]*):[^@/]*@", r"\1:***@", uri)


def sqlite_path(uri: str) -> Path | None:
    """Return the file of a sqlite store, None for any other store."""
    return Path(uri.removeprefix("sqlite:///")).absolute() if uri.startswith("sqlite:///") else None


@contextlib.contextmanager
def _created_once(uri: str) -> Iterator[None]:
    """Hold a lock while a sqlite store may be created: two first connections at once can break its migration."""
    path = sqlite_path(uri)
    if path is None:
        yield
        return
    with open(path.with_name(path.name + ".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def impatient() -> Iterator[None]:
    """Let HTTP calls give up within a minute, unless the user has set how long they try."""
    added = {name: value for name, value in _OPENING.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)
