"""The device that a config names."""

import torch


def find_device(name: str) -> torch.device:
    """Return the device of a name: ``cpu``, ``cuda``, ``cuda:1``, or ``auto``, which is CUDA where there is one.

    Raises:
        ValueError: CUDA was asked for and is not there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise ValueError(f"device {name} was asked for, but no CUDA device is available; use cpu or auto")
    return torch.device(name)
