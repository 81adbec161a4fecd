"""What a page of generators is told besides frames: accounts of syntheses, samples, ways to balance."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray


class Account(Protocol):
    """What ``greycard.synthesis`` returns of one method: tidy frames."""

    @property
    def counts(self) -> pd.DataFrame:
        """method, code, label, split, wanted, chosen, short."""
        ...

    @property
    def lineages(self) -> pd.DataFrame:
        """method, code, label, seed, found, status, error, evaluated, accepted, duplicates, kept, chosen, ..."""
        ...

    @property
    def duplicates(self) -> pd.DataFrame:
        """method, code, label, images, near, gap, flagged."""
        ...

    @property
    def cost(self) -> pd.DataFrame:
        """method, code, label, evaluated, kept, chosen, evaluated_per_chosen."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Images of a system in the order of their seeds, not chosen by eye.

    Attributes:
        images: PNG bytes, or (H, W, 3) uint8 arrays.
        labels: the class that the measuring classifier puts each in.
    """

    images: Sequence[bytes | NDArray[np.uint8]]
    labels: Sequence[str]

    def __post_init__(self) -> None:
        if len(self.images) != len(self.labels):
            raise ValueError(f"samples need a label an image, got {len(self.images)} images, {len(self.labels)} labels")


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way to balanced images, a row of a table.

    Attributes:
        name: for people: "latent search", "rejection sampling", "reweighting".
        method: of the synthesis whose account tells duplicates and draws: ``search``, ``rejection``; "" for none.
        set: the system that is its set of synthetic images; "" for none.
        system: the generator trained that way; "" for none.
    """

    name: str
    method: str = ""
    set: str = ""
    system: str = ""


def joined(accounts: Sequence[Account], name: str) -> pd.DataFrame | None:
    """Return one frame of all accounts, by its name; None without any account."""
    parts: list[Any] = [getattr(account, name) for account in accounts]
    return pd.concat(parts, ignore_index=True) if parts else None
