"""From the frames of a generation audit to the blocks of a page."""

from dataclasses import replace
from typing import Final

import pandas as pd

from greycard.metrics.generation.paper004 import printed_rows
from greycard.reports.canvas import to_png
from greycard.reports.generation import figures, sheets, tables
from greycard.reports.generation import realism_sections as realism
from greycard.reports.generation import synthesis_tables as synthesis
from greycard.reports.generation.evidence import GenerationPage
from greycard.reports.generation.verdict import shortfalls
from greycard.reports.generation.words import CORRECTED, COVERED, HARD, score_of
from greycard.reports.pages import Block, Picture, picture
from greycard.reports.table import counts
from greycard.reports.wording import level, spell

_SETS: Final = (
    "The same of the synthetic sets that generators were trained on, or could be. The classifier that searched calls "
    "them even; these are the second one's labels."
)
_BARS: Final = ["label", "value", "sd", "floor", "corrected", "paper", "reference"]


def blocks(page: GenerationPage) -> tuple[Block, ...]:
    """Return the blocks of a page; those whose frames are not there are left out."""
    made = [_shares(page), _discrepancy(page)]
    makers = (_ways, _samples, _lineages, realism.realism, realism.groups, realism.references, _training, _failures)
    return tuple(filter(None, (*made, *(maker(page) for maker in makers))))


def _compared(page: GenerationPage) -> tuple[dict[str, str], dict[str, str]]:
    """Return the systems of the figures of shares: before and after, and sets that were made; at most two of each."""
    there = set(page.shares["system"])
    main = [name for name in dict.fromkeys((page.first, page.last)) if name in there]
    made = [name for name in dict.fromkeys(way.set for way in page.made.ways) if name in there and name not in main][:2]
    return {name: page.label(name) for name in main}, {name: page.label(name) for name in made}


def _shares(page: GenerationPage) -> Block:
    shown, made = _compared(page)
    never = {name: _never(page, name) for name in shown | made}
    texts = tuple(
        f"{page.label(name)} never shows {', '.join(map(spell, gone))}." for name, gone in never.items() if gone
    )
    details = tuple(tables.shares(page, name) for name in page.systems if name in set(page.shares["system"]))
    confusion = tables.confusion(page)
    return Block(
        title="How often each class is shown",
        paragraphs=texts,
        pictures=(
            _pies(
                page,
                shown,
                "shares",
                f"Above: what share of the images each class has (names are left out below {level(0.05)}; clockwise "
                f"from the top, in the order of the bars). Below: the same with {COVERED} intervals, numbers of "
                "images, and the share that would be even. Diamonds: corrected for the classifier's confusions.",
            ),
            *((_pies(page, made, "shares-of-sets", _SETS),) if made else ()),
        ),
        details=(
            ("The numbers by class", details),
            *((("Mistakes of the measuring classifier", (confusion,)),) if confusion else ()),
        ),
    )


def _pies(page: GenerationPage, systems: dict[str, str], name: str, caption: str) -> Picture:
    figure = figures.shares_figure(page.shares, systems, page.class_names)
    alt = f"Pies and bars of class shares: {', '.join(systems.values())}"
    return replace(picture(figure, name, caption, alt), wide=len(systems) > 1)


def _never(page: GenerationPage, system: str) -> list[str]:
    rows = page.shares[page.shares["system"] == system].set_index("label")["count"]
    counts = rows.reindex(page.class_names).fillna(0)
    return counts.index[counts == 0].tolist() if counts.sum() else []


def _discrepancy(page: GenerationPage) -> Block:
    paper = printed_rows(page.paper).set_index("row")["fairness"] if page.paper else pd.Series(dtype=float)
    rows = []
    for name in page.systems:
        row, corrected = score_of(page, name, HARD), score_of(page, name, CORRECTED)
        rows.append(
            {"label": page.label(name), "reference": name == page.reference, "corrected": corrected["value"]}
            | {key: float(row[key]) for key in ("value", "sd", "floor")}
            | {"paper": float(paper.get(page.row(name), float("nan")))}
        )
    return Block(
        title="How far from even",
        paragraphs=_correction(page),
        pictures=(
            picture(
                figures.discrepancy_figure(pd.DataFrame(rows, columns=_BARS).sort_values("reference", kind="stable")),
                "discrepancy",
                "Bars are means over splits of the images, whiskers one standard deviation. Within the hatched floor a "
                "set cannot be told from an even one with so many images per split.",
                "Bars of the discrepancy of every system with deviation and sampling floor",
            ),
        ),
        tables=(tables.fairness(page),),
    )


def _correction(page: GenerationPage) -> tuple[str, ...]:
    """Say how far the correction for confusions can be trusted; the confusions are the same for all systems."""
    rows = page.scores.loc[page.scores["measure"] == CORRECTED, "note"]
    return tuple(
        f"The correction for confusions: {note}." for note in dict.fromkeys(rows) if isinstance(note, str) and note
    )


def _ways(page: GenerationPage) -> Block | None:
    if not page.made.ways and not page.made.accounts:
        return None
    return Block(
        title="Search, rejection, reweighting",
        paragraphs=shortfalls(page),
        tables=(synthesis.ways(page),) if page.made.ways else (),
        details=(("What each class cost", synthesis.accounts(page)),) if page.made.accounts else (),
    )


def _samples(page: GenerationPage) -> Block | None:
    names = [name for name in (page.first, page.last) if name in page.samples]
    names = names or list(page.samples)[:2]
    shown = [(page.label(name), page.samples[name]) for name in names]
    if not shown:
        return None
    called = " and ".join(label for label, _ in shown)
    return Block(
        title="What they show",
        pictures=(
            Picture(
                png=to_png(sheets.as_they_come(shown)),
                caption="The first images of each, in the order of their seeds and not chosen by eye, with the class "
                "that the measuring classifier puts each in.",
                alt=f"Images as they come: {called}",
                name="samples",
                wide=True,
            ),
            Picture(
                png=to_png(sheets.by_class(shown, page.class_names)),
                caption="The first images that each class got, in the order of seeds. Below each class stands how many "
                f"it got among these images: {' / '.join(label for label, _ in shown)}.",
                alt=f"Images by class: {called}",
                name="samples-by-class",
                wide=True,
            ),
        ),
    )


def _lineages(page: GenerationPage) -> Block | None:
    if page.made.lineages is None or not len(page.made.lineages):
        return None
    measure = "angle from it" if page.made.angles else "distance from it"
    there = set(page.made.lineages["label"])
    none = [spell(name) for name in page.class_names if name not in there]
    return Block(
        title="How the search finds images: lineages",
        paragraphs=(f"No lineage is shown of {', '.join(none)}: none was found or kept.",) if none else (),
        pictures=(
            Picture(
                png=to_png(sheets.lineage_sheet(page.made.lineages, page.class_names, angles=page.made.angles)),
                caption="For each class one start (blue) and what the search reached from it, in the order of depth: "
                f"the number of each, the one it came from, its depth (steps from the start) and {measure}. Crossed "
                "out: a duplicate, too near in features to one before it, left out of the set. “Not taken”: the class "
                "was full.",
                alt="Lineages: starts and their descendants by depth, duplicates flagged",
                name="lineages",
                wide=True,
            ),
        ),
    )


def _training(page: GenerationPage) -> Block | None:
    histories = {name: ticks for name, ticks in page.histories.items() if len(ticks)}
    if not histories:
        return None
    labels = {name: page.label(name) if name in page.systems else spell(name) for name in histories}
    return Block(
        title="Training",
        pictures=(
            picture(
                figures.training_figure(histories, labels),
                "training",
                "Means between reports. Losses of the two networks against each other do not tell how good the images "
                "are; a discriminator's loss that falls to 0 or scores that part ever further are signs of trouble.",
                "Curves of losses, scores and penalties against images shown",
            ),
        ),
    )


def _failures(page: GenerationPage) -> Block | None:
    if page.counts is None or not len(page.counts):
        return None
    return Block(title="Failures", tables=(counts(page.counts, page.label),))
