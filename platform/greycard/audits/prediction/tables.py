"""From predictions to the frames that reports and trackers get: by group, disparities, Tables 1-3, squeezing.

``predictions/<system>.parquet -> metrics.prediction.tables.Predictions (a target, a crossing) -> findings -> frames``
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from greycard.audits.prediction.configs import PredictionAudit, PredictorSystem, joined, tasks_of
from greycard.audits.prediction.pairs import keyed, no_squeezing, squeezing_of
from greycard.audits.prediction.rows import predictions_of, probabilities_of
from greycard.audits.tables import count_rows
from greycard.class_codes import class_codes
from greycard.metrics.prediction.findings import FULL_SPLIT, HARD, SOFT, PredictionFindings, summarise
from greycard.metrics.prediction.paper002 import beside_paper
from greycard.schema import OK, STATUS

_LOSSES: Final = {"L_iou": "iou_mean"} | {f"L_{name}": name for name in ("eo_l2", "eo_mi", "dp_l2", "dp_mi")}


class PredictionFrames(NamedTuple):
    """Tidy frames; all but ``counts`` have the columns system and target.

    Attributes:
        groups: system, target, attribute, group, measure, value, low, high, count, identities.
        disparities: system, target, attribute, measure, decisions, estimate, value, low, high, noise_floor, p_value,
            missing.
        cells: system, target, attribute, label (a class), group, count.
        table: the layout of Tables 1-3 of paper 002, one row per target, attribute and system: target, sensitive,
            loss, lam, system, seed, baseline, trained_for, accuracy (of the target), accuracy_all (mean over the
            predicted attributes), auc, L_* (batch means of soft losses), L_*_full (of the full split), sigma_iou,
            dp_difference and eo_difference (hard), ece, count.
        paper: the same with the columns source and note, without systems that were trained for other attributes: the
            printed rows stand where data set, attributes and loss are the paper's.
        squeezing: system, target, attribute, measure, view, baseline, fair, reduction, low, high, survives, verdict;
            for each system with a baseline.
        counts: system, n_in, n_ok, n_failed, reasons.
    """

    groups: pd.DataFrame
    disparities: pd.DataFrame
    cells: pd.DataFrame
    table: pd.DataFrame
    paper: pd.DataFrame
    squeezing: pd.DataFrame
    counts: pd.DataFrame


def make_frames(
    tables: Mapping[str, pa.Table], config: PredictionAudit, attributes: Mapping[str, tuple[str, ...]], dataset: str
) -> PredictionFrames:
    """Return the frames of an audit.

    Args:
        tables: system -> its predictions table.
        config: the audit's config.
        attributes: attribute -> classes in code order, from the manifest.
        dataset: name of the data set, to find the paper's rows.

    Raises:
        ValueError: every target is among the sensitive attributes, so there is nothing to compare.
    """
    if not config.pairs:
        raise ValueError(f"audit.sensitive holds nothing but the targets ({', '.join(config.targets)}): name another")
    everyone = {system.name: _mean_accuracy(tables[system.name], system, attributes) for system in config.systems}
    parts: dict[str, list[pd.DataFrame]] = {name: [] for name in ("groups", "disparities", "cells")}
    rows: list[dict[str, Any]] = []
    squeezed: list[pd.DataFrame] = []
    for target, sensitive in config.pairs:
        for system in config.systems:
            found = summarise(predictions_of(tables[system.name], target, sensitive, attributes), config.findings)
            cells = found.cells.assign(label=[attributes[target][code] for code in found.cells["label"]])
            cells.insert(0, "attribute", joined(sensitive))
            for name, frame in (("groups", found.groups), ("disparities", found.disparities), ("cells", cells)):
                parts[name].append(keyed(frame, system.name, target))
            rows.append(_table_row(system, target, sensitive, found) | {"accuracy_all": everyone[system.name]})
            if system.baseline:
                squeezed.append(squeezing_of(tables, config, system, target, sensitive, attributes))
    table = pd.DataFrame(rows)[list(_COLUMNS)]
    return PredictionFrames(
        **{name: pd.concat(frames, ignore_index=True) for name, frames in parts.items()},
        table=table,
        paper=beside_paper(table[(table["trained_for"] == "") | (table["trained_for"] == table["sensitive"])], dataset),
        squeezing=pd.concat([part for part in squeezed if len(part)], ignore_index=True)
        if any(map(len, squeezed))
        else no_squeezing(),
        counts=pd.DataFrame([count_rows(name, rows_) for name, rows_ in tables.items()]),
    )


_COLUMNS: Final = (
    *("target", "sensitive", "loss", "lam", "system", "seed", "baseline", "trained_for", "accuracy", "accuracy_all"),
    *("auc", *_LOSSES, *(f"{name}_full" for name in _LOSSES), "sigma_iou", "dp_difference", "eo_difference", "ece"),
    "count",
)


def _table_row(
    system: PredictorSystem, target: str, sensitive: tuple[str, ...], found: PredictionFindings
) -> dict[str, Any]:
    """Return a system's row of the paper's layout."""
    everyone = found.groups[found.groups["group"] == "all"].set_index("measure")
    gaps = found.disparities.set_index(["decisions", "measure"])
    hard = gaps.loc[HARD]["value"]
    soft = gaps.loc[SOFT]
    full = soft[soft["estimate"] == FULL_SPLIT]["value"]
    batch = soft[soft["estimate"] != FULL_SPLIT]["value"]
    return {
        "target": target,
        "sensitive": joined(sensitive),
        "loss": system.loss,
        "lam": system.lam,
        "system": system.name,
        "seed": system.seed,
        "baseline": system.baseline,
        "trained_for": joined(system.trained_for),
        "accuracy": float(everyone.loc["accuracy", "value"]),
        "auc": float(everyone.loc["auc", "value"]),
        **{column: float(batch[name]) for column, name in _LOSSES.items()},
        **{f"{column}_full": float(full[name]) for column, name in _LOSSES.items()},
        **{name: float(hard[name]) for name in ("sigma_iou", "dp_difference", "eo_difference")},
        "ece": float(everyone.loc["ece", "value"]),
        "count": int(everyone.loc["accuracy", "count"]),
    }


def _mean_accuracy(table: pa.Table, system: PredictorSystem, attributes: Mapping[str, tuple[str, ...]]) -> float:
    """Return the mean over the predicted attributes of the accuracy on the rows that are labelled with each."""
    rows = table.filter(pc.equal(table[STATUS], OK))
    shares = []
    for task in tasks_of(system):
        labels = class_codes(rows[task], attributes[task])
        right = probabilities_of(rows, task, len(attributes[task])).argmax(axis=1) == labels
        if (labels >= 0).any():
            shares.append(float(right[labels >= 0].mean()))
    return float(np.mean(shares)) if shares else float("nan")
