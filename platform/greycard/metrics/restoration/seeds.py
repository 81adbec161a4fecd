"""Rate, distortion and disparity of codecs on one set of images, over several seeds, with intervals.

Intervals come from both sources of chance, as in ``greycard.metrics.prediction.seeds``: pairs of a baseline and a codec
of one seed, and identities, are resampled independently of each other; of n pairs n - 1 are drawn.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]
RESAMPLES = 1000
LEVEL = 0.95
GAP = "psnr_gap_db"


class CodecRows(NamedTuple):
    """What one codec makes of N images: ``bpp`` (N,) estimated bits per pixel, ``psnr_db`` (N,)."""

    bpp: Floats
    psnr_db: Floats


def group_means(rows: Sequence[CodecRows], codes: NDArray[np.int64], names: Sequence[str]) -> pd.DataFrame:
    """Return a row per group and measure: group, measure, value (mean over seeds), count; NaN for an absent group."""
    found = []
    for code, name in enumerate(names):
        chosen = codes == code
        for measure in CodecRows._fields:
            values = [getattr(item, measure)[chosen].mean() if chosen.any() else np.nan for item in rows]
            found.append({"group": name, "measure": measure, "value": np.mean(values), "count": int(chosen.sum())})
    return pd.DataFrame(found)


def compare_codecs(
    baseline: Sequence[CodecRows],
    chosen: Sequence[CodecRows],
    codes: NDArray[np.int64],
    names: Sequence[str],
    identities: NDArray[np.str_],
    *,
    seed: int = 0,
) -> pd.DataFrame:
    """Compare codecs of several seeds with their baselines.

    Args:
        baseline: a baseline per seed.
        chosen: the codec of each seed, in the same order.
        codes: (N,) group of each image, -1 unknown.
        names: of the groups.
        identities: (N,) whose picture each is; resampled together.
        seed: of the resampling.

    Returns:
        The columns of ``compare_seeds``: measure (psnr_gap_db, psnr_db, bpp), decisions, baseline, fair, difference,
        low, high, reduction (of the gap), reduction_low, reduction_high, level, seeds, count.
    """
    rng = np.random.default_rng(seed)
    pairs, people = len(baseline), np.unique(identities, return_inverse=True)[1]
    count = int(people.max()) + 1
    drawn = rng.multinomial(count, np.full(count, 1 / count), size=RESAMPLES).astype(np.float64)
    weights = np.concatenate([np.ones((1, count)), drawn])
    before, after = (_measures(rows, weights, people, codes, len(names)) for rows in (baseline, chosen))
    taken = rng.integers(pairs, size=(RESAMPLES, max(1, pairs - 1)))
    return pd.DataFrame(
        [
            {"measure": name, "decisions": ""}
            | _compared(before[name], after[name], taken, reduction=name == GAP)
            | {"level": LEVEL, "seeds": pairs, "count": len(codes)}
            for name in (GAP, "psnr_db", "bpp")
        ]
    )


def _measures(
    rows: Sequence[CodecRows], weights: Floats, people: NDArray[np.int64], codes: NDArray[np.int64], groups: int
) -> dict[str, Floats]:
    """Return measure -> (resamples, seeds); the first resample is the sample itself."""
    psnr, bpp = (np.stack([getattr(item, name) for item in rows], axis=1) for name in ("psnr_db", "bpp"))
    everyone = np.ones(len(codes), bool)
    of_groups = [_means(psnr, weights, people, codes == code) for code in range(groups) if (codes == code).any()]
    stacked = np.stack(of_groups)
    return {
        GAP: np.nanmax(stacked, axis=0) - np.nanmin(stacked, axis=0),
        "psnr_db": _means(psnr, weights, people, everyone),
        "bpp": _means(bpp, weights, people, everyone),
    }


def _means(values: Floats, weights: Floats, people: NDArray[np.int64], chosen: NDArray[np.bool_]) -> Floats:
    """Return (resamples, seeds) means of the chosen images; NaN where a resample has none."""
    size = weights.shape[1]
    sums = np.stack([np.bincount(people[chosen], column, size) for column in values[chosen].T], axis=1)
    counts = weights @ np.bincount(people[chosen], minlength=size)
    with np.errstate(invalid="ignore"):
        means: Floats = (weights @ sums) / counts[:, None]
    return means


def _compared(before: Floats, after: Floats, taken: NDArray[np.int64], *, reduction: bool) -> dict[str, float]:
    resampled = np.arange(1, len(before))[:, None]
    old, new = (values[resampled, taken].mean(axis=1) for values in (before, after))
    baseline, fair = before[0].mean(), after[0].mean()
    low, high = np.nanquantile(new - old, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    found = {"baseline": baseline, "fair": fair, "difference": fair - baseline, "low": low, "high": high}
    if reduction:
        reduced = 1 - np.divide(new, old, out=np.full_like(new, np.nan), where=old > 0)
        ends = [(1 - LEVEL) / 2, (1 + LEVEL) / 2]
        lower, upper = np.nanquantile(reduced, ends) if np.isfinite(reduced).any() else (np.nan, np.nan)
        found |= {
            "reduction": 1 - fair / baseline if baseline > 0 else np.nan,
            "reduction_low": lower,
            "reduction_high": upper,
        }
    else:
        found |= dict.fromkeys(("reduction", "reduction_low", "reduction_high"), np.nan)
    return found
