"""Quality of single images without a reference: NIQE, BRISQUE, CLIP-IQA, EQ-Face.

Each is a config with ``name``, ``missing()`` (which files are to be fetched), ``unfit(height, width)`` (why images of a
size have no value) and ``build()``; the built measure takes (N, 3, H, W) uint8 to (N,) float64, NaN where there is no
value, and its ``judge`` tells the reason (``base``). No weights come with the package and none are downloaded.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Final, NamedTuple

from greycard.config import BY_KIND
from greycard.metrics.no_reference.base import NoReference
from greycard.metrics.no_reference.brisque import Brisque
from greycard.metrics.no_reference.clip_iqa import ClipIqa
from greycard.metrics.no_reference.eq_face import EqFace
from greycard.metrics.no_reference.niqe import Niqe, NiqeLocal

NoReferenceConfig = Annotated[Niqe | NiqeLocal | Brisque | ClipIqa | EqFace, BY_KIND]
NO_REFERENCE: Final[dict[str, type[Niqe] | type[NiqeLocal] | type[Brisque] | type[ClipIqa] | type[EqFace]]] = {
    "niqe": Niqe,
    "niqe_local": NiqeLocal,
    "brisque": Brisque,
    "clip_iqa": ClipIqa,
    "eqface": EqFace,
}


class Available(NamedTuple):
    """Measures that can be taken, and name -> why not of the others."""

    measures: tuple[NoReferenceConfig, ...]
    absent: dict[str, str]


def available(measures: Sequence[NoReferenceConfig], size: int) -> Available:
    """Part measures into those that can be taken of square images of a size here and those that can't.

    Example:
        >>> found = available([Niqe()], 32)
        >>> found.measures, found.absent["niqe"][:42]
        ((), 'niqe needs at least two whole blocks of 96')
    """
    reasons = {measure.name: _reason(measure, size) for measure in measures}
    return Available(
        tuple(measure for measure in measures if not reasons[measure.name]),
        {name: reason for name, reason in reasons.items() if reason},
    )


def _reason(measure: Any, size: int) -> str:
    """Return why a measure can't be taken, "" if it can; one of the user's own need not tell."""
    return measure.unfit(size, size) or measure.missing() if isinstance(measure, NoReference) else ""


__all__ = [
    "NO_REFERENCE",
    "Available",
    "Brisque",
    "ClipIqa",
    "EqFace",
    "Niqe",
    "NiqeLocal",
    "NoReferenceConfig",
    "available",
]
