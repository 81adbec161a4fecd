"""Generators in a training job: what is trained from what, with which judge, and how often (paper 004)."""

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from greycard.classifiers import ClassifierConfig
from greycard.datasets.manifest import Manifest, check_attributes, check_classes
from greycard.fitting.generator import GeneratorTask, check_start
from greycard.fitting.kinds.contract import Planned, Site, TrainingKind, check_seeds
from greycard.generators import GeneratorConfig, StyleGan2Config
from greycard.schema import unknown
from greycard.training.stylegan2.config import AdversarialConfig

SEED = "{seed}"
"""Stands in ``start`` for the seed, where each seed starts from a model of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratorTraining(TrainingKind[StyleGan2Config]):
    """A generator per seed, called ``<name>-seed<seed>``.

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
        check_seeds(self.seeds)
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

    def tasks(self, site: Site) -> list[Planned]:
        """Return what is trained, seed by seed, each after the model of the same job that it starts from.

        Raises:
            ManifestError: shards are not there, or lack the attribute or its classes.
            WeightsError: the start is not there, or is of another network.
            ValueError: the generator's size is not that of the images, or the judge has no weights.
        """
        side = self.size or site.size
        if self.generator.size != side:
            raise ValueError(
                f"{self.name}: generator.size is {self.generator.size}, images are used at {side}: set size of the "
                "job, or of this model, to the generator's"
            )
        sets = [site.manifest(place) for place in (site.shards, self.extra) if place]
        shares = self._check_judge(sets, site, side)
        planned = []
        for seed in self.seeds:
            start, after = self._start(seed, site)
            name = self.model_name(seed)
            task = GeneratorTask(
                name=name,
                model=self.models()[name],
                training=replace(self.training, seed=seed),
                judge=self.judge,
                attribute=self.task,
                shares=shares,
                shards=site.shards,
                shards_digest=sets[0].digest,
                extra=self.extra,
                extra_digest=sets[1].digest if self.extra else "",
                extra_share=self.extra_share,
                size=side,
                samples=self.samples,
                directory=str(site.models / name),
                start=start,
                threads=site.threads,
            )
            planned.append(Planned(task, after))
        return planned

    def _start(self, seed: int, site: Site) -> tuple[str, str]:
        """Return the directory that a seed starts from, and its name where this job is to train it first."""
        if not self.start:
            return "", ""
        start = Path(self.start.replace(SEED, str(seed))).expanduser().absolute()
        if start.parent == site.models and start.name in site.planned:
            return str(start), start.name
        check_start(str(start), self.generator)
        return str(start), ""

    def _check_judge(self, sets: list[Manifest], site: Site, side: int) -> tuple[float, ...]:
        """Check judge and labels against each other and return the class shares; () where nothing asks for them."""
        if not self.task:
            return ()
        for found in sets:
            check_attributes(found, (self.task,))
        classes = self.judge.class_sets[self.task] if self.judge else sets[0].attributes[self.task]
        if self.judge is not None:
            if not self.judge.weights:
                raise ValueError(
                    f"{self.name}: the judge has no weights: train it (python -m jobs.train) and set judge.weights"
                )
            self.judge.check_size(side, side)
        for found in sets:
            check_classes(found, {self.task: classes})
        shares = self.judge_shares
        if not shares:
            counted = site.manifest(self.judge_shards) if self.judge_shards else sets[0]
            shares = class_shares(counted, self.task, classes)
        if len(shares) != len(classes):
            raise ValueError(f"{self.name}: judge_shares must be {len(classes)}, one a class, got {len(shares)}")
        if self.training.reweighting == "generated" and 0 in shares:
            absent = ", ".join(name for name, share in zip(classes, shares, strict=True) if not share)
            raise ValueError(
                f"{self.name}: reweighting of generated images has no weight for classes without images: {absent}"
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
