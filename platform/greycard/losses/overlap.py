"""Intersection over union as a loss: groups are to be served equally well (paper 002, eq. 8-12).

Soft IoU of class a in group c: ``J[a, a, c] / (q mass of a + label mass of a - J[a, a, c])`` within c. A perfect
classifier has 1 everywhere and loss 0; but so nearly has any classifier whose probabilities are pulled towards uniform
(eq. 17-19), without a changed decision: see ``greycard.metrics.prediction.squeezing``.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor

from greycard.losses.cells import FairLossBase, Terms
from greycard.losses.joint_table import JointTable, positive
from greycard.schema import unknown

Reduction = Literal["sum", "mean"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Iou(FairLossBase):
    """Eq. 12: ``sum over c of (IOU_c - IOU)²``, IOUs averaged over classes; gradients flow through both.

    A class without labelled rows in a group has no IoU to speak of there. "skip" compares such a group with everyone
    over the classes it has; "zero_batch" counts that IoU as 0, as the published code does (a group without a class
    then looks maximally unfair), and is 0 if a whole group is absent. Where the published code gives 0/0 (an absent
    class with no probability on it) "zero_batch" has 0.

    Attributes:
        reduction: "sum" over groups is eq. 12; "mean" is the published code and what the paper's Tables 1-3 hold
            (smaller by the number of groups, so λ means something else).
    """

    kind: Literal["iou"] = "iou"
    reduction: Reduction = "sum"

    def __post_init__(self) -> None:
        FairLossBase.__post_init__(self)
        if self.reduction not in get_args(Reduction):
            raise ValueError(unknown("fair.reduction", self.reduction, get_args(Reduction)))

    def _terms(self, table: JointTable) -> Terms:
        overlap = _overlap(table)
        counted = _counted(table, self.empty == "zero_batch")
        classes = counted.sum(dim=0)
        gaps = torch.where(counted, overlap.by_group - overlap.overall[:, None], 0.0).sum(dim=0) / positive(classes)
        value = gaps.square().sum()
        if self.reduction == "mean":
            value = value / positive((classes > 0).sum())
        return Terms(value, table.counts == 0, (table.counts.sum(dim=0) == 0).any())


@dataclass(frozen=True, slots=True, kw_only=True)
class IouPaired(FairLossBase):
    """``mean over pairs c < c' of (IOU_c - IOU_c')²``: an option of the published code, not in the paper.

    Empty cells as in ``Iou``; "skip" compares two groups over the classes that both have, and leaves out pairs that
    share none.
    """

    kind: Literal["iou_paired"] = "iou_paired"

    def _terms(self, table: JointTable) -> Terms:
        overlap = _overlap(table).by_group
        counted = _counted(table, self.empty == "zero_batch")
        first, second = torch.triu_indices(table.groups, table.groups, offset=1, device=overlap.device)
        both = counted[:, first] & counted[:, second]
        classes = both.sum(dim=0)
        gaps = torch.where(both, overlap[:, first] - overlap[:, second], 0.0).sum(dim=0) / positive(classes)
        value = gaps.square().sum() / positive((classes > 0).sum())
        return Terms(value, table.counts == 0, (table.counts.sum(dim=0) == 0).any())


class _Overlap(NamedTuple):
    """Soft IoU: by_group (K, S), overall (K,); 0 where a class has neither label nor probability."""

    by_group: Tensor
    overall: Tensor


def _overlap(table: JointTable) -> _Overlap:
    both = torch.diagonal(table.sums, dim1=0, dim2=1).T
    either = table.sums.sum(dim=1) + table.counts - both
    return _Overlap(both / positive(either), both.sum(dim=1) / positive(either.sum(dim=1)))


def _counted(table: JointTable, published: bool) -> Tensor:
    """Return the (K, S) cells that take part: those with rows, or all classes of a group with rows."""
    present = table.counts > 0
    return present.any(dim=0).expand_as(present) if published else present
