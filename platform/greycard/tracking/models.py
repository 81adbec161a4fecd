"""Models in the store: weights and their description, served by plain code; nothing is pickled."""

import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from greycard.tracking.provenance import TAG_LENGTH, as_text, clean_name, content_digest, shorten, version_of

if TYPE_CHECKING:
    from greycard.tracking.runs import Run

CONTENT_TAG: Final = "greycard.content"

# The code that MLflow imports to serve a logged model.
_MODEL_CODE: Final = '''"""Serves a greycard model from weights.pt and model.json: arrays in, arrays out."""

from pathlib import Path

import mlflow
import numpy as np


class GreycardModel(mlflow.pyfunc.PythonModel):
    """Loads the weights when MLflow loads the model."""

    def load_context(self, context):
        from greycard.serving import load

        self.model = load(Path(context.artifacts["weights"]).parent)

    def predict(self, context, model_input: np.ndarray, params=None):
        return self.model(model_input)


mlflow.models.set_model(GreycardModel())
'''


def log_model(
    run: "Run",
    directory: Path,
    *,
    name: str,
    registered_name: str,
    example: tuple[Any, Any],
    params: Mapping[str, Any],
    tags: Mapping[str, Any],
) -> str:
    """Log and register what ``directory`` holds; see ``Run.log_model``."""
    for file in ("weights.pt", "model.json"):
        if not (directory / file).is_file():
            raise FileNotFoundError(f"a model's directory must hold weights.pt and model.json: no {directory / file}")
    from mlflow.entities import LoggedModelOutput

    labels = {clean_name(key): shorten(as_text(value), TAG_LENGTH) for key, value in tags.items()}
    labels[CONTENT_TAG] = content_digest(directory)
    known = _registered(run, registered_name, labels[CONTENT_TAG])
    if known is not None:
        return known
    values = {clean_name(key): shorten(as_text(value), 250) for key, value in params.items()}
    logged = run.client.create_logged_model(
        run.experiment_id, name, source_run_id=run.run_id, tags=labels, params=values, model_type="pytorch"
    )
    with tempfile.TemporaryDirectory(prefix="greycard-model-") as scratch:
        _save_pyfunc(directory, Path(scratch), logged, example)
        run.client.log_model_artifacts(logged.model_id, str(Path(scratch) / "model"))
    run.client.finalize_logged_model(logged.model_id, "READY")
    run.client.log_outputs(run.run_id, [LoggedModelOutput(logged.model_id, 0)])
    version = run.client.create_model_version(
        registered_name,
        # a database store resolves models:/<id> through MLflow's global setting, which is not ours to change
        f"models:/{logged.model_id}" if run.store.startswith("http") else logged.artifact_location,
        run.run_id,
        tags=labels,
        model_id=logged.model_id,
        await_creation_for=30,
    )
    return f"models:/{registered_name}/{version.version}"


def _registered(run: "Run", registered_name: str, content: str) -> str | None:
    """Return the version that this run has registered with that content, having made sure the name exists."""
    from mlflow.exceptions import MlflowException

    try:
        run.client.create_registered_model(registered_name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    for version in run.client.search_model_versions(f"name='{registered_name}' and run_id='{run.run_id}'"):
        if version.tags.get(CONTENT_TAG) == content:
            return f"models:/{registered_name}/{version.version}"
    return None


def _save_pyfunc(directory: Path, scratch: Path, logged: Any, example: tuple[Any, Any]) -> None:
    code = scratch / "greycard_model.py"
    code.write_text(_MODEL_CODE)
    files = {"weights" if path.name == "weights.pt" else path.name: str(path) for path in sorted(directory.iterdir())}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # about MLflow's own type hints, and wishes a signature answers
        import mlflow.pyfunc
        from mlflow.models import Model, infer_signature

        mlflow.pyfunc.save_model(
            scratch / "model",
            python_model=str(code),
            artifacts=files,
            signature=infer_signature(*example),
            pip_requirements=[f"{name}=={version_of(name)}" for name in ("mlflow", "torch", "numpy")],
            mlflow_model=Model(logged.artifact_location, run_id=logged.source_run_id, model_id=logged.model_id),
        )
