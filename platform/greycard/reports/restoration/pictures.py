"""From findings and reconstruction sets to a report: which pictures there are, in which order, and what each says."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from greycard.reports.canvas import to_png
from greycard.reports.pages import Picture, picture
from greycard.reports.restoration import figures, sheets
from greycard.reports.restoration.frames import (
    RAW,
    Findings,
    chance_text,
    common_rate,
    coverage,
    groups_of,
    nice,
    select,
    systems_of,
    tasks_of,
    training_pairs,
)
from greycard.reports.restoration.headline import Headline, headline
from greycard.reports.restoration.page import Section

ORDERED: Final = "skin_type"  # the phenotype whose classes run from light to dark


def sections(
    findings: Findings,
    attribute: str,
    classes: Mapping[str, Sequence[str]],
    *,
    reconstructions: str | Path | None = None,
    images_per_group: int = 2,
    absent: Mapping[str, str] | None = None,
) -> tuple[Section, ...]:
    """Draw every system's figures and contact sheet; the system of the headline comes first.

    Args:
        findings: the frames.
        attribute: what groups are compared by.
        classes: attribute -> classes in fixed order.
        reconstructions: the audit's folder of reconstruction sets; None leaves contact sheets out.
        images_per_group: rows a group on the contact sheets.
        absent: measure -> why it was not measured.
    """
    lines = headline(findings, attribute)
    names = systems_of(findings.groups)
    names.sort(key=lambda name: name != lines.system)
    made = []
    for name in names:
        sheet = None
        if reconstructions is not None:
            headings = _headings(findings, name)
            sheet = contact_sheet(reconstructions, name, attribute, classes, images_per_group, headings)
        pictures = _pictures(findings, name, attribute, lines.task, dict(absent or {}))
        if reconstructions is not None and name == lines.system and lines.task == ORDERED:
            headings = _headings(findings, name)
            pictures = (*lighter_sheet(reconstructions, lines, attribute, classes, headings), *pictures)
        made.append(Section(title=nice(name), sheet=sheet, figures=pictures))
    return tuple(made)


def comparisons(findings: Findings, attribute: str, pairs: Sequence[tuple[str, str]] = ()) -> tuple[Picture, ...]:
    """Draw one picture for each pair of training sets; pairs are found by name where none are given."""
    systems = systems_of(findings.disparities)
    chosen = [pair for pair in pairs or training_pairs(systems) if set(pair) <= set(systems)]
    tasks = tasks_of(select(findings.disparities, attribute=attribute))
    made = []
    for pair in chosen if tasks else []:
        unbalanced, balanced = pair
        figure = figures.training_sets(findings.disparities, pair, attribute, tasks[:3])
        made.append(
            picture(
                figure,
                f"training-sets-{unbalanced}-{balanced}",
                f"The same codec trained on two sets: {nice(unbalanced)} (solid) and {nice(balanced)} (dashed). Each "
                f"line is the largest group difference at a rate, with its {coverage(findings.disparities)} interval "
                "shaded. Where the shades overlap, the two sets are not told apart by this audit.",
                f"Group difference against rate for {nice(unbalanced)} and {nice(balanced)}",
            )
        )
    return tuple(made)


def contact_sheet(
    folder: str | Path,
    system: str,
    attribute: str,
    classes: Mapping[str, Sequence[str]],
    each: int,
    headings: Mapping[float, str] | None = None,
) -> Picture | None:
    """Draw a system's contact sheet, None where it kept no reconstructions."""
    task = ORDERED if ORDERED in classes else ""
    try:
        sheet = sheets.collect(
            folder,
            system,
            attribute=attribute,
            groups=classes[attribute],
            classes=classes.get(task, ()),
            task=task,
            each=each,
            original=RAW,
            headings=headings,
        )
    except FileNotFoundError:
        return None
    borders = (
        "A green border: a classifier still reads the skin type of the label. Purple: it reads a lighter one. Under "
        "each image stand the label and the reading. "
        if any(tile.read >= 0 for row in sheet.rows for tile in row.tiles)
        else ""
    )
    return Picture(
        png=to_png(sheets.draw(sheet)),
        caption=f"The same images by group (rows), from the original to the lowest rate (columns) of {nice(system)}. "
        f"{borders}The images were chosen by a fixed rule (smallest hash of the image's id), not by eye.",
        alt=f"Contact sheet of {nice(system)}: images of each {nice(attribute)} at falling rates",
        name=f"contact-sheet-{system}",
    )


def lighter_sheet(
    folder: str | Path,
    lines: Headline,
    attribute: str,
    classes: Mapping[str, Sequence[str]],
    headings: Mapping[float, str],
    each: int = 4,
) -> tuple[Picture, ...]:
    """Draw images of the headline's group that are read as lighter, in a tuple that is empty where there are none."""
    try:
        sheet = sheets.collect(
            folder,
            lines.system,
            attribute=attribute,
            groups=(lines.group,),
            classes=classes[ORDERED],
            task=ORDERED,
            each=each,
            original=RAW,
            lighter_at=lines.point,
            headings=headings,
        )
    except FileNotFoundError:
        return ()
    if not sheet.rows:
        return ()
    shown = Picture(
        png=to_png(sheets.draw(sheet)),
        caption=f"What such a reading looks like: {nice(lines.group)} images that are read as lighter than their label "
        f"at {headings[lines.point]} of {nice(lines.system)}. These are shown because they are read so; how "
        "many there are is in the tables.",
        alt=f"{nice(lines.group)} images read as lighter than labelled, {nice(lines.system)}",
        name=f"read-as-lighter-{lines.system}",
    )
    return (shown,)


def _headings(findings: Findings, system: str) -> dict[float, str]:
    """Return operating point -> its mean rate over all images, as the figures and tables give it."""
    places = select(findings.groups, system=system).drop_duplicates("point")
    rate = common_rate(places, [system])
    if rate is None:
        return {point: f"point {point:g}" for point in places["point"]}
    return {point: f"{value:.2g} bpp" for point, value in zip(places["point"], places[rate], strict=True)}


def _pictures(
    findings: Findings, system: str, attribute: str, task: str, absent: dict[str, str]
) -> tuple[Picture, ...]:
    groups, disparities = findings.groups, findings.disparities
    made = []
    if task and len(select(disparities, system=system, attribute=attribute)):
        made.append(
            picture(
                figures.accuracy_and_bias(groups, disparities, system, attribute, task),
                f"accuracy-{task}-{system}",
                f"Above: in what share of images of each group the {nice(task)} is still read correctly (grouped "
                f"accuracy), from low rates on the left to the originals on the right; shaded are {coverage(groups)} "
                "intervals. Below: the distance between the highest and the lowest group. Inside the hatched noise "
                "floor a difference is no more than groups drawn at random show on average.",
                f"Accuracy of {nice(task)} by group and the group difference against rate, {nice(system)}",
            )
        )
        made.append(
            picture(
                figures.bias_by_task(disparities, system, attribute),
                f"difference-by-phenotype-{system}",
                "The largest group difference in grouped accuracy for each phenotype. A filled marker is more than "
                f"chance would give (permutation test at {chance_text(disparities)}), a hollow one is not.",
                f"Group difference by phenotype against rate, {nice(system)}",
            )
        )
    if len(groups_of(groups, attribute)):
        made.append(
            picture(
                figures.distortion(groups, system, attribute, absent),
                f"distortion-{system}",
                "How close the restored images are to their originals, group by group. Curves that lie on each other "
                "mean that these measures see the groups alike; they can miss what the phenotype accuracies show.",
                f"Closeness to the originals by group against rate, {nice(system)}",
            )
        )
    return tuple(made)
