"""Files by URI: paths, runs, registered models and object stores give one local path."""

import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from greycard.schema import near
from greycard.tracking.store import TrackingError, open_store, store_uri, without_password


def fetch(uri: str | Path) -> Path:
    """Return the local directory (or file) that a URI names, downloading it where it is not local.

    ``path``, ``runs:/<run>/<path>``, ``models:/<name>/<version>``, ``models:/<name>@<alias>``, ``s3://...``. For a
    model logged by ``Run.log_model`` this is the directory with ``weights.pt`` and ``model.json``.

    Raises:
        FileNotFoundError: there is nothing of that name; near matches are listed.
        TrackingError: the store does not answer, or knows no such run or model.
        ValueError: the URI is empty or of an unknown kind.
    """
    text = str(uri)
    scheme = text.partition(":")[0] if re.match(r"[a-z][a-z0-9+.-]+:", text) else ""
    if not text:
        raise ValueError("an empty URI names nothing: expected a path, runs:/..., models:/... or s3://...")
    if scheme == "runs":
        return _weights_within(_fetch_run(text))
    if scheme == "models":
        return _weights_within(_fetch_model(text))
    if scheme == "s3":
        return _fetch_remote(text)
    if scheme not in ("", "file"):
        raise ValueError(f"a URI must be a path, runs:/..., models:/..., s3://... or file://..., got {text!r}")
    path = Path(urlsplit(text).path) if scheme else Path(text)
    if not path.exists():
        raise FileNotFoundError(missing_path(path))
    return path


def missing_path(path: Path) -> str:
    """Word the error for a path that does not exist: the part that does, and near matches beside it."""
    parent = path.absolute()
    while not parent.exists():
        missing, parent = parent.name, parent.parent
    matches = near(missing, [item.name for item in parent.iterdir()] if parent.is_dir() else [])
    hint = f"; {parent} holds {', '.join(map(repr, matches))}" if matches else f"; {parent} has no {missing!r}"
    return f"{path} does not exist{hint}"


def _weights_within(path: Path) -> Path:
    inner = path / "artifacts"
    return inner if not (path / "weights.pt").exists() and (inner / "weights.pt").exists() else path


def _fetch_run(uri: str) -> Path:
    run_id, _, inner = uri.removeprefix("runs:").lstrip("/").partition("/")
    store = store_uri()
    client = open_store(store)
    run = _asked(lambda: client.get_run(run_id), f"run {run_id!r}", store)
    models = client.search_logged_models([run.info.experiment_id], f"source_run_id = '{run_id}'")
    for model in models:
        if model.name == inner.partition("/")[0]:
            rest = inner.partition("/")[2]
            return _download(model.artifact_location + (f"/{rest}" if rest else ""), uri, store)
    folder, _, name = inner.rpartition("/")
    names = [item.path.rpartition("/")[2] for item in client.list_artifacts(run_id, folder or None)]
    if inner and name not in names:
        known = sorted(names + [model.name for model in models])
        held = ", ".join(near(name, known) or known) or "no artifacts"
        raise FileNotFoundError(f"{uri} does not exist: run {run_id} holds {held}")
    return _download(run.info.artifact_uri + (f"/{inner}" if inner else ""), uri, store)


def _fetch_model(uri: str) -> Path:
    name, version, inner = split_model_uri(uri)
    store = store_uri()
    client = open_store(store)
    if version.startswith("@"):
        found = _asked(
            lambda: client.get_model_version_by_alias(name, version[1:]), f"model {name + version}", store, client
        )
    else:
        found = _asked(lambda: client.get_model_version(name, version), f"model {name}/{version}", store, client)
    source = found.source
    if source.startswith("models:/"):
        source = client.get_logged_model(source.removeprefix("models:/")).artifact_location
    return _download(source + (f"/{inner}" if inner else ""), uri, store)


def split_model_uri(uri: str) -> tuple[str, str, str]:
    """Return (name, version or @alias, path inside) of ``models:/name/3/path`` or ``models:/name@alias/path``."""
    match = re.fullmatch(r"models:/+([^/@]+)(?:/(\d+)|(@[^/]+))(?:/(.*))?", uri)
    if match is None:
        raise ValueError(f"expected models:/NAME/VERSION or models:/NAME@ALIAS, got {uri!r}")
    return match[1], match[2] or match[3], match[4] or ""


def _asked(call: Callable[[], Any], what: str, store: str, client: Any = None) -> Any:
    from mlflow.exceptions import MlflowException

    try:
        return call()
    except MlflowException as error:
        names = [model.name for model in client.search_registered_models()] if client else []
        hint = f" Registered: {', '.join(sorted(names)[:20])}." if names else ""
        raise TrackingError(f"{without_password(store)} knows no {what}: {error.message}.{hint}") from error


def _download(location: str, uri: str, store: str) -> Path:
    """Return a local path: the artifact itself where the store's files are on this machine, else a copy."""
    if location.startswith("file://") or location.startswith("/"):
        path = Path(urlsplit(location).path)
        if not path.exists():
            raise FileNotFoundError(f"{uri} is registered, but its files are gone: {missing_path(path)}")
        return path
    import mlflow.artifacts
    from mlflow.exceptions import MlflowException

    scratch = tempfile.mkdtemp(prefix="greycard-fetch-")
    try:
        return Path(mlflow.artifacts.download_artifacts(location, dst_path=scratch, tracking_uri=store))
    except (MlflowException, OSError) as error:
        shutil.rmtree(scratch, ignore_errors=True)
        raise TrackingError(f"{uri} could not be downloaded: {error}") from error


def _fetch_remote(uri: str) -> Path:
    from pyarrow import fs

    filesystem, path = fs.FileSystem.from_uri(uri)
    info = filesystem.get_file_info(path)
    if info.type == fs.FileType.NotFound:
        raise FileNotFoundError(f"{uri} does not exist")
    target = Path(tempfile.mkdtemp(prefix="greycard-fetch-"))
    if info.type == fs.FileType.File:
        target = target / Path(path).name
    fs.copy_files(path, str(target), source_filesystem=filesystem, destination_filesystem=fs.LocalFileSystem())
    return target
