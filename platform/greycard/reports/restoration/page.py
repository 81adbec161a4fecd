"""The page of a restoration audit: who is treated worse, what it looks like, and every number by group."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from markupsafe import Markup

from greycard.metrics.descriptions import COLUMNS, describe
from greycard.reports.pages import Block, Cover, Page, Picture, write_page
from greycard.reports.restoration import tables
from greycard.reports.restoration.explanations import DRAWN, limits, words
from greycard.reports.restoration.frames import (
    RAW,
    Findings,
    chance_text,
    groups_of,
    measures_of,
    select,
    tasks_of,
)
from greycard.reports.restoration.headline import Headline, headline
from greycard.reports.wording import spell

_FAILURES: Final = "failures"


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """The pictures of one system.

    Attributes:
        title: the system's name.
        looks: its contact sheets; () without a reconstruction set.
        figures: its figures in order.
    """

    title: str
    looks: tuple[Picture, ...]
    figures: tuple[Picture, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RestorationPage(Cover):
    """What the page of a restoration audit is made of.

    Attributes:
        findings: the frames.
        attribute: what groups are compared by.
        reference: the system that returns the original images.
        pairs: systems (unbalanced, balanced) whose training sets are compared; found by name where empty.
        sections: pictures, the most telling system first.
        comparisons: pictures that compare systems.
        absent: measure -> why it was not measured.
    """

    findings: Findings
    attribute: str
    reference: str = RAW
    pairs: tuple[tuple[str, str], ...] = ()
    sections: tuple[Section, ...] = ()
    comparisons: tuple[Picture, ...] = ()
    absent: Mapping[str, str] = field(default_factory=dict)


def write(page: RestorationPage, out: Path) -> Path:
    """Write ``out/index.html`` (which needs nothing else) and ``out/figures/*.png``; return the page's path."""
    return write_page(compose(page), out)


def compose(page: RestorationPage) -> Page:
    """Return what the page says."""
    findings = page.findings
    lines = headline(findings, page.attribute, page.reference, page.pairs)
    images = int(findings.counts["n_in"].max()) if len(findings.counts) else 0
    return Page(
        cover=page,
        subtitle=f"How evenly image codecs treat the groups of “{spell(page.attribute)}”, assessed on {images:,} "
        f"images of {page.dataset}.",
        drawn=DRAWN,
        headline=lines.sentences,
        lines=lines.others,
        small=tuple(filter(None, (_comparisons(page, lines), _read(lines), _images(page), _absent(page)))),
        blocks=(*_first(page), *_compared(page), *_others(page), _numbers(page, lines), _failures(findings)),
        words=words(findings, [describe(name) for name in measures_of(findings.groups)]),
        limits=limits(drawn=page.drawn),
    )


def _comparisons(page: RestorationPage, lines: Headline) -> str:
    if not lines.comparisons:
        return ""
    chance = chance_text(page.findings.groups)
    return (
        f"{lines.comparisons} group differences were looked at (systems × rates × phenotypes). Where there is nothing, "
        f"a test at {chance} still calls about {chance} of them more than chance; single results near the noise floor "
        "deserve a repetition."
    )


def _read(lines: Headline) -> str:
    if not lines.task:
        return ""
    return Markup(
        "“Read correctly” is what classifiers that were not trained on compressed images say about the compressed "
        'ones, with each group\'s usual classes counted as one (see <a href="#words">grouped accuracy</a>). The '
        "classifiers make mistakes of their own, and how they read images that are blurred is part of what is "
        "measured; so each number stands beside the same number on the originals."
    )


def _images(page: RestorationPage) -> str:
    """Say how many images each group has, 0 for one that has none, and how many failed."""
    findings = page.findings
    rows = select(findings.groups, attribute=page.attribute)
    counts = {name: int(select(rows, group=name)["count"].max()) for name in groups_of(rows, page.attribute)}
    groups = ", ".join(
        f"{spell(name)} {count:,}{'' if count else ' (no images: shown as —)'}" for name, count in counts.items()
    )
    failed = int(findings.counts["n_failed"].sum()) if len(findings.counts) else 0
    if not failed:
        return f"Images per group: {groups}. Failed: none."
    link = Markup('<a href="#{}">{} image results failed</a> and are left out of every other number.')
    return Markup("Images per group: {}. Failed: {}").format(groups, link.format(_FAILURES, failed))


def _absent(page: RestorationPage) -> str:
    """Say which measures of images have no number, and why."""
    groups = page.findings.groups
    absent = dict(page.absent)
    for name in COLUMNS:
        if name not in absent and groups.loc[groups["measure"] == name, "value"].isna().all():
            absent[name] = "not measured in this audit"
    return " ".join(
        f"{COLUMNS[name].label if name in COLUMNS else spell(name)} is absent: {reason}."
        for name, reason in absent.items()
    )


def _first(page: RestorationPage) -> tuple[Block, ...]:
    """Return what the system of the headline looks like, and what was measured of it."""
    made = []
    for section in page.sections[:1]:
        if section.looks:
            made.append(Block(title=f"What it looks like: {section.title}", pictures=section.looks))
        made.append(Block(title=f"What was measured: {section.title}", pictures=section.figures))
    return tuple(made)


def _compared(page: RestorationPage) -> tuple[Block, ...]:
    there = bool(page.comparisons)
    return (Block(title="Two training sets compared", pictures=page.comparisons),) if there else ()


def _others(page: RestorationPage) -> tuple[Block, ...]:
    details = tuple(
        (f"{section.title}: contact sheet and figures", (*section.looks, *section.figures))
        for section in page.sections[1:]
    )
    return (Block(title="The other systems", details=details),) if details else ()


def _numbers(page: RestorationPage, lines: Headline) -> Block:
    findings, place = page.findings, (page.attribute, page.reference)
    tasks = [task for task in tasks_of(findings.disparities) if task != lines.task]
    more = [tables.verdicts(findings, task, *place) for task in tasks] if lines.task else []
    rates = tables.rates(findings)
    return Block(
        title="The numbers",
        paragraphs=(
            "A row is set off where the difference is more than chance and, with the originals known, more than they "
            "show already.",
        )
        if lines.task
        else (),
        tables=(tables.verdicts(findings, lines.task, *place),) if lines.task else (),
        details=(
            *((table.caption, (table,)) for table in more),
            *((f"By group: {heading}", made) for heading, made in tables.measures_by_task(findings, *place).items()),
            *(
                (("Rates at equal quality (BD-rate) and differences over shared rates", (rates,)),)
                if rates.rows
                else ()
            ),
        ),
    )


def _failures(findings: Findings) -> Block:
    return Block(title="Failures", anchor=_FAILURES, tables=(tables.counts(findings),))
