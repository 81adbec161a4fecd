"""From predictions to the frames that reports and trackers get: by group, disparities, Tables 1-3, squeezing.

``predictions/<system>.parquet -> metrics.prediction_tables.Predictions (a target, a crossing) -> findings -> frames``
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from greycard.audits.prediction_configs import PredictionAudit, PredictorSystem, joined, tasks_of
from greycard.metrics.by_group import Floats, Groups, Ints, cross
from greycard.metrics.prediction import FULL_SPLIT, HARD, SOFT, PredictionFindings, summarise
from greycard.metrics.prediction_paper import beside_paper
from greycard.metrics.prediction_seeds import compare_seeds
from greycard.metrics.prediction_squeezing import check_squeezing
from greycard.metrics.prediction_tables import Predictions
from greycard.schema import ERROR, IDENTITY, IMAGE_ID, OK, STATUS, probability_column

_REASONS: Final = 3
_LOSSES: Final = {"L_iou": "iou_mean"} | {f"L_{name}": name for name in ("eo_l2", "eo_mi", "dp_l2", "dp_mi")}


class PredictionFrames(NamedTuple):
    """Tidy frames; all but ``counts`` have the columns system and target.

    Attributes:
        groups: system, target, attribute, group, measure, value, low, high, count, identities.
        disparities: system, target, attribute, measure, decisions, estimate, value, low, high, noise_floor, p_value,
            missing.
        cells: system, target, attribute, label (a class), group, count.
        table: the layout of Tables 1-3 of paper 002, a row a target, attribute and system: target, sensitive, loss,
            lam, system, seed, baseline, trained_for, accuracy (of the target), accuracy_all (mean over the predicted
            attributes), auc, L_* (batch means of soft losses), L_*_full (of the full split), sigma_iou, dp_difference
            and eo_difference (hard), ece, count.
        paper: the same with the columns source and note, without systems that were trained for other attributes: the
            printed rows stand where data set, attributes and loss are the paper's.
        squeezing: system, target, attribute, measure, view, baseline, fair, reduction, low, high, survives, verdict;
            a system with a baseline each.
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
    rows = table.filter(pc.equal(table[STATUS], OK))
    parts = [Groups(name, attributes[name], _codes(rows[name], attributes[name])) for name in sensitive]
    return Predictions(
        probabilities_of(rows, target, len(attributes[target])),
        _codes(rows[target], attributes[target]),
        cross(parts),
        _identities(rows[IDENTITY]),
    )


def probabilities_of(rows: pa.Table, task: str, classes: int) -> Floats:
    """Return a task's probabilities, (N, K) float64, of rows that are all well."""
    items = pc.list_flatten(rows[probability_column(task)]).to_numpy()
    return np.asarray(items, np.float64).reshape(len(rows), classes)


def make_frames(
    tables: Mapping[str, pa.Table], config: PredictionAudit, attributes: Mapping[str, tuple[str, ...]], dataset: str
) -> PredictionFrames:
    """Return the frames of an audit.

    Args:
        tables: system -> its predictions table.
        config: of the audit.
        attributes: attribute -> classes in code order, of the manifest.
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
                parts[name].append(_keyed(frame, system.name, target))
            rows.append(_table_row(system, target, sensitive, found) | {"accuracy_all": everyone[system.name]})
            if system.baseline:
                squeezed.append(_squeezing(tables, config, system, target, sensitive, attributes))
    table = pd.DataFrame(rows)[list(_COLUMNS)]
    return PredictionFrames(
        **{name: pd.concat(frames, ignore_index=True) for name, frames in parts.items()},
        table=table,
        paper=beside_paper(table[(table["trained_for"] == "") | (table["trained_for"] == table["sensitive"])], dataset),
        squeezing=pd.concat([part for part in squeezed if len(part)], ignore_index=True)
        if any(map(len, squeezed))
        else _no_rows(),
        counts=pd.DataFrame([_counts(name, rows_) for name, rows_ in tables.items()]),
    )


_COLUMNS: Final = (
    *("target", "sensitive", "loss", "lam", "system", "seed", "baseline", "trained_for", "accuracy", "accuracy_all"),
    *("auc", *_LOSSES, *(f"{name}_full" for name in _LOSSES), "sigma_iou", "dp_difference", "eo_difference", "ece"),
    "count",
)
_SQUEEZING: Final = (
    *("system", "target", "attribute", "measure", "view", "baseline", "fair", "reduction", "low", "high", "survives"),
    "verdict",
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


def compare_systems(
    tables: Mapping[str, pa.Table], config: PredictionAudit, attributes: Mapping[str, tuple[str, ...]]
) -> pd.DataFrame:
    """Compare every fairness loss and λ with its baselines over all seeds that there are (``compare_seeds``).

    Args:
        tables: system -> its predictions table.
        config: of the audit.
        attributes: attribute -> classes in code order, of the manifest.

    Returns:
        target, attribute, loss, lam, trained_for and the columns of ``compare_seeds``, on the images that all systems
        of a comparison could take; no rows where no system has a baseline.
    """
    found = []
    for fair in _repeated(config).values():
        names = [*(system.baseline for system in fair), *(system.name for system in fair)]
        rows = _in_all([tables[name] for name in names])
        for target, sensitive in config.pairs:
            predicted = [predictions_of(part, target, sensitive, attributes) for part in rows]
            if not len(predicted[0].known().labels):
                continue
            frame = compare_seeds(predicted[: len(fair)], predicted[len(fair) :], config.findings)
            keys = {"target": target, "attribute": joined(sensitive), "loss": fair[0].loss, "lam": fair[0].lam}
            keys["trained_for"] = joined(fair[0].trained_for)
            for place, (name, value) in enumerate(keys.items()):
                frame.insert(place, name, value)
            found.append(frame)
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame()


def _repeated(config: PredictionAudit) -> dict[tuple[str, float, tuple[str, ...]], list[PredictorSystem]]:
    """Return the systems with a baseline by what is the same but for the seed."""
    kinds: dict[tuple[str, float, tuple[str, ...]], list[PredictorSystem]] = {}
    for system in config.systems:
        if system.baseline:
            kinds.setdefault((system.loss, system.lam, system.trained_for), []).append(system)
    return kinds


def _in_all(tables: Sequence[pa.Table]) -> list[pa.Table]:
    """Return the rows of images that every system could take."""
    well = [table.filter(pc.equal(table[STATUS], OK)) for table in tables]
    common = set.intersection(*(set(table[IMAGE_ID].to_pylist()) for table in well))
    if all(len(table) == len(common) for table in well):
        return well
    ids = pa.array(sorted(common), pa.string())
    return [table.filter(pc.is_in(table[IMAGE_ID], value_set=ids)) for table in well]


def _squeezing(
    tables: Mapping[str, pa.Table],
    config: PredictionAudit,
    system: PredictorSystem,
    target: str,
    sensitive: tuple[str, ...],
    attributes: Mapping[str, tuple[str, ...]],
) -> pd.DataFrame:
    """Compare a system with its baseline on the images that both could take."""
    pair = _in_all([tables[system.baseline], tables[system.name]])
    before, after = (predictions_of(rows, target, sensitive, attributes) for rows in pair)
    if not len(before.known().labels):
        return _no_rows()
    found = check_squeezing(before, after, config.squeezing)
    frame = found.gains.assign(verdict=found.gains["measure"].map(found.verdicts))
    frame.insert(0, "attribute", joined(sensitive))
    return _keyed(frame, system.name, target)


def _no_rows() -> pd.DataFrame:
    return pd.DataFrame(columns=list(_SQUEEZING))


def _mean_accuracy(table: pa.Table, system: PredictorSystem, attributes: Mapping[str, tuple[str, ...]]) -> float:
    """Return the mean over the predicted attributes of the accuracy on the rows that are labelled with each."""
    rows = table.filter(pc.equal(table[STATUS], OK))
    shares = []
    for task in tasks_of(system):
        labels = _codes(rows[task], attributes[task])
        right = probabilities_of(rows, task, len(attributes[task])).argmax(axis=1) == labels
        if (labels >= 0).any():
            shares.append(float(right[labels >= 0].mean()))
    return float(np.mean(shares)) if shares else float("nan")


def _counts(system: str, table: pa.Table) -> dict[str, Any]:
    failed = Counter(error for error in table[ERROR].to_pylist() if error)
    ok = int(pc.sum(pc.equal(table[STATUS], OK)).as_py() or 0)
    reasons = "; ".join(f"{count} x {text}" for text, count in failed.most_common(_REASONS))
    return {"system": system, "n_in": len(table), "n_ok": ok, "n_failed": len(table) - ok, "reasons": reasons}


def _keyed(frame: pd.DataFrame, system: str, target: str) -> pd.DataFrame:
    frame.insert(0, "system", system)
    frame.insert(1, "target", target)
    return frame


def _codes(column: pa.ChunkedArray, classes: tuple[str, ...]) -> Ints:
    """Return (N,) class codes, -1 where there is no label."""
    codes = pc.index_in(column, value_set=pa.array(classes, pa.string()))
    return np.asarray(pc.fill_null(codes, -1).to_numpy(), np.int64)


def _identities(column: pa.ChunkedArray) -> Ints | None:
    """Return (N,) codes of identities, -1 where a row has none; None where no row has one."""
    encoded = column.combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    if not len(encoded.dictionary):
        return None
    return np.asarray(pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False), np.int64)
