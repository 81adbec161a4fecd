"""The prediction audit: how well an attribute is predicted in each group, and how groups differ, with intervals.

``Predictions -> joint tables (soft, hard), resampled and permuted -> tidy frames``. Measures of paper 002; its
Tables 1-3 hold *soft* losses averaged over shuffled batches of 256, which is biased upwards (mutual information by
about (K - 1)(S - 1) / (2 · 256) nats) and can fall without a changed decision. So the same losses are given of the full
split and of the hard decisions too, and the batch mean only to stand beside the paper.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from greycard.metrics.by_group import Floats, Ints, clusters_of
from greycard.metrics.prediction.calibration import BINS, ece, ece_columns
from greycard.metrics.prediction.disparities import DISPARITIES, FAIR_LOSSES, accuracy, balanced_accuracy, iou, ratio
from greycard.metrics.prediction.ranking import macro_auc
from greycard.metrics.prediction.tables import Predictions, batches, joint, resampled_joint, resampled_sums, row_weights
from greycard.metrics.significance import Bootstrap, Permutation, interval, p_value

ALL = "all"
SOFT, HARD = "soft", "hard"
FULL_SPLIT = "full_split"
GROUP_MEASURES: Final = ("accuracy", "balanced_accuracy", "iou", "auc", "ece")


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionConfig:
    """How predictions are audited.

    Attributes:
        resamples: bootstrap resamples of identities (rows, without identities); 0 gives no intervals.
        permutations: permutations of the groups; 0 gives no noise floors.
        level: coverage of the intervals, in (0, 1).
        batch: rows per batch of the batch mean; the paper's is 256.
        bins: confidence bins of the ECE.
        seed: of resamples, permutations and the order of batches.
    """

    resamples: int = 1000
    permutations: int = 500
    level: float = 0.95
    batch: int = 256
    bins: int = BINS
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.resamples, self.permutations) < 0:
            raise ValueError(
                f"prediction.resamples and .permutations must be 0 or above, got {self.resamples}, {self.permutations}"
            )
        if not 0 < self.level < 1:
            raise ValueError(f"prediction.level must be in (0, 1), got {self.level}")
        if min(self.batch, self.bins) < 1:
            raise ValueError(f"prediction.batch and .bins must be 1 or above, got {self.batch}, {self.bins}")


@dataclass(frozen=True, slots=True)
class PredictionFindings:
    """Tidy frames.

    Attributes:
        groups: attribute, group ("all" first), measure (``GROUP_MEASURES``), value, low, high, count, identities.
        disparities: attribute, measure (``disparities.DISPARITIES``), decisions ("hard", "soft"), estimate
            ("full_split" or "batch<size>_mean"), value, low, high, noise_floor (mean under permuted groups), p_value,
            missing (empty (label, group) cells; for a batch mean, of the mean batch).
        cells: label (code), group, count: the rows behind everything.
    """

    groups: pd.DataFrame
    disparities: pd.DataFrame
    cells: pd.DataFrame


def summarise(predictions: Predictions, config: PredictionConfig | None = None) -> PredictionFindings:
    """Audit the rows whose label and group are known.

    Intervals are percentile bootstrap over identities. Disparities cannot be negative, so they are biased upwards: read
    them beside their noise floor. The permutation's null is that predictions and labels are alike in all groups, so
    where groups differ in their labels it is a rough guide for the measures that condition on the label.
    """
    config = config or PredictionConfig()
    rows = predictions.known()
    bootstrap = Bootstrap.draw(rows.units(), config.resamples, config.seed)
    clusters = clusters_of(rows.identities, len(rows.labels))
    permutation = Permutation.draw(rows.groups, clusters, config.permutations, config.seed)
    disparities = [
        *_disparities(rows.hard(), HARD, bootstrap, permutation, config.level),
        *_disparities(rows, SOFT, bootstrap, permutation, config.level),
        *_batch_means(rows, config),
    ]
    frame = pd.DataFrame(disparities)
    frame.insert(0, "attribute", rows.groups.name)
    counts = joint(rows.hard()).sum(axis=0)
    cells = [
        {"label": label, "group": group, "count": int(counts[label, code])}
        for label in range(rows.classes)
        for code, group in enumerate(rows.groups.names)
    ]
    return PredictionFindings(_groups(rows, bootstrap, config), frame, pd.DataFrame(cells))


def batch_means(
    predictions: Predictions, *, batch: int = 256, seed: int = 0, published: bool = True
) -> dict[str, float]:
    """Return the fairness losses as the paper's Tables 1-3 hold them: means over shuffled batches, weighted by rows.

    The last batch may be short. ``iou_mean`` is the tables' L_iou. NaN without rows.

    Args:
        predictions: N rows; those without label or group take no place in a batch.
        batch: rows per batch.
        seed: of the order of rows.
        published: a batch with an empty cell counts as 0 where the published code has it so; False leaves out the cell.
    """
    tables = _batch_tables(predictions.known(), batch, seed)
    shares = ratio(tables.sum(axis=(-3, -2, -1)), tables.sum())
    return {name: float((measure(tables, published=published) * shares).sum()) for name, measure in FAIR_LOSSES.items()}


def _batch_tables(rows: Predictions, batch: int, seed: int) -> Floats:
    count = max(1, -(-len(rows.labels) // batch))
    order = np.random.default_rng([seed, 2]).permutation(len(rows.labels))
    return batches(rows, order // batch, count)


def _batch_means(rows: Predictions, config: PredictionConfig) -> list[dict[str, Any]]:
    tables = _batch_tables(rows, config.batch, config.seed)
    missing = float((tables.sum(axis=-3) == 0).sum(axis=(-2, -1)).mean())
    values = batch_means(rows, batch=config.batch, seed=config.seed)
    blank = dict.fromkeys(("low", "high", "noise_floor", "p_value"), np.nan)
    return [
        {"measure": name, "decisions": SOFT, "estimate": f"batch{config.batch}_mean", "value": value}
        | blank
        | {"missing": missing}
        for name, value in values.items()
    ]


def _disparities(
    rows: Predictions, decisions: str, bootstrap: Bootstrap, permutation: Permutation, level: float
) -> list[dict[str, Any]]:
    table = joint(rows)
    resampled, permuted = resampled_joint(bootstrap, rows), resampled_joint(permutation, rows)
    missing = float((table.sum(axis=0) == 0).sum())
    found = []
    for name, measure in DISPARITIES.items():
        value, noise = measure(table), measure(permuted)
        low, high = interval(measure(resampled), level)
        found.append(
            {
                "measure": name,
                "decisions": decisions,
                "estimate": FULL_SPLIT,
                "value": float(value),
                "low": float(low),
                "high": float(high),
                "noise_floor": float(noise.mean()) if len(noise) else np.nan,
                "p_value": float(p_value(value, noise)),
                "missing": missing,
            }
        )
    return found


def _groups(rows: Predictions, bootstrap: Bootstrap, config: PredictionConfig) -> pd.DataFrame:
    """Return the groups frame: every measure in "all" and in each group."""
    hard = rows.hard()
    table, resampled = _with_all(joint(hard), -1), _with_all(resampled_joint(bootstrap, hard), -1)
    columns = np.concatenate(
        [ece_columns(rows.probabilities, rows.labels, config.bins), np.ones((len(rows.labels), 1))], 1
    )
    units = bootstrap.units
    members = [np.arange(len(rows.labels)), *(np.flatnonzero(rows.groups.codes == c) for c in range(len(units.groups)))]
    sums = np.stack([columns[chosen].sum(axis=0) for chosen in members])
    drawn = _with_all(resampled_sums(bootstrap, columns), -2)
    areas = [_auc(rows, chosen, bootstrap) for chosen in members]
    measured = {
        "accuracy": (accuracy(table), accuracy(resampled)),
        "balanced_accuracy": (balanced_accuracy(table), balanced_accuracy(resampled)),
        "iou": (iou(table), iou(resampled)),
        "auc": (np.array([area[0] for area in areas]), np.stack([area[1] for area in areas], axis=1)),
        "ece": (ece(sums[:, :-1], sums[:, -1]), ece(drawn[..., :-1], drawn[..., -1])),
    }
    clusters = clusters_of(rows.identities, len(rows.labels))
    frames = []
    for name, (values, replicates) in measured.items():
        low, high = interval(replicates, config.level)
        frames.append(
            pd.DataFrame(
                {
                    "attribute": rows.groups.name,
                    "group": [ALL, *rows.groups.names],
                    "measure": name,
                    "value": values,
                    "low": low,
                    "high": high,
                    "count": [len(chosen) for chosen in members],
                    "identities": [len(np.unique(clusters[chosen])) for chosen in members],
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def _auc(rows: Predictions, chosen: Ints, bootstrap: Bootstrap) -> tuple[Floats, Floats]:
    probabilities, labels = rows.probabilities[chosen], rows.labels[chosen]
    return macro_auc(probabilities, labels), macro_auc(probabilities, labels, row_weights(bootstrap, chosen))


def _with_all(values: Floats, axis: int) -> Floats:
    """Put the sum over groups in front of the groups."""
    return np.concatenate([values.sum(axis=axis, keepdims=True), values], axis=axis)
