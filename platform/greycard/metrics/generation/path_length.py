"""Perceptual path length: how much an image changes for a small step in the latent space (Karras et al. 2019, 2020).

``w0, w1 -> images at t and t + ε on the line between them -> perceptual distance / ε²``

StyleGAN2's choice: space W, t = 0 ("end"), ε = 1e-4, no crop, the upper and lower 1 % of the distances dropped. Images
must not be rounded to 8 bit in between: a step of ε would vanish. With LPIPS of VGG16 as the distance it is the
published measure; with any other the name says which (``path_length[aux]``).
"""

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
import torch
from torch import Tensor

from greycard.metrics.generation.states import Floats

STEP: Final = 1e-4
DROPPED: Final = 0.01
Render = Callable[[Tensor], Tensor]
"""(N, *W) latents -> (N, 3, H, W) float images 0..255, not rounded."""
Distance = Callable[[Tensor, Tensor], Tensor]
"""Two batches of such images -> (N,) perceptual distances, quadratic for small differences."""


class PathLength(NamedTuple):
    """Mean and standard deviation over the steps that were kept, and how many they are; lower is smoother."""

    mean: float
    sd: float
    kept: int


def path_steps(
    render: Render, distance: Distance, start: Tensor, end: Tensor, *, position: float = 0.0, step: float = STEP
) -> Tensor:
    """Return (N,) float64: the distance of each pair's images at ``position`` and ``position + step``, over step².

    Args:
        render: makes images of latents.
        distance: of pairs of images.
        start: (N, *W) latents at 0.
        end: (N, *W) latents at 1.
        position: t in [0, 1).
        step: ε.
    """
    if start.shape != end.shape or not step > 0:
        raise ValueError(f"path steps take latents of one shape and step > 0, got {start.shape}, {end.shape}, {step}")
    near, far = (torch.lerp(start, end, t) for t in (position, position + step))
    return distance(render(near), render(far)).to("cpu", torch.float64) / step**2


def path_length(steps: Floats, dropped: float = DROPPED) -> PathLength:
    """Return the mean of (N,) path steps without the smallest and largest ``dropped`` of them; NaN without any.

    Example:
        >>> found = path_length(np.array([0.0, 1.0, 3.0, 5.0, 100.0]), dropped=0.25)
        >>> found.mean, found.kept
        (3.0, 3)
    """
    if not len(steps):
        return PathLength(np.nan, np.nan, 0)
    low = np.quantile(steps, dropped, method="lower")
    high = np.quantile(steps, 1 - dropped, method="higher")
    kept = steps[(steps >= low) & (steps <= high)]
    return PathLength(float(kept.mean()), float(kept.std()), len(kept))
