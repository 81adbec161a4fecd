"""What the page of a restoration audit explains: that faces are drawn, its words, its limits."""

from collections.abc import Sequence
from typing import Final

from greycard.metrics.descriptions import Description
from greycard.reports.restoration.frames import Findings, chance_text, coverage, direction_text

DRAWN: Final = (
    "The faces in this report are drawn by a program. They are not people.",
    "They show how the codecs behave on this made-up data and that the assessment works; they say nothing about "
    "people, nor about how these codecs would treat photographs of people.",
)


def words(findings: Findings, measured: Sequence[Description]) -> dict[str, str]:
    """Return the terms of the page and what they mean."""
    covered, chance = coverage(findings.groups), chance_text(findings.groups)
    return {
        "bpp, bits per pixel": "How much a compressed image weighs. An uncompressed image has 24. “Estimated” is what "
        "a neural codec's own probabilities promise, “coded bytes” what its entropy coder wrote, “whole file” that and "
        "all headers. The three are never mixed in one figure.",
        "phenotype": "A visible trait: skin type, eye, nose and lip shape, hair type and colour. Skin types run from "
        "type 1 (lightest) to type 6 (darkest).",
        "grouped accuracy": "The share of images whose trait a classifier reads correctly, with the classes that are "
        "usual in a group counted as one. It falls when a reading leaves what is usual in the group, for example when "
        "dark skin is read as light. Ungrouped accuracy and macro recall stand beside it in the tables.",
        "group difference": "The highest group's value minus the lowest group's (“bias” in “Gone With the Bits”, "
        "equation 6). In percentage points for shares.",
        "merged chance": "What a reader scores that always gives the same answer. Where a classifier is no better, its "
        "accuracy says little.",
        "noise floor": "The group difference that appears when images are dealt to groups at random (people kept "
        "together), on average. Groups of a few hundred images differ by some points without any cause. “More than "
        f"chance” means that fewer than {chance} of such random deals give a difference as large.",
        f"{covered} interval, bootstrap": "The audit recomputed many times on people drawn at random from its own; "
        f"{covered} of the results lie inside.",
        "added": "The group difference after compression minus that on the originals, added under these classifiers. "
        "It holds both what the codec lost and how these classifiers read images that look unlike those they were "
        "trained on; the audit cannot separate the two.",
        **{
            column.label: f"How close a restored image is to its original, {column.compares}; {direction_text(column)}."
            for column in measured
        },
        "BD-rate": "How many more bits one curve needs than another for the same quality, in per cent, averaged over "
        "the qualities that both reach.",
    }


def limits(*, drawn: bool) -> tuple[str, ...]:
    """Return the limits of the page: what it does not say."""
    faces = (
        "The faces are drawn by a program, not photographs of people. Their traits follow published counts; their "
        "variety is far smaller than that of people.",
    )
    return (
        *(faces if drawn else ()),
        "Groups are those of the data set's labels. Labels of race and of skin type are given by annotators and "
        "simplify.",
        "A difference within the noise floor is not shown to be absent: with more images a smaller one could be seen.",
        "Classifiers stand in for a viewer. What they misread after compression need not be what a person misreads.",
        "This is an assessment of the systems and rates listed here, on this data; other rates, images or training "
        "runs can differ.",
    )
