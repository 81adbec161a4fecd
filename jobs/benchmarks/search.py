"""Accepted latents per second: the batched search in two actors against Algorithm 2 one latent at a time, in one run.

The serial side is Algorithm 2 as printed, with a queue, and generator and classifier called for one latent each time
(in batches of one, so that nothing is padded). Both sides use the same weights, starts and steps, and the same number
of latents per lineage; the clock of the batched side starts when its actors have loaded their models and searched a
first row. The printed algorithm has no duplicate check: its near-duplicates count as accepted, those that the batched
search leaves out do not. The generator has random weights, and so does the classifier, whose logits are centred on what
the generator makes: how long a network takes does not depend on what it has learnt.
"""

import tempfile
from collections import deque
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import numpy as np
import ray
import torch

from greycard.classifiers import ResNetConfig
from greycard.generators import StyleGan2Config
from greycard.latent_search.config import LatentSearchConfig
from greycard.latent_search.labelling import GeneratorLabeller
from greycard.latent_search.lineage import Floats, Lineage
from greycard.latent_search.near import nearness
from greycard.latent_search.search import Scales, search
from greycard.layers.weights import save_weights
from greycard.streaming.cluster import SessionConfig, session
from jobs.benchmarks.timing import Comparison, Measured, in_turns, timed, torch_threads

TASK: Final = "kind"
CLASSES: Final = tuple(map(str, range(10)))
_NEAR: Final = 0.1  # of the median distance between random images: a near-duplicate


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchBenchmarkConfig:
    """What is timed.

    Attributes:
        generator: the small StyleGAN2 of 32 pixels.
        classifier: that looks at its images.
        search: its settings.
        lineages: of both sides, over the classes in turn.
        serial_lineages: of the serial side, which takes only the first so many and is compared by its rate.
        actors: of the batched side.
        batch: latents evaluated at once.
        together: lineages under way at once in an actor.
        rounds: how often the pair is timed, in turn; the ratio is the median of theirs.
    """

    kind: Literal["search"] = "search"
    generator: StyleGan2Config = field(
        default_factory=lambda: StyleGan2Config(
            size=32, latent=64, styles=64, mapping=2, base=512, most=32, architecture="orig"
        )
    )
    classifier: ResNetConfig = field(
        default_factory=lambda: ResNetConfig(tasks=(TASK,), classes={TASK: CLASSES}, width=16, stem="small")
    )
    search: LatentSearchConfig = field(
        default_factory=lambda: LatentSearchConfig(step=0.25, min_distance=0.0, start_budget=500)
    )
    lineages: int = 80
    serial_lineages: int = 4
    actors: int = 2
    batch: int = 128
    together: int = 32
    rounds: int = 3

    def __post_init__(self) -> None:
        for name in ("lineages", "serial_lineages", "actors", "batch", "together", "rounds"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")

    def measure(self) -> Measured:
        """Time both in turns; near-duplicates are those of the first round."""
        with tempfile.TemporaryDirectory() as folder, session(SessionConfig(address="local", progress=False)):
            models = Models(*random_models(self, Path(folder)))
            classes = classes_seen(models)
            rows = [(classes[index % len(classes)], index * self.search.start_budget) for index in range(self.lineages)]
            actors = [ray.remote(num_cpus=1)(Searcher).remote(self, models) for _ in range(self.actors)]
            ray.get([actor.search.remote(rows[:1]) for actor in actors])
            turns = {
                "batched": lambda _: _batched(actors, rows),
                "serial": lambda _: _serial(self, models, rows[: self.serial_lineages]),
            }
            sides = in_turns(turns, self.rounds)
        rates = {name: [side.accepted / side.seconds for side in found] for name, found in sides.items()}
        return Measured(
            (Comparison.of("accepted latents", "latents/s", rates, at_least=8.0),),
            {f"{name}_near_duplicates": found[0].near for name, found in sides.items()},
        )


class Models(NamedTuple):
    """Both configs, with weights."""

    generator: StyleGan2Config
    classifier: ResNetConfig

    def labeller(self, batch: int = 0) -> GeneratorLabeller:
        """Build both; ``batch`` images per forward pass instead of their own."""
        generator, classifier = self
        if batch:
            generator, classifier = replace(generator, compute_batch=batch), replace(classifier, compute_batch=batch)
        return GeneratorLabeller(generator.build(), classifier.build(), TASK)


class Timed(NamedTuple):
    """One side: seconds, accepted latents, and the share of them that lies near to an earlier one of its lineage."""

    seconds: float
    accepted: int
    near: float


def random_models(config: SearchBenchmarkConfig, folder: Path) -> tuple[StyleGan2Config, ResNetConfig]:
    """Write networks with random weights; the classifier's logits are scaled to what it sees, so that classes occur."""
    generator = replace(config.generator, weights=str(folder / "generator"))
    save_weights(folder / "generator", config.generator.network().state_dict(), config.generator.description())
    network = config.classifier.network().eval()
    made = generator.build()
    images = made.generate(made.latents(torch.arange(256)))
    with torch.inference_mode():
        logits = network(images)[TASK]
    head: Any = network.heads[TASK]
    with torch.no_grad():
        scale = logits.std(dim=0)
        head.weight /= scale[:, None]
        head.bias.copy_((head.bias - logits.mean(dim=0)) / scale)
    save_weights(folder / "classifier", network.state_dict(), config.classifier.description())
    return generator, replace(config.classifier, weights=str(folder / "classifier"))


def classes_seen(models: Models) -> list[int]:
    """Return the classes of at least 5 % of random images, those that a search finds starts of."""
    labeller = models.labeller()
    codes = labeller.label(labeller.latents(torch.arange(256), "z"), "z", 1.0).codes
    return [code for code in range(len(CLASSES)) if (codes == code).mean() >= 0.05]


class Searcher:
    """An actor of the batched side."""

    def __init__(self, config: SearchBenchmarkConfig, models: Models) -> None:
        torch.set_num_threads(1)
        self.config, self.labeller = config, models.labeller()
        self.scales = Scales.measure(self.labeller, config.search)
        self.near = near_of(config, self.labeller)

    def search(self, rows: list[tuple[int, int]]) -> list[tuple[int, int]]:
        """Return how many latents each lineage gave, and how many of them are near-duplicates."""
        config = self.config
        found = search(
            rows, self.labeller, config.search, batch=config.batch, lineages=config.together, scales=self.scales
        )
        kept = [[item.features for _, item in lineage.results] for lineage in found if isinstance(lineage, Lineage)]
        return [(len(features), repeats(features, self.near)) for features in kept]


def near_of(config: SearchBenchmarkConfig, labeller: GeneratorLabeller) -> float:
    """Return the distance below which images count as near-duplicates."""
    return _NEAR * Scales.measure(labeller, replace(config.search, min_distance=1.0)).near


def repeats(features: list[Floats], near: float) -> int:
    """Return how many of a lineage's images lie near to an earlier one."""
    return int(nearness(np.stack(features), near).repeats.sum())


def serial(
    labeller: GeneratorLabeller, config: LatentSearchConfig, scale: Floats, row: tuple[int, int]
) -> tuple[list[Floats], list[Floats]]:
    """Search one lineage by Algorithm 2 as printed; returns the accepted latents and their features."""
    code, seed = row
    space, truncation = config.space, config.truncation
    start = labeller.latents(torch.tensor([seed]), space)
    while labeller.label(start, space, truncation).codes[0] != code:
        seed += 1
        start = labeller.latents(torch.tensor([seed]), space)
    origin = start.numpy()[0]
    rng = np.random.default_rng([config.seed, *row])
    queue = deque([origin])
    accepted: list[Any] = []
    features: list[Any] = []
    while queue and len(accepted) < config.cap:
        current = queue.popleft()
        seen = labeller.label(torch.from_numpy(current[None]), space, truncation)
        if seen.codes[0] != code:
            continue
        accepted.append(current)
        features.append(seen.features[0])
        distance = np.linalg.norm(current - origin)
        for _ in range(config.children):
            step = rng.uniform(-config.step, config.step, current.shape)
            child = (current + step * scale).astype(np.float32)
            if np.linalg.norm(child - origin) > distance:
                queue.append(child)
    return accepted, features


def _serial(config: SearchBenchmarkConfig, models: Models, rows: list[tuple[int, int]]) -> Timed:
    with torch_threads(1):
        labeller = models.labeller(batch=1)
        scale, near = Scales.measure(models.labeller(), config.search).steps, near_of(config, models.labeller())
        serial(labeller, replace(config.search, cap=2), scale, rows[0])  # warm up
        found, seconds = timed(lambda: [serial(labeller, config.search, scale, row) for row in rows])
    accepted = sum(len(latents) for latents, _ in found)
    return Timed(seconds.clock, accepted, sum(repeats(features, near) for _, features in found) / accepted)


def _batched(actors: list[Any], rows: list[tuple[int, int]]) -> Timed:
    shares = [rows[index :: len(actors)] for index in range(len(actors))]
    parts, seconds = timed(
        lambda: ray.get([actor.search.remote(share) for actor, share in zip(actors, shares, strict=True)])
    )
    counts = [lineage for part in parts for lineage in part]
    accepted = sum(count for count, _ in counts)
    return Timed(seconds.clock, accepted, sum(near for _, near in counts) / accepted)
