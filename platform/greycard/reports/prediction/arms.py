"""The arms of a prediction audit: systems that differ in their seed alone, so that pages show each training once."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import pandas as pd

from greycard.reports.prediction.words import LOSS_WORDS, value_label
from greycard.reports.wording import EQUALS, spell

BASELINE_LOSS: Final = "ce"
_Row = Mapping[Any, Any]
_ZERO: Final = 1e-12  # a disparity that counts as none


class Arm(NamedTuple):
    """One training, repeated with several seeds or not.

    Attributes:
        name: the systems' common name.
        label: the name that the page shows.
        systems: the systems in order of appearance.
        seeds: the systems' seeds, as text; "" where the table has none.
        baseline: whether it was trained without a fairness loss.
    """

    name: str
    label: str
    systems: tuple[str, ...]
    seeds: tuple[str, ...]
    baseline: bool

    def called(self, system: str) -> str:
        """Return what one of its systems is called: by its seed where the arm has several."""
        if len(self.systems) == 1:
            return self.label
        return f"{self.label}, seed {self.seeds[self.systems.index(system)]}"


def arms_of(table: pd.DataFrame | None, frame: pd.DataFrame) -> list[Arm]:
    """Return the arms, baselines first, otherwise in order of appearance.

    Systems are one arm where loss, λ and what it was trained for are the same and their names differ in the seed alone.

    Args:
        table: one row per system: system, loss and, where there, lam, seed, trained_for; a system that it does not have
            is an arm of its own.
        frame: a frame with a column ``system``; gives the systems where the table has none.
    """
    rows = {} if table is None else {str(row["system"]): row for row in table.to_dict("records")}
    found: dict[tuple[str, ...], list[str]] = {}
    for name in dict.fromkeys([*rows, *frame["system"].tolist()]):
        row = rows.get(name, {})
        key = (_stem(name, row), _loss(row), *(str(row.get(column, "")) for column in ("lam", "trained_for")))
        found.setdefault(key, []).append(name)
    arms = [_arm(stem, systems, [rows.get(name, {}) for name in systems]) for (stem, *_), systems in found.items()]
    labels = [arm.label for arm in arms]
    arms = [arm._replace(label=spell(arm.name)) if labels.count(arm.label) > 1 else arm for arm in arms]
    return sorted(arms, key=lambda arm: not arm.baseline)


def _arm(stem: str, systems: Sequence[str], rows: Sequence[_Row]) -> Arm:
    seeds = tuple(_seed(row) for row in rows)
    return Arm(stem, _label(stem, rows[0]), tuple(systems), seeds, _loss(rows[0]) == BASELINE_LOSS)


def rows_of(frame: pd.DataFrame, arm: Arm) -> pd.DataFrame:
    """Return an arm's rows, system by system."""
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
    return f"{spell(target)} by {spell(attribute)}" if target else f"by {spell(attribute)}"


def _loss(row: _Row) -> str:
    return str(row.get("loss", ""))


def _seed(row: _Row) -> str:
    value = row.get("seed")
    return "" if value is None or pd.isna(value) else str(int(value))


def _stem(name: str, row: _Row) -> str:
    """Return a system's name without its seed, which the table knows."""
    return name.removesuffix(f"seed{_seed(row)}").rstrip("-_") if _seed(row) else name


def _label(stem: str, row: _Row) -> str:
    loss = _loss(row)
    if not loss:
        return spell(stem)
    if loss == BASELINE_LOSS:
        return "baseline (cross-entropy)"
    said = "" if loss in stem else f"{spell(stem)}: "  # a name that says something else, as best, knee or control
    lam = float(row.get("lam", "nan"))
    if lam == 0:
        return f"{said}without the loss, λ{EQUALS}0"
    return f"{said}{LOSS_WORDS.get(loss, spell(loss))}" + ("" if pd.isna(lam) else f", λ{EQUALS}{value_label(lam)}")
