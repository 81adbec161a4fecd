"""From the frames of a generation audit to the blocks of a page."""

from typing import Final

import pandas as pd

from greycard.metrics.generation_paper import printed_rows
from greycard.metrics.realism_references import BALANCED, UNBALANCED
from greycard.reports import generation_figures as figures
from greycard.reports import generation_sheets as sheets
from greycard.reports import generation_tables as tables
from greycard.reports import realism_figures
from greycard.reports import tables as common
from greycard.reports.frames import nice
from greycard.reports.generation_evidence import GenerationPage
from greycard.reports.generation_verdict import shortfalls
from greycard.reports.generation_words import CORRECTED, HARD, distances, score_of, word_of
from greycard.reports.pages import Block, Picture, picture
from greycard.reports.prediction_words import number
from greycard.reports.sheets import to_png
from greycard.reports.tables import Table

_BARS: Final = ["label", "value", "sd", "floor", "corrected", "paper", "reference"]


def blocks(page: GenerationPage) -> tuple[Block, ...]:
    """Return the blocks of a page; those whose frames are not there are left out."""
    made = [_shares(page), _discrepancy(page)]
    makers = (_ways, _samples, _lineages, realism, _groups, _references, _training, _failures)
    return tuple(filter(None, (*made, *(maker(page) for maker in makers))))


def _compared(page: GenerationPage) -> tuple[dict[str, str], dict[str, str]]:
    """Return the systems of the figures of shares, two at most each: before and after; and sets that were made."""
    there = set(page.shares["system"])
    main = [name for name in dict.fromkeys((page.first, page.last)) if name in there]
    made = [name for name in dict.fromkeys(way.set for way in page.ways) if name in there and name not in main][:2]
    return {name: page.label(name) for name in main}, {name: page.label(name) for name in made}


def _shares(page: GenerationPage) -> Block:
    shown, made = _compared(page)
    never = {name: _never(page, name) for name in shown | made}
    texts = tuple(
        f"{page.label(name)} never shows {', '.join(map(nice, gone))}." for name, gone in never.items() if gone
    )
    details = tuple(tables.shares(page, name) for name in page.systems if name in set(page.shares["system"]))
    confusion = tables.confusion(page)
    return Block(
        title="How often each class is shown",
        paragraphs=texts,
        pictures=(
            picture(
                figures.shares_figure(page.shares, shown, page.class_names),
                "shares",
                "Above: what share of the images each class has (names are left out below 3.5 %; clockwise from the "
                "top, in the order of the bars). Below: the same with 95 % intervals, numbers of images, and the share "
                "that would be even. Diamonds: corrected for the classifier's confusions.",
                f"Pies and bars of class shares: {', '.join(shown.values())}",
            ),
            *((_sets(page, made),) if made else ()),
        ),
        details=(
            ("The numbers by class", details),
            *((("How the measuring classifier errs", (confusion,)),) if confusion else ()),
        ),
    )


def _sets(page: GenerationPage, made: dict[str, str]) -> Picture:
    return picture(
        figures.shares_figure(page.shares, made, page.class_names),
        "shares-of-sets",
        "The same of the synthetic sets that generators were trained on, or could be. They are even by the classifier "
        "that searched; here the second one looks.",
        f"Pies and bars of class shares: {', '.join(made.values())}",
    )


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
        pictures=(
            picture(
                figures.discrepancy_figure(pd.DataFrame(rows, columns=_BARS).sort_values("reference", kind="stable")),
                "discrepancy",
                "Bars are means over splits of the images, whiskers one standard deviation. Within the hatched floor a "
                "set cannot be told from an even one with so many images a split.",
                "Bars of the discrepancy of every system with deviation and sampling floor",
            ),
        ),
        tables=(tables.fairness(page),),
    )


def _ways(page: GenerationPage) -> Block | None:
    if not page.ways and not page.accounts:
        return None
    return Block(
        title="Search, rejection, reweighting",
        paragraphs=shortfalls(page),
        tables=(tables.ways(page),) if page.ways else (),
        details=(("What each class cost", tables.accounts(page)),) if page.accounts else (),
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
    if page.lineages is None or not len(page.lineages):
        return None
    measure = "angle from it" if page.angles else "distance from it"
    return Block(
        title="How the search finds images: lineages",
        pictures=(
            Picture(
                png=to_png(sheets.lineage_sheet(page.lineages, page.class_names, angles=page.angles)),
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


def realism(page: GenerationPage) -> Block | None:
    """Return the block of distances, scores and quality; None where nothing was measured or said to be absent."""
    measured, quality = tables.realism(page), tables.no_reference(page)
    shown: tuple[Table, ...] = tuple(table for table in (measured, quality) if table)
    absent = tuple(f"{word_of(name).label} was not taken: {reason}." for name, reason in page.absent.items())
    printed = tables.printed(page)
    if not shown and not absent:
        return None
    return Block(
        title="How real they look",
        paragraphs=absent,
        tables=shown,
        details=(("What the paper prints", printed),) if printed else (),
    )


def _groups(page: GenerationPage) -> Block | None:
    frame = page.frechet_groups
    if frame is None or not len(frame):
        return None
    measure = next((name for name in distances(page) if name in set(frame["measure"])), frame["measure"].iloc[0])
    label = word_of(measure).label
    names = (page.reference, page.first, page.last)
    frame = frame[(frame["measure"] == measure) & frame["system"].isin(names)]
    if not len(frame):
        return None
    there = [name for name in dict.fromkeys(names) if name in set(frame["system"])]
    few = int(frame[["count", "reference_count"]].to_numpy().min())
    return Block(
        title=f"{label} between classes",
        paragraphs=(
            "Distances off the diagonal are between images of different classes, though all of them may be real: a "
            "distance between whole sets therefore tells shares as well as realism. The classes are the images' labels "
            f"where they have them, else the measuring classifier's. The fewest images of a class are {few:,}; a "
            "distance grows with fewer.",
        ),
        pictures=tuple(_heat_map(page, frame, name, label) for name in there),
    )


def _heat_map(page: GenerationPage, frame: pd.DataFrame, system: str, label: str) -> Picture:
    rows = frame[frame["system"] == system]
    own = system == page.reference
    across = "held-out images, second half" if own else "held-out images"
    down = "held-out images, first half" if own else page.label(system)
    text = (
        "On the diagonal the two halves of a class are compared: what chance alone gives."
        if own
        else "On the diagonal a class is compared with its own real images."
    )
    return picture(
        realism_figures.heat_map(rows, page.class_names, across, down, float(frame["value"].max())),
        f"groups-{system}",
        f"{label} of each class (row) to each class (column). {text} “—”: a class with fewer than 2 images.",
        f"Heat map of {label} between classes: {page.label(system)}",
    )


def _references(page: GenerationPage) -> Block | None:
    frame = page.references
    if frame is None or not len(frame):
        return None
    measure = next((name for name in distances(page) if name in set(frame["measure"])), frame["measure"].iloc[0])
    rows = frame[frame["measure"] == measure]
    names = [name for name in (page.reference, page.first, page.last) if name in set(rows["system"])]
    notes = rows.loc[rows["system"].isin(names) & (rows["note"].fillna("") != ""), ["system", "note"]].drop_duplicates()
    return Block(
        title=f"Why {word_of(measure).label} alone misleads",
        paragraphs=(
            *filter(None, (_misled(page, rows, name) for name in names if name != page.reference)),
            *(f"{page.label(row['system'])}: {row['note']}." for row in notes.to_dict("records")),
        ),
        pictures=(
            picture(
                realism_figures.references_figure(rows, {name: page.label(name) for name in names}),
                "references",
                "Each set as drawn, and the same images weighted so that classes are even or uneven (a long tail, "
                "unless set otherwise), against a reference in even and in uneven shares. No image is better or worse "
                "in any of the bars of a panel: shares alone differ.",
                "Bars of the distance of sets in different shares to an even and an uneven reference",
            ),
        ),
    )


def _misled(page: GenerationPage, rows: pd.DataFrame, system: str) -> str:
    """Say what an uneven reference rewards, with the numbers."""
    mine = rows[rows["system"] == system].set_index(["generated", "reference"])["value"]
    keys = [(made, against) for against in (UNBALANCED, BALANCED) for made in (BALANCED, UNBALANCED)]
    values = [float(mine.get(key, float("nan"))) for key in keys]
    if any(pd.isna(value) for value in values):
        return ""
    even, uneven, even_fair, uneven_fair = values
    text = (
        f"{page.label(system)}: against an uneven reference its images score {number(uneven)} when made uneven and "
        f"{number(even)} when made even; against an even one {number(uneven_fair)} and {number(even_fair)}."
    )
    return text + (" An uneven reference rewards uneven shares." if uneven < even else "")


def _training(page: GenerationPage) -> Block | None:
    histories = {name: ticks for name, ticks in page.histories.items() if len(ticks)}
    if not histories:
        return None
    labels = {name: page.label(name) if name in page.systems else nice(name) for name in histories}
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
    made = tuple(
        (page.label(row["system"]), *(f"{int(row[name]):,}" for name in ("n_in", "n_ok", "n_failed")),
         str(row.get("reasons") or common.DASH))
        for row in page.counts.to_dict("records")
    )  # fmt: skip
    table = Table("Images in, done and failed.", ("system", "in", "done", "failed", "why"), made)
    return Block(title="Failures", tables=(table,))
