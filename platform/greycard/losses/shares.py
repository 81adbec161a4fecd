"""Share losses for a generator: every class is to be drawn equally often (paper 004, eq. 6-7 and Algorithm 1).

``images of G -> frozen classifier -> logits -> shares of the classes -> Σ_d λ_d · max(0, 1/|D| - share_d)``

As printed, and in the authors' published code, shares are counts of arg max: a constant with respect to the generator,
so the term has no gradient at all and can only be watched. Four estimators of a share are offered:

====================  =========================  ==================================================================
estimator             value                      gradient
====================  =========================  ==================================================================
``hard``              count of arg max           none: a monitor (the paper's Algorithm 1)
``soft``              mean probability           yes; differs from counts where the classifier is unsure
``straight_through``  count of arg max           that of ``soft``: the printed value with a usable gradient
``gumbel``            count of a sampled class   noisy (Jang et al. 2017, straight through); nothing gained with a
                                                 fixed classifier
====================  =========================  ==================================================================

Even a perfectly even generator has a positive loss in a finite batch (``noise_floor``): about .15 at 64 images of 10
classes. So shares can be averaged over steps (``memory``).
"""

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import gumbel_softmax, one_hot

from greycard.schema import unknown

Estimator = Literal["hard", "soft", "straight_through", "gumbel"]
Weights = Literal["inverse", "complement", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareLossConfig:
    """The share loss.

    Attributes:
        weight: of the term against the generator's own loss; the paper adds it "equally".
        estimator: ``hard``, ``soft``, ``straight_through`` or ``gumbel``.
        temperature: of ``gumbel``.
        memory: decay in [0, 1) of shares averaged over steps; the value is the average's, the gradient the batch's. 0
            takes each batch by itself, as the paper does.
        weights: λ_d from the bias so far: ``inverse`` is (1/K) / share_d (paper and published code), ``complement``
            (1 - share_d) / (K - 1) (an earlier version of that code), ``none`` is 1.
        update: ``fixed`` keeps the weights of the shares given at the beginning, as the published code does although
            the paper says "current bias"; ``ema`` follows the averaged shares, and needs ``memory``.
        clip: largest λ_d; the published ones reach 64.
        normalise: scale the weights to a mean of 1.
    """

    weight: float = 1.0
    estimator: Estimator = "straight_through"
    temperature: float = 1.0
    memory: float = 0.9
    weights: Weights = "inverse"
    update: Literal["fixed", "ema"] = "fixed"
    clip: float = 10.0
    normalise: bool = False

    def __post_init__(self) -> None:
        if self.estimator not in get_args(Estimator):
            raise ValueError(unknown("shares.estimator", self.estimator, get_args(Estimator)))
        if self.weights not in get_args(Weights):
            raise ValueError(unknown("shares.weights", self.weights, get_args(Weights)))
        if not 0 <= self.weight < math.inf:
            raise ValueError(f"shares.weight must be 0 or above and finite, got {self.weight}")
        if not 0 <= self.memory < 1:
            raise ValueError(f"shares.memory must be in [0, 1), got {self.memory}")
        if self.temperature <= 0 or self.clip <= 0:
            raise ValueError(f"shares.temperature and .clip must be above 0, got {self.temperature} and {self.clip}")
        if self.update == "ema" and not self.memory:
            raise ValueError("shares.update=ema needs shares.memory above 0, such as 0.9")

    def build(self, shares: Tensor) -> "ShareLoss":
        """Return the loss, which starts from the shares of a biased model or of its data: (K,), summing to 1."""
        return ShareLoss(self, shares)


class ShareTerm(NamedTuple):
    """A share loss.

    Attributes:
        value: () float64 >= 0, 0 where no class has less than its share.
        weighted: () float64, weight · value: what is added to the generator's loss.
        shares: (K,) float64 of the batch, without gradient.
        averaged: (K,) float64 over steps, without gradient; the batch's where there is no memory.
    """

    value: Tensor
    weighted: Tensor
    shares: Tensor
    averaged: Tensor


class ShareLoss(nn.Module):
    """The hinge on shares, with its memory and its weights (both are in the state dict).

    Attributes:
        averaged: (K,) float64 shares over steps.
        lambdas: (K,) float64 λ_d.
    """

    averaged: Tensor
    lambdas: Tensor

    def __init__(self, config: ShareLossConfig, shares: Tensor) -> None:
        super().__init__()
        if shares.ndim != 1 or len(shares) < 2 or bool((shares < 0).any()) or abs(float(shares.sum()) - 1) > 1e-6:
            raise ValueError(f"shares must be (K,), 0 or above and sum to 1, got {shares.tolist()}")
        self.config = config
        self.register_buffer("averaged", shares.to(torch.float64).clone())
        self.register_buffer("lambdas", share_weights(self.averaged, config))

    def forward(self, logits: Tensor, *, total: Tensor | None = None, count: int | None = None) -> ShareTerm:
        """Compute the loss of a batch and remember its shares.

        Args:
            logits: (N, K) of generated images by a frozen classifier in evaluation mode.
            total: (K,) sums of one-hot classes of the logical batch's other parts, without gradient, where it is spread
                over steps or workers.
            count: images in those parts.
        """
        sums = estimated(logits, self.config).to(torch.float64).sum(dim=0)
        sums, images = (sums, len(logits)) if total is None else (sums + total, len(logits) + (count or 0))
        batch = sums / images
        averaged = batch
        if self.config.memory:
            kept = self.config.memory * self.averaged + (1 - self.config.memory) * batch.detach()
            averaged = kept + (batch - batch.detach())
            if self.training:
                self.averaged.copy_(kept)
                if self.config.update == "ema":
                    self.lambdas.copy_(share_weights(kept, self.config))
        value = hinge(averaged, self.lambdas)
        return ShareTerm(value, self.config.weight * value, batch.detach(), averaged.detach())


def estimated(logits: Tensor, config: ShareLossConfig) -> Tensor:
    """Return (N, K) what each image adds to the shares, by the config's estimator."""
    counts = one_hot(logits.argmax(dim=1), logits.shape[1]).to(logits.dtype)
    if config.estimator == "hard":
        return counts
    if config.estimator == "gumbel":
        return gumbel_softmax(logits, tau=config.temperature, hard=True, dim=1)
    soft = logits.softmax(dim=1)
    return soft if config.estimator == "soft" else counts + (soft - soft.detach())


def hinge(shares: Tensor, weights: Tensor) -> Tensor:
    """Return ``Σ_d λ_d · max(0, 1/K - share_d)`` (paper 004, eq. 6).

    Args:
        shares: (..., K), summing to 1.
        weights: (K,) λ_d.

    Example:
        >>> hinge(torch.tensor([0.75, 0.25, 0.0, 0.0]), torch.ones(4)).item()
        0.5
    """
    return (weights * (1.0 / shares.shape[-1] - shares).clamp_min(0.0)).sum(dim=-1)


def share_weights(shares: Tensor, config: ShareLossConfig) -> Tensor:
    """Return λ_d (K,) float64 of the shares; an absent class gets the largest weight, ``clip``.

    Example:
        >>> share_weights(torch.tensor([0.75, 0.25]), ShareLossConfig()).tolist()
        [0.6666666666666666, 2.0]
    """
    shares, classes = shares.to(torch.float64), len(shares)
    if config.weights == "inverse":
        weights = torch.where(shares > 0, 1.0 / (classes * shares.clamp_min(1e-12)), torch.inf)
    elif config.weights == "complement":
        weights = (1.0 - shares) / (classes - 1)
    else:
        weights = torch.ones_like(shares)
    weights = weights.clamp_max(config.clip)
    return weights / weights.mean() if config.normalise else weights


def noise_floor(classes: int, images: int, *, draws: int = 20_000, seed: int = 0) -> float:
    """Return the expected unweighted hinge of a perfectly even generator in a batch of so many images.

    It is exact but for the sampling of ``draws`` batches: 10 classes have .657 at 4 images, .151 at 64, .075 at 256.
    """
    if classes < 2 or images < 1 or draws < 1:
        raise ValueError(f"noise_floor takes 2 classes, 1 image and 1 draw at least, got {classes}, {images}, {draws}")
    counts = np.random.default_rng(seed).multinomial(images, np.full(classes, 1 / classes), size=draws)
    return float(np.clip(1 / classes - counts / images, 0, None).sum(axis=1).mean())


def importance_weights(codes: Tensor, shares: Tensor, *, clip: float = math.inf) -> Tensor:
    """Return the weights of paper 004's reweighting baseline, eq. 5: ``(1/K) / p_bias(class of x)``.

    Over data that have these shares their mean is 1, so they leave the scale of a mean loss as it is. The published
    code weights *generated* images by their class instead, and only in the generator's loss, summed over the batch:
    that is ``reweighting="generated"`` of ``greycard.training.stylegan2.loop``.

    Args:
        codes: (N,) class of each image; -1, not known, weighs 1.
        shares: (K,) of the biased data.
        clip: largest weight.

    Returns:
        (N,) float64.

    Raises:
        ValueError: an image is of a class whose share is 0.
    """
    known = codes >= 0
    present = shares[codes.clamp_min(0)].to(torch.float64)
    if bool((known & (present <= 0)).any()):
        wrong = sorted(set(codes[known & (present <= 0)].tolist()))
        raise ValueError(f"importance_weights: images of classes {wrong}, whose share is 0 in {shares.tolist()}")
    weights = 1.0 / (len(shares) * present.clamp_min(1e-300))
    return torch.where(known, weights.clamp_max(clip), 1.0)
