"""The page of a generation audit and of the study that rebalances a generator: shares, realism, what was searched."""

from pathlib import Path

from greycard.reports.generation import sections, verdict, words
from greycard.reports.generation.evidence import Account, GenerationPage, Samples, Way
from greycard.reports.page_words import DRAWN, provenance
from greycard.reports.pages import Page, write_page

__all__ = ["Account", "GenerationPage", "Samples", "Way", "compose", "write"]


def write(page: GenerationPage, out: Path) -> Path:
    """Write ``out/index.html`` (which needs nothing else) and ``out/figures/*.png``; return the page's path.

    Raises:
        ValueError: a frame lacks a column that the page needs, or samples are no images.
    """
    return write_page(compose(page), out)


def compose(page: GenerationPage) -> Page:
    """Return what the page says.

    Raises:
        ValueError: as ``write``.
    """
    return Page(
        title=page.title,
        subtitle=f"How evenly {verdict.counted(page)} show the classes of {page.task.replace('_', ' ')}, and how real "
        f"their images look, against held-out images of {page.dataset}.",
        drawn=DRAWN if page.drawn else "",
        headline=verdict.headline(page),
        lines=page.notes,
        reading=words.reading(page),
        blocks=sections.blocks(page),
        provenance=provenance(page.command, page.commit, page.provenance),
        config=page.config,
        words=words.measures_of(page),
        limits=words.limits(page),
    )
