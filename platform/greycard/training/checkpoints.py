"""Checkpoints on disk: written whole or not at all, read without executing anything."""

import os
import pickle
from pathlib import Path
from typing import Any

import torch


class CheckpointError(ValueError):
    """A checkpoint that is damaged or belongs to another run."""


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write a state (tensors and plain values) so that a kill at any moment leaves the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a state back, on the CPU.

    Raises:
        CheckpointError: the file is damaged, or is not one of ours.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, EOFError, RuntimeError, ValueError, pickle.UnpicklingError) as error:
        raise CheckpointError(
            f"{path}: not a readable checkpoint ({error}); remove it to train from the start"
        ) from None
    if not isinstance(state, dict):
        raise CheckpointError(f"{path}: expected a training state, got {type(state).__name__}")
    return state
