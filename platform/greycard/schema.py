"""The columns of shards and of audit tables: names, dtypes, units; attributes and their class sets.

Class sets follow Racial Faces in the Wild (RFW) and the phenotype labels of Yucer et al. as "Gone With the Bits"
(paper 000) uses them. The order of a class set is its code: ``PHENOTYPES["hair_type"].code("curly") == 1``.
"""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

# -- shards: one row per image ------------------------------------------------------------------------------------
IMAGE_ID: Final = "image_id"  # string, unique in the data set, stable
IMAGE: Final = "image"  # binary: the encoded image (lossless unless the source is JPEG), or struct<bytes, path>
SPLIT: Final = "split"  # string: train, val or test
IDENTITY: Final = "identity"  # string, null where the data set has none
SPLITS: Final = ("train", "val", "test")

# -- audit tables: one row per image, system, operating point and sample ------------------------------------------
SYSTEM: Final = "system"  # string: the name the audit gave the system
POINT: Final = "point"  # float64: the operating point (a λ, a JPEG quality, ...)
SAMPLE: Final = "sample"  # int64: which of an image's samples; only where a system draws several
STATUS: Final = "status"  # string: OK or FAILED
ERROR: Final = "error"  # string: why a row failed, "" otherwise
BPP_ESTIMATED: Final = "bpp_estimated"  # float64 bits per pixel from likelihoods; NaN where a codec has none
BPP_PAYLOAD: Final = "bpp_payload"  # float64 bits per pixel of the entropy-coded bytes
BPP_TOTAL: Final = "bpp_total"  # float64 bits per pixel of payload and headers
RATES: Final = (BPP_ESTIMATED, BPP_PAYLOAD, BPP_TOTAL)
RECONSTRUCTION: Final = "reconstruction"  # binary: the restored image as PNG (reconstruction sets only)
PREDICTION_PREFIX: Final = "pred_"  # pred_<task>: list<int8>, the class code by each classifier seed, -1 where failed
PROBABILITY_PREFIX: Final = "prob_"  # prob_<task>: list<float64>, a probability per class; null where failed

OK: Final = "ok"
FAILED: Final = "failed"


@dataclass(frozen=True, slots=True)
class Attribute:
    """A categorical attribute: its column name and its classes in fixed order (a class's position is its code)."""

    name: str
    classes: tuple[str, ...]

    def code(self, label: str) -> int:
        """Return the code of a class.

        Raises:
            ValueError: the label is not in the class set; the message lists near matches.
        """
        try:
            return self.classes.index(label)
        except ValueError:
            raise ValueError(unknown(f"{self.name} label", label, self.classes)) from None


RACE: Final = Attribute("race", ("African", "Asian", "Caucasian", "Indian"))

SKIN_TYPE: Final = Attribute("skin_type", ("type1", "type2", "type3", "type4", "type5", "type6"))
LIP_TYPE: Final = Attribute("lip_type", ("big", "small"))
NOSE_TYPE: Final = Attribute("nose_type", ("narrow", "wide"))
EYE_TYPE: Final = Attribute("eye_type", ("narrow", "normal"))
HAIR_TYPE: Final = Attribute("hair_type", ("bald", "curly", "straight", "wavy"))
HAIR_COLOR: Final = Attribute("hair_color", ("black", "blonde", "brown", "gray", "red"))

PHENOTYPES: Final[dict[str, Attribute]] = {
    attribute.name: attribute for attribute in (SKIN_TYPE, LIP_TYPE, NOSE_TYPE, EYE_TYPE, HAIR_TYPE, HAIR_COLOR)
}


def prediction_column(task: str) -> str:
    """Return the audit table's column of a task's predicted codes."""
    return PREDICTION_PREFIX + task


def probability_column(task: str) -> str:
    """Return the predictions table's column of a task's probabilities."""
    return PROBABILITY_PREFIX + task


def near(name: str, known: Iterable[str]) -> list[str]:
    """Return up to three known names that resemble ``name``."""
    choices = {choice.lower(): choice for choice in known}
    return [choices[match] for match in difflib.get_close_matches(name.lower(), choices, n=3, cutoff=0.5)]


def examples(names: Sequence[str], count: int = 5) -> str:
    """List the first few names; dots say that there are more.

    Example:
        >>> examples(["a", "b", "c"], 2)
        'a, b, ...'
    """
    return ", ".join(names[:count]) + (", ..." if len(names) > count else "")


def unknown(what: str, name: object, known: Sequence[str]) -> str:
    """Word the error for a name that is not known: the name, near matches and all that is accepted."""
    matches = near(str(name), known)
    hint = f"; did you mean {' or '.join(map(repr, matches))}?" if matches else "."
    return f"unknown {what} {name!r}{hint} Accepted: {', '.join(map(str, known))}"
