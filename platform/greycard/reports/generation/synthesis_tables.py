"""The tables of ways to balance: what synthetic sets cost and hold by class, and what generators make of them."""

import math

import numpy as np
import pandas as pd

from greycard.reports.generation.evidence import GenerationPage, Way
from greycard.reports.generation.words import HARD, METHODS, distances, score_of, with_deviation, word_of
from greycard.reports.table import Table
from greycard.reports.wording import DASH, number, points, share, spell, to


def ways(page: GenerationPage) -> Table:
    """Return ways to balance: what the set cost and holds, and what the generator trained on it shows."""
    cost, counts, near = (page.made.joined(name) for name in ("cost", "counts", "duplicates"))
    (distance, *_) = distances(page) or [""]
    made = []
    for way in page.made.ways:
        made.append(
            (
                way.name,
                _got(_of_method(counts, way)),
                _draws(_of_method(cost, way)),
                _near(_of_method(near, way)),
                _range(page, way.set),
                _score(page, way.set, HARD),
                _range(page, way.system),
                _score(page, way.system, HARD),
                _score(page, way.system, distance),
            )
        )
    return Table(
        "Draws are latents that were generated and classified for each image that was taken: over all classes, and of "
        "the most costly one. A seed that several classes looked at counts for each.",
        (
            "way", "images", "draws per image", "near-duplicates", "set: class shares", "set: discrepancy ↓",
            "generator: class shares", "generator: discrepancy ↓",
            f"generator: {word_of(distance).label} ↓" if distance else "generator: distance",
        ),
        tuple(made),
    )  # fmt: skip


def accounts(page: GenerationPage) -> tuple[Table, ...]:
    """Return one table per method: how many images each class needed and got, and at what cost."""
    counts, lineages, near, cost = (page.made.joined(name) for name in ("counts", "lineages", "duplicates", "cost"))
    if counts is None or lineages is None or near is None or cost is None:
        return ()
    return tuple(
        _account(
            str(method),
            counts[counts["method"] == method],
            lineages[lineages["method"] == method],
            near[near["method"] == method],
            cost[cost["method"] == method],
        )
        for method in counts["method"].drop_duplicates()
    )


def _account(
    method: str, counts: pd.DataFrame, lineages: pd.DataFrame, near: pd.DataFrame, cost: pd.DataFrame
) -> Table:
    made, marks = [], []
    for label in counts["label"].drop_duplicates():
        rows, mine = counts[counts["label"] == label], lineages[lineages["label"] == label]
        wanted, chosen = int(rows["wanted"].sum()), int(rows["chosen"].sum())
        made.append(
            (
                spell(label),
                f"{chosen:,} of {wanted:,}",
                f"{int(mine['found'].notna().sum()):,} of {len(mine):,}",
                f"{int(_work(cost[cost['label'] == label]).sum()):,}",
                number(_first(cost, label, "evaluated_per_chosen")),
                share(_first(near, label, "near")),
                share(_first(near, label, "flagged")),
                _errors(mine),
            )
        )
        marks.append(chosen < wanted)
    return Table(
        f"{METHODS.get(method, spell(method)).capitalize()}, class by class. A row is set off where a class is short.",
        (
            "class",
            "images",
            "starts found",
            "draws",
            "draws per image",
            "near-duplicates",
            "flagged and left out",
            "failed",
        ),
        tuple(made),
        tuple(marks),
    )


def _errors(lineages: pd.DataFrame) -> str:
    if "error" not in lineages:
        return DASH
    failed = lineages["error"].replace("", np.nan).dropna().value_counts()
    return "; ".join(f"{count} × {text}" for text, count in failed.items()) or DASH


def _first(frame: pd.DataFrame, label: str, column: str) -> float:
    found = frame.loc[frame["label"] == label, column] if column in frame else []
    return float(next(iter(found), math.nan))


def _of_method(frame: pd.DataFrame | None, way: Way) -> pd.DataFrame | None:
    return None if frame is None or not way.method else frame[frame["method"] == way.method]


def _got(counts: pd.DataFrame | None) -> str:
    if counts is None or not len(counts):
        return DASH
    wanted, chosen = int(counts["wanted"].sum()), int(counts["chosen"].sum())
    return f"{chosen:,}" if chosen >= wanted else f"{chosen:,} of {wanted:,}"


def _draws(cost: pd.DataFrame | None) -> str:
    if cost is None or not cost["chosen"].sum():
        return DASH
    costliest = cost.loc[cost["evaluated_per_chosen"].idxmax()] if cost["evaluated_per_chosen"].notna().any() else None
    text = number(float(_work(cost).sum() / cost["chosen"].sum()))
    if costliest is None:
        return text
    return f"{text} (class {spell(str(costliest['label']))}: {number(float(costliest['evaluated_per_chosen']))})"


def _work(cost: pd.DataFrame) -> "pd.Series[float]":
    """Return how many seeds and latents each class was searched for in; rejection sampling has seeds alone."""
    return cost["looked"] + cost["evaluated"].where(cost["method"] == "search", 0)


def _near(near: pd.DataFrame | None) -> str:
    if near is None or not near["images"].sum():
        return DASH
    return share(float((near["near"] * near["images"]).sum() / near["images"].sum()))


def _range(page: GenerationPage, system: str) -> str:
    rows = page.shares[page.shares["system"] == system]
    if not len(rows) or rows["hard"].isna().all():
        return DASH
    return to(points(float(rows["hard"].min())), share(float(rows["hard"].max())))


def _score(page: GenerationPage, system: str, measure: str) -> str:
    return with_deviation(score_of(page, system, measure), word_of(measure)) if system and measure else DASH
