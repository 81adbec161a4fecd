"""Predicting attributes with a fairness loss: the objective of paper 002, from its baseline (λ = 0) to its fair phase.

``images -> network -> logits of all tasks -> mean cross-entropy + λ · L_fair(J of the batch)``

"Enhancing Fairness of Visual Attribute Predictors" (paper 002), eq. 13-14. Where paper and published code disagree:

=====================  ==============================  =====================================================
what                   here                            printed / published
=====================  ==============================  =====================================================
cross-entropy          mean over rows and tasks        eq. 14 prints a sum; the code takes this mean, and only
                                                       with it do λ of 0.1 to 1000 make sense
one logit z a binary   ``ce_mode="single"``: CE and    the code's CE sees sigmoid(2z), its fairness losses
task                   fairness see sigmoid(z)         sigmoid(z): ``ce_mode="doubled"``
validation values      of the whole split              means over shuffled batches, which are biased
=====================  ==============================  =====================================================
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from math import prod
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from greycard.losses import FairLossConfig
from greycard.losses.joint_table import UNKNOWN, JointTable, class_probabilities
from greycard.schema import unknown
from greycard.training.objectives.contract import Loss
from greycard.training.objectives.cross_entropy import CeMode, two_logits
from greycard.training.objectives.prediction_rows import PredictionRows, Score

CROSS = " x "  # between the names of crossed groups, as ``greycard.metrics.by_group.cross`` joins them


@dataclass(frozen=True, slots=True, kw_only=True)
class FairPrediction:
    """Mean cross-entropy of all tasks plus a fairness loss of one of them.

    Rows whose label is unknown don't count for that task; rows whose target or group is unknown not for the fairness
    loss. The labels of a batch hold the codes of the tasks and of the sensitive attributes.

    Attributes:
        target: the task that is to be predicted fairly.
        sensitive: the attributes whose groups are compared; several are crossed, the first varies slowest.
        groups: the class set of each sensitive attribute.
        classes: the class set of the target.
        fair: the fairness loss with its λ; None is the baseline.
        ce_mode: how the cross-entropy reads a head of one logit z: "single" as sigmoid(z), "doubled" as the published
            code does, sigmoid(2z). Heads of two logits and more are alike in both.
        class_weights: task -> weight of each class, by class index; a task that is not there has equal weights.
    """

    kind: Literal["fair_prediction"] = "fair_prediction"
    target: str
    sensitive: tuple[str, ...]
    groups: tuple[tuple[str, ...], ...]
    classes: tuple[str, ...]
    fair: FairLossConfig | None = None
    ce_mode: CeMode = "single"
    class_weights: dict[str, tuple[float, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.sensitive or len(set(self.sensitive)) < len(self.sensitive):
            raise ValueError(f"objective.sensitive must name each attribute once, at least one, got {self.sensitive}")
        if len(self.groups) != len(self.sensitive):
            raise ValueError(
                f"objective.groups must hold a class set for each of {self.sensitive}, got {len(self.groups)}"
            )
        if len(self.classes) < 2:
            raise ValueError(f"objective.classes must hold at least 2 classes of {self.target}, got {self.classes}")
        if self.ce_mode not in get_args(CeMode):
            raise ValueError(unknown("objective.ce_mode", self.ce_mode, get_args(CeMode)))
        for task, weights in self.class_weights.items():
            if any(weight < 0 for weight in weights) or not any(weights):
                raise ValueError(f"objective.class_weights of {task} must be 0 or above, not all 0, got {weights}")

    @property
    def group_names(self) -> tuple[str, ...]:
        """The names of the crossed groups, in code order."""
        names = self.groups[0]
        for more in self.groups[1:]:
            names = tuple(f"{a}{CROSS}{b}" for a in names for b in more)
        return names

    def group_codes(self, labels: Mapping[str, Tensor]) -> Tensor:
        """Return the (N,) int64 codes of the crossed groups, -1 where one of the attributes is unknown."""
        codes = labels[self.sensitive[0]]
        for name, classes in zip(self.sensitive[1:], self.groups[1:], strict=True):
            known = (codes != UNKNOWN) & (labels[name] != UNKNOWN)
            codes = torch.where(known, codes * len(classes) + labels[name], UNKNOWN)
        return codes

    def zero_table(self, device: torch.device | str | None = None) -> JointTable:
        """Return the joint table of no rows."""
        return JointTable.zero(len(self.classes), prod(len(names) for names in self.groups), device)

    def cells(self, labels: Mapping[str, Tensor]) -> JointTable:
        """Return the table of a split's labels and groups alone, for ``greycard.losses.cells.describe_empty``."""
        codes = labels[self.target]
        return self.zero_table().add(torch.zeros(len(codes), len(self.classes)), codes, self.group_codes(labels))

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that it reads besides those of the network's tasks."""
        return self.sensitive

    def description(self) -> dict[str, Any]:
        """Return what is written of it beside the weights."""
        return {"fair": asdict(self.fair)} if self.fair else {}

    def auxiliary_optimizer(self, network: nn.Module) -> Optimizer | None:
        """Return None: all parameters share one loss."""
        return None

    def __call__(self, network: nn.Module, images: Tensor, labels: Mapping[str, Tensor]) -> Loss:
        """Return the loss of a batch.

        Parts: loss and ce (the batch's, for every row), accuracy/<task>, and with a fairness loss fair (before λ) and
        fair_missing (empty cells of the batch). Outside training the loss also carries its rows, from which the
        measures of the whole split follow (``PredictionRows``).

        Raises:
            ValueError: a label is not in the data, a head has another number of classes, or a cell of the batch is
                empty and ``fair.empty`` is "error".
        """
        logits: dict[str, Tensor] = network(images)
        self._check(logits, labels)
        scores = {task: self._score(task, values, labels[task]) for task, values in logits.items()}
        ce = torch.stack([score.mean() for score in scores.values()]).mean()
        probabilities, groups = class_probabilities(logits[self.target]), self.group_codes(labels)
        parts = {f"accuracy/{task}": score.hits for task, score in scores.items()}
        total = ce
        if self.fair is not None:
            # a cell that a validation batch lacks is no error: only the whole split's value counts there
            fair = self.fair if network.training else replace(self.fair, empty="skip")
            loss = fair(self.zero_table(images.device).add(probabilities, labels[self.target], groups))
            total = ce + loss.weighted
            parts |= {"fair": _each(loss.value, images), "fair_missing": _each(loss.missing, images)}
        parts |= {"loss": _each(total, images), "ce": _each(ce, images)}
        rows = None
        if not network.training:
            rows = PredictionRows.of(
                probabilities, labels[self.target], groups, scores, self.target, self.group_names, self.fair
            )
        return Loss(total=total, auxiliary=None, parts=parts, tally=rows)

    def concerns(self, metrics: Mapping[str, float]) -> list[str]:
        """Warn of a predictor that tells classes apart no better than a constant does: it is fair for nothing."""
        chance = 1 / len(self.classes)
        if metrics.get("balanced_accuracy", 1.0) > chance + 0.02:
            return []
        lam = "" if self.fair is None else f" at λ={self.fair.lam:g}"
        return [
            f"{self.target} is predicted no better than by a constant{lam}: balanced accuracy "
            f"{metrics['balanced_accuracy']:.3f} of {len(self.classes)} classes; groups are alike only because the "
            "images no longer matter. Lower λ, train longer, or weigh the classes"
        ]

    def _check(self, logits: Mapping[str, Tensor], labels: Mapping[str, Tensor]) -> None:
        if self.target not in logits:
            raise ValueError(f"objective.target: {unknown('task', self.target, tuple(logits))}")
        for name in (*logits, *self.sensitive):
            if name not in labels:
                raise ValueError(f"the data have no labels of {name}: {unknown('attribute', name, tuple(labels))}")
        heads = logits[self.target].shape[1]
        if max(heads, 2) != len(self.classes):
            raise ValueError(f"{self.target} has {len(self.classes)} classes, its head {max(heads, 2)}")

    def _score(self, task: str, logits: Tensor, codes: Tensor) -> Score:
        """Return a task's weighted cross-entropies and hits."""
        known = codes != UNKNOWN
        scores = two_logits(logits, self.ce_mode)
        values = nn.functional.cross_entropy(scores, codes, ignore_index=UNKNOWN, reduction="none")
        weights = known.to(values.dtype)
        if task in self.class_weights:
            of_class = torch.tensor(self.class_weights[task], dtype=values.dtype, device=values.device)
            if len(of_class) != scores.shape[1]:
                raise ValueError(
                    f"objective.class_weights of {task} must be {scores.shape[1]} numbers, got {len(of_class)}"
                )
            weights = weights * of_class[codes.clamp(min=0)]
        hits = (scores.detach().argmax(dim=1) == codes)[known].float()
        return Score((values * weights).sum(), weights.sum(), hits)


def _each(value: Tensor, images: Tensor) -> Tensor:
    """Return a batch's value once a row, so that an epoch's mean weighs batches by their rows."""
    return value.detach().to(torch.float64).expand(len(images))
