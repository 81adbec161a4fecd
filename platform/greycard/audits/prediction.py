"""The audit of predictors of labelled attributes, image by image: probabilities, and what they say by group.

``manifest -> checks -> [a system: shards -> decode -> classifier -> probabilities -> every image accounted for ->
predictions/<system>.parquet] -> result -> frames``

Every system is one Ray Data pipeline with one pool of actors. What is finished is not done again.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from greycard.audits.prediction_configs import PredictionAudit, PredictorSystem
from greycard.audits.prediction_tables import PredictionFrames
from greycard.audits.systems import SystemResult
from greycard.audits.tables import AuditError
from greycard.datasets.manifest import Manifest
from greycard.metrics.prediction_tables import Predictions

__all__ = ["AuditError", "PredictionAudit", "PredictionResult", "PredictorSystem", "SystemResult", "run"]


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
        """Return a system's predictions: image_id, split, identity, attributes, prob_<task>, status, error."""
        raise NotImplementedError

    def predictions(self, system: str, target: str, sensitive: tuple[str, ...]) -> Predictions:
        """Return a system's predictions of a target, as metrics take them."""
        raise NotImplementedError

    def frames(self) -> PredictionFrames:
        """Return group values, disparities, the tables of the paper's layout, and the squeezing check."""
        raise NotImplementedError


def run(config: PredictionAudit, on_system_done: Callable[[SystemResult], Any] | None = None) -> PredictionResult:
    """Audit every system, resuming what an earlier run left."""
    raise NotImplementedError
