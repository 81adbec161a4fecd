"""How pages of generators call their measures, write their numbers, and say how they are read."""

import math
from dataclasses import replace
from typing import Any, Final

from greycard.metrics.descriptions import DESCRIPTIONS, describe
from greycard.reports.generation.evidence import GenerationPage
from greycard.reports.prediction.words import word
from greycard.reports.wording import Word, deviation, level, spell

HARD: Final = "discrepancy[hard]"
POOLED: Final = "discrepancy_pooled[hard]"
CORRECTED: Final = "discrepancy[corrected]"
_FRECHET: Final = "The distance between the features of two sets, each taken as one Gaussian; 0 for equal ones."
_EXPLAINS: Final = {
    "discrepancy": "Fairness discrepancy (paper 004, eq. 9): the distance of the class shares from even shares, √Σ(1/K "
    "− share)². 0 where all classes are shown equally often. Classes that never occur count too.",
    "frechet": _FRECHET,
    "fid": f"{_FRECHET} Here with Inception's features, as published.",
    "kernel_distance": "The squared distance under a cubic kernel, corrected for small sets; it can be below 0.",
    "kid": "The kernel distance with Inception's features, as published.",
    "precision": "The share of images that lie among the real ones.",
    "recall": "The share of real images that lie among the generated.",
    "classifier_score": "High where each image is sure to be of one class, and the set shows many; at most the "
    "classes.",
    "inception_score": "The same with Inception's classes.",
    "path_length": "How much images change over small steps between latents: high is less smooth.",
    "niqe": "Distance from the statistics of undistorted photographs.",
    "niqe_local": "Distance from the statistics of a folder of one's own.",
    "brisque": "Distortion as learned from people's ratings; saturates at 32 px.",
    "eqface": "Quality of a face for recognition.",
}
DISCREPANCY: Final = word(describe("discrepancy"), _EXPLAINS["discrepancy"])
REALISM: Final = ("fid", "frechet", "kid", "kernel_distance", "precision", "recall", "inception_score",
                  "classifier_score", "path_length")  # fmt: skip
NO_REFERENCE: Final = ("eqface", "niqe", "niqe_local", "brisque", "clip_iqa")
COVERED: Final = level(0.95)
METHODS: Final = {"search": "latent search", "rejection": "rejection sampling"}


def stem(measure: str) -> str:
    """Return a measure without its extractor: ``frechet[aux]`` -> ``frechet``."""
    return measure.partition("[")[0]


def word_of(measure: str) -> Word:
    """Return what a measure is, with the extractor in its label: ``Fréchet distance [aux]``."""
    name = stem(measure)
    known = Word(label=spell(name), better=None)
    if name in DESCRIPTIONS:
        known = word(describe(name), _EXPLAINS.get(name, ""))
    extractor = measure.removeprefix(name)
    return replace(known, label=f"{known.label} {extractor}") if extractor else known


def score_of(page: GenerationPage, system: str, measure: str) -> dict[str, Any]:
    """Return a row of the scores, all NaN where there is none."""
    rows = page.scores[(page.scores["system"] == system) & (page.scores["measure"] == measure)]
    nothing = dict.fromkeys(("value", "sd", "low", "high", "n", "splits", "floor"), math.nan) | {"note": ""}
    return nothing | (dict(rows.iloc[0]) if len(rows) else {})


def with_deviation(row: dict[str, Any], word: Word) -> str:
    """Return ``0.0281 ± 0.0033``; without ± where there is no deviation."""
    return deviation(float(row["value"]), float(row["sd"]), word)


def distances(page: GenerationPage) -> list[str]:
    """Return the Fréchet distances that were taken, FID first."""
    found = [name for name in page.scores["measure"].drop_duplicates() if stem(name) in ("fid", "frechet")]
    return sorted(found, key=lambda name: name != "fid")


def reading(page: GenerationPage) -> tuple[str, ...]:
    """Say how to read the page."""
    paper = (
        "The paper's numbers are of other images, networks and classifiers. What can be compared is the order of the "
        "rows and how much they differ.",
    )
    return (
        "Shares are what a second classifier says, trained apart from the one that searched and balanced. It makes "
        "mistakes too: “corrected” shares undo those that it makes on labelled held-out images.",
        "Discrepancies are means ± standard deviations over splits of the images; the hatched sampling floor is what a "
        "perfectly even generator shows in as many images. Below it no difference can be seen.",
        "A name in brackets is the network whose features were compared; “aux” is the measuring classifier. Only "
        "Inception's features give FID, KID and the inception score; numbers of different networks do not compare.",
        *(paper if page.paper else ()),
        "“—” stands where there is no number: a class without images, a measure that was not taken.",
    )


def measures_of(page: GenerationPage) -> dict[str, str]:
    """Return the measures that the page shows and what they are."""
    taken = {stem(name) for name in page.scores["measure"]}
    found = {describe(name).label: explains for name, explains in _EXPLAINS.items() if name in taken}
    found["sampling floor"] = (
        "√((1 − 1/K)/n): the discrepancy that n images of a perfectly even generator show by chance. Of a distance: "
        "one half of the held-out images against the other."
    )
    if page.made.accounts or page.made.lineages is not None:
        found["lineage"] = (
            "A start (the first seed that the classifier puts in the class) and the latents that the search reached "
            "from it by small steps outward. Relatives resemble each other."
        )
        found["near-duplicate"] = (
            "An image whose features lie nearer to another image of the set than a tenth (unless set otherwise) of the "
            "median distance between random images."
        )
    return found


def limits(page: GenerationPage) -> tuple[str, ...]:
    """Return the limits of the page: what it does not say."""
    pictures = ("The images are drawn by a program. Their variety is far smaller than that of photographs.",)
    return (
        *(pictures if page.drawn else ()),
        "Even shares of the classes that a classifier tells apart are not even shares of anything else: variety within "
        "a class can shrink at the same time. Recall and near-duplicates say something about that.",
        "On generated images the measuring classifier can make other mistakes than on held-out ones; then corrected "
        "shares are wrong as well.",
        "A Fréchet distance grows with fewer images and depends on the shares of both sets; compare rows of the same "
        "numbers of images only.",
        "± is over splits of one generator's images, not over trainings.",
    )
