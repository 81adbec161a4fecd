"""From predictions to the frames that reports and trackers get: by group, disparities, Tables 1-3, squeezing."""

from collections.abc import Mapping
from typing import NamedTuple

import pandas as pd
import pyarrow as pa

from greycard.audits.prediction_configs import PredictionAudit
from greycard.metrics.prediction_tables import Predictions


class PredictionFrames(NamedTuple):
    """Tidy frames; every one has the columns system and target, except for the counts.

    Attributes:
        groups: system, target, attribute, group, measure, value, low, high, count, identities.
        disparities: system, target, attribute, measure, decisions, estimate, value, low, high, noise_floor, p_value,
            missing.
        cells: system, target, attribute, label, group, count.
        table: the layout of Tables 1-3 of paper 002, a row a system, target and sensitive attribute.
        paper: the same with a column ``source``: the printed rows of the paper stand where data and attributes match.
        squeezing: system, target, attribute, measure, view, baseline, fair, reduction, low, high, survives, verdict.
        counts: system, n_in, n_ok, n_failed, reasons.
    """

    groups: pd.DataFrame
    disparities: pd.DataFrame
    cells: pd.DataFrame
    table: pd.DataFrame
    paper: pd.DataFrame
    squeezing: pd.DataFrame
    counts: pd.DataFrame


def predictions_of(
    table: pa.Table, target: str, sensitive: tuple[str, ...], attributes: Mapping[str, tuple[str, ...]]
) -> Predictions:
    """Return one system's predictions of a target with the groups of (crossed) sensitive attributes.

    Args:
        table: a system's predictions table; rows that failed are left out.
        target: the attribute that is predicted.
        sensitive: one attribute, or several that are crossed.
        attributes: attribute -> classes in code order, of the manifest.
    """
    raise NotImplementedError


def make_frames(
    tables: Mapping[str, pa.Table], config: PredictionAudit, attributes: Mapping[str, tuple[str, ...]], dataset: str
) -> PredictionFrames:
    """Return the frames of an audit.

    Args:
        tables: system -> its predictions table.
        config: of the audit.
        attributes: attribute -> classes in code order, of the manifest.
        dataset: name of the data set, to find the paper's rows.
    """
    raise NotImplementedError
