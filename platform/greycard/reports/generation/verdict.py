"""What a page of generators says first: how far shares were from even, how far they are now, and what is missing."""

import math
from typing import Any

import pandas as pd

from greycard.metrics.significance import wilson
from greycard.reports.generation.evidence import GenerationPage
from greycard.reports.generation.words import (
    COVERED,
    DISCREPANCY,
    HARD,
    METHODS,
    distances,
    score_of,
    with_deviation,
    word_of,
)
from greycard.reports.wording import amount, number, points, share, spell, to


def counted(page: GenerationPage) -> str:
    """Return how many sets were audited, as ``8 generators and sets of images``."""
    count = len(page.audited)
    return f"{count} generators and sets of images" if count != 1 else "one generator or set of images"


def headline(page: GenerationPage) -> tuple[str, ...]:
    """Return the first sentences: the verdict, the rarest class, whether the aim is met, what is short."""
    sentences = (page.verdict or _verdict(page), _rarest(page), _aim(page), *_short(page))
    return tuple(filter(None, sentences)) or ("Nothing was audited.",)


def shortfalls(page: GenerationPage) -> tuple[str, ...]:
    """Say for each method whether every class got its images, and which did not."""
    counts = page.made.joined("counts")
    if counts is None:
        return ()
    made = []
    for method, rows in counts.groupby("method", sort=False):
        name = METHODS.get(str(method), spell(str(method)))
        by_class = rows.groupby("label", sort=False)[["wanted", "chosen"]].sum()
        short = by_class[by_class["chosen"] < by_class["wanted"]]
        if not len(short):
            wanted = sorted(set(by_class["wanted"]))
            each = f"its {int(wanted[0]):,} images" if len(wanted) == 1 else "its images"
            made.append(f"By {name} every class got {each}.")
            continue
        missing = [
            f"{spell(str(label))} ({int(row['chosen']):,} of {int(row['wanted']):,})" for label, row in short.iterrows()
        ]
        made.append(
            f"By {name} {len(short)} of {len(by_class)} classes fell short within the search's budget: "
            f"{', '.join(missing)}."
        )
    return tuple(made)


def ratio(page: GenerationPage) -> float:
    """Return how many times lower the discrepancy is after than before; NaN where either is missing."""
    before, after = (float(score_of(page, name, HARD)["value"]) for name in (page.first, page.last))
    return before / after if after > 0 else math.inf if after == 0 and before > 0 else math.nan


def _verdict(page: GenerationPage) -> str:
    before = score_of(page, page.first, HARD)
    if pd.isna(before["value"]):
        return f"No class shares were measured for {page.label(page.first)}." if page.first else ""
    text = (
        f"According to a second classifier, the class shares of “{page.label(page.first)}” lie "
        f"{with_deviation(before, DISCREPANCY)} from even (fairness discrepancy)"
    )
    after = score_of(page, page.last, HARD)
    if pd.isna(after["value"]):
        return f"{text}; {_floor(before)}."
    within = "; these shares cannot be told from even ones" if after["value"] <= after["floor"] else ""
    return (
        f"{text}, those of “{page.label(page.last)}” {with_deviation(after, DISCREPANCY)}: {_times(ratio(page))}. By "
        f"chance alone, {_floor(after)}{within}."
    )


def _floor(row: dict[str, Any]) -> str:
    floor = amount(float(row["floor"]), DISCREPANCY)
    return f"a perfectly even generator would show about {floor} in {float(row['n']):,.0f} images"


def _times(value: float) -> str:
    if math.isinf(value):
        return "gone"
    return f"{number(value)} times lower" if value >= 1 else f"{number(1 / value)} times higher"


def _rarest(page: GenerationPage) -> str:
    """Return what became of the class that was shown least."""
    before = page.shares[page.shares["system"] == page.first].set_index("label")
    if not len(before) or not before["count"].sum():
        return ""
    label = before["count"].idxmin()
    even = share(1 / max(1, len(page.class_names)))
    text = f"The rarest class before, {spell(str(label))}, has {_one(before, str(label))}"
    after = page.shares[page.shares["system"] == page.last].set_index("label")
    if label in after.index and after["count"].sum():
        text += f" and {_one(after, str(label))} after"
    return f"{text}; an even share is {even}."


def _one(rows: pd.DataFrame, label: str) -> str:
    total, count = float(rows["count"].sum()), float(rows.loc[label, "count"])
    low, high = wilson(count, total)
    return f"{share(count / total)} of the images ({COVERED} interval {to(points(low), points(high))})"


def _aim(page: GenerationPage) -> str:
    """Say whether the discrepancy fell as aimed at and the images did not become less real."""
    if not page.min_ratio or not page.last or math.isnan(ratio(page)):
        return ""
    enough = ratio(page) >= page.min_ratio
    aim = f"a discrepancy at least {page.min_ratio:g} times lower"
    (measure, *_) = distances(page) or [""]
    before, after = (float(score_of(page, name, measure)["value"]) for name in (page.first, page.last))
    if math.isnan(before) or math.isnan(after):
        return f"The aim was {aim}: {_met(enough)}. No distance to held-out images was measured for both."
    label, worse = word_of(measure).label, after > before
    return (
        f"The aim was {aim}: {_met(enough)}; and a {label} to even held-out images that is not worse: "
        f"{_met(not worse)} ({number(before)} before, {number(after)} after)."
    )


def _met(done: bool) -> str:
    return "met" if done else "not met"


def _short(page: GenerationPage) -> tuple[str, ...]:
    return tuple(text for text in shortfalls(page) if "fell short" in text)
