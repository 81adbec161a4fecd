"""The arms of a prediction audit: systems that differ in their seed alone, so that pages show each training once."""

import re
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import pandas as pd

from greycard.reports.prediction.words import LOSS_WORDS, value_label
from greycard.reports.restoration.frames import nice

BASELINE_LOSS: Final = "ce"
_ZERO: Final = 1e-12  # a disparity that counts as none
_SEED: Final = re.compile(r"[-_]seed\d+$")
_LAM: Final = re.compile(r"[-_]lam([0-9.e+-]*[0-9])")


class Arm(NamedTuple):
    """One training, repeated with several seeds or not.

    Attributes:
        name: the systems' common name.
        label: for people.
        systems: in order of seeds.
        baseline: trained without a fairness loss.
    """

    name: str
    label: str
    systems: tuple[str, ...]
    baseline: bool


def arms_of(table: pd.DataFrame | None, frame: pd.DataFrame) -> list[Arm]:
    """Return the arms, baselines first, otherwise in order of appearance.

    Args:
        table: a row a system: system, loss and, where there, lam and seed; None tells by the names alone.
        frame: a frame with a column ``system``; gives the systems where the table has none.
    """
    known = {} if table is None else {row["system"]: row for row in table.to_dict("records")}
    names = list(dict.fromkeys([*known, *frame["system"].tolist()]))
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(_SEED.sub("", name), []).append(name)
    arms = [
        Arm(stem, _label(stem, known.get(systems[0], {})), tuple(systems), _loss(known.get(systems[0], {})) == "ce")
        for stem, systems in found.items()
    ]
    labels = [arm.label for arm in arms]
    arms = [arm._replace(label=nice(arm.name)) if labels.count(arm.label) > 1 else arm for arm in arms]
    return sorted(arms, key=lambda arm: not arm.baseline)


def rows_of(frame: pd.DataFrame, arm: Arm) -> pd.DataFrame:
    """Return an arm's rows, a system after the other."""
    return frame[frame["system"].isin(arm.systems)]


def pairs_of(frame: pd.DataFrame) -> list[tuple[str, str]]:
    """Return the (target, attribute) pairs of a frame in order of appearance; "" where it has no targets."""
    if "target" not in frame:
        return [("", name) for name in frame["attribute"].drop_duplicates()]
    found = frame[["target", "attribute"]].drop_duplicates()
    return [
        (str(target), str(attribute)) for target, attribute in zip(found["target"], found["attribute"], strict=True)
    ]


def pick(frame: pd.DataFrame, target: str, attribute: str) -> pd.DataFrame:
    """Return the rows of a target and an attribute; a target of "" takes all."""
    rows = frame[frame["attribute"] == attribute]
    return rows[rows["target"] == target] if target else rows


def mean(rows: pd.DataFrame, column: str) -> float:
    """Return a column's mean over seeds, NaN without a value."""
    values = rows[column].dropna()
    return float(values.mean()) if len(values) else float("nan")


def fell(rows: pd.DataFrame) -> float:
    """Return how much the mean over seeds fell: 1 - mean after / mean before; NaN where there was nothing."""
    before, after = mean(rows, "baseline"), mean(rows, "fair")
    return 1 - after / before if before > _ZERO else float("nan")


def heading(pair: Sequence[str]) -> str:
    """Return a (target, attribute) pair for people: ``smile by gender``."""
    target, attribute = pair
    return f"{nice(target)} by {nice(attribute)}" if target else f"by {nice(attribute)}"


def _loss(row: dict[str, Any]) -> str:
    return str(row.get("loss", ""))


def _label(stem: str, row: dict[str, Any]) -> str:
    loss = _loss(row)
    if not loss:
        return nice(stem)
    if loss == BASELINE_LOSS:
        return "baseline (cross-entropy)"
    written = _LAM.search(stem)
    said = "" if written else f"{nice(stem)}: "  # a name that says more than loss and λ, as best, knee or control
    lam = float(row["lam"] if "lam" in row else written.group(1) if written else "nan")
    equals = "\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}"
    if lam == 0:
        return f"{said}without the loss, λ{equals}0"
    return f"{said}{LOSS_WORDS.get(loss, nice(loss))}" + ("" if pd.isna(lam) else f", λ{equals}{value_label(lam)}")
