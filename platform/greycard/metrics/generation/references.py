"""Why a Fréchet distance misleads about rebalanced generators: it depends on the shares of both sets.

``class-wise moments -> a set in any shares (mixture) -> Fréchet distance to a balanced and to an unbalanced reference``

Paper 004, section 2.4 and Figure 3: between groups of one data set the distance is large although every image is real,
so against an unbalanced reference a generator is rewarded for being unbalanced as well.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd

from greycard.metrics.generation.discrepancy import discrepancy
from greycard.metrics.generation.distances import covariance_root, frechet, mixture
from greycard.metrics.generation.states import FeatureMoments, Floats

AS_DRAWN: Final = "as drawn"
BALANCED: Final = "balanced"
UNBALANCED: Final = "unbalanced"


def long_tail(classes: int, imbalance: float = 0.1) -> Floats:
    """Return shares (K,) that fall geometrically in class order, the last ``imbalance`` times the first."""
    shares = imbalance ** (np.arange(classes) / max(1, classes - 1))
    found: Floats = shares / shares.sum()
    return found


def frechet_between_groups(
    first: Sequence[FeatureMoments], second: Sequence[FeatureMoments], groups: Sequence[str]
) -> pd.DataFrame:
    """Return the distance of each group of one set to each of another: the paper's heat map.

    Args:
        first: moments per group.
        second: the same of the other set.
        groups: names.

    Returns:
        Columns group, reference_group, value (NaN where a group has fewer than 2 images), count, reference_count.
    """
    rows = []
    for name, mine in zip(groups, first, strict=True):
        root = covariance_root(mine.finish()) if mine.count >= 2 else None
        for other, theirs in zip(groups, second, strict=True):
            enough = min(mine.count, theirs.count) >= 2
            value = frechet(mine.finish(), theirs.finish(), root) if enough else float("nan")
            rows.append((name, other, value, mine.count, theirs.count))
    return pd.DataFrame(rows, columns=["group", "reference_group", "value", "count", "reference_count"])


def compare_references(
    generated: Sequence[FeatureMoments], reference: Sequence[FeatureMoments], unbalanced: Floats | None = None
) -> pd.DataFrame:
    """Return distances of a generator's set as drawn, balanced and unbalanced to balanced and unbalanced references.

    Sets are mixed from class-wise moments, so that they differ in shares alone and no image is thrown away.

    Args:
        generated: moments per class (of the images that the classifier put there).
        reference: moments per class of real images.
        unbalanced: shares (K,) of the unbalanced sets; a long tail (β = .1) in class order by default.

    Returns:
        Columns generated (as drawn, balanced, unbalanced), reference (balanced, unbalanced), value, discrepancy (of the
        generated set's shares), note. Classes that a set lacks are left out of its mixtures and said in the note.
    """
    classes = len(generated)
    tail = long_tail(classes) if unbalanced is None else np.asarray(unbalanced, np.float64)
    even = np.full(classes, 1.0 / classes)
    drawn = np.array([part.count for part in generated], np.float64)
    rows = []
    for name, shares in ((AS_DRAWN, drawn), (BALANCED, even), (UNBALANCED, tail)):
        mine, lost = _without_empty(generated, shares)
        for other, theirs in ((BALANCED, even), (UNBALANCED, tail)):
            theirs, missing = _without_empty(reference, theirs)
            possible = mine.sum() > 0 and theirs.sum() > 0
            value = frechet(mixture(generated, mine), mixture(reference, theirs)) if possible else float("nan")
            gap = float(discrepancy(mine / mine.sum())) if mine.sum() > 0 else float("nan")
            note = "; ".join(
                f"{who} lacks classes {gone}" for who, gone in (("generator", lost), ("reference", missing)) if gone
            )
            rows.append((name, other, value, gap, note))
    return pd.DataFrame(rows, columns=["generated", "reference", "value", "discrepancy", "note"])


def _without_empty(parts: Sequence[FeatureMoments], shares: Floats) -> tuple[Floats, list[int]]:
    """Return the shares with 0 where a class has too few images for moments, and those classes."""
    enough = np.array([part.count >= 2 for part in parts])
    return np.where(enough, shares, 0.0), np.flatnonzero(~enough & (shares > 0)).tolist()
