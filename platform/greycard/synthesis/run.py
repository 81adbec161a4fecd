"""The driver of a synthesis.

``(class, seed) rows -> [actors: search] -> lineages -> choice -> [actors: render] -> images -> shards -> account``
"""

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from greycard.datasets.manifest import Manifest
from greycard.synthesis.config import SynthesisConfig


class SynthesisError(RuntimeError):
    """A synthesis that could not end: says why, what is kept and the way out."""


@dataclass(frozen=True, slots=True)
class SynthesisFrames:
    """Tidy frames.

    Attributes:
        counts: method, code, label, split, wanted, chosen, short.
        lineages: method, code, label, seed, found, status, error, evaluated, accepted, duplicates, refused, dropped,
            kept, chosen, wave.
        duplicates: method, code, label, images, near (share of them with a nearer one before them), gap (median
            distance to the nearest other image, in units of the median between random images), flagged (share of what
            the search accepted and left out as duplicates).
        cost: method, code, label, evaluated, kept, chosen, evaluated_per_chosen.
    """

    counts: pd.DataFrame
    lineages: pd.DataFrame
    duplicates: pd.DataFrame
    cost: pd.DataFrame


@dataclass(frozen=True, slots=True, kw_only=True)
class SynthesisResult:
    """What a synthesis made.

    Attributes:
        config: of the synthesis.
        directory: where the results are.
        manifest: of the shards in ``<directory>/shards``: attribute = the task, identity = the lineage.
        frames: the account.
        shortfalls: class -> images that are missing; empty where every class is full.
        seconds: searching and rendering took in this run; 0 where nothing was left to do.
    """

    config: SynthesisConfig
    directory: str
    manifest: Manifest
    frames: SynthesisFrames
    shortfalls: dict[str, int]
    seconds: dict[str, float]

    def sheet(self) -> pd.DataFrame:
        """Return the first lineages of each class with images, for a lineage sheet.

        Columns: image_id, label, lineage, seed, number, parent, depth, distance, duplicate, chosen, image (PNG).
        """
        raise NotImplementedError


def run(config: SynthesisConfig, on_wave: Callable[[str], None] | None = None) -> SynthesisResult:
    """Make the set, or what an earlier run left of it."""
    raise NotImplementedError
