"""How real a set of images is: mergeable states over the features of any extractor.

``features, probabilities of a batch -> zero, add, merge -> finish -> greycard.metrics.generation.distances``

Any split of the images merges to the same numbers (sums of floating-point numbers to their last bits, samples exactly).
An extractor is whatever turns an image into a vector; names of measures tell it: ``frechet[aux]`` is computed from the
features of an auxiliary classifier, and only Inception's with the published weights make ``fid``.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Hashes = NDArray[np.uint64]
Vectors = NDArray[np.floating[Any]]


class Gaussian(NamedTuple):
    """Mean (F,) and covariance (F, F), float64, of the feature vectors of so many images."""

    mean: Floats
    covariance: Floats
    images: int


@dataclass(frozen=True, slots=True)
class FeatureMoments:
    """The first two moments of features, merged as Chan et al. (1979) do, without cancellation.

    Attributes:
        count: feature vectors seen.
        mean: (F,) float64.
        scatter: (F, F) float64, the sum of (x - mean)(x - mean)^T.
    """

    count: int
    mean: Floats
    scatter: Floats

    @classmethod
    def zero(cls, features: int) -> "FeatureMoments":
        """Return the state of no vectors of ``features`` numbers."""
        return cls(0, np.zeros(features), np.zeros((features, features)))

    def add(self, features: Vectors) -> "FeatureMoments":
        """Return the state with (N, F) more vectors.

        Raises:
            ValueError: vectors of another length, or numbers that are not finite.
        """
        values = _checked(features, len(self.mean))
        if not len(values):
            return self
        mean = values.mean(axis=0)
        centred = values - mean
        return self.merge(FeatureMoments(len(values), mean, centred.T @ centred))

    def merge(self, other: "FeatureMoments") -> "FeatureMoments":
        """Return the state of both."""
        count = self.count + other.count
        if not self.count or not other.count:
            return self if self.count else other
        shift = other.mean - self.mean
        mean = self.mean + shift * (other.count / count)
        between = np.outer(shift, shift) * (self.count * other.count / count)
        return FeatureMoments(count, mean, self.scatter + other.scatter + between)

    def finish(self) -> Gaussian:
        """Return mean and unbiased covariance.

        Raises:
            ValueError: fewer than 2 vectors.

        Example:
            >>> found = FeatureMoments.zero(1).add(np.array([[1.0], [3.0]])).merge(FeatureMoments.zero(1)).finish()
            >>> found.mean.item(), found.covariance.item(), found.images
            (2.0, 2.0, 2)
        """
        if self.count < 2:
            raise ValueError(f"a covariance needs 2 images at least, got {self.count}")
        return Gaussian(self.mean, self.scatter / (self.count - 1), self.count)


@dataclass(frozen=True, slots=True)
class FeatureSample:
    """A sample of at most ``size`` images: those with the smallest hashes of their ids, whatever order they come in.

    Attributes:
        size: largest number of vectors kept.
        hashes: (M,) uint64, ascending.
        features: (M, F) float32 in the same order.
    """

    size: int
    hashes: Hashes
    features: NDArray[np.float32]

    @classmethod
    def zero(cls, features: int, size: int) -> "FeatureSample":
        """Return the empty sample of vectors of ``features`` numbers."""
        if size < 1:
            raise ValueError(f"a sample must hold 1 vector at least, got size {size}")
        return cls(size, np.zeros(0, np.uint64), np.zeros((0, features), np.float32))

    def add(self, features: Vectors, hashes: Hashes) -> "FeatureSample":
        """Return the sample after (N, F) more vectors with the hashes (N,) of their ids."""
        values = _checked(features, self.features.shape[1]).astype(np.float32)
        if hashes.shape != (len(values),):
            raise ValueError(f"hashes must be ({len(values)},), got {hashes.shape}")
        return self._smallest(hashes.astype(np.uint64), values)

    def merge(self, other: "FeatureSample") -> "FeatureSample":
        """Return the sample of both."""
        if other.size != self.size:
            raise ValueError(f"samples of one size merge, got {self.size} and {other.size}")
        return self._smallest(other.hashes, other.features)

    def finish(self) -> NDArray[np.float32]:
        """Return the (M, F) vectors, in the order of their hashes."""
        return self.features

    def _smallest(self, hashes: Hashes, features: NDArray[np.float32]) -> "FeatureSample":
        everything = np.concatenate([self.hashes, hashes])
        kept = np.argsort(everything, kind="stable")[: self.size]
        return FeatureSample(self.size, everything[kept], np.concatenate([self.features, features])[kept])


class Score(NamedTuple):
    """A classifier score: mean over splits, their (population) standard deviation, and images per split on average."""

    mean: float
    sd: float
    images: float


@dataclass(frozen=True, slots=True)
class ClassifierScore:
    """``exp(E KL(p(y|x) || p(y)))`` per split: 1 where all images look alike to the classifier, K at best.

    With Inception's probabilities it is the Inception score (Salimans et al. 2016). It rises with even classes as well
    as with sure ones, and says nothing of images that fool the classifier.

    Attributes:
        counts: (S,) images per split.
        sums: (S, K) sums of p.
        negentropies: (S,) sums of Σ_y p log p.
    """

    counts: Ints
    sums: Floats
    negentropies: Floats

    @classmethod
    def zero(cls, classes: int, splits: int = 10) -> "ClassifierScore":
        """Return the state of no images."""
        if splits < 1 or classes < 2:
            raise ValueError(f"a classifier score takes 1 split and 2 classes at least, got {splits} and {classes}")
        return cls(np.zeros(splits, np.int64), np.zeros((splits, classes)), np.zeros(splits))

    def add(self, probabilities: Floats, splits: Ints) -> "ClassifierScore":
        """Return the state with more images: probabilities (N, K), and the split (N,) of each."""
        values = _checked(probabilities, self.sums.shape[1])
        logs = np.log(np.where(values > 0, values, 1.0))
        sums = self.sums.copy()
        np.add.at(sums, splits, values)
        total = len(self.counts)
        negentropies = np.bincount(splits, weights=(values * logs).sum(axis=1), minlength=total)
        counts = np.bincount(splits, minlength=total)
        return ClassifierScore(self.counts + counts, sums, self.negentropies + negentropies)

    def merge(self, other: "ClassifierScore") -> "ClassifierScore":
        """Return the state of both."""
        return ClassifierScore(
            self.counts + other.counts, self.sums + other.sums, self.negentropies + other.negentropies
        )

    def finish(self) -> Score:
        """Return the score over splits that hold images; NaN without any.

        Example:
            >>> sure = ClassifierScore.zero(2, splits=1).add(np.eye(2), np.zeros(2, np.int64))
            >>> round(sure.finish().mean, 12)
            2.0
        """
        filled = self.counts > 0
        if not filled.any():
            return Score(np.nan, np.nan, 0.0)
        counts = self.counts[filled].astype(np.float64)
        marginal = self.sums[filled] / counts[:, None]
        entropy = -(marginal * np.log(np.where(marginal > 0, marginal, 1.0))).sum(axis=1)
        scores = np.exp(self.negentropies[filled] / counts + entropy)
        return Score(float(scores.mean()), float(scores.std()), float(counts.mean()))


def classifier_score(probabilities: Floats, splits: int = 10) -> Score:
    """Return the classifier score of (N, K) probabilities, cut into runs of equal length in the order given."""
    state = ClassifierScore.zero(probabilities.shape[1], splits)
    return state.add(probabilities, even_splits(len(probabilities), splits)).finish()


def even_splits(images: int, splits: int) -> Ints:
    """Return (N,) the split of each image: runs of one length, at most one image longer.

    Example:
        >>> even_splits(5, 2).tolist()
        [0, 0, 1, 1, 1]
    """
    bounds = [index * images // splits for index in range(splits + 1)]
    return np.repeat(np.arange(splits), np.diff(bounds))


def _checked(values: Vectors, width: int) -> Floats:
    """Return (N, width) float64 that are finite."""
    if values.ndim != 2 or values.shape[1] != width:
        raise ValueError(f"expected (N, {width}) numbers, got {values.shape}")
    result = values.astype(np.float64)
    if not np.isfinite(result).all():
        raise ValueError("features and probabilities must be finite; leave failed images out")
    return result
