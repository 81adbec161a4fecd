"""What the configs of all predictors share: attributes and class sets, heads, weights, seed and device.

A kind adds its ``kind``, its own fields, and says what its backbone is and what it does to pixels.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import torch
from torch import nn

from greycard.classifiers.attributes import AttributeClassifier
from greycard.classifiers.network import AttributeNetwork, Backbone, InputConvention
from greycard.layers.weights import WeightsError, load_weights
from greycard.schema import PHENOTYPES, RACE, unknown
from greycard.tracking import fetch

KNOWN_CLASSES: Final = {RACE.name: RACE.classes} | {name: item.classes for name, item in PHENOTYPES.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictorConfig:
    """A predictor of one or several attributes.

    Attributes:
        tasks: the attributes to predict.
        classes: class sets of tasks that are not phenotypes or race, in code order.
        binary: how many logits a task with two classes has: ``two_logits`` (softmax, as every other task), or
            ``one_logit`` z with p(class 1) = sigmoid(z), as the published code of paper 002 has it.
        weights: URI of the trained weights, for ``build``.
        seed: seed of the initial weights.
        compute_batch: images per forward pass of the built classifier at most.
        device: where the built classifier computes: ``cpu``, ``cuda``, ``cuda:1``, or ``auto``.
    """

    tasks: tuple[str, ...] = tuple(PHENOTYPES)
    classes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    binary: Literal["one_logit", "two_logits"] = "two_logits"
    weights: str = ""
    seed: int = 0
    compute_batch: int = 64
    device: str = "cpu"

    def __post_init__(self) -> None:
        """Check values."""
        if not self.tasks or len(set(self.tasks)) < len(self.tasks):
            raise ValueError(f"classifier.tasks must name each attribute once, got {self.tasks}")
        for task in self.tasks:
            if task not in self.class_sets:
                raise ValueError(f"classifier.tasks: {unknown('attribute', task, tuple(self.class_sets))}")
            if len(self.class_sets[task]) < 2:
                raise ValueError(f"classifier.classes: {task} needs at least 2 classes, got {self.class_sets[task]}")
        if self.compute_batch < 1:
            raise ValueError(f"classifier.compute_batch must be at least 1, got {self.compute_batch}")

    @property
    def class_sets(self) -> dict[str, tuple[str, ...]]:
        """Every known attribute's classes, in code order."""
        return KNOWN_CLASSES | self.classes

    @property
    def heads(self) -> dict[str, int]:
        """Task -> number of its logits."""
        counts = {task: len(self.class_sets[task]) for task in self.tasks}
        single = self.binary == "one_logit"
        return {task: 1 if single and count == 2 else count for task, count in counts.items()}

    @property
    def smallest(self) -> int:
        """The least height and width of an image in pixels that the network takes."""
        return 1

    def check_size(self, height: int, width: int) -> None:
        """Refuse images that the network cannot take, before any training.

        Raises:
            ValueError: a side is below ``smallest``.
        """
        if min(height, width) < self.smallest:
            raise ValueError(too_small(self._kind, self.smallest, height, width))

    def description(self) -> dict[str, Any]:
        """Return what the weights belong to: architecture, input convention and class sets, as plain values."""
        heads = {"binary": self.binary} if self.binary != "two_logits" else {}
        classes = {task: list(self.class_sets[task]) for task in self.tasks}
        return {"kind": self._kind} | dict(self.architecture()) | heads | {"classes": classes}

    def architecture(self) -> Mapping[str, Any]:
        """Return the fields that decide the backbone and its input, as plain values."""
        raise NotImplementedError

    def backbones(self) -> list[Backbone]:
        """Return the fresh backbones, drawn from torch's generator: one, or one per task."""
        raise NotImplementedError

    def convention(self) -> InputConvention:
        """Return what is done to pixels."""
        return InputConvention()

    def untrained(self) -> AttributeNetwork:
        """Return the network with initial weights drawn from ``seed``; the caller's generator is left alone."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            network = AttributeNetwork(self.heads, self.backbones(), self.convention())
            self.draw_heads(network.heads)
        return network

    def draw_heads(self, heads: nn.Module) -> None:
        """Draw the heads' weights anew where a kind does not take torch's."""

    def network(self) -> AttributeNetwork:
        """Return the network as training starts from it."""
        return self.untrained()

    def build(self) -> AttributeClassifier:
        """Return the trained classifier; its parameters are frozen.

        Raises:
            ValueError: ``weights`` is empty.
            WeightsError: the weights are damaged or belong to another architecture.
        """
        if not self.weights:
            raise ValueError(
                f"classifier {self._kind} of {', '.join(self.tasks)} has no weights: train it "
                "(python -m jobs.train) and set classifier.weights to the result"
            )
        network = self.untrained()
        state = load_weights(fetch(self.weights), self.description())
        try:
            network.load_state_dict(state)
        except RuntimeError as error:
            raise WeightsError(f"{self.weights}: weights of another architecture: {error}") from None
        network.requires_grad_(requires_grad=False)
        return AttributeClassifier(self.tasks, network, compute_batch=self.compute_batch, device=self.device)

    @property
    def _kind(self) -> str:
        return str(getattr(self, "kind"))  # noqa: B009


def too_small(kind: str, smallest: int, height: int, width: int) -> str:
    """Word the error for images that are too small for a network."""
    small = "; take slimcnn_small, or resize the images" if kind == "slimcnn" else ""
    return f"classifier {kind} takes images of {smallest} x {smallest} px at least, got {height} x {width}{small}"
