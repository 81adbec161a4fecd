"""Trial functions for tests: quick, and each with what it needs to misbehave."""

import math
import os
import time
from pathlib import Path


def quick(trial, shared):
    """A bowl in log λ with an accuracy against a gap; reports three steps and minds its directory."""
    lam, offset = trial.settings["lam"], shared["offset"]
    accuracy = 0.9 - 0.02 * math.log10(lam) + 0.001 * trial.seed
    gap = (math.log10(lam) - 1) ** 2 / 10 + offset
    with (trial.directory / "starts.txt").open("a") as file:
        file.write(f"{os.getpid()}\n")
    for step in (1, 2, 3):
        trial.report({"gap": gap + 1 / step, "accuracy": accuracy}, step)
    return {"gap": gap, "accuracy": accuracy, "spare": math.inf}


def troubled(trial, shared):
    """Fail by number: 1 always, 2 once, 3 gives NaN, 4 dies; the rest is ``quick``."""
    marker = trial.directory / "failed-once"
    if trial.number == 1:
        raise ValueError("no such luck\nat all")
    if trial.number == 2 and not marker.exists():
        marker.touch()
        raise MemoryError("too large")
    if trial.number == 3:
        return {"gap": math.nan, "accuracy": 0.5}
    if trial.number == 4:
        os._exit(1)
    return quick(trial, shared)


def waiting(trial, shared):
    """Report a step, then, from trial ``shared["from"]`` on, wait for a file before going on."""
    trial.report({"gap": 1.0}, 1)
    folder = Path(shared["folder"])
    if trial.number >= shared["from"] and not (folder / "go").exists():
        (folder / f"waiting-{trial.name}").write_text(str(os.getpid()))
        while not (folder / "go").exists():
            time.sleep(0.05)
    return quick(trial, shared)


def shortened(trial, shared):
    """Twelve reports of a cost that its λ alone decides; the even ones are bad."""
    cost = 1.0 if trial.number % 2 else 2.0 + trial.number
    for step in range(1, 13):
        trial.report({"gap": cost}, step)
    return {"gap": cost}


def clinging(trial, shared):
    """``shortened``, but slower to let go than Ray Tune waits."""
    try:
        return shortened(trial, shared)
    except SystemExit:
        time.sleep(3)
        raise
