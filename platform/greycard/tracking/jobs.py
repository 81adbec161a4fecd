"""A job's run: made once for a directory, and continued whenever the job is started there again."""

import contextlib
import json
import re
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from greycard.config import digest as config_digest
from greycard.config import flatten
from greycard.datasets.storage import Folder
from greycard.places import check_outlives, is_unpacked
from greycard.tracking.endings import signals_raise
from greycard.tracking.provenance import git_commit, session_tags
from greycard.tracking.runs import KEY_TAG, Run
from greycard.tracking.store import (
    STORE_VARIABLE,
    TrackingError,
    impatient,
    open_store,
    sqlite_path,
    store_uri,
    without_password,
)

RECORD: Final = "mlflow_run.json"  # in a job's directory: which run it is
_EXPERIMENT_TAGS: Final = {"mlflow.experimentKind": "custom_model_development"}  # the UI opens on runs and metrics


@contextlib.contextmanager
def job_run(
    *, study: str, name: str, directory: str | Path, config: Any, tags: Mapping[str, Any] | None = None
) -> Iterator[Run]:
    """Open a job's run; a job started again in the same directory continues the run it had.

    The run ends as FINISHED, as FAILED when the body raises, and as KILLED on SIGTERM, SIGHUP or Ctrl-C. A run that a
    killed driver left RUNNING is taken up again.

    Args:
        study: the experiment.
        name: how the UI calls the run.
        directory: the job's own, a path or a URI such as ``s3://bucket/job``; keeps ``mlflow_run.json``.
        config: the resolved config, a dataclass; logged flattened, with the git commit.
        tags: set at each opening.

    Raises:
        TrackingError: the store does not answer within a minute, or the record in ``directory`` is damaged.
        ConfigChangedError: the directory belongs to a run with another config.
        DirectoryError: the directory lies where Ray unpacked a submitted job's code, and would not outlive it.
    """
    check_outlives(directory)
    uri = store_uri()
    if (file := sqlite_path(uri)) is not None and is_unpacked(file):
        raise TrackingError(
            f"the MLflow store would be {file}, which Ray deletes after this job: set {STORE_VARIABLE} for a submitted "
            "job to a server, or to a sqlite file on a disk that stays"
        )
    home = Folder.open(directory)
    home.create()
    client = open_store(uri)
    with signals_raise(), impatient():
        run, resumed = _find_or_create(client, uri, study, name, home)
        job = Run(client, run, store=uri, resumed=resumed)
        if resumed:
            job.end_abandoned()
    commit = git_commit()
    params = {**flatten(config), "config_digest": config_digest(config), "git_commit": commit}
    if resumed:  # mending the code and going on is allowed; the params keep the commit that began the run
        params["git_commit"] = run.data.params.get("git_commit", commit)
    labels = {**session_tags(), **(tags or {}), "mlflow.source.git.commit": commit}
    with signals_raise(), job.opened(params, labels):
        yield job


def _find_or_create(client: Any, uri: str, study: str, name: str, home: Folder) -> tuple[Any, bool]:
    """Return the folder's run and whether it existed.

    The key is written before the run is made, so a driver killed in between still finds its run.
    """
    experiment = _experiment(client, uri, study)
    record = _read_record(home)
    if record.get("store") == uri and record.get("study") == study:
        runs = client.search_runs([experiment], f"tags.`{KEY_TAG}` = '{record['key']}'", max_results=1)
        if runs:
            return runs[0], True
    record = {"store": uri, "study": study, "name": name, "key": uuid.uuid4().hex}
    _write_record(home, record)
    run = client.create_run(experiment, run_name=name, tags={KEY_TAG: record["key"], **session_tags()})
    _write_record(home, {**record, "experiment_id": experiment, "run_id": run.info.run_id})
    return run, False


def _experiment(client: Any, uri: str, study: str) -> str:
    """Return the experiment's id, made where it is missing; artifacts of a sqlite store lie beside it."""
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(study)
    if found is not None and found.lifecycle_stage == "deleted":
        raise TrackingError(f"experiment {study!r} was deleted in {without_password(uri)}: restore it or rename it")
    if found is not None:
        return str(found.experiment_id)
    path = sqlite_path(uri)
    folder = re.sub(r"[^\w.-]+", "_", study)
    location = (path.parent / "mlartifacts" / folder).as_uri() if path else None
    try:
        return str(client.create_experiment(study, artifact_location=location, tags=_EXPERIMENT_TAGS))
    except MlflowException:
        found = client.get_experiment_by_name(study)  # another job made it first
        if found is None:
            raise
        return str(found.experiment_id)


def _read_record(home: Folder) -> dict[str, str]:
    if RECORD not in home.names():
        return {}
    try:
        record = json.loads(home.read(RECORD))
        return {str(key): str(value) for key, value in record.items()} if record["key"] else {}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise TrackingError(f"{home.uri_of(RECORD)} is damaged ({error}): delete it to start a new run") from error


def _write_record(home: Folder, record: Mapping[str, str]) -> None:
    home.write(RECORD, json.dumps(record, indent=1).encode())
