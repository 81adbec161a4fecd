"""Weights of classes in the cross-entropy, from their counts in the training split.

"effective" is Cui et al. 2019, "Class-balanced loss based on effective number of samples", eq. 4, which paper 002 uses
on SIIM-ISIC with beta 0.9998. Counts come by class code: the published code of paper 002 takes them in the order of
their frequency, which gives two classes each other's weight wherever codes are not ordered so.
"""

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor

from greycard.schema import unknown

Scheme = Literal["none", "balanced", "inverse", "inverse_sqrt", "effective"]


def class_weights(counts: Sequence[int], scheme: Scheme, beta: float = 0.9998) -> Tensor:
    """Return the weight of each class; the weights sum to the number of classes K.

    ``none``: 1. ``inverse``: 1 / n, and ``balanced`` (scikit-learn's n / (K n_i)), which is the same once the weights
    sum to K. ``inverse_sqrt``: 1 / sqrt(n). ``effective``: (1 - beta) / (1 - beta^n): 1 for everyone at beta 0, and
    towards 1 / n as beta goes to 1.

    Args:
        counts: images of each class in the training split, by class code.
        scheme: how weights follow from counts.
        beta: of ``effective``, in [0, 1).

    Returns:
        (K,) float32.

    Raises:
        ValueError: the scheme is unknown, beta is out of range, a count is negative, or a class has no image.

    Example:
        >>> [round(weight, 3) for weight in class_weights([22790, 409], "effective").tolist()]
        [0.147, 1.853]
    """
    if scheme not in get_args(Scheme):
        raise ValueError(unknown("class weighting", scheme, get_args(Scheme)))
    if not 0 <= beta < 1:
        raise ValueError(f"beta must be in [0, 1), got {beta}")
    if not counts or min(counts) < 0:
        raise ValueError(f"counts must be one number of images, at least 0, for each class, got {list(counts)}")
    if scheme == "none":
        return torch.ones(len(counts))
    if min(counts) == 0:
        absent = [code for code, count in enumerate(counts) if count == 0]
        raise ValueError(
            f"class weighting {scheme} needs an image of every class, but classes {absent} of counts {list(counts)} "
            "have none: take scheme none, or a class set without them"
        )
    weights = _raw(torch.tensor(counts, dtype=torch.float64), scheme, beta)
    return (weights * len(counts) / weights.sum()).float()


def _raw(counts: Tensor, scheme: Scheme, beta: float) -> Tensor:
    if scheme == "effective":
        log_beta = torch.tensor(beta, dtype=torch.float64).log()
        return (1 - beta) / -torch.expm1(counts * log_beta)
    return counts.rsqrt() if scheme == "inverse_sqrt" else 1 / counts
