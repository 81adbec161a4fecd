"""Many lineages of Algorithm 2 at once, so that generator and classifier always get full batches.

``starts -> lineages; repeat: take from each queue -> one batch of images -> classes and features -> each lineage``

The accepted latents are those of the serial algorithm, lineage by lineage (``greycard.latent_search.lineage``): only
the order in which lineages advance differs.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from greycard.latent_search.config import LatentSearchConfig
from greycard.latent_search.lineage import Candidate, Floats, Lineage, Start, on_sphere
from greycard.protocols import Space

SCALE_SEEDS: Final = 512  # random latents from which the scales of steps and of features are estimated
_SCALE_SEED: Final = 1 << 31  # far from the seeds that searches start from; torch keeps 32 bits of a seed
_LOOK: Final = 32  # seeds that are looked at first for a start; then twice as many, and so on up to a batch
_REMEMBERED: Final = 8192  # labels of seeds that are kept, since rows of several classes look at the same ones

Known = dict[int, tuple[int, Floats]]  # seed -> class code and latent


class Labelled(NamedTuple):
    """What a classifier sees in images: codes (N,) int64, features (N, F) float32."""

    codes: NDArray[np.int64]
    features: Floats


class Labeller(Protocol):
    """Latents in, classes out: a generator and a classifier together, or a toy whose answers are known."""

    def latents(self, seeds: Tensor, space: Space) -> Tensor:
        """Draw one latent per seed: (N,) int64 -> (N, *shape)."""
        ...

    def label(self, latents: Tensor, space: Space, truncation: float) -> Labelled:
        """Classify the images of (N, *shape) latents."""
        ...


class Missing(NamedTuple):
    """A start that was not found: the class, the seed from which it was looked for, and how many seeds were tried."""

    code: int
    seed: int
    tried: int


@dataclass(frozen=True, slots=True)
class Scales:
    """The scales that mutations and distances are measured in.

    Attributes:
        steps: multiplies mutations; the deviation of each coordinate of w, or 1.
        near: features nearer than this are duplicates.
    """

    steps: Floats
    near: float

    @classmethod
    def measure(cls, labeller: Labeller, config: LatentSearchConfig) -> "Scales":
        """Estimate them from random latents, the same ones on every machine."""
        seeds = torch.arange(_SCALE_SEED, _SCALE_SEED + SCALE_SEEDS)
        steps, near = np.ones((), np.float32), 0.0
        needs_latents = config.relative and config.space != "z"
        if not needs_latents and config.min_distance <= 0:
            return cls(steps, near)
        latents = labeller.latents(seeds, config.space)
        if needs_latents:
            steps = latents.numpy().std(axis=0).astype(np.float32)
        if config.min_distance > 0:
            features = labeller.label(latents, config.space, config.truncation).features.astype(np.float64)
            half = len(features) // 2
            near = config.min_distance * float(np.median(np.linalg.norm(features[:half] - features[half:], axis=1)))
        return cls(steps, near)


def search(
    rows: Iterable[tuple[int, int]],
    labeller: Labeller,
    config: LatentSearchConfig,
    *,
    batch: int = 128,
    lineages: int = 16,
    scales: Scales | None = None,
) -> Iterator[Lineage | Missing]:
    """Search from each (class, seed), several at a time; yields each as it ends.

    Args:
        rows: class code and the seed from which its start is looked for.
        labeller: generator and classifier.
        config: the config of the search.
        batch: latents evaluated at once.
        lineages: lineages under way at once; more keep batches full.
        scales: the scales of steps and features; they are measured here where not given.

    Yields:
        Finished lineages, and rows whose start was not found within the budget.
    """
    scales = scales or Scales.measure(labeller, config)
    waiting = iter(rows)
    active: list[Lineage] = []
    known: Known = {}
    more = True
    while True:
        while more and len(active) <= lineages * 3 // 4:  # several starts are looked for at once
            chunk = list(islice(waiting, lineages - len(active)))
            more = bool(chunk)
            if len(known) > _REMEMBERED:
                known.clear()
            for found in find_starts(chunk, labeller, config, batch=batch, known=known):
                if isinstance(found, Missing):
                    yield found
                else:
                    start, latent = found
                    active.append(Lineage(start, latent, config, scales.steps, scales.near))
        if not active:
            return
        _advance(active, labeller, config, batch)
        for lineage in [item for item in active if item.finished]:
            active.remove(lineage)
            yield lineage


def find_starts(
    rows: Sequence[tuple[int, int]],
    labeller: Labeller,
    config: LatentSearchConfig,
    *,
    batch: int = 128,
    known: Known | None = None,
) -> list[tuple[Start, Floats] | Missing]:
    """Find for each (class, seed) the first latent at or after the seed that the classifier puts in the class.

    Seeds that several rows look at are evaluated once, and never again where ``known`` is handed on.

    Returns:
        The starts with their latents, or what is missing, in the order of ``rows``.
    """
    cursors = {index: seed for index, (_, seed) in enumerate(rows)}
    found: dict[int, tuple[Start, Floats] | Missing] = {}
    known = {} if known is None else known
    look = _LOOK
    while len(found) < len(rows):
        open_rows = [index for index in cursors if index not in found]
        share = max(1, min(look, batch // len({cursors[index] for index in open_rows})))
        look *= 2
        wanted = {
            seed
            for index in open_rows
            for seed in range(cursors[index], min(cursors[index] + share, rows[index][1] + config.start_budget))
        }
        _look(sorted(wanted - known.keys()), labeller, config, batch, known)
        for index in open_rows:
            code, first = rows[index]
            last = min(cursors[index] + share, first + config.start_budget)
            hit = next((seed for seed in range(cursors[index], last) if known[seed][0] == code), None)
            if hit is not None:
                found[index] = (Start(code, first, hit), known[hit][1])
            elif last >= first + config.start_budget:
                found[index] = Missing(code, first, config.start_budget)
            cursors[index] = last
    return [found[index] for index in range(len(rows))]


def _look(
    seeds: list[int],
    labeller: Labeller,
    config: LatentSearchConfig,
    batch: int,
    known: Known,
) -> None:
    for first in range(0, len(seeds), batch):
        part = seeds[first : first + batch]
        latents = labeller.latents(torch.tensor(part), config.space)
        if config.space == "z" and config.by_angle:
            latents = torch.from_numpy(on_sphere(latents.numpy()))
        codes = labeller.label(latents, config.space, config.truncation).codes
        known.update(zip(part, zip(codes.tolist(), latents.numpy(), strict=True), strict=True))


def _advance(
    active: list[Lineage],
    labeller: Labeller,
    config: LatentSearchConfig,
    batch: int,
) -> None:
    """Evaluate one batch, shared out evenly between the lineages."""
    taken = _share_out(active, batch)
    latents = torch.from_numpy(np.stack([candidate.latent for part in taken for candidate in part]))
    labelled = labeller.label(latents, config.space, config.truncation)
    first = 0
    for lineage, part in zip(active, taken, strict=True):
        rows = slice(first, first + len(part))
        lineage.decide(part, labelled.codes[rows], labelled.features[rows])
        first += len(part)


def _share_out(active: list[Lineage], batch: int) -> list[list[Candidate]]:
    """Take about ``batch`` candidates, an equal share of each queue; short queues leave their share to the others."""
    order = sorted(range(len(active)), key=lambda index: len(active[index].queue))
    taken: list[list[Candidate]] = [[] for _ in active]
    left = max(batch, len(active))
    for position, index in enumerate(order):
        share = left // (len(order) - position)
        taken[index] = active[index].take(share)
        left -= len(taken[index])
    return taken
