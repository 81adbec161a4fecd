"""From findings and reconstruction sets to a report: which pictures there are, in which order, and what each says."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

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
    pairs_of,
    select,
    systems_of,
    tasks_of,
)
from greycard.reports.restoration.headline import Headline, headline
from greycard.reports.restoration.page import Section
from greycard.reports.wording import number, spell

ORDERED: Final = "skin_type"  # the phenotype whose classes run from light to dark


def sections(
    findings: Findings,
    attribute: str,
    classes: Mapping[str, Sequence[str]],
    *,
    reference: str = RAW,
    reconstructions: str | Path | None = None,
    images_per_group: int = 2,
    absent: Mapping[str, str] | None = None,
) -> tuple[Section, ...]:
    """Draw every system's figures and contact sheet; the system of the headline comes first.

    Args:
        findings: the frames.
        attribute: what groups are compared by.
        classes: attribute -> classes in fixed order.
        reference: the system that returns the original images.
        reconstructions: the audit's folder of reconstruction sets; None leaves contact sheets out.
        images_per_group: rows per group on the contact sheets.
        absent: measure -> why it was not measured.
    """
    lines = headline(findings, attribute, reference)
    names = systems_of(findings.groups, reference)
    names.sort(key=lambda name: name != lines.system)
    made = []
    for name in names:
        looks: tuple[Picture, ...] = ()
        if reconstructions is not None:
            folder = _Folder(reconstructions, attribute, classes, reference, _headings(findings, name))
            looks = contact_sheet(folder, name, images_per_group)
            if name == lines.system and lines.task == ORDERED:
                looks += lighter_sheet(folder, lines)
        figures = _pictures(findings, name, attribute, lines.task, reference, dict(absent or {}))
        made.append(Section(title=spell(name), looks=looks, figures=figures))
    return tuple(made)


def comparisons(findings: Findings, attribute: str, pairs: Sequence[tuple[str, str]] = ()) -> tuple[Picture, ...]:
    """Draw one picture for each pair of training sets; pairs are found by name where none are given."""
    chosen = pairs_of(systems_of(findings.disparities), pairs)
    tasks = tasks_of(select(findings.disparities, attribute=attribute))
    made = []
    for pair in chosen if tasks else []:
        unbalanced, balanced = pair
        figure = figures.training_sets(findings.disparities, pair, attribute, tasks[:3])
        made.append(
            picture(
                figure,
                f"training-sets-{unbalanced}-{balanced}",
                f"The same codec trained on two sets: {spell(unbalanced)} (solid) and {spell(balanced)} (dashed). Each "
                f"line is the largest group difference at a rate, with its {coverage(findings.disparities)} interval "
                "shaded. Where the shades overlap, this audit cannot tell the two sets apart.",
                f"Group difference against rate for {spell(unbalanced)} and {spell(balanced)}",
            )
        )
    return tuple(made)


class _Folder(NamedTuple):
    """Where a system's reconstructions are, and how its sheets are laid out.

    Attributes:
        folder: the audit's folder of reconstruction sets.
        attribute: what groups are compared by.
        classes: attribute -> classes in fixed order.
        reference: the system that returns the original images.
        headings: operating point -> heading of its column.
    """

    folder: str | Path
    attribute: str
    classes: Mapping[str, Sequence[str]]
    reference: str
    headings: Mapping[float, str]

    def sheet(self, system: str, groups: Sequence[str], each: int, lighter_at: float | None = None) -> sheets.Sheet:
        """Collect a sheet; one without rows where the system kept no reconstructions."""
        task = ORDERED if ORDERED in self.classes else ""
        try:
            return sheets.collect(
                self.folder,
                system,
                attribute=self.attribute,
                groups=groups,
                classes=self.classes.get(task, ()),
                task=task,
                each=each,
                original=self.reference,
                lighter_at=lighter_at,
                headings=self.headings,
            )
        except FileNotFoundError:
            return sheets.Sheet((), (), ())


def contact_sheet(folder: _Folder, system: str, each: int) -> tuple[Picture, ...]:
    """Draw a system's contact sheet, in a tuple that is empty where it kept no reconstructions."""
    sheet = folder.sheet(system, folder.classes[folder.attribute], each)
    if not sheet.columns:
        return ()
    borders = (
        "A green border: a classifier still reads the skin type of the label. Purple: it reads a lighter one. Under "
        "each image stand the label and the reading. "
        if any(tile.read >= 0 for row in sheet.rows for tile in row.tiles)
        else ""
    )
    shown = Picture(
        png=to_png(sheets.draw(sheet)),
        caption=f"The same images by group (rows), from the original to the lowest rate (columns) of {spell(system)}. "
        f"{borders}The images were chosen by a fixed rule (smallest hash of the image's id), not by eye.",
        alt=f"Contact sheet of {spell(system)}: images of each {spell(folder.attribute)} at falling rates",
        name=f"contact-sheet-{system}",
        wide=True,
    )
    return (shown,)


def lighter_sheet(folder: _Folder, lines: Headline, each: int = 4) -> tuple[Picture, ...]:
    """Draw images of the headline's group that are read as lighter, in a tuple that is empty where there are none."""
    sheet = folder.sheet(lines.system, (lines.group,), each, lines.point)
    if not sheet.rows:
        return ()
    shown = Picture(
        png=to_png(sheets.draw(sheet)),
        caption=f"What such a reading looks like: {spell(lines.group)} images that are read as lighter than their "
        f"label at {folder.headings[lines.point]} of {spell(lines.system)}. These are shown because they are read so; "
        "how many there are is in the tables.",
        alt=f"{spell(lines.group)} images read as lighter than labelled, {spell(lines.system)}",
        name=f"read-as-lighter-{lines.system}",
        wide=True,
    )
    return (shown,)


def _headings(findings: Findings, system: str) -> dict[float, str]:
    """Return operating point -> its mean rate over all images, as the figures and tables give it."""
    places = select(findings.groups, system=system).drop_duplicates("point")
    rate = common_rate(places, [system])
    if rate is None:
        return {point: f"point {point:g}" for point in places["point"]}
    return {point: f"{number(value, 2)} bpp" for point, value in zip(places["point"], places[rate], strict=True)}


def _pictures(
    findings: Findings, system: str, attribute: str, task: str, reference: str, absent: dict[str, str]
) -> tuple[Picture, ...]:
    groups, disparities = findings.groups, findings.disparities
    made = []
    if task and len(select(disparities, system=system, attribute=attribute)):
        made.append(
            picture(
                figures.accuracy_and_bias(groups, disparities, system, attribute, task, reference),
                f"accuracy-{task}-{system}",
                f"Above: in what share of images of each group the {spell(task)} is still read correctly (grouped "
                f"accuracy), from low rates on the left to the originals on the right; shaded are {coverage(groups)} "
                "intervals. Below: the distance between the highest and the lowest group. Inside the hatched noise "
                "floor a difference is no more than groups drawn at random show on average.",
                f"Accuracy of {spell(task)} by group and the group difference against rate, {spell(system)}",
            )
        )
        made.append(
            picture(
                figures.bias_by_task(disparities, system, attribute),
                f"difference-by-phenotype-{system}",
                "The largest group difference in grouped accuracy for each phenotype. A filled marker is more than "
                f"chance would give (permutation test at {chance_text(disparities)}), a hollow one is not.",
                f"Group difference by phenotype against rate, {spell(system)}",
            )
        )
    if len(groups_of(groups, attribute)):
        made.append(
            picture(
                figures.distortion(groups, system, attribute, absent),
                f"distortion-{system}",
                "How close the restored images are to their originals, group by group. Curves that lie on each other "
                "mean that these measures see the groups alike; they can miss what the phenotype accuracies show.",
                f"Closeness to the originals by group against rate, {spell(system)}",
            )
        )
    return tuple(made)
