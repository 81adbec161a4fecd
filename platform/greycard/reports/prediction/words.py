"""What reports call the measures of predictors and of searches, their losses and their settings."""

from dataclasses import replace
from typing import Final

from greycard.metrics.descriptions import SHARE, Description, describe, describe_difference
from greycard.reports.wording import Word, number, spell


def word(measure: Description, explains: str = "") -> Word:
    """Return a measure as the registry describes it; decibels stand behind its label."""
    return Word(
        label=f"{measure.label} [dB]" if measure.unit == "dB" else measure.label,
        explains=explains,
        better=None if measure.better == "zero" else measure.better,
        share=measure.unit == SHARE,
        decimals=measure.digits,
    )


ACCURACY: Final = word(describe("accuracy"), "The share of images whose target is predicted correctly.")
_GROUPS: Final = {
    "balanced_accuracy": "The mean over classes of the share found.",
    "iou": "Intersection over union of predicted and true class, averaged over classes: right ones divided by all that "
    "are predicted so or are so. It falls with misses and with false alarms.",
    "auc": "The chance that an image of a class is ranked above one that is not of it; 0.5 is guessing.",
    "ece": "Expected calibration error: how far the stated confidence lies from the share that is right.",
}
GROUP_WORDS: Final[dict[str, Word]] = {
    "accuracy": ACCURACY,
    **{name: word(describe(name), explains) for name, explains in _GROUPS.items()},
}
_DISPARITIES: Final = {
    "sigma_iou": "The standard deviation between groups of their IoU (with Bessel's correction): 0 where all groups "
    "are predicted equally well. The search of “Enhancing Fairness of Visual Attribute Predictors” minimises it.",
    "dp_difference": "Demographic parity: the largest gap between groups in how often a class is predicted. Where "
    "groups truly differ in how often they have the class, a perfect predictor has this gap too.",
    "eo_difference": "Equalized odds: the largest gap between groups in how often a class is predicted for images of "
    "the same true class.",
    "iou": "The IoU loss, summed over groups (eq. 12 as printed).",
    "iou_mean": "The IoU loss, averaged over groups (as published, Tables 1-3).",
    "iou_paired": "The IoU loss on pairs of groups.",
    "eo_l2": "Equalized odds as squared differences (eq. 6).",
    "eo_mi": "Equalized odds as mutual information, in nats (eq. 7).",
    "dp_l2": "Demographic parity as squared differences (eq. 3).",
    "dp_mi": "Demographic parity as mutual information, in nats (eq. 4).",
}
DISPARITY_WORDS: Final[dict[str, Word]] = {
    name: word(describe_difference(name), explains) for name, explains in _DISPARITIES.items()
}
HARD_MEASURES: Final = ("sigma_iou", "dp_difference", "eo_difference")
PSNR: Final = word(describe("psnr"), "How close a restored image is to its original.")
_DIFFERENCE: Final = "The largest difference between groups."
_SEARCH: Final = {
    "accuracy_all": "",
    "loss": "",
    "ce": "",
    "fair": "",
    "fair_missing": "Pairs of class and group without a row in the whole split, left out by the loss.",
    "bpp": "How much a compressed image weighs; an uncompressed one has 24.",
    "bpp_estimated": "",
    "bpp_payload": "",
    "bpp_total": "",
    "ssim": "",
    "mse": "",
    "psnr_gap_db": "How much better the best restored group is than the worst, in mean PSNR.",
    "disparity": _DIFFERENCE,
    "bias": _DIFFERENCE,
}
SEARCH_WORDS: Final[dict[str, Word]] = {
    **GROUP_WORDS,
    **{name: DISPARITY_WORDS[name] for name in HARD_MEASURES},
    **{name: word(describe(name), explains) for name, explains in _SEARCH.items()},
    "psnr": PSNR,
    "psnr_db": PSNR,
}
LOSS_WORDS: Final = {
    "ce": "cross-entropy",
    "iou": "L_iou",
    "iou_paired": "L_iou (paired)",
    **{name: DISPARITY_WORDS[name].label for name in ("eo_l2", "eo_mi", "dp_l2", "dp_mi")},
}
PARAMETER_WORDS: Final = {
    "lam": "λ",
    "lambda": "λ",
    "lmbda": "λ (rate-distortion)",
    "mu": "μ",
    "kind": "loss",
}
VIEW_WORDS: Final = {
    "soft": "probabilities",
    "hard": "decisions",
    "temperature": "probabilities, temperature refitted",
    "platt": "probabilities, Platt refitted",
    "linear": "probabilities, linearly refitted",
    "isotonic": "probabilities, isotonically refitted",
}
VERDICT_WORDS: Final = {
    "no soft gain": "No gain: in the probabilities the difference did not fall.",
    "squeezed": "Squeezed: the probabilities moved together, the decisions did not. The gain is one of confidence.",
    "partly kept": "Partly kept: some of the gain in the probabilities is there in the decisions.",
    "kept": "Kept: the gain in the probabilities is there in the decisions too.",
    "undecided": "Undecided: the baseline's decisions had no difference that could be lowered.",
}


def measured_name(name: str) -> str:
    """Return a metric's name without where it was measured: ``metric/val/sigma_iou`` -> ``sigma_iou``."""
    return name.rsplit("/", 1)[-1]


def metric_word(name: str) -> Word:
    """Return what a search's metric is; one that is not known is called by its name."""
    if "accuracy/" in name:
        return replace(ACCURACY, label=f"accuracy: {spell(measured_name(name))}")
    known = SEARCH_WORDS.get(measured_name(name)) or DISPARITY_WORDS.get(measured_name(name))
    return known or Word(label=spell(measured_name(name)), better=None)


def measure_word(name: str) -> Word:
    """Return what a row of a comparison of seeds is: a disparity where there is one of that name."""
    return DISPARITY_WORDS.get(name) or metric_word(name)


def parameter_label(name: str) -> str:
    """Return a setting's name: ``param/lam`` -> ``λ``."""
    last = measured_name(name).rsplit(".", 1)[-1]
    return PARAMETER_WORDS.get(last, spell(last))


def value_label(value: object) -> str:
    """Return a setting's value: numbers short, kinds of losses by their name."""
    if isinstance(value, float | int) and not isinstance(value, bool):
        text = number(float(value))
        return text.rstrip("0").rstrip(".") if "." in text and "×" not in text else text
    return LOSS_WORDS.get(str(value), spell(str(value)))
