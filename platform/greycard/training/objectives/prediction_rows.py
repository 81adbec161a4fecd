"""The rows that a predictor saw in validation, and what they say of a whole split.

``batches -> rows, merged -> joint tables, soft and hard -> measures of greycard.metrics``: the values don't depend on
how the split was cut into batches or over workers.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from greycard.losses import AnyFairLoss, JointTable
from greycard.metrics.by_group import Floats, Groups
from greycard.metrics.prediction.calibration import ece, ece_columns
from greycard.metrics.prediction.disparities import (
    accuracy,
    balanced_accuracy,
    dp_difference,
    eo_difference,
    iou,
    sigma_iou,
)
from greycard.metrics.prediction.ranking import macro_auc
from greycard.metrics.prediction.tables import Predictions, joint


class Score(NamedTuple):
    """A task's cross-entropy in a batch.

    Attributes:
        total: () sum of weight times cross-entropy.
        weight: () sum of the weights.
        hits: (M,) 1 where the decision is the label, 0 where not, of the rows whose label is known.
    """

    total: Tensor
    weight: Tensor
    hits: Tensor

    def mean(self) -> Tensor:
        """Return the weighted mean, 0 without rows."""
        return self.total / torch.where(self.weight > 0, self.weight, 1.0)


@dataclass(frozen=True, slots=True, eq=False)
class PredictionRows:
    """What a predictor said of the target, with labels and groups, and the scores of all tasks.

    Attributes:
        probabilities: batches of (N, K).
        labels: batches of (N,) codes of the target, -1 = unknown.
        groups: batches of (N,) codes of the crossed groups, -1 = unknown.
        scores: task -> (4,) float64: sum and weight of the cross-entropy, hits, rows with a known label.
        target: the name of the task.
        names: of the groups.
        fair: the fairness loss that is trained; None for a baseline.
    """

    probabilities: tuple[Tensor, ...]
    labels: tuple[Tensor, ...]
    groups: tuple[Tensor, ...]
    scores: dict[str, Tensor]
    target: str
    names: tuple[str, ...]
    fair: AnyFairLoss | None

    @classmethod
    def of(
        cls,
        probabilities: Tensor,
        labels: Tensor,
        groups: Tensor,
        scores: Mapping[str, Score],
        target: str,
        names: tuple[str, ...],
        fair: AnyFairLoss | None,
    ) -> "PredictionRows":
        """Take the rows of one batch."""
        sums = {task: _sums(score) for task, score in scores.items()}
        rows = (probabilities.detach().cpu(),), (labels.cpu(),), (groups.cpu(),)
        return cls(*rows, sums, target, names, fair)

    def merge(self, other: "PredictionRows") -> "PredictionRows":
        """Add the rows of another batch."""
        return replace(
            self,
            probabilities=self.probabilities + other.probabilities,
            labels=self.labels + other.labels,
            groups=self.groups + other.groups,
            scores={task: sums + other.scores[task] for task, sums in self.scores.items()},
        )

    def finish(self) -> dict[str, float]:
        """Return the measures of all rows.

        ``ce`` and ``accuracy_all`` are means over tasks; ``accuracy``, ``balanced_accuracy``, ``iou``, ``auc`` and
        ``ece`` are the target's; ``sigma_iou``, ``dp_difference`` and ``eo_difference`` are of its hard decisions;
        ``fair`` is the soft loss before λ, ``fair_missing`` its cells without rows, and ``loss`` is ce + λ · fair. NaN
        where a measure has no rows, and all of them NaN if a probability is not a number.
        """
        sums = torch.stack(list(self.scores.values()))
        ce = _mean_ratio(sums[:, 0], sums[:, 1])
        found = {"ce": ce, "loss": ce, "accuracy_all": _mean_ratio(sums[:, 2], sums[:, 3])}
        probabilities, labels, groups = (torch.cat(parts) for parts in (self.probabilities, self.labels, self.groups))
        if not bool(torch.isfinite(probabilities).all()):
            return dict.fromkeys([*found, *_MEASURES, *(["fair", "fair_missing"] if self.fair else [])], math.nan)
        if self.fair is not None:
            table = JointTable.zero(probabilities.shape[1], len(self.names)).add(probabilities, labels, groups)
            value = replace(self.fair, empty="skip")(table)
            found |= {"fair": value.value.item(), "loss": ce + value.weighted.item()}
            found["fair_missing"] = float(value.missing)
        wide = probabilities.to(torch.float64)
        codes = Groups("groups", self.names, groups.numpy())
        return found | measures(Predictions((wide / wide.sum(dim=1, keepdim=True)).numpy(), labels.numpy(), codes))


_MEASURES = (
    "accuracy",
    "balanced_accuracy",
    "iou",
    "sigma_iou",
    "dp_difference",
    "eo_difference",
    "auc",
    "ece",
)


def measures(predictions: Predictions) -> dict[str, float]:
    """Return the target's measures over the rows whose label and group are known; NaN without rows."""
    rows = predictions.known()
    if not len(rows.labels):
        return dict.fromkeys(_MEASURES, math.nan)
    hard = joint(rows.hard())
    everyone = hard.sum(axis=-1, keepdims=True)
    columns = ece_columns(rows.probabilities, rows.labels)
    values: tuple[Floats, ...] = (
        accuracy(everyone)[0],
        balanced_accuracy(everyone)[0],
        iou(everyone)[0],
        sigma_iou(hard),
        dp_difference(hard),
        eo_difference(hard),
        macro_auc(rows.probabilities, rows.labels),
        ece(columns.sum(axis=0), np.array(float(len(columns)))),
    )
    return {name: float(value) for name, value in zip(_MEASURES, values, strict=True)}


def _sums(score: Score) -> Tensor:
    sums = [score.total, score.weight, score.hits.sum(), torch.tensor(float(len(score.hits)))]
    return torch.stack([value.detach().double().cpu() for value in sums])


def _mean_ratio(totals: Tensor, counts: Tensor) -> float:
    """Return the mean over tasks of total / count; tasks without rows are left out, NaN if none is left."""
    known = counts > 0
    return (totals[known] / counts[known]).mean().item()
