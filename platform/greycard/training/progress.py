"""The epochs of a model as it trains, in a file of its directory that the driver follows."""

import json
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from greycard.training.session import Report

PROGRESS: Final = "progress.json"


class Progress:
    """Writes each epoch's metrics to a file that the driver follows, then tells who else wants to know.

    Repeated epochs change nothing in the file.
    """

    def __init__(self, path: Path, report: Report | None = None) -> None:
        self._path = path
        self._report = report
        self._epochs: dict[int, Mapping[str, float]] = {}

    def __call__(self, metrics: Mapping[str, float], epoch: int) -> None:
        """Take an epoch's metrics; epochs count from 1."""
        self._epochs[epoch] = metrics
        write_json(
            self._path, {"host": socket.gethostname(), "pid": os.getpid(), "epochs": list(self._epochs.values())}
        )
        if self._report is not None:
            self._report(metrics, epoch)


def read_epochs(directory: str) -> list[dict[str, float]]:
    """Return the metrics of the epochs so far."""
    epochs: list[dict[str, float]] = read_json(Path(directory) / PROGRESS).get("epochs", [])
    return epochs


def report_epochs(directory: str, report: Report | None) -> None:
    """Report the epochs that a model has been trained for."""
    if report is not None:
        for number, metrics in enumerate(read_epochs(directory), start=1):
            report(metrics, number)


def read_json(path: Path) -> dict[str, Any]:
    """Return a JSON object, empty where there is no file."""
    try:
        content: dict[str, Any] = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    return content


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON object, whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(json.dumps(content, indent=1))
    temporary.replace(path)
