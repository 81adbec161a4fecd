"""Weights that other libraries published, as a start of training: tensors alone, checked before use."""

import pickle
from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn

from greycard.layers.weights import WeightsError

UNREADABLE: Final = (
    OSError,
    EOFError,
    RuntimeError,
    ValueError,
    LookupError,
    AttributeError,
    TypeError,
    pickle.UnpicklingError,
)
"""What torch raises on files that are not its own, or damaged, or hold more than tensors."""


def load_state(path: Path, expected: str) -> dict[str, Tensor]:
    """Read a state dict; nothing but tensors is ever unpickled.

    Args:
        path: of the file.
        expected: words what it should hold, for errors.

    Raises:
        WeightsError: the file cannot be read, or holds something else.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except UNREADABLE as error:
        raise WeightsError(f"{path}: expected {expected}, but the file could not be read: {error}") from None
    if not isinstance(state, dict):
        raise WeightsError(f"{path}: expected {expected}, got {type(state).__name__}")
    return state


def load_into(module: nn.Module, state: dict[str, Tensor], path: Path, expected: str) -> None:
    """Load a state dict into a module that must have exactly its names and shapes.

    Raises:
        WeightsError: it does not.
    """
    try:
        module.load_state_dict(state)
    except RuntimeError as error:
        raise WeightsError(f"{path}: expected {expected}: {error}") from None
