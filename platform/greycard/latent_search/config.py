"""How latents of a class are searched: the paper's Algorithm 2, its published code's settings, and ours.

=====================  =============================  ==================================================
field                  paper 004, Algorithm 2         published code (``published()``)
=====================  =============================  ==================================================
``space``              unspecified                    Z (recommended) or W+
``step``, ``noise``    uniform in [-δ, δ]             Z: N(0, 0.5²); W+: uniform, δ = 0.3
``children``           n (its loop runs n + 1 times)  3
``distance``           "dist"                         Euclidean, also in Z
``cap``                ξ accepted latents             ξ latents taken from the queue, 5000 in W+
``truncation``         unspecified                    0.7
``max_queue``          none                           none
``min_distance``       none                           none
``min_confidence``     none                           none
=====================  =============================  ==================================================

The mapping network normalises z, so its length changes nothing: the default distance in Z is the angle, and mutated
latents are put back on the sphere. In high dimensions almost every mutation lies outward of its parent, so queues grow
by ``children`` to the power of depth; ``max_queue`` bounds them.
"""

from dataclasses import dataclass
from typing import Any, Literal

from greycard.generators.spaces import check_space
from greycard.protocols import Space


@dataclass(frozen=True, slots=True, kw_only=True)
class LatentSearchConfig:
    """A latent search.

    Attributes:
        space: ``z``, ``w`` or ``w+``.
        noise: of a mutation: ``uniform`` in [-step, step] per coordinate, or ``gaussian`` with that deviation.
        step: δ; in w and w+ in units of the average deviation of w's coordinates if ``relative``.
        relative: scale mutations of w and w+ by each coordinate's deviation over random latents.
        children: n, mutations of each accepted latent.
        distance: from the start of a lineage: ``angle`` (radians) or ``euclidean``; "" is the angle in z.
        cap: ξ, at most so many latents per lineage; the start is one of them.
        cap_counts: what ξ counts: ``accepted`` latents, or ``popped`` ones, after which a lineage only drains its queue
            (published code).
        max_queue: latents that may wait in a lineage's queue; further ones are left out and counted. 0 is no bound.
        max_evaluations: latents a lineage may evaluate at most, whatever they turn out to be; 0 is no bound.
        min_distance: a latent whose features lie nearer than this to those of one that its lineage accepted is a
            duplicate: left out and counted, but its mutations go on. In units of the median distance between random
            images; 0 switches it off.
        min_confidence: an image of which the classifier is less sure than this is of no class, for search and rejection
            alike. Without it many of a small generator's images are of a class for this classifier alone.
        truncation: ψ that the images are made with.
        start_budget: seeds that a lineage may try to find its start.
        seed: of mutations, with class and start.
    """

    space: Space = "w"
    noise: Literal["uniform", "gaussian"] = "uniform"
    step: float = 0.5
    relative: bool = True
    children: int = 3
    distance: Literal["", "angle", "euclidean"] = ""
    cap: int = 50
    cap_counts: Literal["accepted", "popped"] = "accepted"
    max_queue: int = 1000
    max_evaluations: int = 2000
    min_distance: float = 0.1
    min_confidence: float = 0.0
    truncation: float = 1.0
    start_budget: int = 5000
    seed: int = 0

    def __post_init__(self) -> None:
        check_space(self.space)
        for name in ("step", "cap", "children", "start_budget"):
            if getattr(self, name) <= 0:
                raise ValueError(f"search.{name} must be above 0, got {getattr(self, name)}")
        for name in ("max_queue", "max_evaluations", "min_distance", "seed"):
            if getattr(self, name) < 0:
                raise ValueError(f"search.{name} must be 0 or above, got {getattr(self, name)}")
        if not 0 <= self.min_confidence < 1:
            raise ValueError(f"search.min_confidence must be in [0, 1), got {self.min_confidence}")
        if not 0 <= self.truncation <= 1:
            raise ValueError(f"search.truncation must be in [0, 1], got {self.truncation}")
        if self.cap_counts == "popped" and self.max_evaluations and self.max_evaluations < self.cap:
            raise ValueError(f"search.max_evaluations {self.max_evaluations} ends every lineage before cap {self.cap}")

    @property
    def by_angle(self) -> bool:
        """Whether distances are angles."""
        return self.distance == "angle" or (self.distance == "" and self.space == "z")


def published(space: Space = "z", **changes: Any) -> LatentSearchConfig:
    """Return the published code's settings for Z or W+.

    There every queue is drained without a bound; ``max_evaluations`` is kept as the one guard against a search that
    never ends (in Z, where the code has no cap, it is the cap too). Two things of the code are left out: it puts a
    start into its own queue and so expands it twice, and in W+ it drops a lineage in which a face detector found no
    face more than twenty times.
    """
    settings: dict[str, Any] = {
        "space": space,
        "noise": "gaussian" if space == "z" else "uniform",
        "step": 0.5 if space == "z" else 0.3,
        "relative": False,
        "children": 3,
        "distance": "euclidean",
        "cap": 20_000 if space == "z" else 5000,
        "cap_counts": "popped",
        "max_queue": 0,
        "max_evaluations": 20_000,
        "min_distance": 0.0,
        "truncation": 0.7,
    }
    return LatentSearchConfig(**{**settings, **changes})
