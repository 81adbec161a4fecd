"""Baselines and fair predictors of several seeds against each other: differences with intervals.

One training run says little: runs that differ in nothing but their seed differ in σ_IOU by as much as a fairness loss
changes it. So measures are means over pairs of runs (baseline and fair predictor of one seed), and their intervals come
from both sources of chance, other seeds and other people:

* n - 1 of the n pairs are drawn with all rows, so that the variance of the mean is unbiased (Rao & Wu 1988);
* identities are drawn with all pairs, the same for every predictor. What is left of an image's chance in a single run
  is in the first part already, so this part counts with what the pairs have in common: its variance is the mean
  covariance between pairs. Drawing both at once (the pigeonhole bootstrap, Owen 2007) would count it three times;
* a few pairs know their own spread badly: the sum is widened from a normal's quantile to Student's, with the degrees
  of freedom of Satterthwaite (1946). One pair says nothing about seeds, and its interval is that of identities alone.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from greycard.metrics.by_group import Floats
from greycard.metrics.prediction.calibration import ece, ece_columns
from greycard.metrics.prediction.disparities import (
    FAIR_LOSSES,
    accuracy,
    balanced_accuracy,
    dp_difference,
    eo_difference,
    sigma_iou,
)
from greycard.metrics.prediction.findings import HARD, SOFT, PredictionConfig
from greycard.metrics.prediction.ranking import macro_auc
from greycard.metrics.prediction.tables import Predictions, joint, resampled_joint, resampled_sums, row_weights
from greycard.metrics.significance import Bootstrap, interval

_ZERO: Final = 1e-12  # a disparity that counts as none
_PAIRS: Final = 3  # stream of the random numbers that draw pairs


class _Measured(NamedTuple):
    """One measure of one predictor: its value () and its values in B resamples (B,)."""

    value: Floats
    resampled: Floats


_QUALITIES: Final[dict[str, Callable[[Floats], Floats]]] = {
    "accuracy": accuracy,
    "balanced_accuracy": balanced_accuracy,
}
_GAPS: Final[dict[str, Callable[..., Floats]]] = {
    "sigma_iou": sigma_iou,
    "dp_difference": dp_difference,
    "eo_difference": eo_difference,
}
_DECISIONS: Final = dict.fromkeys((*_QUALITIES, *_GAPS), HARD) | dict.fromkeys(("auc", "ece", *FAIR_LOSSES), SOFT)


def compare_seeds(
    baseline: Sequence[Predictions], fair: Sequence[Predictions], config: PredictionConfig | None = None
) -> pd.DataFrame:
    """Compare the mean fair predictor with the mean baseline, on the rows whose label and group are known.

    Args:
        baseline: a baseline per seed; all on the same rows in one order.
        fair: the fair predictor of each seed, in the same order.
        config: ``resamples``, ``level``, ``bins`` and ``seed`` are used.

    Returns:
        A row per measure: measure (accuracy, balanced_accuracy, sigma_iou, dp_difference and eo_difference of hard
        decisions; auc, ece and the fairness losses of probabilities, all of the full split), decisions ("hard",
        "soft"), baseline and fair (means over seeds), difference (fair - baseline) with low and high, reduction
        (1 - fair / baseline, of disparities; NaN where the baseline has none) with reduction_low and reduction_high,
        level, seeds (pairs), count (rows).

    Raises:
        ValueError: no pairs, an odd one, other rows, or no row that counts.
    """
    config = config or PredictionConfig()
    _check(baseline, fair)
    known = [[one.known() for one in side] for side in (baseline, fair)]
    rows = known[0][0]
    if not len(rows.labels):
        raise ValueError("no row has a known label and group")
    bootstrap = Bootstrap.draw(rows.units(), config.resamples, config.seed)
    weights = row_weights(bootstrap, np.arange(len(rows.labels)))
    before, after = ([_measure(one, bootstrap, weights, config.bins) for one in side] for side in known)
    drawn = _draw_pairs(len(before), config)
    frame = pd.DataFrame([_row(name, before, after, drawn, config.level) for name in _DECISIONS])
    return frame.assign(level=config.level, seeds=len(before), count=len(rows.labels))


def _check(baseline: Sequence[Predictions], fair: Sequence[Predictions]) -> None:
    if not baseline or len(baseline) != len(fair):
        raise ValueError(
            f"every seed needs a baseline and a fair predictor, got {len(baseline)} baselines and {len(fair)} fair ones"
        )
    first = baseline[0]
    for one in (*baseline[1:], *fair):
        same = (
            one.probabilities.shape == first.probabilities.shape
            and one.groups.names == first.groups.names
            and np.array_equal(one.labels, first.labels)
            and np.array_equal(one.groups.codes, first.groups.codes)
        )
        if not same:
            raise ValueError("all predictors must predict the same rows in one order; their labels or groups differ")


def _measure(rows: Predictions, bootstrap: Bootstrap, weights: Any, bins: int) -> dict[str, _Measured]:
    """Return every measure of one predictor, by name."""
    hard, soft = rows.hard(), rows
    tables = {
        HARD: (joint(hard), resampled_joint(bootstrap, hard)),
        SOFT: (joint(soft), resampled_joint(bootstrap, soft)),
    }
    everyone = [table.sum(axis=-1, keepdims=True) for table in tables[HARD]]
    found = {name: _Measured(*(measure(table)[..., 0] for table in everyone)) for name, measure in _QUALITIES.items()}
    found |= {name: _Measured(*map(measure, tables[HARD])) for name, measure in _GAPS.items()}
    found |= {name: _Measured(*map(measure, tables[SOFT])) for name, measure in FAIR_LOSSES.items()}
    areas = macro_auc(rows.probabilities, rows.labels), macro_auc(rows.probabilities, rows.labels, weights)
    columns = np.concatenate(
        [ece_columns(rows.probabilities, rows.labels, bins), np.ones((len(rows.labels), 1))], axis=1
    )
    sums = columns.sum(axis=0), resampled_sums(bootstrap, columns).sum(axis=-2)
    found["auc"] = _Measured(*areas)
    found["ece"] = _Measured(*(ece(part[..., :-1], part[..., -1]) for part in sums))
    return found


def _draw_pairs(pairs: int, config: PredictionConfig) -> Floats:
    """Return how much each pair counts in each resample: (B, pairs), rows sum to 1."""
    random = np.random.default_rng([config.seed, _PAIRS])
    draws = max(1, pairs - 1)
    return random.multinomial(draws, np.full(pairs, 1 / pairs), size=config.resamples) / draws


def _row(
    name: str,
    before: Sequence[dict[str, _Measured]],
    after: Sequence[dict[str, _Measured]],
    drawn: Floats,
    level: float,
) -> dict[str, Any]:
    """Return one measure's row: means over pairs, and the intervals of their difference and reduction."""
    full = [np.array([one[name].value for one in side]) for side in (before, after)]
    drawn_ids = [np.stack([one[name].resampled for one in side], axis=1) for side in (before, after)]
    values = [np.asarray(side.mean()) for side in full]
    by_pair = [drawn @ side for side in full]
    by_identity = [side.mean(axis=1) for side in drawn_ids]
    each = drawn_ids[1] - drawn_ids[0]
    low, high = interval(
        _combine(values[1] - values[0], by_pair[1] - by_pair[0], by_identity[1] - by_identity[0], each, level), level
    )
    reduction = reduction_low = reduction_high = np.array(np.nan)
    if name in _GAPS or name in FAIR_LOSSES:
        reduction = _reduction(*values)
        linear = drawn_ids[1] - (1 - reduction) * drawn_ids[0]  # of a ratio, to first order and up to a factor
        parts = _combine(reduction, _reduction(*by_pair), _reduction(*by_identity), linear, level)
        reduction_low, reduction_high = interval(np.minimum(parts, 1.0), level)
    return {
        "measure": name,
        "decisions": _DECISIONS[name],
        "baseline": float(values[0]),
        "fair": float(values[1]),
        "difference": float(values[1] - values[0]),
        "low": float(low),
        "high": float(high),
        "reduction": float(reduction),
        "reduction_low": float(reduction_low),
        "reduction_high": float(reduction_high),
    }


def _combine(value: Floats, by_pair: Floats, by_identity: Floats, each: Floats, level: float) -> Floats:
    """Return replicates (B,) of a statistic with the chance of pairs and of identities, each counted once.

    Args:
        value: () the statistic.
        by_pair: (B,) of drawn pairs, all rows.
        by_identity: (B,) of drawn identities, all pairs.
        each: (B, pairs) of drawn identities, each pair on its own.
        level: coverage of the interval that is wanted.
    """
    pairs = each.shape[1]
    if pairs == 1 or not len(each):
        return by_identity
    of_pairs, of_identities = by_pair - value, by_identity - value
    spread, mean_spread = float(np.mean([_variance(one) for one in each.T])), _variance(each.mean(axis=1))
    common = (pairs * mean_spread - spread) / (pairs - 1)  # the mean covariance between pairs
    share = np.clip(common / mean_spread, 0.0, 1.0) if mean_spread > 0 else 0.0
    first, second = _variance(of_pairs), share * _variance(of_identities)
    freedom = (pairs - 1) * ((first + second) / first) ** 2 if first > 0 else np.inf
    quantile = (1 + level) / 2
    widened = stats.t.ppf(quantile, freedom) / stats.norm.ppf(quantile)
    return np.asarray(value + widened * (of_pairs + np.sqrt(share) * of_identities))


def _variance(values: Floats) -> float:
    """Return the variance of the values that are there, 0 without any."""
    known = values[~np.isnan(values)]
    return float(known.var()) if len(known) else 0.0


def _reduction(before: Floats, after: Floats) -> Floats:
    there = before > _ZERO
    return np.asarray(1 - np.divide(after, before, out=np.full(np.shape(before), np.nan), where=there), np.float64)
