"""What a fairness loss does where a group or a (label, group) cell has no rows, and the form all losses share.

The published code of paper 002 answers an empty cell with a fresh constant 0 for the whole batch, silently: a step of
plain cross-entropy whose 0 is averaged into the reported metric. At batch size 256 a cell of 0.1 % of the data is
missing from 77 % of batches, so the term would be off most of the time.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, Self, get_args

import torch
from torch import Tensor

from greycard.losses.joint_table import JointTable
from greycard.schema import unknown

Empty = Literal["skip", "zero_batch", "error"]
EMPTY: Final[tuple[str, ...]] = get_args(Empty)


class FairLoss(NamedTuple):
    """A fairness loss.

    Attributes:
        value: () float64 >= 0 (mutual informations to rounding), 0 = fair by this notion, before λ; differentiable.
        weighted: () float64, λ · value: what is added to the *mean* cross-entropy of the batch.
        missing: () int64, how many cells had no rows: groups for demographic parity, (label, group) cells otherwise.
    """

    value: Tensor
    weighted: Tensor
    missing: Tensor


class Terms(NamedTuple):
    """A loss before the empty cells are dealt with.

    Attributes:
        value: () float64 with missing cells masked, or as the published code computes it.
        absent: (S,) or (K, S) bool, the cells without rows.
        zeroed: () bool, whether the published code returns 0 for this table.
    """

    value: Tensor
    absent: Tensor
    zeroed: Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class FairLossBase(ABC):
    """What all fairness losses share: ``JointTable -> FairLoss``.

    Attributes:
        lam: λ, 0 or above; the paper searches 0.1 to 1000, against the mean cross-entropy (its eq. 13-14 print a sum).
        empty: for groups or cells without rows, "skip" leaves out their terms and counts them, "zero_batch" makes the
            whole loss 0 where the paper's published code does, "error" refuses.
    """

    lam: float = 1.0
    empty: Empty = "skip"

    def __post_init__(self) -> None:
        if not 0 <= self.lam < math.inf:
            raise ValueError(f"fair.lam must be 0 or above and finite, got {self.lam}")
        if self.empty not in EMPTY:
            raise ValueError(unknown("fair.empty", self.empty, EMPTY))

    def build(self) -> Self:
        """Return itself: nothing has to be loaded."""
        return self

    def __call__(self, table: JointTable) -> FairLoss:
        """Compute the loss of a table; with no rows at all it is 0.

        Raises:
            ValueError: a cell is empty and ``empty`` is "error".
        """
        terms = self._terms(table)
        if self.empty == "error" and bool(terms.absent.any()):
            raise ValueError(
                f"{_name(self)}: no rows for {_listed(terms.absent)}; use larger or stratified batches, or "
                "fair.empty=skip to leave these cells out"
            )
        value = terms.value
        if self.empty == "zero_batch":
            value = torch.where(terms.zeroed, torch.zeros_like(value), value)
        return FairLoss(value, self.lam * value, terms.absent.sum())

    @abstractmethod
    def _terms(self, table: JointTable) -> Terms:
        """Compute the value and say which cells are empty."""


def describe_empty(table: JointTable, classes: Sequence[str], groups: Sequence[str]) -> str:
    """Say which (label, group) cells of a split have no rows, with the counts of their labels and groups.

    Returns "" where every cell has rows. Meant to be read before training.

    Args:
        table: the split's table, or any with its labels and groups.
        classes: names of the K labels.
        groups: names of the S groups.

    Example:
        >>> table = JointTable(torch.zeros(2, 2, 2), torch.tensor([[4.0, 5.0], [3.0, 0.0]]))
        >>> describe_empty(table, ("benign", "malignant"), ("female", "male"))
        '1 of 4 (label, group) cells have no rows: malignant, male (of 3 malignant and 5 male)'
    """
    counts = table.counts
    if counts.shape != (len(classes), len(groups)):
        raise ValueError(f"the table has {tuple(counts.shape)} cells, the names {(len(classes), len(groups))}")
    of_label, of_group = counts.sum(dim=1), counts.sum(dim=0)
    found = [
        f"{classes[b]}, {groups[c]} (of {of_label[b]:.0f} {classes[b]} and {of_group[c]:.0f} {groups[c]})"
        for b, c in torch.nonzero(counts == 0).tolist()
    ]
    if not found:
        return ""
    return f"{len(found)} of {counts.numel()} (label, group) cells have no rows: {'; '.join(found)}"


def _name(loss: FairLossBase) -> str:
    return str(getattr(loss, "kind", type(loss).__name__))


def _listed(absent: Tensor) -> str:
    names = ("group",) if absent.ndim == 1 else ("label", "group")
    cells = [", ".join(f"{n} {i}" for n, i in zip(names, cell, strict=True)) for cell in torch.nonzero(absent).tolist()]
    more = f" and {len(cells) - 5} more" if len(cells) > 5 else ""
    return "; ".join(cells[:5]) + more
