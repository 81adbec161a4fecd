"""The audit of predictors of labelled attributes, image by image: probabilities, and what they say by group.

``manifest -> checks -> [per system: shards -> decode -> classifier -> probabilities -> every image accounted for ->
predictions/<system>.parquet] -> result -> frames``

Every system is one Ray Data pipeline with one pool of actors. What is finished is not done again: a system by its
``_SUCCESS.json``, an image by the row checkpoint. All numbers by group are functions of the predictions tables.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd
import pyarrow as pa

from greycard.audits.images import class_sets
from greycard.audits.pinning import pin
from greycard.audits.prediction.configs import PredictionAudit, PredictorSystem
from greycard.audits.prediction.pairs import compare_systems
from greycard.audits.prediction.rows import predictions_of
from greycard.audits.prediction.tables import PredictionFrames, make_frames
from greycard.audits.systems import (
    AuditPlan,
    Layout,
    Source,
    SystemAudit,
    SystemResult,
    find_system,
    identity_of,
    part_of,
    plan_system,
    read_shards,
)
from greycard.audits.tables import AuditError, build_rows
from greycard.datasets.manifest import Manifest
from greycard.datasets.storage import Folder
from greycard.metrics.prediction.tables import Predictions
from greycard.streaming.cluster import SessionConfig
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
LAYOUT: Final = Layout("rows", "predictions", build_rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionResult:
    """What a prediction audit found.

    Attributes:
        config: the audit's config.
        directory: where the results are.
        manifest: the manifest of the images.
        systems: the systems' results, in the config's order.
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
        return find_system(self.systems, system).read()

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
    return plan(config).run(on_system_done)


def plan(config: PredictionAudit) -> AuditPlan[PredictionResult]:
    """Check an audit and say what it does; writes no results and needs no Ray. Raises as ``run`` does."""
    manifest = Manifest.load(config.shards)
    check_sizes(config)
    source = read_shards(config, manifest, set(manifest.attributes))
    home = Folder.open(config.directory)
    return AuditPlan(
        config=config,
        systems=tuple(_plan_system(config, system, manifest, source) for system in config.systems),
        conclude=lambda systems: PredictionResult(
            config=config, directory=home.uri, manifest=manifest, systems=systems
        ),
    )


def check_sizes(config: PredictionAudit) -> None:
    """Check that the images of an audit are large enough for each of its predictors.

    Raises:
        AuditError: a predictor needs larger images.
    """
    for system in config.systems:
        check = getattr(system.classifier, "check_size", None)
        try:
            if check is not None:
                check(config.size, config.size)
        except ValueError as error:
            raise AuditError(f"system {system.name}: {error} (images have audit.size {config.size})") from None


def _plan_system(config: PredictionAudit, system: PredictorSystem, manifest: Manifest, source: Source) -> SystemAudit:
    """Name a system's results by all that shapes a row, and check the folder for others."""
    classifier = pin(system.classifier, local=config.ray.starts_ray)
    parts = {"format": FORMAT, "system": system.name, "classifier": part_of(classifier, system.classifier)}
    stage = PredictionStage(
        classifier=classifier.config,
        classes={task: len(classes) for task, classes in class_sets(system.classifier).items()},
        size=config.size,
        threads=config.resources.threads,
        gpu=config.resources.num_gpus > 0,
    )
    identity = identity_of(config, manifest, parts)
    return plan_system(system.name, identity, config=config, source=source, stage=stage, layout=LAYOUT)
