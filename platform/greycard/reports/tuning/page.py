"""The page of a search: what was tried, the trade-off that was found, what the chosen setting does on the test."""

from pathlib import Path

from greycard.reports.pages import Page, write_page
from greycard.reports.prediction import explanations
from greycard.reports.prediction import sections as audit
from greycard.reports.tuning import sections as search
from greycard.reports.tuning.evidence import SearchPage

__all__ = ["SearchPage", "compose", "write"]


def write(page: SearchPage, out: Path) -> Path:
    """Write ``out/index.html`` (which needs nothing else) and ``out/figures/*.png``; return the page's path.

    Raises:
        ValueError: the trials lack a column that the page needs, a goal is not among their metrics, or a chosen trial
            is not among them.
    """
    return write_page(compose(page), out)


def compose(page: SearchPage) -> Page:
    """Return what the page says: whether the choice holds on the test split, then the search, then the audit.

    Raises:
        ValueError: as ``write``.
    """
    search.check(page)
    of = f" on {page.dataset}" if page.dataset else ""
    audited = page.groups is not None
    return Page(
        cover=page,
        subtitle=f"The search “{page.study}”{of}: {len(page.trials)} trials for {search.goals_text(page)}.",
        headline=search.headline(page),
        reading=(*search.reading(page), *(explanations.reading(page.level) if audited else ())),
        blocks=(*audit.compared(page), *search.blocks(page), *audit.audited(page)),
        words=search.words(page) | explanations.words(page),
        limits=(search.LIMIT, *explanations.limits(drawn=page.drawn)),
    )
