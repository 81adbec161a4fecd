"""A table of a page, as text that a template only has to place. Absent numbers are dashes, never zeros."""

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from greycard.reports.wording import DASH, spell


@dataclass(frozen=True, slots=True)
class Table:
    """A table of text.

    Attributes:
        caption: what it shows, in one sentence.
        columns: the headings of the columns.
        rows: the cells of each row.
        marks: for each row, whether it is set off (a finding).
    """

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    marks: tuple[bool, ...] = ()


def counts(frame: pd.DataFrame, called: Callable[[str], str] = spell) -> Table:
    """Return images in, done and failed for each system, with the reasons.

    Args:
        frame: system, n_in, n_ok, n_failed and, where there, reasons.
        called: what a system is called.
    """
    made = tuple(
        (
            called(row["system"]),
            *(f"{int(row[name]):,}" for name in ("n_in", "n_ok", "n_failed")),
            str(row.get("reasons") or DASH),
        )
        for row in frame.to_dict("records")
    )
    return Table("Images in, done and failed.", ("system", "in", "done", "failed", "why"), made)
