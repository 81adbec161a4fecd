"""What pages of predictors and searches explain: how to read them, their words, their limits."""

from typing import Final

from greycard.reports.prediction.evidence import Evidence
from greycard.reports.prediction.words import DISPARITY_WORDS, GROUP_WORDS
from greycard.reports.wording import level as covered

_NOISE_FLOOR: Final = (
    "The difference that appears when images are dealt to groups at random (people kept together), on average. Groups "
    "of a few hundred images differ without any cause. “More than chance” means that few such random deals give a "
    "difference as large."
)
_INTERVAL: Final = (
    "The audit recomputed many times on people drawn at random from its own; that share of results inside."
)


def reading(level: float) -> tuple[str, ...]:
    """Say how to read a prediction audit."""
    return (
        "A group difference counts in decisions: what the predictor says. Differences of its probabilities (“soft”) "
        "are what it was trained with and what the paper tabulates; they stand beside.",
        f"Intervals cover {covered(level)}. A difference within its noise floor is no more than "
        "chance gives; that is not proof that there is none.",
        "“—” stands where there is no number: a group without images, a measure that was not taken.",
    )


def words(page: Evidence) -> dict[str, str]:
    """Return the measures that an audit shows and what they are, and the terms about chance; {} without an audit."""
    found: dict[str, str] = {}
    for frame, known in ((page.groups, GROUP_WORDS), (page.disparities, DISPARITY_WORDS)):
        there = set() if frame is None else set(frame["measure"])
        found |= {word.label: word.explains for name, word in known.items() if name in there}
    return found if page.groups is None else found | {"noise floor": _NOISE_FLOOR, "interval": _INTERVAL}


def limits(*, drawn: bool) -> tuple[str, ...]:
    """Return what a page of predictors does not say."""
    pictures = ("The images are drawn by a program. Their variety is far smaller than that of photographs.",)
    return (
        *(pictures if drawn else ()),
        "Groups are those of the data set's labels, given by annotators or rules; they simplify.",
        "A difference within the noise floor is not shown to be absent: with more images a smaller one could be seen.",
        "This is an assessment of these trainings on this data; other data or trainings can differ.",
    )
