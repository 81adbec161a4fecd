"""Every measure that a frame can hold, described once: what it is called, its unit, its direction, what it compares.

Whoever reads a table (findings, reports, a search) knows measures by their names alone, without loading the code that
computes them; configs of measures read their direction here too. A name may say more than the measure: what stands
behind ``/`` is the task (``accuracy_merged/hair_type``), what stands in brackets the features, weights or kind of
decision (``frechet[aux]``, ``brisque[own]``, ``discrepancy[hard]``).
"""

from collections import ChainMap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from greycard.metrics.disparity import Direction
from greycard.schema import BPP_ESTIMATED, BPP_PAYLOAD, BPP_TOTAL, unknown

SHARE: Final = "share"


@dataclass(frozen=True, slots=True)
class Description:
    """A measure, described.

    Attributes:
        label: its name in reports.
        unit: its unit or range, for people; ``SHARE`` is written in per cent.
        better: its better end.
        digits: decimals that reports give; None gives three significant digits.
        compares: what it looks at, in a few words.
    """

    label: str
    unit: str
    better: Direction
    digits: int | None
    compares: str

    @property
    def higher_is_better(self) -> bool:
        """Whether its better end is above."""
        return self.better == "higher"


COLUMNS: Final[dict[str, Description]] = {
    "psnr_db": Description("PSNR", "dB", "higher", 2, "pixel by pixel"),
    "ssim": Description("SSIM", "0 to 1", "higher", 3, "by local structure"),
    "lpips": Description("LPIPS", "no unit", "lower", 3, "as a trained network sees it"),
    "mse": Description("MSE", "8-bit levels squared", "lower", 2, "pixel by pixel: the mean squared error"),
}
"""Full-reference measures: they compare a restored image with its original, and fill a column of an audit table."""

PSNR_OF_MEAN_MSE: Final = "psnr_db_of_mean_mse"
DERIVED: Final[dict[str, Description]] = {
    PSNR_OF_MEAN_MSE: Description(
        "PSNR of the mean MSE",
        "dB",
        "higher",
        2,
        "pixel by pixel, errors averaged over a group's images before they are put in decibels",
    ),
}
"""Numbers of a group that findings compute from the columns."""

RATES: Final[dict[str, Description]] = {
    "bpp": Description("bits per pixel", "bits", "lower", 3, "a file's size with its pixels"),
    BPP_ESTIMATED: Description("bits per pixel (estimated)", "bits", "lower", None, "likelihoods with pixels"),
    BPP_PAYLOAD: Description("bits per pixel (coded bytes)", "bits", "lower", None, "coded bytes with pixels"),
    BPP_TOTAL: Description("bits per pixel (whole file)", "bits", "lower", None, "the whole file with its pixels"),
}
NO_REFERENCE: Final[dict[str, Description]] = {
    "niqe": Description("NIQE", "0 up", "lower", None, "with the statistics of undistorted photographs"),
    "niqe_local": Description("NIQE (own images)", "0 up", "lower", None, "with the statistics of a folder of images"),
    "brisque": Description(
        "BRISQUE", "about 0 to 100", "lower", None, "with the statistics of scenes that people rated"
    ),
    "clip_iqa": Description("CLIP-IQA", "0 to 1", "higher", 3, "with the words good and bad, as CLIP sees both"),
    "eqface": Description("EQ-Face", "0 to 1", "higher", 3, "with faces that a recognition network knows well"),
}
"""Measures of one image alone."""

PREDICTIONS: Final[dict[str, Description]] = {
    "accuracy": Description("accuracy", SHARE, "higher", None, "predicted classes with labels"),
    "accuracy_all": Description("accuracy, all tasks", SHARE, "higher", None, "predicted classes with labels"),
    "accuracy_merged": Description(
        "grouped accuracy", SHARE, "higher", None, "predicted classes, merged by group, with labels"
    ),
    "macro_recall": Description("macro recall", SHARE, "higher", None, "predicted classes with labels, by class"),
    "balanced_accuracy": Description(
        "balanced accuracy", SHARE, "higher", None, "predicted classes with labels, by class"
    ),
    "iou": Description("IoU", SHARE, "higher", None, "the images predicted as a class with those of it"),
    "auc": Description("AUC", "0 to 1", "higher", 3, "the ranks of images of a class with those of others"),
    "ece": Description("ECE", SHARE, "lower", None, "stated confidence with the share right"),
    "shift": Description("mean shift", "classes", "zero", None, "the order of predicted classes with labels"),
    "lighter": Description("read as lighter", SHARE, "lower", None, "the order of predicted classes with labels"),
}
"""Measures of predictions: of a prediction audit's groups, and by task of an audit table's."""

SETS: Final[dict[str, Description]] = {
    "discrepancy": Description("discrepancy", "0 to 1", "lower", 4, "shares of classes with even shares"),
    "discrepancy_pooled": Description("discrepancy pooled", "0 to 1", "lower", 4, "shares of classes with even shares"),
    "frechet": Description("Fréchet distance", "0 up", "lower", None, "Gaussians of two sets' features"),
    "fid": Description("FID", "0 up", "lower", None, "Gaussians of Inception's features"),
    "kernel_distance": Description(
        "kernel distance", "about 0 up", "lower", None, "features of two sets under a cubic kernel"
    ),
    "kid": Description("KID", "about 0 up", "lower", None, "Inception's features under a cubic kernel"),
    "precision": Description("precision", "0 to 1", "higher", 3, "generated images with their real neighbours"),
    "recall": Description("recall", "0 to 1", "higher", 3, "real images with their generated neighbours"),
    "classifier_score": Description(
        "classifier score", "1 to all classes", "higher", None, "an image's probabilities with the set's"
    ),
    "inception_score": Description(
        "inception score", "1 to 1,000", "higher", None, "an image's probabilities with the set's"
    ),
    "path_length": Description("path length", "0 up", "lower", None, "images of latents close to each other"),
}
"""Measures of sets of images, as a generation audit scores them."""

TRAININGS: Final[dict[str, Description]] = {
    "loss": Description("loss", "no unit", "lower", None, "what a training minimises"),
    "ce": Description("cross-entropy", "nats", "lower", None, "probabilities with labels"),
    "fair": Description("fairness loss", "no unit", "lower", None, "groups with each other"),
    "fair_missing": Description("empty cells", "cells", "lower", None, "pairs of class and group with the rows"),
    "parity": Description("parity term", "no unit", "lower", None, "the groups' distortion with the mean"),
    "psnr": Description("PSNR", "dB", "higher", 2, "pixel by pixel"),
    "psnr_gap_db": Description("PSNR gap", "dB", "lower", 3, "the best and the worst restored group"),
    "disparity": Description("group difference", "as what differs", "lower", None, "the best and the worst group"),
    "bias": Description("group difference", "as what differs", "lower", None, "the best and the worst group"),
}
"""Numbers that trainings and searches return besides those above."""

DIFFERENCES: Final[dict[str, Description]] = {
    "sigma_iou": Description("σ_IOU", "0 up to 0.71", "lower", 4, "the groups' IoUs with each other"),
    "dp_difference": Description("parity difference", SHARE, "lower", None, "predictions between groups"),
    "eo_difference": Description("odds difference", SHARE, "lower", None, "predictions between groups, by true class"),
    "iou": Description("L_iou (sum)", "no unit", "lower", None, "the groups' IoUs with the whole's, summed"),
    "iou_mean": Description("L_iou", "no unit", "lower", None, "the groups' IoUs with the whole's, averaged"),
    "iou_paired": Description("L_iou (paired)", "no unit", "lower", None, "the groups' IoUs pair by pair"),
    "eo_l2": Description("L_eo^l2", "no unit", "lower", None, "predictions between groups, given the label"),
    "eo_mi": Description("L_eo^mi", "nats", "lower", None, "prediction and group, given the label"),
    "dp_l2": Description("L_dp^l2", "no unit", "lower", None, "predictions between groups"),
    "dp_mi": Description("L_dp^mi", "nats", "lower", None, "prediction and group"),
}
"""How groups differ in what is predicted; a table of its own, because ``iou`` is the name of a measure too."""

TABLES: Final = (COLUMNS, DERIVED, RATES, NO_REFERENCE, PREDICTIONS, SETS, TRAININGS)
DESCRIPTIONS: Final = ChainMap(*TABLES)
"""All of them, by name."""


class Described:
    """What measures and their configs share: a name that is described above, and the direction that stands there."""

    __slots__ = ()

    @property
    def name(self) -> str:
        """Its name in tables."""
        raise NotImplementedError

    @property
    def higher_is_better(self) -> bool:
        """Whether higher values of the measure are better."""
        return describe(self.name).higher_is_better


def describe(measure: str) -> Description:
    """Return what a measure is, whatever its task and extractor.

    Raises:
        ValueError: there is no such measure; names near matches.

    Example:
        >>> describe("psnr_db").unit, describe("frechet[aux]").label, describe("shift/skin_type").better
        ('dB', 'Fréchet distance', 'zero')
    """
    return _find(measure, DESCRIPTIONS, "measure")


def describe_difference(measure: str) -> Description:
    """Return what a measure of how groups differ is.

    Raises:
        ValueError: there is no such measure; names near matches.

    Example:
        >>> describe_difference("iou").label
        'L_iou (sum)'
    """
    return _find(measure, DIFFERENCES, "measure of group differences")


def _find(measure: str, known: Mapping[str, Description], what: str) -> Description:
    name = measure.partition("[")[0].partition("/")[0]
    if name not in known:
        raise ValueError(unknown(what, measure, tuple(known)))
    return known[name]
