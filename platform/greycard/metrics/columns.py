"""The columns that full-reference measures fill in an audit table: what each is called, its unit, its direction.

Whoever reads an audit table (findings, reports) knows measures by these columns alone, without loading the code that
computes them; their configs (``greycard.metrics.full_reference.distortion.MEASURES``) read their direction here.
"""

from dataclasses import dataclass
from typing import Final

from greycard.schema import unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A measure's column.

    Attributes:
        label: its name in reports.
        unit: its unit or range, for people.
        compares: how it looks at a restored image and its original, in a few words.
        higher_is_better: its direction.
        digits: decimals that reports give.
    """

    label: str
    unit: str
    compares: str
    higher_is_better: bool
    digits: int = 3


COLUMNS: Final[dict[str, Column]] = {
    "psnr_db": Column(label="PSNR", unit="dB", compares="pixel by pixel", higher_is_better=True, digits=2),
    "ssim": Column(label="SSIM", unit="0 to 1", compares="by local structure", higher_is_better=True),
    "lpips": Column(label="LPIPS", unit="no unit", compares="as a trained network sees it", higher_is_better=False),
    "mse": Column(
        label="MSE",
        unit="8-bit levels squared",
        compares="pixel by pixel: the mean squared error",
        higher_is_better=False,
        digits=2,
    ),
}
PSNR_OF_MEAN_MSE: Final = "psnr_db_of_mean_mse"
DERIVED: Final[dict[str, Column]] = {
    PSNR_OF_MEAN_MSE: Column(
        label="PSNR of the mean MSE",
        unit="dB",
        compares="pixel by pixel, errors averaged over a group's images before they are put in decibels",
        higher_is_better=True,
        digits=2,
    )
}
"""Numbers of a group that findings compute from the columns."""


def describe(measure: str) -> Column:
    """Return what a column, or a number computed from one, is.

    Raises:
        ValueError: there is no such measure; names near matches.

    Example:
        >>> describe("psnr_db").unit
        'dB'
    """
    known = COLUMNS | DERIVED
    if measure not in known:
        raise ValueError(unknown("measure", measure, tuple(known)))
    return known[measure]
