"""The blocks of a page that are about realism: distances and scores, heat maps between classes, the references."""

import pandas as pd

from greycard.metrics.generation.references import BALANCED, UNBALANCED
from greycard.reports.generation import realism_figures as figures
from greycard.reports.generation import tables
from greycard.reports.generation.evidence import GenerationPage
from greycard.reports.generation.words import distances, word_of
from greycard.reports.pages import Block, Picture, picture
from greycard.reports.table import Table
from greycard.reports.wording import number


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


def groups(page: GenerationPage) -> Block | None:
    """Return the heat maps of the distance between classes: held-out images, before, after."""
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
            "distance between whole sets therefore measures shares as well as realism. The classes are the images' "
            f"labels where they have them, else the measuring classifier's. The fewest images of a class are {few:,}; "
            "a distance grows with fewer.",
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
        figures.heat_map(rows, page.class_names, across, down, float(frame["value"].max())),
        f"groups-{system}",
        f"{label} of each class (row) to each class (column). {text} “—”: a class with fewer than 2 images.",
        f"Heat map of {label} between classes: {page.label(system)}",
    )


def references(page: GenerationPage) -> Block | None:
    """Return the experiment that shows how a distance depends on the shares of both sets."""
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
                figures.references_figure(rows, {name: page.label(name) for name in names}),
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
