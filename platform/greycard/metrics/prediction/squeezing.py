"""The confidence-squeezing check: how much of a soft fairness gain is left in decisions and after recalibration.

Paper 002, eq. 17-19: pulling probabilities towards uniform, ``p' = α (p - 1/2) + 1/2``, makes every soft fairness loss
as small as one likes and changes no decision. A predictor trained with such a loss may do just that. So its gain over
the baseline is measured again: in hard decisions, and in probabilities that a recalibration has refitted to the labels,
for baseline and fair predictor alike. Squeezing undone by a refit leaves no gain; a gain that is left is one of ranking
or of decisions. Each half of the rows is recalibrated by a fit to the other half. Linear and isotonic refits undo
eq. 17 exactly; temperature and Platt's scaling bend it back roughly, so small remainders of either sign under these two
say nothing.
"""

from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from greycard.metrics.by_group import Floats, clusters_of
from greycard.metrics.prediction.calibration import Refit, fit_recalibration
from greycard.metrics.prediction.disparities import DISPARITIES
from greycard.metrics.prediction.tables import Predictions, joint, resampled_joint
from greycard.metrics.significance import Bootstrap, interval
from greycard.schema import unknown

SOFT, HARD = "soft", "hard"
_ZERO = 1e-12  # a disparity that counts as none
Verdict = Literal["no soft gain", "squeezed", "partly kept", "kept", "undecided"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SqueezingConfig:
    """What is compared, and what counts as squeezing.

    Attributes:
        measures: names of ``prediction_disparity.DISPARITIES``.
        refits: recalibrations.
        kept: share of the soft reduction that hard decisions show from which a gain is "kept".
        squeezed: share below which it is "squeezed"; "partly kept" lies between.
        resamples: paired bootstrap resamples of the hard and soft reductions; 0 gives no intervals.
        level: coverage of the intervals, in (0, 1).
        seed: of the resamples.
    """

    measures: tuple[str, ...] = tuple(DISPARITIES)
    refits: tuple[Refit, ...] = get_args(Refit)
    kept: float = 0.75
    squeezed: float = 0.25
    resamples: int = 500
    level: float = 0.95
    seed: int = 0

    def __post_init__(self) -> None:
        for field, names, accepted in (
            ("squeezing.measures", self.measures, list(DISPARITIES)),
            ("squeezing.refits", self.refits, list(get_args(Refit))),
        ):
            for name in names:
                if name not in accepted:
                    raise ValueError(unknown(field, name, accepted))
        if not 0 <= self.squeezed <= self.kept <= 1:
            raise ValueError(f"squeezing must have 0 <= squeezed <= kept <= 1, got {self.squeezed} and {self.kept}")
        if self.resamples < 0 or not 0 < self.level < 1:
            raise ValueError(f"squeezing: resamples >= 0 and level in (0, 1), got {self.resamples}, {self.level}")


@dataclass(frozen=True, slots=True)
class Squeezing:
    """What the check found, on the rows whose label and group are known.

    Attributes:
        decisions_changed: share of rows that the fair predictor decides otherwise.
        accuracy: of baseline and fair predictor.
        confidence: mean probability of the decision, of baseline and fair predictor.
        gains: measure, view ("soft", "hard", refits), baseline, fair, reduction (1 - fair / baseline), low, high (its
            interval), survives (reduction / soft reduction; NaN without a soft gain, and may leave [0, 1]).
        verdicts: measure -> verdict by hard decisions; "undecided" where the baseline's have no disparity to reduce.
    """

    decisions_changed: float
    accuracy: tuple[float, float]
    confidence: tuple[float, float]
    gains: pd.DataFrame
    verdicts: dict[str, Verdict]


def squeeze(probabilities: Floats, alpha: float) -> Floats:
    """Pull probabilities towards uniform: ``α p + (1 - α) / K`` (eq. 18), which changes no decision for α in (0, 1].

    Example:
        >>> squeeze(np.array([[1.0, 0.0]]), 0.5).tolist()
        [[0.75, 0.25]]
    """
    if not 0 < alpha <= 1:
        raise ValueError(f"alpha must be in (0, 1], got {alpha}")
    return alpha * probabilities + (1 - alpha) / probabilities.shape[1]


def check_squeezing(
    baseline: Predictions,
    fair: Predictions,
    config: SqueezingConfig | None = None,
) -> Squeezing:
    """Compare a fair predictor with its baseline on the same rows.

    Args:
        baseline: predictions before the fair phase.
        fair: predictions after it, row by row the same labels, groups and identities.
        config: measures, refits and thresholds.

    Raises:
        ValueError: the two are not about the same rows, or none of the rows counts.
    """
    config = config or SqueezingConfig()
    _check_paired(baseline, fair)
    pair = baseline.known(), fair.known()
    if not len(pair[0].labels):
        raise ValueError("no row has a known label and group")
    folds = _folds(pair[0], config.seed)
    views = {SOFT: pair, HARD: (pair[0].hard(), pair[1].hard())}
    for refit in config.refits:
        views[refit] = _recalibrated(refit, pair[0], folds), _recalibrated(refit, pair[1], folds)
    gains = _gains(views, config)
    decided = pair[0].decisions, pair[1].decisions
    return Squeezing(
        decisions_changed=float((decided[0] != decided[1]).mean()),
        accuracy=(float((decided[0] == pair[0].labels).mean()), float((decided[1] == pair[1].labels).mean())),
        confidence=(float(pair[0].probabilities.max(axis=1).mean()), float(pair[1].probabilities.max(axis=1).mean())),
        gains=gains,
        verdicts={name: _verdict(gains[gains["measure"] == name], config) for name in config.measures},
    )


def _folds(rows: Predictions, seed: int) -> NDArray[np.bool_]:
    """Part rows into two halves, an identity in one of them: (N,) bool."""
    units = clusters_of(rows.identities, len(rows.labels))
    _, codes = np.unique(units, return_inverse=True)
    halves = np.random.default_rng(seed).permutation(codes.max() + 1) % 2
    return np.asarray(halves[codes] == 1)


def _recalibrated(refit: str, rows: Predictions, folds: NDArray[np.bool_]) -> Predictions:
    """Recalibrate each half by a fit to the other, so that no row is judged by a fit that has seen it."""
    found = np.empty_like(rows.probabilities)
    for half in (folds, ~folds):
        if half.any():
            other = half if half.all() else ~half  # all rows are one person's
            recalibrate = fit_recalibration(refit, rows.probabilities[other], rows.labels[other])
            found[half] = recalibrate(rows.probabilities[half])
    return replace(rows, probabilities=found)


def _gains(views: dict[str, tuple[Predictions, Predictions]], config: SqueezingConfig) -> pd.DataFrame:
    bootstrap = Bootstrap.draw(views[SOFT][0].units(), config.resamples, config.seed)
    rows = []
    for view, pair in views.items():
        tables = [joint(side) for side in pair]
        resampled = [resampled_joint(bootstrap, side) for side in pair]
        for name in config.measures:
            before, after = (DISPARITIES[name](table) for table in tables)
            low, high = interval(_reduction(*(DISPARITIES[name](table) for table in resampled)), config.level)
            rows.append(
                {
                    "measure": name,
                    "view": view,
                    "baseline": float(before),
                    "fair": float(after),
                    "reduction": float(_reduction(before, after)),
                    "low": float(low),
                    "high": float(high),
                }
            )
    frame = pd.DataFrame(rows)
    soft = frame[frame["view"] == SOFT].set_index("measure")["reduction"]
    base = frame["measure"].map(soft).to_numpy(np.float64)
    gained = base > 0
    frame["survives"] = np.divide(frame["reduction"], base, out=np.full(len(frame), np.nan), where=gained)
    return frame


def _reduction(before: Floats, after: Floats) -> Floats:
    """Return 1 - after / before: 1 = all of the disparity is gone, negative = it grew; NaN where there was none."""
    there = before > _ZERO
    return np.asarray(1 - np.divide(after, before, out=np.full(np.shape(before), np.nan), where=there), np.float64)


def _verdict(gains: pd.DataFrame, config: SqueezingConfig) -> Verdict:
    by_view = gains.set_index("view")
    if not by_view.loc[SOFT, "reduction"] > 0:
        return "no soft gain"
    survives = float(by_view.loc[HARD, "survives"])
    if np.isnan(survives):
        return "undecided"
    if survives < config.squeezed:
        return "squeezed"
    return "kept" if survives >= config.kept else "partly kept"


def _check_paired(baseline: Predictions, fair: Predictions) -> None:
    if baseline.probabilities.shape != fair.probabilities.shape:
        raise ValueError(f"baseline {baseline.probabilities.shape} and fair {fair.probabilities.shape} differ in shape")
    if baseline.groups.names != fair.groups.names:
        raise ValueError(f"baseline and fair have other groups: {baseline.groups.names} and {fair.groups.names}")
    if not (np.array_equal(baseline.labels, fair.labels) and np.array_equal(baseline.groups.codes, fair.groups.codes)):
        raise ValueError("baseline and fair must predict the same rows in one order; their labels or groups differ")
