"""Rate, distortion and disparity together: what a codec minimises that is to restore every group about equally well.

``RateDistortion`` gives each image the same weight, so a group that is rare, or harder to code, is left behind. The
parity term adds what the groups' distortions differ by, as the fairness losses of paper 002 do for predictions.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from greycard.training.objectives.contract import UNKNOWN, Loss
from greycard.training.objectives.rate_distortion import PEAK, RateDistortion, coded

GAP = "psnr_gap_db"


@dataclass(frozen=True, slots=True, kw_only=True)
class ParityRateDistortion:
    """``R + λ D + μ Σ_c (D_c / D - 1)²``: rate, distortion, and how far groups' distortions are from everyone's.

    R is bits per pixel, D = 255² MSE the mean over the batch and D_c the mean over its images of group c. The gap is
    relative by default, so that a μ means the same at every rate; ``absolute`` is ``μ Σ_c (D_c - D)²``. The term sees
    distortions alone: equal damage is not equal benefit, and a relative gap can also be closed by restoring the better
    group worse. So rate, distortion and disparity are searched together, and reported together.

    A group without images in a batch has no term there; an image of unknown group counts in R and D only.

    Attributes:
        lam: λ, above 0.
        mu: μ, 0 or above; 0 is ``RateDistortion``.
        sensitive: the attribute whose classes are the groups.
        groups: its classes, in the order of the labels' codes.
        gap: ``relative`` to D, or ``absolute``, in squared units of 255² MSE.
        auxiliary_learning_rate: the rate of the quantiles' Adam.
    """

    kind: Literal["parity_rate_distortion"] = "parity_rate_distortion"
    lam: float
    mu: float = 0.0
    sensitive: str
    groups: tuple[str, ...]
    gap: Literal["relative", "absolute"] = "relative"
    auxiliary_learning_rate: float = 1e-3

    def __post_init__(self) -> None:
        if not self.lam > 0:
            raise ValueError(f"objective.lam must be above 0, got {self.lam}")
        if not self.mu >= 0:
            raise ValueError(f"objective.mu must be 0 or above, got {self.mu}")
        if len(self.groups) < 2:
            raise ValueError(f"objective.groups must be at least 2 classes of {self.sensitive!r}, got {self.groups}")

    @property
    def _plain(self) -> RateDistortion:
        """The objective without the parity term."""
        return RateDistortion(lam=self.lam, auxiliary_learning_rate=self.auxiliary_learning_rate)

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that it reads besides those of the network's tasks."""
        return (self.sensitive,)

    def description(self) -> dict[str, Any]:
        """Return what is written of it beside the weights."""
        return {"lambda": self.lam}

    def auxiliary_optimizer(self, network: nn.Module) -> Optimizer | None:
        """Return Adam on the quantiles."""
        return self._plain.auxiliary_optimizer(network)

    def __call__(self, network: nn.Module, images: Tensor, labels: Mapping[str, Tensor]) -> Loss:
        """Return the loss; parts: those of ``RateDistortion``, parity (one value per batch), psnr_db/<group>.

        ``loss`` is R + λ D without the parity term, whose value depends on how the epoch is cut into batches.

        Raises:
            ValueError: the data have no labels of the sensitive attribute.
        """
        if self.sensitive not in labels:
            raise ValueError(f"the data have no labels of {self.sensitive}; they have {', '.join(labels) or 'none'}")
        seen = coded(network, images)
        codes = labels[self.sensitive]
        distortion = PEAK**2 * seen.mse
        plain = self.lam * distortion + seen.bpp
        parity = parity_gap(distortion, codes, len(self.groups), self.gap)
        of_groups = {f"psnr_db/{name}": seen.psnr_db[codes == code] for code, name in enumerate(self.groups)}
        parts = {"loss": plain, "psnr_db": seen.psnr_db, "bpp": seen.bpp, "parity": parity.expand(1)}
        return Loss(
            total=plain.mean() + self.mu * parity,
            auxiliary=seen.auxiliary,
            parts={name: values.detach() for name, values in (parts | seen.rates | of_groups).items()},
        )

    def concerns(self, metrics: Mapping[str, float]) -> list[str]:
        """Warn of a collapse: nearly no bits, so the same image for everyone."""
        return self._plain.concerns(metrics)


def parity_gap(distortion: Tensor, codes: Tensor, groups: int, gap: Literal["relative", "absolute"]) -> Tensor:
    """Return ``Σ_c (D_c / D - 1)²`` or ``Σ_c (D_c - D)²`` over the groups that have images: () float, >= 0, 0 = equal.

    Args:
        distortion: (N,) one per image, >= 0; images of unknown group (code -1) count in D only.
        codes: (N,) int64 in [-1, groups).
        groups: number of groups.
        gap: relative to D, or absolute.

    Example:
        >>> distortion, codes = torch.tensor([1.0, 1.0, 4.0]), torch.tensor([0, 0, 1])
        >>> parity_gap(distortion, codes, 2, "relative").item()  # D = 2: (1/2 - 1)² + (4/2 - 1)²
        1.25
        >>> parity_gap(distortion, codes, 2, "absolute").item()
        5.0
    """
    everyone = distortion.mean()
    known = codes != UNKNOWN
    member = nn.functional.one_hot(codes.clamp(min=0), groups).to(distortion.dtype) * known[:, None]
    counts = member.sum(dim=0)
    by_group = (distortion @ member) / counts.clamp(min=1)
    differences = by_group - everyone
    if gap == "relative":
        differences = differences / everyone.clamp(min=torch.finfo(distortion.dtype).tiny)
    return torch.where(counts > 0, differences, 0.0).square().sum()


def with_gap(metrics: Mapping[str, float]) -> dict[str, float]:
    """Add ``psnr_gap_db``, the largest less the least of the groups' mean PSNR (dB, >= 0), to a split's means.

    Example:
        >>> with_gap({"psnr_db/a": 30.0, "psnr_db/b": 28.5})["psnr_gap_db"]
        1.5
    """
    of_groups = [value for name, value in metrics.items() if name.startswith("psnr_db/")]
    gap = max(of_groups) - min(of_groups) if of_groups else float("nan")
    return {**metrics, GAP: gap}
