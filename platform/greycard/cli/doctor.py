"""``greycard doctor``: what this machine has, what is missing, and where it would go."""

import importlib.metadata
import os
import platform
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from greycard.tracking import TrackingError, check_store, store_uri

PACKAGES: Final = ("torch", "torchvision", "ray", "mlflow", "compressai", "pyarrow", "numpy", "pandas", "lpips")
OK, OFF, MISSING, PROBLEM = "ok", "off", "missing", "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at.

    Attributes:
        name: what it is.
        state: ``ok``, ``off`` (not there, not needed), ``missing`` (an optional part lacks it) or ``problem``.
        detail: what was found, or what to do.
    """

    name: str
    state: str
    detail: str


def examine() -> Iterator[Finding]:
    """Yield the findings, the slow ones last."""
    yield Finding("python", OK, f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    for package in PACKAGES:
        yield _version(package)
    yield _processors()
    yield _disk(Path("runs"))
    yield _gpus()
    yield from _weights()
    yield _ray()
    yield _mlflow()


def _version(package: str) -> Finding:
    try:
        return Finding(package, OK, importlib.metadata.version(package))
    except importlib.metadata.PackageNotFoundError:
        return Finding(package, PROBLEM, "not installed: make setup")


def _processors() -> Finding:
    import psutil

    memory = psutil.virtual_memory()
    return Finding(
        "machine", OK, f"{os.cpu_count()} CPUs, {memory.available / 2**30:.1f} of {memory.total / 2**30:.1f} GiB free"
    )


def _disk(folder: Path) -> Finding:
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(there).free / 2**30
    state = OK if free >= 5 else PROBLEM
    return Finding("disk", state, f"{free:.0f} GiB free for {folder}/")


def _gpus() -> Finding:
    import torch

    if not torch.cuda.is_available():
        return Finding("gpu", OFF, "none that torch can use: models run on the CPU")
    names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return Finding("gpu", OK, ", ".join(names))


def _weights() -> Iterator[Finding]:
    """Look for the published weights that some measures and recipes use; none is needed by the demo."""
    from greycard.metrics.full_reference.lpips import Lpips

    for lpips in (Lpips(net="alex"), Lpips(net="vgg")):
        missing = lpips.missing()
        yield Finding(f"lpips-{lpips.net}", MISSING if missing else OK, missing or str(lpips.weights_path()))
    backbone = Path("weights/resnet18-f37072fd.pth")
    yield Finding(
        "imagenet resnet18",
        OK if backbone.is_file() else MISSING,
        str(backbone)
        if backbone.is_file()
        else f"jobs.train classifiers_code starts from torchvision's {backbone.name}; put it into {backbone.parent}/",
    )


def _ray() -> Finding:
    address = os.environ.get("RAY_ADDRESS", "")
    if not address:
        return Finding("ray", OFF, "RAY_ADDRESS is not set: each job starts Ray on this machine")
    import ray

    from greycard.streaming.cluster import AUTO, LOCAL, RayError, SessionConfig, check_reachable, session

    try:
        if address not in (AUTO, LOCAL):
            check_reachable(address)  # the address itself: a session would take a Ray that this process has
        if ray.is_initialized():
            return Finding("ray", OK, f"{address} answers; this process has joined Ray already")
        with session(SessionConfig(address=address)):
            total = ray.cluster_resources()
            nodes = sum(node["Alive"] for node in ray.nodes())
    except RayError as error:
        return Finding("ray", PROBLEM, str(error))
    return Finding("ray", OK, f"{address}: {nodes} nodes, {total.get('CPU', 0):g} CPUs, {total.get('GPU', 0):g} GPUs")


def _mlflow() -> Finding:
    uri = store_uri()
    try:
        check_store(uri)
    except TrackingError as error:
        return Finding("mlflow", PROBLEM, str(error))
    return Finding("mlflow", OK, f"{uri} answers")


def report(show: Callable[[str], None] = print) -> int:
    """Print the findings; returns 1 if one of them is a problem, 0 otherwise."""
    marks = {OK: "ok", OFF: "--", MISSING: "??", PROBLEM: "!!"}
    worst = 0
    for finding in examine():
        show(f"{marks[finding.state]}  {finding.name:22} {finding.detail}")
        worst = max(worst, int(finding.state == PROBLEM))
    return worst
