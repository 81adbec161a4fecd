"""Distances between two sets of images in a space of features: Fréchet and kernel distance.

Fréchet distance (Heusel et al. 2017; Dowson & Landau 1982) compares Gaussians and is biased upward by few images:
compare sets of one size only. Kernel distance (Bińkowski et al. 2018) is unbiased. Both see how often each class
occurs as well as how images look: against an unbalanced reference a balanced set scores worse
(``greycard.metrics.generation.references``).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from greycard.metrics.generation.states import FeatureMoments, Floats, Gaussian, Vectors

_DEGREE = 3


def frechet(first: Gaussian, second: Gaussian, root: Floats | None = None) -> float:
    """Return ``|m1 - m2|² + tr(C1 + C2 - 2 (C1 C2)^½)``, 0 or above; symmetric.

    The trace of the root comes from eigenvalues of the symmetric ``C1^½ C2 C1^½``, so singular covariances (fewer
    images than features) need no jitter.

    Args:
        first: of one set.
        second: of the other.
        root: ``covariance_root`` of the first, where it is compared with several.

    Raises:
        ValueError: features of different length.

    Example:
        >>> a = Gaussian(np.zeros(1), np.array([[1.0]]), 9)
        >>> frechet(a, Gaussian(np.array([3.0]), np.array([[4.0]]), 9))
        10.0
    """
    if first.mean.shape != second.mean.shape:
        raise ValueError(f"features must be of one length, got {len(first.mean)} and {len(second.mean)}")
    root = covariance_root(first) if root is None else root
    product = root @ second.covariance @ root
    overlap = np.sqrt(np.linalg.eigvalsh((product + product.T) / 2).clip(min=0)).sum()
    shift = first.mean - second.mean
    spread = np.trace(first.covariance) + np.trace(second.covariance) - 2 * overlap
    return max(0.0, float(shift @ shift + spread))


def covariance_root(gaussian: Gaussian) -> Floats:
    """Return the symmetric root (F, F) of a covariance; what is negative by rounding counts as 0."""
    values, vectors = np.linalg.eigh(gaussian.covariance)
    root: Floats = (vectors * np.sqrt(values.clip(min=0))) @ vectors.T
    return root


def mixture(parts: Sequence[FeatureMoments], shares: Sequence[float] | Floats) -> Gaussian:
    """Return the moments of a set that holds classes in given shares, from each class's own moments.

    Args:
        parts: a class each.
        shares: of the classes, 0 or above; classes without a share are left out, the rest is scaled to sum to 1.

    Raises:
        ValueError: a class with a share has fewer than 2 images, or there is none.
    """
    weights = np.asarray(shares, np.float64)
    if len(weights) != len(parts) or (weights < 0).any() or not weights.sum() > 0:
        raise ValueError(f"mixture takes one share of 0 or above for each of {len(parts)} classes, got {weights}")
    weights = weights / weights.sum()
    present = [(weight, part.finish()) for weight, part in zip(weights, parts, strict=True) if weight > 0]
    mean = np.sum([weight * part.mean for weight, part in present], axis=0)
    covariance = np.sum(
        [weight * (part.covariance + np.outer(part.mean - mean, part.mean - mean)) for weight, part in present], axis=0
    )
    return Gaussian(mean, covariance, sum(part.images for _, part in present))


class KernelDistance(NamedTuple):
    """Mean and (population) standard deviation over subsets, the size of a subset, and how many they are."""

    mean: float
    sd: float
    subset: int
    subsets: int


def kernel_distance(
    first: Vectors,
    second: Vectors,
    *,
    subsets: int = 100,
    subset: int = 1000,
    seed: int = 0,
) -> KernelDistance:
    """Return the unbiased squared MMD with the kernel ``(x·y / F + 1)³``, over random subsets.

    Args:
        first: (N, F).
        second: (M, F).
        subsets: how many pairs of subsets are drawn, each without replacement.
        subset: images per subset; at most the smaller set, which is then compared as a whole.
        seed: of the draws.

    Raises:
        ValueError: fewer than 2 images, or features of different length.
    """
    if min(len(first), len(second)) < 2 or first.shape[1:] != second.shape[1:]:
        raise ValueError(f"kernel distance takes (N, F) and (M, F) with N, M >= 2, got {first.shape}, {second.shape}")
    if subsets < 1 or subset < 2:
        raise ValueError(f"kernel distance takes 1 subset of 2 images at least, got {subsets} of {subset}")
    size = min(subset, len(first), len(second))
    rng = np.random.default_rng(seed)
    found = [
        unbiased_mmd(first[rng.choice(len(first), size, replace=False)], second[rng.choice(len(second), size, False)])
        for _ in range(1 if size == len(first) == len(second) else subsets)
    ]
    return KernelDistance(float(np.mean(found)), float(np.std(found)), size, len(found))


def unbiased_mmd(first: Vectors, second: Vectors) -> float:
    """Return the unbiased estimate of the squared MMD; it can be below 0."""
    x, y = first.astype(np.float64), second.astype(np.float64)
    within = [_off_diagonal(_kernel(part, part)) for part in (x, y)]
    return float(within[0] + within[1] - 2 * _kernel(x, y).mean())


def _kernel(x: Floats, y: Floats) -> Floats:
    kernel: Floats = (x @ y.T / x.shape[1] + 1.0) ** _DEGREE
    return kernel


def _off_diagonal(kernel: Floats) -> float:
    count = len(kernel)
    return float((kernel.sum() - np.trace(kernel)) / (count * (count - 1)))
