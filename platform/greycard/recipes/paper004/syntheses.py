"""Balanced sets of images from the generators of paper 004, by latent search and by rejection."""

from dataclasses import replace
from typing import Any, Final, Literal

from greycard.fitting.kinds.generators import SEED
from greycard.fitting.task import WEIGHTS
from greycard.generators import GeneratorConfig
from greycard.latent_search.config import LatentSearchConfig, published
from greycard.recipes.paper004.generators import FFHQ, HOME, cifar, faces_small, ffhq, mnist_small
from greycard.streaming.pipeline import Resources
from greycard.studies.rebalancing.rows import RowsConfig
from greycard.synthesis.config import SynthesisConfig
from greycard.synthesis.job import SynthesisJob

_SEARCH: Final = LatentSearchConfig(  # a start of a class of 0.3 % is missed once in 8000 times
    space="w", cap=25, start_budget=3000, min_confidence=0.98
)
_SMALL: Final[dict[str, Any]] = {"search": _SEARCH, "count": 800, "val": 0.0}
_FACES: Final[dict[str, Any]] = (
    _SMALL
    | {  # Indian faces are 0.4 % of the data, and races harder to tell apart than digits
        "search": replace(_SEARCH, start_budget=5000, min_confidence=0.9)
    }
)


def of_rows(
    rows: RowsConfig, setting: str, *, study: str = "", folder: str = "synthesis", **changes: Any
) -> SynthesisJob:
    """Return the job that searches the biased generator of a table with its judge.

    Args:
        rows: what the rows of the table share.
        setting: folder of the table in ``runs/paper004``.
        folder: the folder of the set.
        changes: fields of the synthesis.
    """
    generator: GeneratorConfig = replace(rows.generator, weights=f"{rows.start.replace(SEED, '0')}/{WEIGHTS}")
    values: dict[str, Any] = {
        "name": f"synthetic {setting}",
        "generator": generator,
        "classifier": rows.judge,
        "task": rows.task,
        "directory": f"{HOME}/{setting}/{folder}",
    }
    config = SynthesisConfig(**(values | changes))
    return SynthesisJob(study=f"paper004-{setting}", synthesis=config)


def mnist() -> SynthesisJob:
    """800 images of each digit from the small MNIST generator, by latent search."""
    return of_rows(mnist_small(), "mnist", lineages=40, **_SMALL)


def mnist_rejection() -> SynthesisJob:
    """The same set by rejection sampling, the control."""
    return of_rows(mnist_small(), "mnist", folder="rejection", method="rejection", **_SMALL)


def faces() -> SynthesisJob:
    """800 drawn faces (not people) of each race from the small generator, by latent search."""
    return of_rows(faces_small(), "faces", lineages=40, **_FACES)


def faces_rejection() -> SynthesisJob:
    """The same set by rejection sampling, the control."""
    return of_rows(faces_small(), "faces", folder="rejection", method="rejection", **_FACES)


def cifar10() -> SynthesisJob:
    """Table 4: 50,000 images of each CIFAR-10 class by latent search (a GPU)."""
    search = LatentSearchConfig(space="w", cap=50)
    return of_rows(cifar(), "cifar10", search=search, count=50_000, lineages=2000, resources=_GPU)


def cifar10_rejection() -> SynthesisJob:
    """The same set by rejection sampling, the control."""
    search = LatentSearchConfig(space="w", cap=50)
    return of_rows(
        cifar(), "cifar10", folder="rejection", method="rejection", search=search, count=50_000, resources=_GPU
    )


def published_z() -> SynthesisJob:
    """Table 1 as the published code searches FFHQ in Z: 50,000 per race from few long lineages."""
    return _published("z")


def published_w_plus() -> SynthesisJob:
    """Table 1 as the published code searches FFHQ in W+: the same with uniform steps per layer."""
    return _published("w+")


def ffhq_search(network: str = "config_f") -> SynthesisJob:
    """Table 1 with our defaults: 50,000 per race from 2,000 short lineages in W."""
    return of_rows(
        ffhq(network),
        FFHQ[network],
        search=LatentSearchConfig(space="w", cap=50, truncation=0.7),
        resources=_GPU,
        **_FFHQ,
    )


def _published(space: Literal["z", "w+"]) -> SynthesisJob:
    folder = f"synthesis_published_{space.replace('+', '_plus')}"
    config: dict[str, Any] = {**_FFHQ, "lineages": 10, "max_lineages": 40, "rows_per_call": 1, "together": 1}
    return of_rows(ffhq(), "ffhq", folder=folder, search=published(space), resources=_GPU, **config)


_GPU: Final = Resources(num_gpus=0.5, num_cpus=2.0, rows_per_block=64)
_FFHQ: Final[dict[str, Any]] = {"count": 50_000, "lineages": 2000, "val": 0.0, "batch": 64, "rows_per_shard": 1024}


RECIPES = {
    "mnist": mnist,
    "mnist_rejection": mnist_rejection,
    "faces": faces,
    "faces_rejection": faces_rejection,
    "cifar10": cifar10,
    "cifar10_rejection": cifar10_rejection,
    "ffhq": ffhq_search,
    "published_z": published_z,
    "published_w_plus": published_w_plus,
}
