"""The audit of predictors of labelled attributes, image by image: probabilities, and what they say by group.

``manifest -> checks -> [a system: shards -> decode -> classifier -> probabilities -> every image accounted for ->
predictions/<system>.parquet] -> result -> frames``

Every system is one Ray Data pipeline with one pool of actors. What is finished is not done again: a system by its
``_SUCCESS.json``, an image by the row checkpoint. All numbers by group are functions of the predictions tables.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd
import pyarrow as pa

from greycard.audits.checks import check_shards
from greycard.audits.images import Images, choose_images, class_sets
from greycard.audits.pinning import pin
from greycard.audits.prediction.configs import PredictionAudit, PredictorSystem
from greycard.audits.prediction.pairs import compare_systems
from greycard.audits.prediction.rows import predictions_of
from greycard.audits.prediction.sizes import check_predictor_sizes
from greycard.audits.prediction.tables import PredictionFrames, make_frames
from greycard.audits.systems import (
    SystemAudit,
    SystemResult,
    carried_columns,
    compute_all,
    digest_of,
    identity_of,
    part_of,
)
from greycard.audits.tables import AuditError, build_rows
from greycard.datasets.manifest import Manifest
from greycard.datasets.storage import Folder
from greycard.metrics.prediction.tables import Predictions
from greycard.schema import unknown
from greycard.streaming.cluster import SessionConfig
from greycard.streaming.decode import Decode
from greycard.streaming.pipeline import Resources
from greycard.streaming.predicting import PredictionStage

__all__ = [
    "AuditError",
    "PredictionAudit",
    "PredictionResult",
    "PredictorSystem",
    "Resources",
    "SessionConfig",
    "SystemResult",
    "run",
]

FORMAT: Final = 1  # of the predictions table; another number makes finished systems unfinished


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionResult:
    """What a prediction audit found.

    Attributes:
        config: of the audit.
        directory: where the results are.
        manifest: of the images.
        systems: in the config's order.
    """

    config: PredictionAudit
    directory: str
    manifest: Manifest
    systems: tuple[SystemResult, ...]

    def table(self, system: str) -> pa.Table:
        """Return a system's predictions: system, image_id, split, identity, attributes, prob_<task>, status, error.

        Raises:
            KeyError: there is no such system; says near matches.
        """
        found = {item.name: item for item in self.systems}
        if system not in found:
            raise KeyError(unknown("system", system, tuple(found)))
        return found[system].read()

    def predictions(self, system: str, target: str, sensitive: tuple[str, ...]) -> Predictions:
        """Return a system's predictions of a target and the groups of (crossed) sensitive attributes, for metrics."""
        return predictions_of(self.table(system), target, sensitive, self.manifest.attributes)

    def frames(self) -> PredictionFrames:
        """Return group values, disparities, the tables of the paper's layout, and the squeezing check."""
        tables = {system.name: system.read() for system in self.systems}
        return make_frames(tables, self.config, self.manifest.attributes, self.manifest.dataset)

    def comparisons(self) -> pd.DataFrame:
        """Return every fairness loss and λ against its baselines, over all their seeds, with intervals."""
        tables = {system.name: system.read() for system in self.systems}
        return compare_systems(tables, self.config, self.manifest.attributes)


def run(config: PredictionAudit, on_system_done: Callable[[SystemResult], Any] | None = None) -> PredictionResult:
    """Audit every system, resuming what an earlier run left.

    Args:
        config: the audit.
        on_system_done: called in the driver with each system's result as it is ready, also with those that an
            earlier run finished.

    Raises:
        ManifestError: no shards there, files that are not those of the manifest, or an attribute, class or split that
            they do not have.
        RayError: Ray is not reachable, or the actors do not fit the cluster.
        PipelineError: a stage could not be built or kept dying.
        AuditError: images too small for a predictor, a directory that holds another audit's results, missing rows, or
            more failed rows than allowed.
    """
    manifest = Manifest.load(config.shards)
    check_predictor_sizes(config)
    check_shards(manifest, config.split)
    images = choose_images(config, manifest)
    jobs = [_plan(config, system, manifest, images) for system in config.systems]
    results: list[SystemResult] = []
    for result in compute_all(jobs, config):
        if on_system_done is not None:
            on_system_done(result)
        results.append(result)
    home = Folder.open(config.directory)
    return PredictionResult(config=config, directory=home.uri, manifest=manifest, systems=tuple(results))


def _plan(config: PredictionAudit, system: PredictorSystem, manifest: Manifest, images: Images) -> SystemAudit:
    """Name a system's results by all that shapes a row, and check the folder for others."""
    classifier = pin(system.classifier, local=config.ray.starts_ray)
    parts = {"format": FORMAT, "system": system.name, "classifier": part_of(classifier, system.classifier)}
    identity = identity_of(config, manifest, parts)
    home = Folder.open(config.directory)
    job = SystemAudit(
        name=system.name,
        identity=identity,
        config=config,
        images=images,
        files=tuple(manifest.files(config.split)),
        columns=carried_columns(manifest, set(manifest.attributes)),
        decode=Decode(config.size, config.resize, images.selection),
        stage=PredictionStage(
            classifier=classifier.config,
            classes={task: len(classes) for task, classes in class_sets(system.classifier).items()},
            size=config.size,
            threads=config.resources.threads,
            gpu=config.resources.num_gpus > 0,
        ),
        build=build_rows,
        output=Folder.open(home.uri_of(f"rows/{system.name}")),
        tables=Folder.open(home.uri_of("predictions")),
        checkpoint=Folder.open(home.uri_of(f"checkpoints/{system.name}-{digest_of(identity)}")),
    )
    job.refuse_other_results()
    return job
