"""What pages of predictors and searches explain: how to read them, their words, where they come from, their limits."""

from collections.abc import Mapping
from typing import Final

import pandas as pd

from greycard.reports.prediction.words import DISPARITY_WORDS, GROUP_WORDS

DRAWN: Final = "The images in this report are drawn by a program. They are not people."
NOISE_FLOOR: Final = (
    "The difference that appears when images are dealt to groups at random (people kept together), on average. Groups "
    "of a few hundred images differ without any cause. “More than chance” means that few such random deals give a "
    "difference as large."
)
INTERVAL: Final = (
    "The audit recomputed many times on people drawn at random from its own; that share of results inside."
)


def reading(level: float) -> tuple[str, ...]:
    """Say how to read a prediction audit."""
    return (
        "A group difference counts in decisions: what the predictor says. Differences of its probabilities (“soft”) "
        "are what it was trained with and what the paper tabulates; they stand beside.",
        f"Intervals cover {100 * level:.6g}\N{NO-BREAK SPACE}%. A difference within its noise floor is no more than "
        "chance gives; that is not proof that there is none.",
        "“—” stands where there is no number: a group without images, a measure that was not taken.",
    )


def words(groups: pd.DataFrame | None, disparities: pd.DataFrame | None) -> dict[str, str]:
    """Return the measures that a page shows and what they are."""
    found: dict[str, str] = {}
    for frame, known in ((groups, GROUP_WORDS), (disparities, DISPARITY_WORDS)):
        there = set() if frame is None else set(frame["measure"])
        found |= {word.label: word.explains for name, word in known.items() if name in there}
    return found


def provenance(command: str, commit: str, more: Mapping[str, str]) -> dict[str, str]:
    """Return what was run: the command first, then the source's commit."""
    first = {"command": command, "source commit": commit}
    return {name: text for name, text in first.items() if text} | dict(more)


def limits(*, drawn: bool) -> tuple[str, ...]:
    """Return what a page of predictors does not say."""
    pictures = ("The images are drawn by a program. Their variety is far smaller than that of photographs.",)
    return (
        *(pictures if drawn else ()),
        "Groups are those of the data set's labels, given by annotators or rules; they simplify.",
        "A difference within the noise floor is not shown to be absent: with more images a smaller one could be seen.",
        "This is an assessment of these trainings on this data; other data or trainings can differ.",
    )
