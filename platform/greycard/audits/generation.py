"""The audit of generators and of sets of images: what classes they show how often, and how real they look.

``seeds -> [generator] -> measuring classifier -> rows, features -> states -> scores, shares, frames``

A set of images (real data, a synthetic set) goes through the same stages without the generator, so it stands in the
same table; the reference is one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pyarrow as pa

from greycard.audits.generation_configs import (
    REFERENCE,
    GenerationAudit,
    GeneratorSystem,
    RealismConfig,
)
from greycard.audits.systems import SystemResult

__all__ = [
    "REFERENCE",
    "GenerationAudit",
    "GenerationResult",
    "GeneratorSystem",
    "RealismConfig",
    "SystemResult",
    "run",
]


@dataclass(frozen=True, slots=True)
class GenerationFrames:
    """Tidy frames.

    Attributes:
        scores: system, variant, seed, measure, value, sd, low, high, n (images behind a value; of the discrepancy and
            of scores over splits: a split's), splits, floor, note.
            Measures: ``discrepancy[hard|soft|corrected]`` (over splits), ``discrepancy_pooled[hard|soft|corrected]``
            (all images), ``frechet[aux]``, ``kernel_distance[aux]``, ``classifier_score[aux]``, ``precision[aux]``,
            ``recall[aux]``, ``path_length[aux]``, and with Inception's weights ``fid``, ``kid``, ``inception_score``.
        shares: system, code, label (a class), hard, soft, corrected, even, count.
        frechet_groups: system, group, reference_group, value, count, reference_count, measure.
        references: system, generated, reference, value, discrepancy, note, measure (why a Fréchet distance misleads).
        confusion: label, predicted, count: of the measuring classifier on the reference.
        counts: system, n_in, n_ok, n_failed, reasons.
    """

    scores: pd.DataFrame
    shares: pd.DataFrame
    frechet_groups: pd.DataFrame
    references: pd.DataFrame
    confusion: pd.DataFrame
    counts: pd.DataFrame


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationResult:
    """What a generation audit found.

    Attributes:
        config: of the audit.
        directory: where the results are.
        systems: the reference, then the config's systems.
    """

    config: GenerationAudit
    directory: str
    systems: tuple[SystemResult, ...]

    def table(self, system: str) -> pa.Table:
        """Return a system's table: system, image_id, seed, label, pred_<task>, prob_<task>, path, status, error."""
        raise NotImplementedError

    def frames(self) -> GenerationFrames:
        """Return scores, shares, the groups' heat map and the experiment of references."""
        raise NotImplementedError


def run(config: GenerationAudit, on_system_done: Callable[[SystemResult], Any] | None = None) -> GenerationResult:
    """Audit the reference and every system, resuming what an earlier run left."""
    raise NotImplementedError
