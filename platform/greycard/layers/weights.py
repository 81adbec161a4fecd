"""Network weights on disk: a directory with ``weights.pt`` (tensors alone) and ``model.json`` (what they belong to).

Nothing is ever unpickled beyond tensors (``torch.load(weights_only=True)``), and weights go only into the architecture
that their ``model.json`` describes.
"""

import hashlib
import json
import os
import pickle
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, Final

import torch
from torch import Tensor

WEIGHTS: Final = "weights.pt"
MODEL: Final = "model.json"


class WeightsError(ValueError):
    """Weights that are missing, damaged, unsafe or of another architecture: names the file and the way out."""


def save_weights(directory: str | Path, state_dict: Mapping[str, Tensor], description: Mapping[str, Any]) -> Path:
    """Write a network's tensors and its description; each file appears whole or not at all.

    Args:
        directory: made if missing.
        state_dict: name -> tensor; saved on the CPU.
        description: JSON-able; ``load_weights`` compares it. ``fingerprint`` is added.

    Returns:
        The directory.
    """
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in state_dict.items()}
    model = {**description, "fingerprint": fingerprint(tensors)}
    _write(folder / WEIGHTS, lambda file: torch.save(tensors, file))
    _write(folder / MODEL, lambda file: file.write(json.dumps(model, indent=2, sort_keys=True).encode() + b"\n"))
    return folder


def load_weights(directory: str | Path, expected: Mapping[str, Any]) -> dict[str, Tensor]:
    """Read the tensors of a directory after checking that they belong to the expected architecture.

    Args:
        directory: holds ``weights.pt`` and ``model.json``.
        expected: description entries that ``model.json`` must hold with the same values.

    Returns:
        name -> CPU tensor.

    Raises:
        WeightsError: a file is missing or damaged, holds anything but tensors, or describes another architecture.
    """
    folder = Path(directory)
    model = read_description(folder)
    wanted = json.loads(json.dumps(dict(expected)))
    for name, value in wanted.items():
        if name not in model or model[name] != value:
            raise WeightsError(
                f"{folder / MODEL}: weights of another architecture: {name} must be {value!r}, "
                f"got {model.get(name, 'nothing')!r}. Give weights trained with this config, or a config that fits "
                f"{model}"
            )
    tensors = _read_tensors(folder / WEIGHTS)
    found = fingerprint(tensors)
    if model.get("fingerprint", found) != found:
        raise WeightsError(
            f"{folder / WEIGHTS}: fingerprint {found} is not the {model['fingerprint']} of {MODEL}: the two files were "
            "not saved together, or one is damaged; save or download them again"
        )
    return tensors


def read_description(directory: str | Path) -> dict[str, Any]:
    """Read ``model.json``.

    Raises:
        WeightsError: it is missing or not a JSON object.
    """
    path = Path(directory) / MODEL
    try:
        model = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise WeightsError(f"{path}: not found; a weights directory holds {WEIGHTS} and {MODEL}") from None
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path}: expected a JSON object that describes the weights, got {error}") from None
    if not isinstance(model, dict):
        raise WeightsError(f"{path}: expected a JSON object that describes the weights, got {type(model).__name__}")
    return model


def fingerprint(tensors: Mapping[str, Tensor]) -> str:
    """Return 16 hexadecimal digits that name the content of the tensors: names, shapes, dtypes and values."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name}|{tuple(tensor.shape)}|{tensor.dtype}|".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes() if tensor.numel() else b"")
    return digest.hexdigest()[:16]


def _read_tensors(path: Path) -> dict[str, Tensor]:
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*pickle protocol")  # refused below, or read without trouble
            tensors = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise WeightsError(f"{path}: not found; a weights directory holds {WEIGHTS} and {MODEL}") from None
    except pickle.UnpicklingError as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else "not a tensor file"
        raise WeightsError(
            f"{path}: refused, nothing was executed: expected a file of tensors alone, got one that holds other "
            f"objects or is damaged ({first})"
        ) from None
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, AttributeError, TypeError, IndexError) as error:
        raise WeightsError(f"{path}: damaged, expected a file that save_weights wrote, got {error}") from None
    if not isinstance(tensors, dict) or not all(
        isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in tensors.items()
    ):
        raise WeightsError(f"{path}: expected a dictionary of tensors, got {type(tensors).__name__}")
    return dict(tensors)


def _write(path: Path, write: Any) -> None:
    """Write through a temporary file in the same folder, so that a reader never sees half a file."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        file: IO[bytes]
        with os.fdopen(handle, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
