"""Systems against the baselines that they were trained from: the squeezing check, and all seeds of a loss together."""

from collections.abc import Mapping
from typing import Final

import pandas as pd
import pyarrow as pa

from greycard.audits.prediction.configs import PredictionAudit, PredictorSystem, joined
from greycard.audits.prediction.rows import in_all, predictions_of
from greycard.metrics.prediction.seeds import compare_seeds
from greycard.metrics.prediction.squeezing import check_squeezing

_SQUEEZING: Final = (
    *("system", "target", "attribute", "measure", "view", "baseline", "fair", "reduction", "low", "high", "survives"),
    "verdict",
)


def compare_systems(
    tables: Mapping[str, pa.Table], config: PredictionAudit, attributes: Mapping[str, tuple[str, ...]]
) -> pd.DataFrame:
    """Compare every fairness loss and λ with its baselines over all seeds that there are (``compare_seeds``).

    Args:
        tables: system -> its predictions table.
        config: the audit's config.
        attributes: attribute -> classes in code order, from the manifest.

    Returns:
        target, attribute, loss, lam, trained_for and the columns of ``compare_seeds``, on the images that all systems
        of a comparison could take; no rows where no system has a baseline.
    """
    found = []
    for fair in _repeated(config).values():
        names = [*(system.baseline for system in fair), *(system.name for system in fair)]
        rows = in_all([tables[name] for name in names])
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
    """Return the systems with a baseline by everything that is the same but for the seed."""
    kinds: dict[tuple[str, float, tuple[str, ...]], list[PredictorSystem]] = {}
    for system in config.systems:
        if system.baseline:
            kinds.setdefault((system.loss, system.lam, system.trained_for), []).append(system)
    return kinds


def squeezing_of(
    tables: Mapping[str, pa.Table],
    config: PredictionAudit,
    system: PredictorSystem,
    target: str,
    sensitive: tuple[str, ...],
    attributes: Mapping[str, tuple[str, ...]],
) -> pd.DataFrame:
    """Compare a system with its baseline on the images that both could take."""
    pair = in_all([tables[system.baseline], tables[system.name]])
    before, after = (predictions_of(rows, target, sensitive, attributes) for rows in pair)
    if not len(before.known().labels):
        return no_squeezing()
    found = check_squeezing(before, after, config.squeezing)
    frame = found.gains.assign(verdict=found.gains["measure"].map(found.verdicts))
    frame.insert(0, "attribute", joined(sensitive))
    return keyed(frame, system.name, target)


def no_squeezing() -> pd.DataFrame:
    """Return the frame of no comparison."""
    return pd.DataFrame(columns=list(_SQUEEZING))


def keyed(frame: pd.DataFrame, system: str, target: str) -> pd.DataFrame:
    """Put the columns system and target in front."""
    frame.insert(0, "system", system)
    frame.insert(1, "target", target)
    return frame
