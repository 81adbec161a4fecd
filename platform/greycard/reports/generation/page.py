"""The page of a generation audit and of the study that rebalances a generator: shares, realism, what was searched."""

from pathlib import Path

from greycard.reports.generation import sections, verdict, words
from greycard.reports.generation.evidence import Account, GenerationPage, Samples, Syntheses, Way
from greycard.reports.pages import Page, write_page
from greycard.reports.wording import spell

__all__ = ["Account", "GenerationPage", "Samples", "Syntheses", "Way", "compose", "write"]


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
        cover=page,
        subtitle=f"How evenly {verdict.counted(page)} show the classes of {spell(page.task)}, and how real their "
        f"images look, against held-out images of {page.dataset}.",
        headline=verdict.headline(page),
        reading=words.reading(page),
        blocks=sections.blocks(page),
        words=words.measures_of(page),
        limits=words.limits(page),
    )
