"""Random numbers by name: each is a hash of (seed, name), so no draw ever moves another.

The hash is the finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014). A number depends on its own seed and name
alone: not on the batch, the order, how many others are drawn, or which names were drawn before.
"""

import zlib
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

Seeds = NDArray[np.uint64]
Values = NDArray[Any]  # float32 planes (N, h, w), or (N, 1, 1) where a value varies per image only

_GOLDEN: Final = 0x9E3779B97F4A7C15
_MASK: Final = (1 << 64) - 1


def mix(values: Seeds) -> Seeds:
    """Scramble 64-bit words: neighbours in, unrelated words out (SplitMix64)."""
    words = values + np.uint64(_GOLDEN)
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: Seeds = words ^ (words >> np.uint64(31))
    return mixed


def derive(seed: Seeds, name: str) -> Seeds:
    """Return one new seed per seed, named."""
    key = (zlib.crc32(name.encode()) * _GOLDEN) & _MASK
    return mix(mix(seed) ^ np.uint64(key))


def uniform64(seed: Seeds, name: str) -> NDArray[np.float64]:
    """Return one float64 in (0, 1) per seed, at 53 bits."""
    words = derive(seed, name) >> np.uint64(11)
    return (words.astype(np.float64) + 0.5) * 2.0**-53


class Draws:
    """Named random numbers of N images (or identities): arrays of shape (N, 1, 1) float32, ready to meet pixels.

    A part (``part``) shares its whole's numbers, so that a name is drawn once for many images, not once a chunk.
    """

    def __init__(self, seeds: Seeds) -> None:
        """Take (N,) uint64 seeds."""
        self._seeds = seeds
        self._rows: slice | NDArray[np.int64] = slice(None)
        self._drawn: dict[str, NDArray[np.float64]] = {}
        self._normal: dict[str, NDArray[np.float64]] = {}

    @property
    def seeds(self) -> Seeds:
        """The (N,) seeds."""
        return self._seeds[self._rows]

    def part(self, rows: slice | NDArray[np.int64]) -> "Draws":
        """Return the draws of some of the images."""
        part = Draws(self._seeds)
        part._rows = rows if isinstance(self._rows, slice) and self._rows == slice(None) else self._positions()[rows]
        part._drawn, part._normal = self._drawn, self._normal
        return part

    def _positions(self) -> NDArray[np.int64]:
        return np.arange(len(self._seeds))[self._rows]

    def uniform(self, name: str, low: float = 0.0, high: float = 1.0) -> Values:
        """Draw evenly between ``low`` and ``high``."""
        return _pixels(low + (high - low) * self._uniform(name))

    def normal(self, name: str, mean: float = 0.0, deviation: float = 1.0) -> Values:
        """Draw from a normal distribution cut at 3 deviations."""
        if name not in self._normal:
            self._normal[name] = np.clip(ndtri(uniform64(self._seeds, name)), -3.0, 3.0)
        return _pixels(mean + deviation * self._normal[name][self._rows])

    def chance(self, name: str, probability: float | Values) -> Values:
        """Draw 1 with the given probability, otherwise 0."""
        limit = np.asarray(probability, np.float64).reshape(-1)
        return _pixels((self._uniform(name) < limit).astype(np.float64))

    def choice(self, name: str, table: Values) -> Values:
        """Draw one row of a (K, C) table per seed: (N, C)."""
        return table[(self._uniform(name) * len(table)).astype(np.int64)]

    def _uniform(self, name: str) -> NDArray[np.float64]:
        if name not in self._drawn:
            self._drawn[name] = uniform64(self._seeds, name)
        return self._drawn[name][self._rows]


def _pixels(values: NDArray[np.float64]) -> Values:
    return values.astype(np.float32)[:, None, None]
