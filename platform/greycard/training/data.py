"""What a model is trained from, in memory: read once, and shared between processes through Ray's object store."""

import warnings
from typing import Any, NamedTuple

import torch
from numpy.typing import NDArray
from torch import Tensor

from greycard.training.batches import Examples, ImageSet


class TrainingData(NamedTuple):
    """What a model is trained from, already in memory, so that trials of a search share it instead of reading it.

    It travels through Ray's object store without a copy a process: tensors are pickled as arrays, and read in place.

    Attributes:
        train: images and the codes of all labels that the task needs (``ModelTask.attributes``).
        val: the same of the validation split.
        start: the weights that the model starts from; None takes ``task.start``.
    """

    train: ImageSet
    val: ImageSet
    start: dict[str, Tensor] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle tensors as arrays, whose buffers Ray keeps outside of the pickle."""
        return _restored, (_arrays(self.train), _arrays(self.val), self.start)


def _arrays(data: ImageSet) -> tuple[NDArray[Any], dict[str, NDArray[Any]]]:
    return data.images.numpy(), {name: codes.numpy() for name, codes in data.labels.items()}


def _restored(
    train: tuple[NDArray[Any], dict[str, NDArray[Any]]],
    val: tuple[NDArray[Any], dict[str, NDArray[Any]]],
    start: dict[str, Tensor] | None,
) -> TrainingData:
    """Build on the arrays' own memory, which in Ray's object store may only be read; training never writes to it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        sets = [
            Examples(torch.from_numpy(images), {name: torch.from_numpy(codes) for name, codes in labels.items()})
            for images, labels in (train, val)
        ]
    return TrainingData(sets[0], sets[1], start)
