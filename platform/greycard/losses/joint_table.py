"""The joint table J[prediction, label, group], from which every fairness loss follows.

"Enhancing Fairness of Visual Attribute Predictors" (paper 002), section 3: all losses need only p(y_t, y_t*, y_s*). The
table keeps sums, not means, so tables of batches or of workers add up and give the value of the whole split::

    logits -> probabilities q -> J[a, b, c] = 1/N · sum_n q_n(a) · 1[label_n = b] · 1[group_n = c] -> loss

A sensitive attribute that is several attributes crossed arrives as one code per row, in the order of
``greycard.metrics.by_group.cross`` (the first attribute varies slowest).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

UNKNOWN = -1  # the code of an unknown label or group


def class_probabilities(logits: Tensor) -> Tensor:
    """Return the (N, K) probabilities of a head: softmax of (N, K) logits, or sigmoid of one logit per row.

    One logit z means p(class 1) = sigmoid(z). The paper's published code gives the cross-entropy of such a head
    sigmoid(2z) and the fairness losses sigmoid(z); here it is always sigmoid(z), computed as the softmax of (0, z):
    PyTorch's sigmoid takes other code for the last rows of a batch, so that a row's last bit depends on its place.

    Args:
        logits: (N, K) with K >= 2, or (N, 1), or (N,); half precision is computed in float32.

    Example:
        >>> class_probabilities(torch.tensor([0.0])).tolist()
        [[0.5, 0.5]]
    """
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    if logits.ndim == 1 or (logits.ndim == 2 and logits.shape[1] == 1):
        z = logits.reshape(-1)
        logits = torch.stack([torch.zeros_like(z), z], dim=1)
    if logits.ndim != 2:
        raise ValueError(f"logits must be (N, K) or (N,), got shape {tuple(logits.shape)}")
    return logits.softmax(dim=1)


@dataclass(frozen=True, slots=True, eq=False)
class JointTable:
    """Sums of probabilities by label and group; ``zero -> add, merge ... -> finish``, each returning a new table.

    Gradients flow through ``sums`` to the probabilities. On several workers every worker merges its own table with
    the others' detached ones: the loss is that of all rows, and the workers' gradients *add up* to its gradient (so
    where gradients are averaged over workers, as in DDP, the fair term is multiplied by their number).

    Attributes:
        sums: (K, K, S) float64 [prediction, label, group], sums of q; differentiable.
        counts: (K, S) float64 [label, group], rows in each cell; no gradient.
    """

    sums: Tensor
    counts: Tensor

    @classmethod
    def zero(cls, classes: int, groups: int, device: torch.device | str | None = None) -> "JointTable":
        """Return the table of no rows."""
        if classes < 2 or groups < 1:
            raise ValueError(f"a joint table needs 2 classes and 1 group at least, got {classes} and {groups}")
        sums = torch.zeros(classes, classes, groups, dtype=torch.float64, device=device)
        return cls(sums, torch.zeros(classes, groups, dtype=torch.float64, device=device))

    @classmethod
    def of(cls, table: Tensor) -> "JointTable":
        """Take a (K, K, S) table of probabilities or sums as it stands; cells sum to the (label, group) masses."""
        if table.ndim != 3 or table.shape[0] != table.shape[1]:
            raise ValueError(f"a joint table is (K, K, S) [prediction, label, group], got {tuple(table.shape)}")
        sums = table.to(torch.float64)
        return cls(sums, sums.detach().sum(dim=0))

    @property
    def classes(self) -> int:
        """How many classes there are."""
        return self.counts.shape[0]

    @property
    def groups(self) -> int:
        """S, the number of groups."""
        return self.counts.shape[1]

    def add(self, probabilities: Tensor, labels: Tensor, groups: Tensor) -> "JointTable":
        """Add rows; a row with an unknown label or group (-1) does not count.

        Args:
            probabilities: (N, K) in [0, 1], rows sum to 1.
            labels: (N,) integer codes in [-1, K).
            groups: (N,) integer codes in [-1, S).

        Raises:
            ValueError: shapes differ or a code is out of range.
        """
        if probabilities.ndim != 2 or probabilities.shape[1] != self.classes:
            raise ValueError(f"probabilities must be (N, {self.classes}), got {tuple(probabilities.shape)}")
        _check_codes("labels", labels, len(probabilities), self.classes)
        _check_codes("groups", groups, len(probabilities), self.groups)
        cells = self.counts.numel()
        known = (labels != UNKNOWN) & (groups != UNKNOWN)
        cell = torch.where(known, labels.long() * self.groups + groups.long(), cells)  # the last one is dropped
        empty = torch.zeros(cells + 1, self.classes, dtype=torch.float64, device=probabilities.device)
        sums = empty.index_add(0, cell, probabilities.to(torch.float64))[:-1]
        counts = torch.bincount(cell, minlength=cells + 1)[:-1].view(self.classes, self.groups)
        return JointTable(
            self.sums + sums.view(self.classes, self.groups, self.classes).permute(2, 0, 1),
            self.counts + counts.to(torch.float64),
        )

    def add_logits(self, logits: Tensor, labels: Tensor, groups: Tensor) -> "JointTable":
        """Add rows given as logits (``class_probabilities``)."""
        return self.add(class_probabilities(logits), labels, groups)

    def merge(self, other: "JointTable") -> "JointTable":
        """Add another table: of the next batch, or of another worker."""
        if self.counts.shape != other.counts.shape:
            raise ValueError(
                f"tables of {self.classes} classes x {self.groups} groups and "
                f"{other.classes} x {other.groups} do not merge"
            )
        return JointTable(self.sums + other.sums, self.counts + other.counts)

    def detach(self) -> "JointTable":
        """Return the table without its gradient, as it travels between workers."""
        return JointTable(self.sums.detach(), self.counts)

    def finish(self) -> Tensor:
        """Return J: (K, K, S) float64 that sums to 1; all zero where no row counted.

        Example:
            >>> rows = torch.tensor([[0.75, 0.25], [0.5, 0.5]])
            >>> table = JointTable.zero(2, 1).add(rows, torch.tensor([0, 1]), torch.tensor([0, 0]))
            >>> table.finish()[..., 0].tolist()
            [[0.375, 0.25], [0.125, 0.25]]
        """
        return self.sums / positive(self.counts.sum())


def positive(denominator: Tensor) -> Tensor:
    """Return the denominator, 1 where it is 0: what stands above it is 0 there, and so is the gradient."""
    return torch.where(denominator > 0, denominator, 1.0)


def _check_codes(name: str, codes: Tensor, rows: int, size: int) -> None:
    if codes.shape != (rows,) or codes.is_floating_point():
        raise ValueError(f"{name} must be ({rows},) integer codes, got {codes.dtype} {tuple(codes.shape)}")
    if rows and not bool(((codes >= UNKNOWN) & (codes < size)).all()):
        raise ValueError(f"{name} must be codes -1..{size - 1}, got {int(codes.min())}..{int(codes.max())}")
