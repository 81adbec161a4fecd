"""A trained support vector regression as libsvm writes it, evaluated with numpy: ``Σ a_i exp(-γ |x - x_i|²) - ρ``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from greycard.metrics.no_reference.images import Floats

_TYPES: Final = ("epsilon_svr", "nu_svr")


@dataclass(frozen=True, slots=True)
class SupportVectors:
    """A support vector regression with a Gaussian kernel.

    Attributes:
        vectors: (S, F).
        coefficients: (S,).
        gamma: γ of the kernel.
        rho: ρ, taken off the sum.
    """

    vectors: Floats
    coefficients: Floats
    gamma: float
    rho: float

    def __call__(self, features: Floats) -> tuple[float, float]:
        """Predict one value.

        Args:
            features: (F,).

        Returns:
            The value, and how far the support vectors could move it from -ρ if all pulled the same way: next to 0 where
            the features lie beyond the reach of all of them.
        """
        pulls = self.coefficients * np.exp(-self.gamma * ((self.vectors - features) ** 2).sum(axis=1))
        return float(pulls.sum() - self.rho), float(np.abs(pulls).sum())


def read(path: str | Path, features: int) -> SupportVectors:
    """Read a libsvm model file of a regression with a Gaussian kernel.

    Args:
        path: the text file.
        features: how many a vector has; those that a line leaves out are 0.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not such a model; says what is wrong.
    """
    try:
        header, separator, body = Path(path).read_text(encoding="ascii").partition("\nSV\n")
        if not separator:
            raise ValueError("it has no line SV")
        named = dict(line.split(maxsplit=1) for line in header.splitlines() if line.strip())
        if named.get("svm_type") not in _TYPES or named.get("kernel_type") != "rbf":
            raise ValueError(f"it is {named.get('svm_type')} with kernel {named.get('kernel_type')}")
        coefficients, vectors = _vectors(body.splitlines(), features)
        if len(coefficients) != int(named["total_sv"]):
            raise ValueError(f"it has {len(coefficients)} of {named['total_sv']} support vectors")
        return SupportVectors(vectors, coefficients, float(named["gamma"]), float(named["rho"]))
    except (ValueError, KeyError) as error:
        raise ValueError(
            f"{path} is not a libsvm model of a regression ({' or '.join(_TYPES)}) with kernel rbf and {features} "
            f"features: {error}"
        ) from None


def _vectors(lines: list[str], features: int) -> tuple[Floats, Floats]:
    """Read lines of ``coefficient index:value ...``, indices from 1."""
    rows = [line.split() for line in lines if line.strip()]
    vectors = np.zeros((len(rows), features))
    for row, (_, *entries) in enumerate(rows):
        for entry in entries:
            index, _, value = entry.partition(":")
            if not 1 <= int(index) <= features:
                raise ValueError(f"it has a feature {index}")
            vectors[row, int(index) - 1] = float(value)
    return np.array([float(coefficient) for coefficient, *_ in rows]), vectors
