"""Demographic parity and equalized odds as losses: squared differences and mutual information (paper 002, eq. 3-7).

With q(a | ...) the mean probability of class a over the rows named, labels b and groups c. Lower is fairer and 0 is
fair; squared differences are at most 1 a term. Paper and published code agree on all four but for what empty cells do
(``greycard.losses.cells``).
"""

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from greycard.losses.cells import FairLossBase, Terms
from greycard.losses.joint_table import JointTable, positive
from greycard.schema import unknown

Weighting = Literal["uniform", "prevalence"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DpL2(FairLossBase):
    """Eq. 3: ``sum over a, c of (q(a | c) - q(a))²``.

    "zero_batch" is 0 if a group is absent.

    Example:
        >>> J = torch.tensor([[[0.5, 0.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.5]]])
        >>> DpL2()(JointTable.of(J)).value.item()  # two groups, each with a class of its own
        1.0
    """

    kind: Literal["dp_l2"] = "dp_l2"

    def _terms(self, table: JointTable) -> Terms:
        rows = table.counts.sum(dim=0)
        overall = table.sums.sum(dim=(1, 2)) / positive(rows.sum())
        in_group = table.sums.sum(dim=1) / positive(rows)
        present = rows > 0
        squares = torch.where(present, (in_group - overall[:, None]).square(), 0.0)
        return Terms(squares.sum(), ~present, (~present).any())


@dataclass(frozen=True, slots=True, kw_only=True)
class DpMi(FairLossBase):
    """Eq. 4: ``H(y) + H(s) - H(y, s)`` in nats, the mutual information of prediction and group.

    An absent group has no mass and changes nothing, here and in the published code: "zero_batch" is never 0 for it.

    Example:
        >>> J = torch.tensor([[[0.5, 0.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.5]]])
        >>> round(DpMi()(JointTable.of(J)).value.item(), 4)  # log 2: the group tells the prediction
        0.6931
    """

    kind: Literal["dp_mi"] = "dp_mi"

    def _terms(self, table: JointTable) -> Terms:
        rows = table.counts.sum(dim=0)
        p = table.sums.sum(dim=1) / positive(rows.sum())
        p_group = rows / positive(rows.sum())
        value = _entropy(p.sum(dim=1), 0) + _entropy(p_group, 0) - _entropy(p, (0, 1))
        return Terms(value, rows == 0, torch.zeros((), dtype=torch.bool, device=rows.device))


@dataclass(frozen=True, slots=True, kw_only=True)
class EoL2(FairLossBase):
    """Eq. 6: ``sum over a, b, c of (q(a | b, c) - q(a | b))²``; 0 for a perfect classifier.

    "zero_batch" is 0 if any (label, group) cell is absent.
    """

    kind: Literal["eo_l2"] = "eo_l2"

    def _terms(self, table: JointTable) -> Terms:
        given_label = table.sums.sum(dim=2) / positive(table.counts.sum(dim=1))
        given_both = table.sums / positive(table.counts)
        absent = table.counts == 0
        squares = torch.where(absent, 0.0, (given_both - given_label[..., None]).square())
        return Terms(squares.sum(), absent, absent.any())


@dataclass(frozen=True, slots=True, kw_only=True)
class EoMi(FairLossBase):
    """Eq. 7: ``sum over b of H(y | b) + H(s | b) - H(y, s | b)`` in nats; 0 for a perfect classifier.

    "zero_batch" is 0 if a label is absent; absent (label, group) cells have no mass and change nothing.

    Attributes:
        weighting: "uniform" is eq. 7 and the published code: every label counts the same, so a rare label is not
            forgotten, but the sum is not the textbook's conditional mutual information. "prevalence" weights by p(b)
            and is I(y; s | label).
    """

    kind: Literal["eo_mi"] = "eo_mi"
    weighting: Weighting = "uniform"

    def __post_init__(self) -> None:
        FairLossBase.__post_init__(self)
        if self.weighting not in get_args(Weighting):
            raise ValueError(unknown("fair.weighting", self.weighting, get_args(Weighting)))

    def _terms(self, table: JointTable) -> Terms:
        rows = table.counts.sum(dim=1)
        p = table.sums / positive(rows)[:, None]
        p_group = table.counts / positive(rows)[:, None]
        each = _entropy(p.sum(dim=2), 0) + _entropy(p_group, 1) - _entropy(p, (0, 2))
        if self.weighting == "prevalence":
            each = each * rows / positive(rows.sum())
        return Terms(each.sum(), table.counts == 0, (rows == 0).any())


def _entropy(p: Tensor, dim: int | tuple[int, ...]) -> Tensor:
    """Return -sum p log p with 0 log 0 = 0, whose gradient at p = 0 is 0 (as if the entry were not there)."""
    safe = torch.where(p > 0, p, 1.0)
    return -(safe * safe.log()).sum(dim=dim)
