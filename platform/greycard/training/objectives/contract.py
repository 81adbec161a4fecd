"""What each family of models minimises.

An objective takes a network and a batch and returns the loss with its parts, one value per image, so that means over an
epoch do not depend on how it was cut into batches.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from torch import Tensor, nn
from torch.optim import Optimizer

UNKNOWN = -1  # the code of an unknown label


class Loss(NamedTuple):
    """The loss of a batch.

    Attributes:
        total: () what the main optimiser minimises.
        auxiliary: () what the auxiliary optimiser minimises, or None.
        parts: name -> (K,) detached values, one for each of the K images that count; ``loss`` is always there.
        tally: what measures of a whole split follow from, where there are any; None in training.
    """

    total: Tensor
    auxiliary: Tensor | None
    parts: dict[str, Tensor]
    tally: "Tally | None" = None


class Tally(Protocol):
    """A batch's contribution to measures that are not means over rows; batches merge to the whole split's."""

    def merge(self, other: Any) -> "Tally":
        """Add the next batch."""
        ...

    def finish(self) -> dict[str, float]:
        """Return the measures; they replace the means of parts of the same name."""
        ...


class Objective(Protocol):
    """The contract of objectives."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that it reads besides those of the network's tasks."""
        ...

    def description(self) -> dict[str, Any]:
        """Return what is written of it beside the weights, as plain values."""
        ...

    def auxiliary_optimizer(self, network: nn.Module) -> Optimizer | None:
        """Return an optimiser for the parameters that have a loss of their own, or None."""
        ...

    def __call__(self, network: nn.Module, images: Tensor, labels: Mapping[str, Tensor]) -> Loss:
        """Return the loss of a batch: (N, 3, H, W) uint8 images and task -> (N,) int64 codes."""
        ...

    def concerns(self, metrics: Mapping[str, float]) -> list[str]:
        """Return warnings about an epoch's validation means."""
        ...
