"""Classifiers of phenotypes (or of any labelled attribute): ResNet18 a task, or one backbone with several heads.

Paper 000, section 3.3. The paper's text and its authors' published code train them differently; both are offered:

================  ==========================  =================================
field             the paper's text (default)  the published code
================  ==========================  =================================
``pretrained``    none: from scratch          ImageNet weights of torchvision's resnet18
``resize``        none: 64 px                 224 px
``pixels``        ``unit``: [0, 1]            ``bytes``: 0..255, not normalised
================  ==========================  =================================
"""

import pickle
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from greycard.classifiers.resnet import TaskNetwork
from greycard.layers.batching import fixed_batches
from greycard.layers.weights import WeightsError, load_weights
from greycard.schema import PHENOTYPES, RACE, unknown
from greycard.tracking import fetch

KNOWN_CLASSES = {RACE.name: RACE.classes} | {name: attribute.classes for name, attribute in PHENOTYPES.items()}
IMAGENET_WIDTH = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class ResNetConfig:
    """ResNet18 for one or several tasks.

    Attributes:
        tasks: the attributes to predict.
        classes: class sets of tasks that are not phenotypes or race, in code order.
        width: channels of the first stage; 64 is ResNet18.
        stem: ``imagenet`` is ResNet18's (a quarter of the size before the first stage); ``small`` keeps half, for
            features that are a few pixels wide.
        shared: one backbone with a head a task, instead of a backbone a task.
        pixels: ``unit`` divides 8-bit values by 255, ``bytes`` leaves them at 0..255.
        resize: side in pixels to which images are resized first; 0 leaves them.
        pretrained: URI of a file with torchvision's ImageNet state dict, the start of training; "" is from scratch.
        weights: URI of the trained weights, for ``build``.
        seed: seed of the initial weights.
        compute_batch: images a forward pass of ``predict``.
        device: where ``predict`` computes.
    """

    kind: Literal["resnet18"] = "resnet18"
    tasks: tuple[str, ...] = tuple(PHENOTYPES)
    classes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    width: int = 64
    stem: Literal["imagenet", "small"] = "imagenet"
    shared: bool = False
    pixels: Literal["unit", "bytes"] = "unit"
    resize: int = 0
    pretrained: str = ""
    weights: str = ""
    seed: int = 0
    compute_batch: int = 64
    device: str = "cpu"

    def __post_init__(self) -> None:
        if not self.tasks or len(set(self.tasks)) < len(self.tasks):
            raise ValueError(f"classifier.tasks must name each attribute once, got {self.tasks}")
        for task in self.tasks:
            if task not in self.class_sets:
                raise ValueError(f"classifier.tasks: {unknown('attribute', task, tuple(self.class_sets))}")
            if len(self.class_sets[task]) < 2:
                raise ValueError(f"classifier.classes: {task} needs at least 2 classes, got {self.class_sets[task]}")
        if self.width < 1:
            raise ValueError(f"classifier.width must be at least 1, got {self.width}")
        if self.pretrained and (self.width != IMAGENET_WIDTH or self.stem != "imagenet"):
            raise ValueError(
                f"classifier.pretrained needs width {IMAGENET_WIDTH} and stem imagenet, got {self.width}, {self.stem}"
            )
        if self.resize < 0:
            raise ValueError(f"classifier.resize must be 0 or a size in pixels, got {self.resize}")
        if self.compute_batch < 1:
            raise ValueError(f"classifier.compute_batch must be at least 1, got {self.compute_batch}")

    @property
    def class_sets(self) -> dict[str, tuple[str, ...]]:
        """Every known attribute's classes, in code order."""
        return KNOWN_CLASSES | self.classes

    def description(self) -> dict[str, Any]:
        """Return what the weights belong to: architecture, input convention and class sets, as plain values."""
        return {
            "kind": self.kind,
            "width": self.width,
            "stem": self.stem,
            "shared": self.shared,
            "pixels": self.pixels,
            "resize": self.resize,
            "classes": {task: list(self.class_sets[task]) for task in self.tasks},
        }

    def network(self) -> nn.Module:
        """Return the network with its initial weights: drawn from ``seed``, or the pretrained backbone.

        Raises:
            WeightsError: ``pretrained`` does not hold torchvision's resnet18.
        """
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            network = TaskNetwork(
                {task: len(self.class_sets[task]) for task in self.tasks},
                width=self.width,
                stem=self.stem,
                shared=self.shared,
                resize=self.resize,
                scale=255.0 if self.pixels == "unit" else 1.0,
            )
        if self.pretrained:
            _load_pretrained(network, fetch(self.pretrained))
        return network

    def build(self) -> "PhenotypeClassifier":
        """Return the trained classifier.

        Raises:
            ValueError: ``weights`` is empty.
            WeightsError: the weights are damaged or belong to another architecture.
        """
        if not self.weights:
            raise ValueError(
                f"classifier {self.kind} of {', '.join(self.tasks)} has no weights: train it "
                "(python -m jobs.train) and set classifier.weights to the result"
            )
        trained = replace(self, pretrained="").network()
        trained.load_state_dict(load_weights(fetch(self.weights), self.description()))
        return PhenotypeClassifier(self.tasks, trained, compute_batch=self.compute_batch, device=self.device)


class PhenotypeClassifier:
    """A trained classifier: ``images -> batches of one fixed size -> network -> arg max -> codes``."""

    def __init__(self, tasks: tuple[str, ...], network: nn.Module, *, compute_batch: int, device: str = "cpu") -> None:
        self._tasks = tasks
        self._network = network.eval().to(device)
        self._compute_batch = compute_batch
        self._device = device

    @property
    def tasks(self) -> tuple[str, ...]:
        """The attributes it predicts, in order."""
        return self._tasks

    @torch.inference_mode()
    def predict(self, images: Tensor) -> dict[str, Tensor]:
        """Predict class codes: (N, 3, H, W) uint8 -> task -> (N,) int64, the same whatever shares the batch."""
        if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] != 3:
            raise ValueError(f"images must be (N, 3, H, W) uint8, got {tuple(images.shape)} {images.dtype}")
        codes: dict[str, list[Tensor]] = {task: [torch.empty(0, dtype=torch.int64)] for task in self._tasks}
        for batch, count in fixed_batches(images, self._compute_batch):
            logits = self._network(batch.to(self._device))
            for task in self._tasks:
                codes[task].append(logits[task][:count].argmax(dim=1).cpu())
        return {task: torch.cat(parts) for task, parts in codes.items()}


def _load_pretrained(network: TaskNetwork, path: Path) -> None:
    expected = "a state dict of torchvision's resnet18 (ImageNet weights)"
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, EOFError, RuntimeError, ValueError, pickle.UnpicklingError) as error:
        raise WeightsError(f"{path}: expected {expected}, but the file could not be read: {error}") from None
    if not isinstance(state, dict):
        raise WeightsError(f"{path}: expected {expected}, got {type(state).__name__}")
    backbone = {name: value for name, value in state.items() if not name.startswith("fc.")}
    for module in network.backbones:
        try:
            module.load_state_dict(backbone)
        except RuntimeError as error:
            raise WeightsError(f"{path}: expected {expected}: {error}") from None
