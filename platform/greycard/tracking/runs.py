"""One run of the store, open for logging: params, numbers, tables, files, data sets, models and child runs."""

import contextlib
import json
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import urlsplit

from greycard.tracking.endings import deaf, status_of
from greycard.tracking.fetching import missing_path, split_model_uri
from greycard.tracking.models import log_model
from greycard.tracking.provenance import PARAM_LENGTH, TAG_LENGTH, as_text, clean_name, session_tags, shorten, step_of
from greycard.tracking.store import ConfigChangedError, TrackingError, impatient

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

KEY_TAG: Final = "greycard.key"  # names a run within its parent, so that a resumed job finds it again
ERROR_TAG: Final = "greycard.error"
PARENT_TAG: Final = "mlflow.parentRunId"
_BATCH: Final = 100  # params and tags per call; the store refuses more
_METRICS: Final = 1000


class Described(Protocol):
    """A data set as the tracker sees it: a name and a digest of its content."""

    @property
    def dataset(self) -> str:
        """The name of the data set."""
        ...

    @property
    def digest(self) -> str:
        """A digest of its content."""
        ...


class Run:
    """One run of the store, open for logging.

    Attributes:
        run_id: MLflow's id.
        experiment_id: the experiment it belongs to.
        store: the store's URI.
        client: an ``MlflowClient`` of that store.
    """

    def __init__(self, client: Any, run: Any, *, store: str, resumed: bool) -> None:
        self.run_id: str = run.info.run_id
        self.experiment_id: str = run.info.experiment_id
        self.store = store
        self.client = client
        self._resumed = resumed
        self._params: dict[str, str] = dict(run.data.params)
        self._logged: dict[str, dict[int, float]] = {}
        self._tables: list[dict[str, str]] = json.loads(run.data.tags.get("mlflow.loggedArtifacts", "[]"))
        self._children: dict[str, str] | None = None if resumed else {}

    @property
    def uri(self) -> str:
        """``runs:/<run_id>``, as ``fetch`` takes it."""
        return f"runs:/{self.run_id}"

    @contextlib.contextmanager
    def child(
        self, key: str, *, name: str, params: Mapping[str, Any] | None = None, tags: Mapping[str, Any] | None = None
    ) -> Iterator["Run"]:
        """Open the child run of that key: found again when the job resumes, created otherwise.

        Args:
            key: what makes it unique within this run, such as ``jpeg@5``.
            name: how the UI calls it.
            params: logged once; must not change.
            tags: set at each opening.

        Raises:
            ConfigChangedError: the child exists with other params.
        """
        found = self._find_child(key)
        if found is None:
            labels = {PARENT_TAG: self.run_id, KEY_TAG: key, **session_tags()}
            run = self.client.create_run(self.experiment_id, run_name=name, tags=labels)
            self._children = {**(self._children or {}), key: run.info.run_id}
        else:
            run = self.client.get_run(found)
        child = Run(self.client, run, store=self.store, resumed=found is not None)
        with child.opened(params or {}, tags or {}):
            yield child

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Log params that the run does not have yet.

        Raises:
            ConfigChangedError: one is there with another value.
        """
        wanted = {clean_name(key): shorten(as_text(value), PARAM_LENGTH) for key, value in params.items()}
        changed = {key: value for key, value in wanted.items() if self._params.get(key, value) != value}
        if changed:
            lines = "; ".join(f"{key} was {self._params[key]!r}, is now {value!r}" for key, value in changed.items())
            raise ConfigChangedError(
                f"run {self.run_id} was started with other values: {lines[:2000]}. Set them back to continue it, or "
                "use another directory to start a new run"
            )
        from mlflow.entities import Param

        new = [Param(key, value) for key, value in wanted.items() if key not in self._params]
        for start in range(0, len(new), _BATCH):
            self.client.log_batch(self.run_id, params=new[start : start + _BATCH], synchronous=True)
        self._params.update(wanted)

    def log_metrics(self, metrics: Mapping[str, float], step: float | None = None) -> None:
        """Log numbers in one call. A resumed run does not repeat what it already holds at that step.

        Args:
            metrics: name -> number; NaN is passed over (an absent number is not logged).
            step: an epoch, or the operating point; a fraction counts in millionths (λ = 1e-4 is step 100), since
                the store takes whole numbers only.
        """
        self.log_points([(metrics, step)])

    def log_points(self, points: Sequence[tuple[Mapping[str, float], float | None]]) -> None:
        """Log numbers of several steps in one call, each as ``log_metrics`` would."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        new = []
        for metrics, step in points:
            place = step_of(step)
            for key, number in metrics.items():
                value, key = float(number), clean_name(key)
                if math.isnan(value) or self._history(key).get(place) == value:
                    continue
                self._history(key)[place] = value
                new.append(Metric(key, value, now, place))
        for start in range(0, len(new), _METRICS):
            self.client.log_batch(self.run_id, metrics=new[start : start + _METRICS], synchronous=True)

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        """Set tags; they may change."""
        from mlflow.entities import RunTag

        new = [RunTag(clean_name(key), shorten(as_text(value), TAG_LENGTH)) for key, value in tags.items()]
        for start in range(0, len(new), _BATCH):
            self.client.log_batch(self.run_id, tags=new[start : start + _BATCH], synchronous=True)

    def describe(self, *sentences: str) -> None:
        """Say what was found: Markdown paragraphs, which the UI shows above a run's numbers. They may change."""
        from mlflow.utils.mlflow_tags import MLFLOW_RUN_NOTE

        self.set_tags({MLFLOW_RUN_NOTE: "\n\n".join(sentences)})

    def log_artifact(self, path: str | Path, folder: str | None = None) -> None:
        """Store a file, or a directory with all it holds, under ``folder``; replaces what is there."""
        path = Path(path)
        if not path.exists():
            raise FileNotFoundError(missing_path(path))
        if path.is_dir():
            self.client.log_artifacts(self.run_id, str(path), folder)
        else:
            self.client.log_artifact(self.run_id, str(path), folder)

    def log_table(self, table: "pd.DataFrame", path: str) -> None:
        """Store a frame as a table that the UI shows and ``mlflow.load_table`` reads; replaces what is there.

        Args:
            table: any frame without nested columns.
            path: ``folder/name.json``.
        """
        if not path.endswith(".json"):
            raise ValueError(f"a table's path must end with .json, got {path!r}")
        self.client.log_text(self.run_id, table.to_json(orient="split", index=False, date_format="iso"), path)
        if (entry := {"path": path, "type": "table"}) not in self._tables:
            self._tables.append(entry)
            self.client.set_tag(self.run_id, "mlflow.loggedArtifacts", json.dumps(self._tables))

    def log_dataset(self, manifest: Described, context: str, uri: str | Path) -> None:
        """Log a data set that the run read or made: where it is and the digest of its content, not the images.

        Args:
            manifest: has ``dataset`` (name) and ``digest``.
            context: its part in the run: ``train``, ``test``, ``reconstructions``, ...
            uri: where it is.
        """
        from mlflow.entities import Dataset, DatasetInput, InputTag

        source = {"uri": str(uri)}
        kind = urlsplit(str(uri)).scheme or "local"
        entity = Dataset(
            name=shorten(manifest.dataset, 500),
            digest=manifest.digest.removeprefix("sha256:")[:36],
            source_type=kind if kind in ("s3", "gs", "http", "https") else "local",
            source=json.dumps(source),
            profile=json.dumps({"digest": manifest.digest}),
        )
        self.client.log_inputs(self.run_id, [DatasetInput(entity, [InputTag("mlflow.data.context", context)])])

    def log_model(
        self,
        directory: str | Path,
        *,
        name: str,
        registered_name: str,
        example_input: "np.ndarray[Any, Any]",
        example_output: "np.ndarray[Any, Any] | Mapping[str, np.ndarray[Any, Any]]",
        params: Mapping[str, Any] | None = None,
        tags: Mapping[str, Any] | None = None,
    ) -> str:
        """Log and register a model made of ``weights.pt`` and ``model.json``; nothing is pickled.

        The same files logged again (a resumed job) give the version that exists.

        Args:
            directory: holds the two files, and whatever else belongs to the model.
            name: the model's name within the run.
            registered_name: its name in the registry.
            example_input: what it takes, for the signature.
            example_output: what it gives.
            params: shown with the model.
            tags: set on the model and its version.

        Returns:
            ``models:/<registered_name>/<version>``, as ``fetch`` and ``mlflow.pyfunc.load_model`` take it.

        Raises:
            FileNotFoundError: one of the two files is missing.
        """
        return log_model(
            self,
            Path(directory),
            name=name,
            registered_name=registered_name,
            example=(example_input, example_output),
            params=params or {},
            tags=tags or {},
        )

    def set_alias(self, model: str, alias: str) -> None:
        """Give a registered version (``models:/name/3``) an alias, so that ``models:/name@alias`` finds it."""
        name, version, _ = split_model_uri(model)
        self.client.set_registered_model_alias(name, alias, version)

    def _history(self, key: str) -> dict[int, float]:
        """Return step -> value of what was logged under a name, read from the store once when resumed."""
        if key not in self._logged:
            past = self.client.get_metric_history(self.run_id, key) if self._resumed else []
            self._logged[key] = {point.step: point.value for point in past}
        return self._logged[key]

    def _find_child(self, key: str) -> str | None:
        if self._children is None:
            self._children = {run.data.tags[KEY_TAG]: run.info.run_id for run in self._all_children()}
        return self._children.get(key)

    def _all_children(self) -> list[Any]:
        runs: list[Any] = []
        token = None
        while True:
            page = self.client.search_runs(
                [self.experiment_id], f"tags.`{PARENT_TAG}` = '{self.run_id}'", page_token=token
            )
            runs += [run for run in page if KEY_TAG in run.data.tags]
            token = page.token
            if not token:
                return runs

    def end_abandoned(self) -> None:
        """Mark children that a killed driver left running as what they are."""
        for run in self._all_children():
            if run.info.status == "RUNNING":
                self.client.set_terminated(run.info.run_id, "KILLED")

    @contextlib.contextmanager
    def opened(self, params: Mapping[str, Any], tags: Mapping[str, Any]) -> Iterator[None]:
        """Log params and tags, run the body, and end the run with its true status."""
        if self._resumed:
            self.log_params(params)  # before anything is changed: a refused resume leaves the run as it was
            self.client.update_run(self.run_id, status="RUNNING")
        try:
            if not self._resumed:
                self.log_params(params)
            self.set_tags({**tags, ERROR_TAG: ""} if self._resumed else tags)
            yield
        except BaseException as error:
            self._end(status_of(error), error)
            raise
        self._end("FINISHED", None)

    def _end(self, status: str, error: BaseException | None) -> None:
        with deaf(), impatient():
            try:
                if error is not None and status != "FINISHED":
                    self.set_tags({ERROR_TAG: f"{type(error).__name__}: {error}"})
                self.client.set_terminated(self.run_id, status)
            except Exception as failure:
                if error is None:
                    raise TrackingError(f"run {self.run_id} could not be ended as {status}: {failure}") from failure
                error.add_note(f"and its MLflow run {self.run_id} could not be ended as {status}: {failure}")
