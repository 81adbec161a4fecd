"""A table of a page, as text that a template only has to place. Absent numbers are dashes, never zeros."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Table:
    """A table of text.

    Attributes:
        caption: what it shows, in one sentence.
        columns: headings.
        rows: cells.
        marks: for each row, whether it is set off (a finding).
    """

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    marks: tuple[bool, ...] = ()
