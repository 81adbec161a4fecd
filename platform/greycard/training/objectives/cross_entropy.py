"""Cross-entropy over the tasks of a classifier."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from greycard.training.objectives.contract import UNKNOWN, Loss

CeMode = Literal["single", "doubled"]
_TINY = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class CrossEntropy:
    """Cross-entropy of one or several tasks, added up; a label of -1 is unknown and does not count.

    Attributes:
        label_smoothing: share of a label's probability spread over all classes, in [0, 1).
        class_weights: task -> the weight of each class; the mean is then a weighted one. Tasks that are not named weigh
            all classes alike.
    """

    label_smoothing: float = 0.0
    class_weights: dict[str, tuple[float, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 0 <= self.label_smoothing < 1:
            raise ValueError(f"objective.label_smoothing must be in [0, 1), got {self.label_smoothing}")

    def __repr__(self) -> str:
        """Name the objective as before there were weights where there are none, as finished models know it."""
        weights = f", class_weights={self.class_weights!r}" if self.class_weights else ""
        return f"{type(self).__name__}(label_smoothing={self.label_smoothing!r}{weights})"

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that it reads besides those of the network's tasks."""
        return ()

    def description(self) -> dict[str, Any]:
        """Return what is written of it beside the weights."""
        return {}

    def auxiliary_optimizer(self, network: nn.Module) -> Optimizer | None:
        """Return None: all parameters share one loss."""
        return None

    def __call__(self, network: nn.Module, images: Tensor, labels: Mapping[str, Tensor]) -> Loss:
        """Return the loss; parts: loss, and accuracy/<task> of the images whose label is known.

        Raises:
            ValueError: the data have no labels of a task.
        """
        logits: dict[str, Tensor] = network(images)
        missing = sorted(set(logits) - set(labels))
        if missing:
            raise ValueError(
                f"the data have no labels of {', '.join(missing)}; they have {', '.join(labels) or 'none'}"
            )
        total = torch.zeros((), device=images.device)
        each = torch.zeros(len(images), device=images.device)
        parts: dict[str, Tensor] = {}
        for task, scores in logits.items():
            codes = labels[task]
            known = codes != UNKNOWN
            scores = two_logits(scores)
            values = nn.functional.cross_entropy(
                scores, codes, ignore_index=UNKNOWN, label_smoothing=self.label_smoothing, reduction="none"
            )
            if task in self.class_weights:
                weights = torch.tensor(self.class_weights[task], device=images.device)[codes.clamp(min=0)] * known
                total = total + (weights * values).sum() / weights.sum().clamp(min=_TINY)
            else:
                total = total + values.sum() / known.sum().clamp(min=1)
            each = each + values.detach()
            parts[f"accuracy/{task}"] = (scores.detach().argmax(dim=1) == codes)[known].float()
        return Loss(total=total, auxiliary=None, parts={"loss": each} | parts)

    def concerns(self, metrics: Mapping[str, float]) -> list[str]:
        """Return no warnings."""
        return []


def two_logits(logits: Tensor, ce_mode: CeMode = "single") -> Tensor:
    """Return (N, K) float logits with K >= 2: one logit z becomes (0, z), or (-z, z) where it is "doubled".

    Example:
        >>> two_logits(torch.tensor([[1.0]]), "single").softmax(dim=1)[0, 1].item() == torch.sigmoid(torch.tensor(1.0))
        tensor(True)
        >>> round(two_logits(torch.tensor([[1.0]]), "doubled").softmax(dim=1)[0, 1].item(), 3)  # sigmoid(2)
        0.881
    """
    z = logits.float()
    if z.shape[1] > 1:
        return z
    return torch.cat([torch.zeros_like(z) if ce_mode == "single" else -z, z], dim=1)
