"""A trained predictor of attributes: codes, probabilities, features, and logits that a loss can flow back through."""

from collections.abc import Callable, Iterator
from typing import TypeVar

import torch
from torch import Tensor, nn

from greycard.classifiers.network import AttributeNetwork
from greycard.layers.batching import fixed_batches, steady_size
from greycard.layers.devices import find_device
from greycard.losses.joint_table import class_probabilities

T = TypeVar("T")


class AttributeClassifier:
    """``images -> batches of one fixed size -> network -> logits -> codes, probabilities``.

    Args:
        tasks: the attributes, in order.
        network: trained; it is put in evaluation mode and moved to ``device``.
        compute_batch: images per forward pass at most.
        device: where it computes: ``cpu``, ``cuda``, ``cuda:1``, or ``auto`` for CUDA where there is one.
    """

    def __init__(self, tasks: tuple[str, ...], network: nn.Module, *, compute_batch: int, device: str = "cpu") -> None:
        if not isinstance(network, AttributeNetwork):
            raise TypeError(f"network must be an AttributeNetwork, as configs make it, got {type(network).__name__}")
        self._tasks = tasks
        self._device = find_device(device)
        self._network = network.eval().to(self._device)
        self._compute_batch = compute_batch
        self._steady: dict[tuple[int, int], int] = {}  # (height, width) -> images per forward pass

    @property
    def tasks(self) -> tuple[str, ...]:
        """The attributes it predicts, in order."""
        return self._tasks

    def predict(self, images: Tensor) -> dict[str, Tensor]:
        """Predict class codes: (N, 3, H, W) uint8 -> task -> (N,) int64, the same whatever shares the batch."""
        return {task: values.argmax(dim=1) for task, values in self.probabilities(images).items()}

    @torch.inference_mode()
    def probabilities(self, images: Tensor) -> dict[str, Tensor]:
        """Return class probabilities: (N, 3, H, W) uint8 -> task -> (N, K) float64, rows sum to 1.

        A binary task with one logit z has the columns sigmoid(-z), sigmoid(z).
        """
        parts: dict[str, list[Tensor]] = {task: [] for task in self._tasks}
        _check_bytes(images)
        for logits, count in self._batches(images, self._network):
            for task in self._tasks:
                parts[task].append(class_probabilities(logits[task][:count].double()).cpu())
        sizes = {task: max(2, self._network.sizes[task]) for task in self._tasks}
        return {task: torch.cat(parts[task]) if parts[task] else _none(sizes[task]) for task in self._tasks}

    @torch.inference_mode()
    def features(self, images: Tensor) -> Tensor:
        """Return what the (first) head sees: (N, 3, H, W) uint8 -> (N, F) float32."""
        _check_bytes(images)
        return self.perceive(images)

    @torch.inference_mode()
    def recognise(self, images: Tensor, task: str) -> tuple[Tensor, Tensor, Tensor]:
        """Return a task's codes, how sure they are, and the features that they are decided from, in one pass.

        Args:
            images: (N, 3, H, W) uint8.
            task: one of ``tasks``.

        Returns:
            (N,) int64 codes as ``predict`` gives them, (N,) float64 probabilities of these, and (N, F) float32 features
            of the task's own backbone.
        """
        _check_bytes(images)
        place = self._tasks.index(task)
        codes, features = [torch.empty(0, dtype=torch.int64)], [torch.empty(0, self._network.num_features)]
        sure = [torch.empty(0, dtype=torch.float64)]
        for found, count in self._batches(images, self._network.encode):
            logits = self._network.decide(found)[task][:count]
            most = class_probabilities(logits.double()).max(dim=1)
            codes.append(most.indices.cpu())
            sure.append(most.values.cpu())
            features.append(found[place % len(found)][:count].float().cpu())
        return torch.cat(codes), torch.cat(sure), torch.cat(features)

    @torch.inference_mode()
    def perceive(self, images: Tensor) -> Tensor:
        """Return the same of images that need not be whole numbers: (N, 3, H, W) float 0..255 -> (N, F) float32."""
        parts = [torch.empty(0, self._network.num_features)]
        parts += [values[:count].float().cpu() for values, count in self._batches(images, self._network.features)]
        return torch.cat(parts)

    def logits(self, images: Tensor) -> dict[str, Tensor]:
        """Return logits that are differentiable in the images: (N, 3, H, W) float 0..255 -> task -> (N, K) or (N, 1).

        All images share one batch, so the last bits may depend on their number.
        """
        return self._network.logits(images.to(self._device))

    def _batches(self, images: Tensor, compute: Callable[[Tensor], T]) -> Iterator[tuple[T, int]]:
        for batch, count in fixed_batches(images, self._batch_size(images.shape[-2], images.shape[-1])):
            yield compute(batch.to(self._device)), count

    def _batch_size(self, height: int, width: int) -> int:
        """Return ``compute_batch``, or less where an image's result would depend on its place in such a batch."""
        if (height, width) not in self._steady:
            self._steady[height, width] = steady_size(self._everything, (3, height, width), self._compute_batch)
        return self._steady[height, width]

    def _everything(self, images: Tensor) -> list[Tensor]:
        features = self._network.encode(images.to(self._device))
        return [*features, *self._network.decide(features).values()]


def _check_bytes(images: Tensor) -> None:
    if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] != 3:
        raise ValueError(f"images must be (N, 3, H, W) uint8, got {tuple(images.shape)} {images.dtype}")


def _none(classes: int) -> Tensor:
    return torch.empty(0, classes, dtype=torch.float64)
