"""Baselines and fair predictors of several seeds against each other: differences with intervals, and a verdict.

One training run says little: runs that differ in nothing but their seed differ in σ_IOU by as much as a fairness loss
changes it. So measures are means over pairs of runs (baseline and fair predictor of one seed), and their intervals come
from both sources of chance at once: pairs and identities are resampled independently of each other (the pigeonhole
bootstrap, Owen 2007, arXiv 0712.1111), the same identities for every predictor. Of n pairs n - 1 are drawn, so that the
variance of the mean over pairs is unbiased (Rao & Wu 1988): the usual n of n is too narrow by a tenth for 5 pairs.
"""

from collections.abc import Sequence

import pandas as pd

from greycard.metrics.prediction import PredictionConfig
from greycard.metrics.prediction_tables import Predictions


def compare_seeds(
    baseline: Sequence[Predictions], fair: Sequence[Predictions], config: PredictionConfig | None = None
) -> pd.DataFrame:
    """Compare the mean fair predictor with the mean baseline.

    Args:
        baseline: a baseline a seed; all on the same rows in one order.
        fair: the fair predictor of each seed, in the same order.
        config: ``resamples``, ``level``, ``bins`` and ``seed`` are used.

    Returns:
        A row a measure: measure, decisions ("hard", "soft"), baseline and fair (means over seeds), difference (fair -
        baseline) with low and high, reduction (1 - fair / baseline, of disparities) with reduction_low and
        reduction_high, level, seeds (pairs), count (rows).

    Raises:
        ValueError: no pair, as many baselines as fair predictors are missing, or other rows.
    """
    raise NotImplementedError


def verdict(frame: pd.DataFrame, min_reduction: float = 0.3, max_cost: float = 0.01) -> str:
    """Say in one sentence what the comparison shows of σ_IOU and accuracy, both of hard decisions.

    Args:
        frame: from ``compare_seeds``.
        min_reduction: the reduction of σ_IOU that is aimed at, as a share.
        max_cost: the loss of accuracy that is accepted, as a share.
    """
    raise NotImplementedError
