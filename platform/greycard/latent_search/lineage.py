"""One lineage of Algorithm 2 (paper 004): from a start, breadth first and outward, to latents of the same class.

``queue -> take some, in order -> (images, classes, features elsewhere) -> accept, mutate, test outward -> queue``

A lineage draws its mutations from its own generator, in the order in which latents were accepted. So it finds the same
latents whether they are evaluated one at a time or many at once, beside any other lineages, on any machine.
"""

import math
from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from greycard.latent_search.config import LatentSearchConfig

Floats = NDArray[np.float32]


class Start(NamedTuple):
    """The start of a lineage.

    Attributes:
        code: the class that it is to find.
        seed: the seed from which its start was looked for.
        found: the seed of the latent that it starts from.
    """

    code: int
    seed: int
    found: int


class Candidate(NamedTuple):
    """A latent in a queue: its parent is the number of an accepted latent of its lineage, -1 for the start."""

    latent: Floats
    parent: int
    depth: int


class Accepted(NamedTuple):
    """A latent that the classifier puts in the class.

    Attributes:
        latent: (*shape) float32.
        features: (F,) float32.
        parent: number of the accepted latent that it was mutated from, -1 for the start.
        depth: mutations from the start.
        distance: the distance of the latent from the start.
        duplicate: nearer than ``min_distance`` to an earlier one, so not part of the result.
    """

    latent: Floats
    features: Floats
    parent: int
    depth: int
    distance: float
    duplicate: bool


@dataclass(slots=True)
class Lineage:
    """A lineage under way.

    Attributes:
        start: class and seeds.
        origin: (*shape) float32, the start's latent.
        config: the config of the search.
        scale: what a step of each coordinate is multiplied with, of a shape that broadcasts to the latents.
        near: features nearer than this are duplicates; 0 switches the check off.
        accepted: in order of acceptance.
        popped: latents evaluated.
        refused: evaluated latents of other classes.
        dropped: mutations left out because the queue was full.
    """

    start: Start
    origin: Floats
    config: LatentSearchConfig
    scale: Floats
    near: float
    accepted: list[Accepted] = field(default_factory=list)
    popped: int = 0
    refused: int = 0
    dropped: int = 0
    queue: deque[Candidate] = field(default_factory=deque)
    rng: np.random.Generator = field(init=False)
    _counted: int = 0
    _features: list[Floats] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng([self.config.seed, self.start.code, self.start.seed])
        self.queue.append(Candidate(self.origin, -1, 0))

    @property
    def finished(self) -> bool:
        """Whether nothing is left to evaluate, or a bound is reached."""
        return self._full_or_spent() or not self.queue

    @property
    def results(self) -> list[tuple[int, Accepted]]:
        """The accepted latents that are no duplicates, with their numbers."""
        return [(number, item) for number, item in enumerate(self.accepted) if not item.duplicate]

    def take(self, count: int) -> list[Candidate]:
        """Take up to ``count`` candidates, first in first out; hand all of them back through ``decide``.

        No more are taken than the cap is likely to need at the rate of acceptance so far.
        """
        if self.config.cap_counts == "accepted":
            rate = (self._counted + 1) / (self.popped + 1)
            count = min(count, math.ceil((self.config.cap - self._counted) / rate))
        return [self.queue.popleft() for _ in range(min(count, len(self.queue)))]

    def decide(self, taken: list[Candidate], codes: NDArray[np.int64], features: Floats) -> None:
        """Accept or refuse what was taken, in order, as if each had been evaluated before the next was taken."""
        for index, candidate in enumerate(taken):
            if self._full_or_spent():
                return
            self.popped += 1
            if codes[index] != self.start.code:
                self.refused += 1
                continue
            number, distance = len(self.accepted), self.distance(candidate.latent[None])[0]
            duplicate = self._is_near(features[index])
            self.accepted.append(
                Accepted(
                    candidate.latent, features[index], candidate.parent, candidate.depth, float(distance), duplicate
                )
            )
            if not duplicate:
                self._counted += 1
                self._features.append(features[index])
            if self._expands():
                self._expand(candidate, number, distance, waiting=len(taken) - index - 1)

    def distance(self, latents: Floats) -> NDArray[np.float64]:
        """Return the distances of (N, *shape) latents from the start: (N,) radians, or Euclidean."""
        flat, origin = latents.reshape(len(latents), -1).astype(np.float64), self.origin.reshape(-1).astype(np.float64)
        if not self.config.by_angle:
            return np.asarray(np.linalg.norm(flat - origin, axis=1))
        # the angle by half chords: arc cosines lose small angles to rounding
        unit, start = flat / np.linalg.norm(flat, axis=1, keepdims=True), origin / np.linalg.norm(origin)
        return np.asarray(2 * np.arcsin(np.clip(np.linalg.norm(unit - start, axis=1) / 2, 0.0, 1.0)))

    def _full_or_spent(self) -> bool:
        config = self.config
        full = config.cap_counts == "accepted" and self._counted >= config.cap
        return full or (bool(config.max_evaluations) and self.popped >= config.max_evaluations)

    def _expands(self) -> bool:
        return self.config.cap_counts == "accepted" or self.popped <= self.config.cap

    def _expand(self, candidate: Candidate, number: int, distance: float, waiting: int) -> None:
        config, shape = self.config, (self.config.children, *self.origin.shape)
        if config.noise == "uniform":
            steps = self.rng.uniform(-config.step, config.step, shape)
        else:
            steps = self.rng.normal(0.0, config.step, shape)
        children = (candidate.latent + steps * self.scale).astype(np.float32)
        if config.by_angle and config.space == "z":
            children = on_sphere(children)
        outward = self.distance(children) > distance
        for child in children[outward]:
            if config.max_queue and waiting + len(self.queue) >= config.max_queue:
                self.dropped += 1
            else:
                self.queue.append(Candidate(child, number, candidate.depth + 1))

    def _is_near(self, features: Floats) -> bool:
        if self.near <= 0 or not self._features:
            return False
        gaps = np.linalg.norm(np.stack(self._features) - features, axis=1)
        return bool(gaps.min() < self.near)


def on_sphere(z: Floats) -> Floats:
    """Put (N, Z) latents on the sphere of radius √Z, where the mapping network would put them."""
    norms = np.linalg.norm(z, axis=1, keepdims=True)
    return np.asarray(z * (np.sqrt(z.shape[1]) / norms), np.float32)
