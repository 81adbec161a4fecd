"""Generators in a training job: what is trained from what, with which judge, and how often (paper 004)."""

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from greycard.classifiers import ClassifierConfig
from greycard.datasets.manifest import Manifest, check_attributes, check_classes
from greycard.fitting.generator import GeneratorTask, check_start
from greycard.generators import GeneratorConfig, StyleGan2Config
from greycard.schema import unknown
from greycard.training.stylegan2.config import AdversarialConfig

SEED = "{seed}"
"""Stands in ``start`` for the seed, where each seed starts from a model of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratorTraining:
    """A generator a seed, called ``<name>-seed<seed>``.

    Attributes:
        name: of the set, unique within the job.
        generator: the networks; ``seed`` and ``weights`` are ignored.
        training: how they are trained; ``seed`` is ignored.
        judge: the classifier of a share loss, with its weights; its classes must be those of the images' labels.
        task: the attribute whose classes are to be drawn evenly: a task of the judge and a label of the images.
        judge_shares: the class shares that the share loss and reweighting start from; () counts labels.
        judge_shards: URI of the images whose labels are counted for that, such as the biased ones that synthetic images
            are to make up for; "" takes this training's own.
        start: directory of a finished generator, of which both networks are taken, with fresh optimisers; ``{seed}``
            stands for the seed. "" starts from initial weights. The paper fine-tunes at a tenth of the learning rate.
        shards: URI of the images; "" takes the job's. The split train is used.
        extra: URI of a second set of images, of which each batch takes its share; "" for none.
        extra_share: that share, in (0, 1).
        size: height and width at which images are used, which must be the generator's; 0 takes the job's.
        samples: seeds on the sheet of samples that each tick leaves; 0 makes none.
        seeds: a model each, with these initial weights, orders of the images and latents.
    """

    kind: Literal["generator"] = "generator"
    name: str
    generator: GeneratorConfig
    training: AdversarialConfig
    judge: ClassifierConfig | None = None
    task: str = ""
    judge_shares: tuple[float, ...] = ()
    judge_shards: str = ""
    start: str = ""
    shards: str = ""
    extra: str = ""
    extra_share: float = 0.5
    size: int = 0
    samples: int = 64
    seeds: tuple[int, ...] = (0,)

    def __post_init__(self) -> None:
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds must differ, at least one, got {self.seeds}")
        if not 0 < self.extra_share < 1:
            raise ValueError(f"extra_share must be above 0 and below 1, got {self.extra_share}")
        if self.size < 0 or self.samples < 0:
            raise ValueError(f"size and samples must be at least 0, got {self.size} and {self.samples}")
        if self.judge is not None and self.task not in self.judge.tasks:
            raise ValueError(f"task must be one of judge.tasks: {unknown('task', self.task, self.judge.tasks)}")
        if self.judge is None and (self.training.shares or self.training.reweighting == "generated"):
            raise ValueError(
                f"{self.name}: training.shares and reweighting of generated images need a judge: set judge to a "
                "trained classifier and task to its attribute, or switch them off"
            )
        if self.training.reweighting == "real" and not self.task:
            raise ValueError(f"{self.name}: reweighting of real images needs task, the attribute of their classes")
        if self.training.freeze and not self.start:
            raise ValueError(f"{self.name}: training.freeze keeps layers of a trained discriminator: set start")
        if self.judge_shares and (
            min(self.judge_shares) < 0 or not math.isclose(sum(self.judge_shares), 1, abs_tol=1e-6)
        ):
            raise ValueError(f"judge_shares must be at least 0 and sum to 1, got {self.judge_shares}")

    def model_name(self, seed: int) -> str:
        """Return the name of a seed's model."""
        return f"{self.name}-seed{seed}"

    def models(self) -> dict[str, StyleGan2Config]:
        """Return model name -> its networks, seed by seed."""
        return {self.model_name(seed): replace(self.generator, seed=seed, weights="") for seed in self.seeds}


def generator_tasks(
    training: GeneratorTraining,
    manifest: Callable[[str], Manifest],
    *,
    shards: str,
    size: int,
    models: Path,
    planned: Collection[str],
    threads: int,
) -> list[tuple[GeneratorTask, str]]:
    """Return the tasks of a set, each with the model of the same job that it starts from ("" if none).

    Args:
        training: the set.
        manifest: URI -> manifest.
        shards: the job's, for a set that names none.
        size: the job's.
        models: the folder of the job's models.
        planned: names of the models before it in the job.
        threads: torch threads of a task.

    Raises:
        ManifestError: shards are not there, or lack the attribute or its classes.
        WeightsError: the start is not there, or is of another network.
        ValueError: the generator's size is not that of the images, or the judge has no weights.
    """
    uri, side = training.shards or shards, training.size or size
    if training.generator.size != side:
        raise ValueError(
            f"{training.name}: generator.size is {training.generator.size}, images are used at {side}: set size of the "
            "job, or of this model, to the generator's"
        )
    sets = [manifest(place) for place in (uri, training.extra) if place]
    shares = _check_judge(training, sets, manifest, side)
    tasks = []
    for seed in training.seeds:
        start, after = _start(training, seed, models, planned)
        name = training.model_name(seed)
        task = GeneratorTask(
            name=name,
            model=training.models()[name],
            training=replace(training.training, seed=seed),
            judge=training.judge,
            attribute=training.task,
            shares=shares,
            shards=uri,
            shards_digest=sets[0].digest,
            extra=training.extra,
            extra_digest=sets[1].digest if training.extra else "",
            extra_share=training.extra_share,
            size=side,
            samples=training.samples,
            directory=str(models / name),
            start=start,
            threads=threads,
        )
        tasks.append((task, after))
    return tasks


def _start(training: GeneratorTraining, seed: int, models: Path, planned: Collection[str]) -> tuple[str, str]:
    """Return the directory that a seed starts from, and its name where this job is to train it first."""
    if not training.start:
        return "", ""
    start = Path(training.start.replace(SEED, str(seed))).expanduser().absolute()
    if start.parent == models and start.name in planned:
        return str(start), start.name
    check_start(str(start), training.generator)
    return str(start), ""


def _check_judge(
    training: GeneratorTraining, sets: list[Manifest], manifest: Callable[[str], Manifest], side: int
) -> tuple[float, ...]:
    """Check judge and labels against each other and return the class shares; () where nothing asks for them."""
    if not training.task:
        return ()
    for found in sets:
        check_attributes(found, (training.task,))
    classes = sets[0].attributes[training.task]
    for found in sets[1:]:
        check_classes(found, {training.task: classes})
    if training.judge is not None:
        if not training.judge.weights:
            raise ValueError(
                f"{training.name}: the judge has no weights: train it (python -m jobs.train) and set judge.weights"
            )
        classes = training.judge.class_sets[training.task]
        for found in sets:
            check_classes(found, {training.task: classes})
        training.judge.check_size(side, side)
    shares = training.judge_shares
    if not shares:
        counted = manifest(training.judge_shards) if training.judge_shards else sets[0]
        shares = class_shares(counted, training.task, classes)
    if len(shares) != len(classes):
        raise ValueError(f"{training.name}: judge_shares must be {len(classes)}, one a class, got {len(shares)}")
    if training.training.reweighting == "generated" and 0 in shares:
        absent = ", ".join(name for name, share in zip(classes, shares, strict=True) if not share)
        raise ValueError(
            f"{training.name}: reweighting of generated images has no weight for classes without images: {absent}"
        )
    return shares


def class_shares(manifest: Manifest, attribute: str, classes: tuple[str, ...]) -> tuple[float, ...]:
    """Return the shares of an attribute's classes among the labelled training images.

    Raises:
        ManifestError: the images have other classes.
        ValueError: none is labelled.
    """
    check_classes(manifest, {attribute: classes})
    counts = [manifest.counts["train"][attribute].get(name, 0) for name in classes]
    if not sum(counts):
        raise ValueError(f"{manifest.uri}: no training image is labelled with {attribute}: give judge_shares")
    return tuple(count / sum(counts) for count in counts)
