"""Which rows train, validate and test: by identity or by image, deterministic by hash, or as published.

A key's place depends on the seed and the key alone (a hash in [0, 1) compared with the shares), so rows that are added
later never move the others. ``exact=True`` sorts the keys by that hash and cuts at the exact shares instead.

Labels of people are often given per identity. A split by image then shows a classifier test labels that it has seen on
other images of the same person; the default is therefore by identity wherever the data set has identities.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from greycard.datasets.records import DataError
from greycard.schema import IDENTITY, IMAGE_ID, SPLIT, SPLITS, unknown

_SYNONYMS: Final = {"training": "train", "validation": "val", "valid": "val", "dev": "val", "testing": "test"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitConfig:
    """How rows are split.

    Attributes:
        by: ``identity`` (all images of a person together; a row without identity stands alone), ``image``, ``auto``
            (by identity if any row has one, else by image), ``source`` (the data set's own split; the shares are
            not used), or ``permutation`` (as the code of paper 002 splits: images alone count, so that pictures of one
            person or patient come to lie in training and in test, and test numbers come out too good where labels
            are given per person; ``PUBLISHED`` is that split).
        train, val, test: shares, >= 0, that sum to 1.
        seed: another seed gives another split.
        exact: cut at the exact shares (to the nearest key) instead of by each key's hash alone; ``permutation`` always
            does.
        rename: for ``source``: the data set's name -> ``train``, ``val`` or ``test`` (``validation`` is known).
    """

    by: Literal["auto", "identity", "image", "source", "permutation"] = "auto"
    train: float = 0.8
    val: float = 0.1
    test: float = 0.1
    seed: int = 0
    exact: bool = False
    rename: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if min(self.shares) < 0 or abs(sum(self.shares) - 1) > 1e-9:
            raise ValueError(f"split shares train + val + test must be >= 0 and sum to 1, got {self.shares}")
        for name in self.rename.values():
            if name not in SPLITS:
                raise ValueError(f"split.rename: {unknown('split', name, SPLITS)}")

    @property
    def shares(self) -> tuple[float, float, float]:
        """The shares in the order of ``SPLITS``."""
        return self.train, self.val, self.test


PUBLISHED: Final = SplitConfig(by="permutation", train=0.7, val=0.2, test=0.1, seed=42)
"""The split of paper 002's code for UTKFace (16,593 / 4,741 / 2,371) and SIIM-ISIC (23,188 / 6,625 / 3,313): by image.

On SIIM-ISIC the same patients are in all three parts; ``SplitConfig(by="identity")`` keeps them apart.
"""


def assign_splits(index: pa.Table, config: SplitConfig) -> list[str]:
    """Return each row's split.

    Args:
        index: a checked index (``records.checked_index``).
        config: how to split.

    Raises:
        DataError: a split is asked for that the data set does not give, or ends up without rows.
    """
    if config.by == "source":
        return _published(index[SPLIT].to_pylist(), config.rename)
    keys = index[IMAGE_ID].to_pylist()
    if config.by == "permutation":
        return _named(keys, permuted_codes(keys, config), config)
    identities = index[IDENTITY].to_pylist()
    if config.by == "identity" or (config.by == "auto" and any(identities)):
        if not any(identities):
            raise DataError("the data set has no identities; set split.by=image")
        keys = [f"identity {who}" if who else f"image {key}" for who, key in zip(identities, keys, strict=True)]
    return _named(keys, split_codes(keys, config), config)


def split_codes(keys: Sequence[str], config: SplitConfig) -> NDArray[np.int64]:
    """Return the split of each key as a code into ``SPLITS``; equal keys get equal codes."""
    unique, inverse, counts = np.unique(np.asarray(keys, dtype=str), return_inverse=True, return_counts=True)
    places = hash_places(unique.tolist(), config.seed)
    bounds = np.cumsum(config.shares)[:-1]
    if config.exact:
        order = np.argsort(places, kind="stable")
        middle = np.cumsum(counts[order]) - counts[order] / 2  # a key goes where the middle of its rows falls
        places = np.empty_like(places)
        places[order] = middle / counts.sum()
    used = np.flatnonzero(np.asarray(config.shares) > 0)
    codes = np.searchsorted(bounds, places, side="right")
    return np.clip(codes, used[0], used[-1])[inverse]


def permuted_codes(keys: Sequence[str], config: SplitConfig) -> NDArray[np.int64]:
    """Return the split of each key as a code into ``SPLITS``, as the code of paper 002 does.

    The sorted keys are permuted by ``torch.randperm`` at the config's seed; the first ``int(train * n)`` train, the
    next ``int(val * n)`` validate, and the rest, with what rounding down left over, is the last split that has a share.
    One row more moves all others.
    """
    order = np.argsort(np.asarray(keys, dtype=str), kind="stable")
    chosen = torch.randperm(len(keys), generator=torch.Generator().manual_seed(config.seed)).numpy()
    train, val = int(config.train * len(keys)), int(config.val * len(keys))
    last = np.flatnonzero(np.asarray(config.shares) > 0)[-1]
    codes = np.full(len(keys), last, dtype=np.int64)
    codes[order[chosen[:train]]] = SPLITS.index("train")
    codes[order[chosen[train : train + val]]] = SPLITS.index("val")
    return codes


def hash_places(keys: Sequence[str], seed: int) -> NDArray[np.float64]:
    """Return a number in [0, 1) for each key, from the seed and the key alone (BLAKE2b, 53 bits)."""
    salt = f"{seed}:".encode()
    digests = b"".join(hashlib.blake2b(salt + key.encode(), digest_size=8).digest() for key in keys)
    return (np.frombuffer(digests, dtype=">u8") >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _named(keys: Sequence[str], codes: NDArray[np.int64], config: SplitConfig) -> list[str]:
    for code, (name, share) in enumerate(zip(SPLITS, config.shares, strict=True)):
        if share > 0 and not (codes == code).any():
            raise DataError(
                f"split {name!r} has no rows: {len(set(keys))} keys at a share of {share}; set split.exact=true, or "
                f"split.{name}=0"
            )
    return [SPLITS[code] for code in codes]


def _published(names: Sequence[str | None], rename: Mapping[str, str]) -> list[str]:
    if all(name is None for name in names):
        raise DataError("the data set gives no split; set split.by=identity or split.by=image")
    known = {name: name for name in SPLITS} | _SYNONYMS | dict(rename)
    for name in dict.fromkeys(names):
        if name not in known:
            raise DataError(f"column {SPLIT!r}: {unknown('split', name, list(known))} (split.rename maps others)")
    return [known[name] for name in names if name is not None]
