"""How reports write numbers and names: the one place. An absent number is a dash, never 0; units follow a fixed space.

Shares have one decimal and per cent (``84.7 %``), differences of shares one decimal and points, p-values
three decimals, rates two significant digits, everything else what its ``Word`` says or three significant digits.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

DASH: Final = "—"
ALL: Final = "all"  # the attribute, and its one group, that holds every image
_SPACE: Final = "\N{NO-BREAK SPACE}"
_PER_CENT: Final = f"{_SPACE}%"
EQUALS: Final = f"{_SPACE}={_SPACE}"
_MINUS: Final = "\N{MINUS SIGN}"
_SUPERSCRIPTS: Final = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """A measure, for people.

    Attributes:
        label: the measure's name, with its unit where it has one.
        explains: what it is, in one sentence.
        better: its better end; None where there is none.
        share: whether it is a share, written in per cent and its differences in percentage points.
        decimals: how many its numbers have; None gives three significant digits.
    """

    label: str
    explains: str = ""
    better: Literal["higher", "lower"] | None = "lower"
    share: bool = False
    decimals: int | None = None

    @property
    def name(self) -> str:
        """The label without its unit, for sentences."""
        return self.label.partition(" [")[0]

    @property
    def arrow(self) -> str:
        """An arrow to its better end, for headings; "" where there is none."""
        return {"lower": " ↓", "higher": " ↑", None: ""}[self.better]


def spell(name: str) -> str:
    """Return a column's or class's name as a person would write it: ``skin_type`` -> ``skin type``."""
    return name.replace("_", " ")


def group_name(name: str) -> str:
    """Return a group for people, that of every image too."""
    return "all images" if name == ALL else spell(name)


def listing(names: Sequence[str]) -> str:
    """Return names as a sentence lists them: ``a, b and c``."""
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def number(value: float, digits: int = 3) -> str:
    """Return a number with ``digits`` significant digits, a tiny one as ``1.2×10⁻⁵``, an absent one as a dash.

    Example:
        >>> number(0.08213), number(1234.5), number(8.73e-4), number(0.0), number(float("nan"))
        ('0.0821', '1,234', '8.73×10⁻⁴', '0', '—')
    """
    if not math.isfinite(value):
        return DASH if math.isnan(value) else ("∞" if value > 0 else f"{_MINUS}∞")
    if value == 0:
        return "0"
    sign, size = (_MINUS if value < 0 else ""), abs(value)
    if size < 1e-3 or size >= 1e6:
        mantissa, exponent = f"{size:.{digits - 1}e}".split("e")
        return f"{sign}{mantissa}×10{str(int(exponent)).translate(_SUPERSCRIPTS)}"
    if size >= 10 ** (digits - 1):
        return f"{sign}{size:,.0f}"
    places = digits - 1 - math.floor(math.log10(size))
    return f"{sign}{size:.{max(places, 0)}f}"


def decimal(value: float, digits: int, *, plus: bool = False) -> str:
    """Return a number with a fixed number of decimals: ``−0.20``, never ``-0.00``; with ``plus``, a rise as ``+0.20``.

    Example:
        >>> decimal(-0.204, 2), decimal(-0.001, 2), decimal(0.204, 2, plus=True), decimal(float("nan"), 2)
        ('−0.20', '0.00', '+0.20', '—')
    """
    if math.isnan(value):
        return DASH
    text = f"{value:{'+' if plus else ''}.{digits}f}"
    return text.lstrip("+-") if float(text) == 0 else text.replace("-", _MINUS)


def share(value: float, digits: int = 1) -> str:
    """Return a share in per cent: ``84.7 %``."""
    return DASH if math.isnan(value) else f"{decimal(100 * value, digits)}{_PER_CENT}"


def points(value: float, *, plus: bool = False) -> str:
    """Return a difference of shares in percentage points, without the word: ``12.3``."""
    return decimal(100 * value, 1, plus=plus)


def level(value: float) -> str:
    """Return a share that was set, as a level, without decimals that it does not have: ``95 %``, ``99.9 %``."""
    return f"{100 * value:.6g}{_PER_CENT}"


def p_value(value: float) -> str:
    """Return a p-value as ``p = 0.034``."""
    return f"p{EQUALS}{value:.3f}"


def to(low: str, high: str) -> str:
    """Return a range as sentences write it: ``0.1 to 0.3``."""
    return f"{low} to {high}"


def bracket(low: str, high: str) -> str:
    """Return an interval as tables write it: ``[0.1, 0.3]``; a dash where an end is absent."""
    return DASH if DASH in (low, high) else f"[{low}, {high}]"


def amount(value: float, word: Word) -> str:
    """Return a measure's value as its word has it."""
    return share(value) if word.share else _plain(value, word)


def change(value: float, word: Word) -> str:
    """Return a difference of a measure with its sign: ``+0.4 points`` of a share."""
    if math.isnan(value):
        return DASH
    if word.share:
        return f"{points(value, plus=True)} points"
    return ("+" if value > 0 else "") + _plain(value, word)


def span(low: float, high: float, word: Word) -> str:
    """Return an interval as ``[low, high]``; a dash where there is none."""
    return bracket(*(points(end) if word.share else _plain(end, word) for end in (low, high)))


def deviation(value: float, sd: float, word: Word) -> str:
    """Return ``0.0281 ± 0.0033``; without ± where there is no deviation."""
    text = amount(value, word)
    return text if DASH in (text, amount(sd, word)) else f"{text} ± {amount(sd, word)}"


def _plain(value: float, word: Word) -> str:
    if word.decimals is None or not math.isfinite(value):
        return number(value)
    return decimal(value, word.decimals)
