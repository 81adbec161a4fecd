"""A user's file of a network's tensors, read without running anything that it may hold."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor


def read_state(path: str | Path, prefix: str = "", needed: tuple[str, ...] = ()) -> dict[str, Tensor]:
    """Read name -> float32 tensor on the CPU; names lose ``module.``, which training on several GPUs puts before them.

    Args:
        path: of ``torch.save(state_dict)``; a dictionary that holds it under ``state_dict`` will do too.
        prefix: only names that start so are kept, without it.
        needed: names (after the prefix) of which the absence tells that the file is another network's.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file holds anything but tensors, or not those.
    """
    try:
        held = torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:  # bytes that are no weights break the reader in any way
        raise ValueError(f"{path} is not a file of plain weights: {repr(error).splitlines()[0][:200]}") from None
    if isinstance(held, Mapping) and isinstance(held.get("state_dict"), Mapping):
        held = held["state_dict"]
    named = held if isinstance(held, Mapping) else {}
    tensors = {
        str(name).removeprefix("module.").removeprefix(prefix): value.float()
        for name, value in named.items()
        if isinstance(value, Tensor) and str(name).removeprefix("module.").startswith(prefix)
    }
    absent = [prefix + name for name in needed if name not in tensors]
    if absent or not tensors:
        raise ValueError(
            f"{path} does not hold the weights that are expected: it lacks {', '.join(absent) or 'tensors'}"
        )
    return tensors


def stages(state: Mapping[str, Tensor], name: str) -> int:
    """Return how many numbered parts ``<name>.<number>.`` a network has.

    Example:
        >>> stages({"layer1.0.weight": torch.zeros(1), "layer1.1.weight": torch.zeros(1)}, "layer1")
        2
    """
    return len({key[len(name) + 1 :].partition(".")[0] for key in state if key.startswith(f"{name}.")})
