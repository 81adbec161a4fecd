"""The no-reference measures: what each is called, its range, its direction.

Whoever reads a table knows a measure by its column alone, without loading the code that computes it.
"""

from typing import Final

from greycard.metrics.columns import Column
from greycard.schema import unknown

QUALITY_COLUMNS: Final[dict[str, Column]] = {
    "niqe": Column(
        label="NIQE",
        unit="0 up, no bound",
        compares="with the statistics of undistorted photographs",
        higher_is_better=False,
    ),
    "niqe_local": Column(
        label="NIQE (own pristine images)",
        unit="0 up, no bound",
        compares="with the statistics of a folder of undistorted images",
        higher_is_better=False,
    ),
    "brisque": Column(
        label="BRISQUE",
        unit="about 0 to 100, no bound",
        compares="with what people rated, by the statistics of natural scenes",
        higher_is_better=False,
    ),
    "clip_iqa": Column(
        label="CLIP-IQA",
        unit="0 to 1",
        compares="with the words good and bad, as CLIP sees both",
        higher_is_better=True,
    ),
    "eqface": Column(
        label="EQ-Face",
        unit="0 to 1",
        compares="with faces that a recognition network knows well",
        higher_is_better=True,
    ),
}


def describe_quality(name: str) -> Column:
    """Return what a no-reference measure is; what a name says in brackets tells its weights.

    Raises:
        ValueError: there is no such measure; names near matches.

    Example:
        >>> describe_quality("brisque[imquality-svm]").label
        'BRISQUE'
    """
    family = name.partition("[")[0]
    if family not in QUALITY_COLUMNS:
        raise ValueError(unknown("no-reference measure", family, tuple(QUALITY_COLUMNS)))
    return QUALITY_COLUMNS[family]
