"""The tables of a generation audit: the paper's layout with its values beside, ways to balance, shares, shortfalls."""

import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd

from greycard.metrics.generation.paper004 import ROWS, printed_rows, tables_of
from greycard.metrics.significance import wilson
from greycard.reports.generation.evidence import GenerationPage
from greycard.reports.generation.words import (
    CORRECTED,
    COVERED,
    DISCREPANCY,
    HARD,
    NO_REFERENCE,
    POOLED,
    REALISM,
    score_of,
    stem,
    with_deviation,
    word_of,
)
from greycard.reports.table import Table
from greycard.reports.wording import DASH, Word, amount, bracket, deviation, points, share, span, spell

_PRINTED: Final = {
    "fid": ("FID", 2), "kid": ("KID", 5), "precision": ("precision", 4), "recall": ("recall", 4),
    "inception_score": ("IS", 2), "path_length": ("PPL", 2), "eqface": ("EQ-Face", 4), "niqe": ("NIQE", 4),
    "brisque": ("BRISQUE", 4), "clip_iqa": ("CLIP-IQA", 4),
}  # fmt: skip


def fairness(page: GenerationPage) -> Table:
    """Return Tables 1 and 4 with what is measured here beside the paper's values; the held-out images come last."""
    printed = printed_rows(page.paper).set_index("row") if page.paper else pd.DataFrame()
    made, marks = [], []
    for label, row, system in _lines(page, list(printed.index)):
        cells = [label]
        if system:
            hard, pooled, corrected = (score_of(page, system, name) for name in (HARD, POOLED, CORRECTED))
            cells += [
                with_deviation(hard, DISCREPANCY),
                with_deviation(corrected, DISCREPANCY),
                _with_interval(pooled),
                amount(float(hard["floor"]), DISCREPANCY),
                _splits(hard),
            ]
        else:
            cells += ["not made here", *[DASH] * 4]
        if page.paper:
            cells.append(_printed(printed, row, "fairness", 4))
        made.append(tuple(cells))
        marks.append(bool(system) and system == page.last)
    heads = [
        "variant",
        "discrepancy ↓",
        "corrected",
        f"all images [{COVERED} interval]",
        "sampling floor",
        "splits × images",
    ]
    if page.paper:
        heads.append(f"the paper's ({page.paper}, {_place(page.paper, 'fairness')})")
    where = f", in the layout of {_place(page.paper, 'fairness')} of paper 004" if page.paper else ""
    return Table(
        f"Distance of class shares from even{where}: mean ± standard deviation over splits.",
        tuple(heads),
        tuple(made),
        tuple(marks),
    )


def realism(page: GenerationPage) -> Table | None:
    """Return Table 3: the distances and scores that were measured; None without any."""
    return _measures(page, REALISM, "How real the images look, in the layout of Table 3")


def no_reference(page: GenerationPage) -> Table | None:
    """Return Tables 2 and 5: measures of single images; None without any."""
    return _measures(page, NO_REFERENCE, "Quality of single images without a reference (Tables 2 and 5)")


def printed(page: GenerationPage) -> tuple[Table, ...]:
    """Return the values of realism and quality that the paper prints for its data set."""
    if not page.paper:
        return ()
    rows = printed_rows(page.paper)
    names = [name for name in _PRINTED if name in rows]
    made = tuple(
        (row["label"], *(_of(row, name, _PRINTED[name][1]) for name in names)) for row in rows.to_dict("records")
    )
    places = sorted({_place(page.paper, name) for name in names})
    return (
        Table(
            f"Paper 004, {' and '.join(places)} ({page.paper}, Inception's features): not comparable in size with "
            "distances in other features.",
            ("variant", *(_PRINTED[name][0] for name in names)),
            made,
        ),
    )


def shares(page: GenerationPage, system: str) -> Table:
    """Return a system's shares by class; classes that it never shows keep their row."""
    rows = page.shares[page.shares["system"] == system].set_index("label")
    total = float(rows["count"].sum())
    made = []
    for label in page.class_names:
        if label not in rows.index or not total:
            made.append((spell(label), *[DASH] * 5))
            continue
        row = rows.loc[label]
        low, high = wilson(float(row["count"]), total)
        hard, soft, corrected = (share(float(row[name])) for name in ("hard", "soft", "corrected"))
        made.append((spell(label), f"{int(row['count']):,}", hard, bracket(points(low), points(high)), soft, corrected))
    return Table(
        f"{page.label(system)}: {int(total):,} images; an even share is {share(1 / max(1, len(page.class_names)))}.",
        ("class", "images", "share", f"{COVERED} interval", "mean probability", "corrected"),
        tuple(made),
    )


def confusion(page: GenerationPage) -> Table | None:
    """Return the measuring classifier's confusions on the held-out images, one row per true class, in per cent."""
    if page.confusion is None or not len(page.confusion):
        return None
    counts = page.confusion.pivot_table(index="label", columns="predicted", values="count", aggfunc="sum")
    names = page.class_names
    matrix = counts.reindex(index=names, columns=names).fillna(0).to_numpy(np.float64)
    seen = matrix.sum(axis=1)
    made = tuple(
        (spell(name), f"{int(seen[place]):,}", *(_percent(value, seen[place]) for value in matrix[place]))
        for place, name in enumerate(names)
    )
    found = [matrix[k, k] / seen[k] for k in range(len(names)) if seen[k]]
    balanced = share(float(np.mean(found))) if found else DASH
    return Table(
        f"The measuring classifier on labelled held-out images: true class (row), said class (column), %. Balanced "
        f"accuracy {balanced}.",
        ("class", "images", *map(spell, names)),
        made,
    )


def _measures(page: GenerationPage, known: tuple[str, ...], caption: str) -> Table | None:
    taken = page.scores["measure"].drop_duplicates().tolist()
    names = sorted((name for name in taken if stem(name) in known), key=lambda name: known.index(stem(name)))
    if not names:
        return None
    made, marks, notes = [], [], []
    for label, _, system in _lines(page, []):
        rows = [score_of(page, system, name) for name in names]
        made.append((label, *(with_deviation(row, word_of(name)) for row, name in zip(rows, names, strict=True))))
        marks.append(system == page.last)
        notes += [f"{label}, {word_of(name).label}: {row['note']}" for row, name in zip(rows, names, strict=True)
                  if pd.isna(row["value"]) and row["note"]]  # fmt: skip
    floors = [amount(_floor(page, name), word_of(name)) for name in names]
    if set(floors) != {DASH}:
        made.append(("one half of the held-out images against the other", *floors))
        marks.append(False)
    why = f" Absent: {'; '.join(notes)}." if notes else ""
    heads = tuple(f"{word_of(name).label}{word_of(name).arrow}" for name in names)
    return Table(f"{caption}.{why}", ("variant", *heads), tuple(made), tuple(marks))


def _floor(page: GenerationPage, measure: str) -> float:
    floors = page.scores.loc[page.scores["measure"] == measure, "floor"].dropna()
    return float(floors.iloc[0]) if len(floors) else math.nan


def _lines(page: GenerationPage, printed: list[str]) -> list[tuple[str, str, str]]:
    """Return (label, row, system) in the paper's order; rows that were not made here have no system."""
    found = []
    for row in ROWS:
        systems = [name for name in page.audited if page.row(name) == row]
        found += [(page.label(name), row, name) for name in systems]
        if not systems and row in printed:
            found.append((ROWS[row], row, ""))
    others = [name for name in page.audited if not page.row(name)]
    held_out = [page.reference] if page.reference in page.systems else []
    return [*found, *((page.label(name), "", name) for name in (*others, *held_out))]


def _with_interval(row: Mapping[str, Any]) -> str:
    value, interval = amount(float(row["value"]), DISCREPANCY), span(float(row["low"]), float(row["high"]), DISCREPANCY)
    return value if interval == DASH else f"{value} {interval}"


def _splits(row: Mapping[str, Any]) -> str:
    if pd.isna(row["splits"]) or pd.isna(row["n"]):
        return DASH
    return f"{int(row['splits'])} × {float(row['n']):,.0f}"


def _printed(rows: pd.DataFrame, row: str, column: str, digits: int) -> str:
    return _of(rows.loc[row].to_dict(), column, digits) if row in rows.index else DASH


def _of(row: Mapping[Any, Any], column: str, digits: int) -> str:
    return deviation(float(row[column]), float(row.get(f"{column}_sd", math.nan)), Word(label=column, decimals=digits))


def _place(paper: str, column: str) -> str:
    return tables_of(paper, column).removeprefix("paper 004, ")


def _percent(value: float, total: float) -> str:
    return points(value / total if total else math.nan)
