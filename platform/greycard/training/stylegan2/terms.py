"""The terms of StyleGAN2's losses: logistic loss, R1 and path length (Karras et al. 2020, sections 2.4 and 3.2)."""

import math

import torch
from torch import Tensor
from torch.nn.functional import softplus
from torch.optim import Adam

BETAS = (0.0, 0.99)
EPSILON = 1e-8


def discriminator_loss(real: Tensor, generated: Tensor, weights: Tensor | None = None) -> Tensor:
    """Return ``E[softplus(-D(x)) · w(x)] + E[softplus(D(G(z)))]`` of (N,) scores.

    Args:
        real: scores of real images.
        generated: scores of generated images.
        weights: importance of each real image (paper 004, eq. 5), or None.
    """
    on_real = softplus(-real)
    return (on_real if weights is None else on_real * weights.to(on_real.dtype)).mean() + softplus(generated).mean()


def generator_loss(generated: Tensor) -> Tensor:
    """Return ``softplus(-D(G(z)))`` of (N,) scores, one value per image."""
    return softplus(-generated)


def r1_penalty(scores: Tensor, images: Tensor) -> Tensor:
    """Return ``‖∇_x D(x)‖²`` of each image: (N,). ``images`` must have required a gradient before the scores."""
    (slopes,) = torch.autograd.grad(scores.sum(), images, create_graph=True)
    return slopes.square().sum(dim=(1, 2, 3))


def path_lengths(images: Tensor, w: Tensor, noise: Tensor) -> Tensor:
    """Return the lengths ``‖J_w^T y‖`` with y ~ N(0, I) / √(H · W): (N,) (StyleGAN2, eq. 4).

    With a style per layer, the squares are averaged over layers.

    Args:
        images: (N, 3, H, W) made from ``w``.
        w: (N, L, W), which must have required a gradient.
        noise: (N, 3, H, W) from N(0, 1).
    """
    (slopes,) = torch.autograd.grad(
        (images * noise).sum() / math.sqrt(images.shape[2] * images.shape[3]), w, create_graph=True
    )
    return slopes.square().sum(dim=2).mean(dim=1).sqrt()


def lazy_adam(parameters: list[torch.nn.Parameter], learning_rate: float, every: int) -> Adam:
    """Return Adam with rate and betas corrected for a penalty that comes as an extra step after ``every`` steps.

    With r = every, ``rate · r / (r + 1)`` and ``beta^(r / (r + 1))`` (Karras et al. 2020, appendix B). 0: no penalty.
    """
    correction = every / (every + 1) if every else 1.0
    betas = (BETAS[0] ** correction, BETAS[1] ** correction)
    return Adam(parameters, lr=learning_rate * correction, betas=betas, eps=EPSILON)
