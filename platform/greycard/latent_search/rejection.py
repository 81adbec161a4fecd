"""Rejection sampling: the control of a latent search.

It keeps the random latents that the classifier puts in the class, so it draws from the generator's own p(x | class):
nothing is drawn twice, and variety within the class is the generator's (with ``min_confidence``, p(x | class, a sure
classifier), which leaves untypical images out, as it does for a search). It costs 1 / share draws per latent, which
for the rarest group of a generator (0.26 % in paper 004's FFHQ model) is about 380.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import torch

from greycard.latent_search.config import LatentSearchConfig
from greycard.latent_search.lineage import Accepted, Floats, Start
from greycard.latent_search.search import Labelled, Labeller


@dataclass(slots=True)
class Sampled:
    """What a run of seeds gave; reads like a finished ``Lineage``, in which every latent is its own start.

    Attributes:
        start: the class, and the first seed twice.
        accepted: in the order of their seeds; depth and distance are 0.
        popped: seeds evaluated.
        refused: evaluated latents of other classes.
        dropped: always 0: there is no queue that could be full.
    """

    start: Start
    accepted: list[Accepted] = field(default_factory=list)
    popped: int = 0
    refused: int = 0
    dropped: int = 0

    @property
    def results(self) -> list[tuple[int, Accepted]]:
        """The accepted latents with their numbers."""
        return list(enumerate(self.accepted))


def reject(
    rows: Iterable[tuple[int, int]],
    labeller: Labeller,
    config: LatentSearchConfig,
    *,
    batch: int = 128,
    on_batch: Callable[[int], None] | None = None,
) -> Iterator[Sampled]:
    """Take from each (class, seed) on, seed by seed, up to ``cap`` latents of the class.

    A row looks at ``start_budget`` seeds at most, so rows further apart than that share none; what it gives is
    independent of ``batch``. Where the budget ends first, ``accepted`` is shorter than ``cap``.

    Args:
        rows: class code and first seed.
        labeller: generator and classifier.
        config: its space, truncation, cap and start_budget count.
        batch: latents evaluated at once.
        on_batch: called with the number of latents of every batch.
    """
    for code, first in rows:
        sampled = Sampled(Start(code, first, first))
        last = first + config.start_budget
        for begin in range(first, last, batch):
            seeds = torch.arange(begin, min(begin + batch, last))
            latents = labeller.latents(seeds, config.space)
            labelled = labeller.label(latents, config.space, config.truncation)
            _accept(sampled, latents.numpy(), labelled, config.cap)
            if on_batch:
                on_batch(len(seeds))
            if len(sampled.accepted) >= config.cap:
                break
        yield sampled


def _accept(sampled: Sampled, latents: Floats, labelled: Labelled, cap: int) -> None:
    for latent, code, seen in zip(latents, labelled.codes, labelled.features, strict=True):
        if len(sampled.accepted) >= cap:
            return
        sampled.popped += 1
        if code == sampled.start.code:
            sampled.accepted.append(Accepted(latent, seen, -1, 0, 0.0, duplicate=False))
        else:
            sampled.refused += 1
