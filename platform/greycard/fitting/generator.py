"""Train one generator from its config to its saved weights: what `jobs.train` runs on a Ray worker.

A generator's directory, on a file system that driver and workers share, holds:

    checkpoint.pt    the training state, until the generator is finished
    progress.json    the metrics of each tick so far
    samples/         what it makes of the same seeds at each tick: tick-<images>.png
    weights/         weights.pt and model.json of the averaged generator, when finished
    discriminator/   those of the discriminator, for fine-tuning
    example.npz      a few seeds and their images, for the signature
    outcome.json     what came of it; its presence says that the generator is finished

Fine-tuning starts both networks from such a directory, with fresh optimisers: the generator from its averaged weights,
since those are what was kept.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from greycard.classifiers import AnyClassifier
from greycard.config import to_dict
from greycard.datasets.loading import load_images
from greycard.fitting.task import EXAMPLE, NUM_EXAMPLES, WEIGHTS, Outcome, Task, read_finished, write_outcome
from greycard.generators import GeneratorConfig, StyleGan2, StyleGan2Config
from greycard.generators.stylegan2.networks import GeneratorNetwork
from greycard.layers.weights import MODEL, WeightsError, load_weights, read_description, save_weights
from greycard.training.batches import Examples, ImageSet
from greycard.training.progress import PROGRESS, Progress, report_epochs
from greycard.training.session import Report, Session
from greycard.training.stylegan2.config import AdversarialConfig
from greycard.training.stylegan2.loop import Judge, train_adversarial
from greycard.training.stylegan2.mixture import Mixture
from greycard.training.stylegan2.samples import FOLDER, collapse, save_sheet, sheet_name

DISCRIMINATOR: Final = "discriminator"
_SPLIT: Final = "train"


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratorTask(Task):
    """One generator to train, fully resolved.

    Attributes:
        model: the config of its networks.
        training: how.
        judge: the classifier of the share loss, with its weights; None trains without.
        attribute: the label whose classes are to be drawn evenly; "" reads no labels.
        shares: (K,) class shares of the biased data or model, which the share loss and reweighting start from.
        extra: URI of a second set; "" for none.
        extra_digest: of its content.
        extra_share: of each batch that is drawn from the second set.
        samples: seeds, 0 to samples - 1, on each sheet; 0 makes no sheets.
        start: directory of a finished generator that it starts from; "" starts from initial weights.
    """

    model: GeneratorConfig
    training: AdversarialConfig
    judge: AnyClassifier | None = None
    attribute: str = ""
    shares: tuple[float, ...] = ()
    extra: str = ""
    extra_digest: str = ""
    extra_share: float = 0.5
    samples: int = 64

    @property
    def identity(self) -> dict[str, str]:
        """What decides the result; a finished generator is used again only if all of it is the same."""
        return {
            "model": f"{self.model.description()}",
            "discriminator": f"{discriminator_description(self.model)}, group {self.model.group}",
            "seed": f"{self.model.seed}",
            "training": repr(replace(self.training, device="")),
            "judge": f"{self.judge.description()}" if self.judge else "",
            "attribute": self.attribute,
            "shares": f"{self.shares}",
            "shards": self.shards_digest,
            "extra": f"{self.extra_digest} {self.extra_share:g}" if self.extra else "",
            "size": f"{self.size}",
            "start": Path(self.start).name,
        }

    @property
    def fingerprints(self) -> dict[str, str]:
        """Those of the weights that it starts from and of its judge's, where they are there to be read."""
        places = {"start_weights": f"{self.start}/{WEIGHTS}" if self.start else ""}
        places["start_discriminator"] = f"{self.start}/{DISCRIMINATOR}" if self.start else ""
        places["judge_weights"] = self.judge.weights if self.judge else ""
        there = {name: place for name, place in places.items() if place and (Path(place) / MODEL).exists()}
        found = {name: place for name, place in places.items() if ":/" in place}  # a version in a store
        return found | {name: str(read_description(place).get("fingerprint", "")) for name, place in there.items()}

    @property
    def images(self) -> tuple[str, ...]:
        """URIs of the shards that it is trained on."""
        return (self.shards, self.extra) if self.extra else (self.shards,)

    @property
    def rounds(self) -> int:
        """How often it reports at most: its ticks."""
        shown = self.training.steps * self.training.batch
        return max(1, -(-shown // self.training.report_images))

    @property
    def artifacts(self) -> tuple[str, ...]:
        """Folders of its directory that are kept beside the weights."""
        return (DISCRIMINATOR,)

    def train(self, data: ImageSet | Mixture | None = None, report: Report | None = None) -> Outcome:
        """Train the generator, or resume it where it stopped, or return it as it is if it is finished.

        Args:
            data: what to train from; None reads it.
            report: called with each tick's metrics and its 1-based number, after it is saved; a run that is resumed
                first reports the ticks already done.

        Returns:
            The outcome, in which an epoch is a tick.

        Raises:
            CheckpointError: the directory holds another model.
            DivergedError: a loss or gradient became NaN or infinite; ``checkpoint.pt`` is from before that.
            ManifestError: shards are not there, or lack the attribute.
            WeightsError: the start or the judge is missing, damaged or of another architecture or size.
            ValueError: images of another size, or a missing judge.
        """
        key = self.identity | self.fingerprints
        finished = read_finished(self.directory, key)
        if finished:
            report_epochs(self.directory, report)
            return finished
        directory = Path(self.directory)
        directory.mkdir(parents=True, exist_ok=True)
        torch.set_num_threads(self.threads)
        generator, discriminator = start_networks(self)
        average, trained = train_adversarial(
            generator,
            discriminator,
            read_sets(self) if data is None else data,
            self.training,
            Session(directory=directory, key=key, report=Progress(directory / PROGRESS, report)),
            latent=self.model.latent,
            judge=judge_of(self),
            draw=lambda average, images: _save_sheet(self, average, images),
        )
        outcome = _save(self, average, discriminator, trained.history)
        write_outcome(self.directory, key, outcome)
        return outcome

    def params(self) -> dict[str, Any]:
        """Return what its run is described by: the fields of networks and training, and the images."""
        training = to_dict(self.training)
        shares = training.pop("shares") or {}
        return {
            **self.model.description(),
            "architecture": self.model.architecture,
            **{f"training.{name}": value for name, value in training.items()},
            **{f"shares.{name}": value for name, value in shares.items()},
            "judge": self.judge.weights if self.judge else "",
            "task": self.attribute,
            "class_shares": list(self.shares),
            "extra_digest": self.extra_digest,
            "extra_share": self.extra_share if self.extra else 0.0,
            "start": self.start,
            "shards_digest": self.shards_digest,
            "size": self.size,
        }

    def summary(self, outcome: Outcome) -> dict[str, float]:
        """Return the metrics of its run that say what came of it."""
        last = {f"last/{name}": value for name, value in outcome.metrics.items()}
        return last | {"ticks": outcome.epochs, "steps": outcome.steps}


def discriminator_description(config: StyleGan2Config) -> dict[str, Any]:
    """Return what a discriminator's weights belong to, as plain values."""
    return {"kind": f"{config.kind} discriminator"} | {
        name: getattr(config, name) for name in ("size", "base", "most", "architecture")
    }


def read_sets(task: GeneratorTask) -> ImageSet | Mixture:
    """Read a task's images, and the labels of its attribute.

    Raises:
        ManifestError: shards are not there, or lack the attribute.
    """
    names = (task.attribute,) if task.attribute else ()
    first, *second = (
        Examples(loaded.images, loaded.labels)
        for uri in (task.shards, task.extra)
        if uri
        for loaded in [load_images(uri, _SPLIT, size=task.size, attributes=names)]
    )
    return Mixture(first, second[0], task.extra_share) if second else first


def start_networks(task: GeneratorTask) -> tuple[nn.Module, nn.Module]:
    """Return generator and discriminator as training starts from them.

    Raises:
        WeightsError: the start is not there, is damaged, or is of another architecture or size.
    """
    generator, discriminator = task.model.network(), task.model.discriminator()
    if task.start:
        check_start(task.start, task.model)
        generator.load_state_dict(load_weights(f"{task.start}/{WEIGHTS}", task.model.description()))
        discriminator.load_state_dict(
            load_weights(f"{task.start}/{DISCRIMINATOR}", discriminator_description(task.model))
        )
    return generator, discriminator


def check_start(start: str, model: StyleGan2Config) -> None:
    """Refuse to fine-tune what is not a finished generator of the same networks.

    Raises:
        WeightsError: says which, and the way out.
    """
    for folder, wanted in ((WEIGHTS, model.description()), (DISCRIMINATOR, discriminator_description(model))):
        place = Path(start) / folder
        if not (place / MODEL).exists():
            raise WeightsError(
                f"start: {place} has no {MODEL}: start must be the folder of a finished generator, which holds "
                f"{WEIGHTS}/ and {DISCRIMINATOR}/ (a folder of models/ in the directory of a training job)"
            )
        found = read_description(place)
        for name, value in wanted.items():
            if found.get(name) != value:
                raise WeightsError(
                    f"start: {place} is of another network: its {name} is {found.get(name)!r}, generator.{name} is "
                    f"{value!r}; set generator.{name} to that of the start, or start from another model"
                )


def _save_sheet(task: GeneratorTask, average: nn.Module, images: int) -> None:
    """Save the sheet of samples of a generator that was shown so many images."""
    if task.samples:
        assert isinstance(average, GeneratorNetwork)
        generator = StyleGan2(average, replace(task.model, device=task.training.device))
        save_sheet(Path(task.directory) / FOLDER / sheet_name(images), _draw(generator, task.samples))


def judge_of(task: GeneratorTask) -> Judge | None:
    """Return what watches the shares: the classifier's logits of the attribute; without one, labels alone."""
    if not task.attribute:
        return None
    shares = torch.tensor(task.shares, dtype=torch.float64)
    if task.judge is None:
        if task.training.shares or task.training.reweighting == "generated":
            raise ValueError(f"{task.name}: a share loss needs a classifier: set judge")
        return Judge(_no_logits, task.attribute, shares)
    classifier = replace(task.judge, device=task.training.device).build()

    def logits(images: Tensor) -> Tensor:
        found = classifier.logits(images)[task.attribute]
        return found if found.shape[1] > 1 else torch.cat([torch.zeros_like(found), found], dim=1)

    return Judge(logits, task.attribute, shares, task.judge.class_sets[task.attribute])


def _no_logits(images: Tensor) -> Tensor:
    raise AssertionError("reweighting of real images asks for no logits")


def _save(
    task: GeneratorTask, average: nn.Module, discriminator: nn.Module, history: tuple[dict[str, float], ...]
) -> Outcome:
    """Save what is kept of a finished training."""
    directory = Path(task.directory)
    made = {"trained_on": task.shards_digest}
    description = task.model.description() | {"truncation": task.model.truncation} | made
    weights = save_weights(directory / WEIGHTS, average.state_dict(), description)
    save_weights(
        directory / DISCRIMINATOR, discriminator.cpu().state_dict(), discriminator_description(task.model) | made
    )
    generator = replace(task.model, weights=str(weights), device="cpu").build()
    seeds = torch.arange(NUM_EXAMPLES)
    np.savez(directory / EXAMPLE, input=seeds.numpy(), **{"output/": generator.generate(generator.latents(seeds))})
    concern = collapse(_draw(generator, max(2, min(task.samples, 64))))
    return Outcome(
        weights=str(weights),
        epochs=len(history),
        best_epoch=len(history),
        steps=task.training.steps,
        stopped="images",
        metrics=dict(history[-1]),
        concerns=(concern,) if concern else (),
    )


def _draw(generator: StyleGan2, count: int) -> Tensor:
    return generator.generate(generator.latents(torch.arange(count)))
