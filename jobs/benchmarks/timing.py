"""What every benchmark measures with: clocks, turns, torch's threads, and results that show both sides of a ratio."""

import contextlib
import math
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import torch

T = TypeVar("T")


class Seconds(NamedTuple):
    """A time by the clock, and of this process's processors, which other programs disturb less."""

    clock: float = 0.0
    processor: float = 0.0

    def since(self, start: "Seconds") -> "Seconds":
        """Return the time from another reading to this one."""
        return Seconds(self.clock - start.clock, self.processor - start.processor)

    def plus(self, more: "Seconds") -> "Seconds":
        """Return both times together."""
        return Seconds(self.clock + more.clock, self.processor + more.processor)


def now() -> Seconds:
    """Read both clocks; only differences of readings mean something."""
    return Seconds(time.perf_counter(), time.process_time())


def timed(work: Callable[[], T]) -> tuple[T, Seconds]:
    """Return a result and the time that it took."""
    start = now()
    result = work()
    return result, now().since(start)


def in_turns(sides: Mapping[str, Callable[[int], T]], rounds: int) -> dict[str, list[T]]:
    """Measure every side once per round, so that all see the same machine; none is always the first.

    Args:
        sides: name -> what measures it, called with the number of the round.
        rounds: turns of each.
    """
    found: dict[str, list[T]] = {name: [] for name in sides}
    for number in range(rounds):
        for name in sorted(sides, reverse=bool(number % 2)):
            found[name].append(sides[name](number))
    return found


@contextlib.contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Give torch so many threads for the block; 0 leaves them as they are."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def workplace(directory: str) -> Iterator[Path]:
    """Give a folder for a benchmark's files; "" gives a temporary one that is deleted afterwards."""
    with tempfile.TemporaryDirectory(prefix="greycard-bench-") as temporary:
        yield Path(directory or temporary)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two sides of one run in one unit, and the ratio of the first to the second.

    Attributes:
        what: is measured; names the numbers in records.
        unit: of both sides.
        sides: name -> value: the measured one, then what it is measured against.
        ratio: of the first to the second; of several rounds the median, which need not be the ratio of the medians.
        at_least: the aim, where more is better.
        at_most: the aim, where less is better.
    """

    what: str
    unit: str
    sides: dict[str, float]
    ratio: float
    at_least: float = 0.0
    at_most: float = math.inf

    @classmethod
    def of(cls, what: str, unit: str, sides: Mapping[str, float | Sequence[float]], **aim: float) -> "Comparison":
        """Compare two values, or two lists with one value per round.

        Raises:
            ValueError: there are not two sides, or not equally many values of both.
        """
        values = {name: list(side) if isinstance(side, Sequence) else [side] for name, side in sides.items()}
        ours, theirs = values.values()
        ratio = statistics.median(one / other for one, other in zip(ours, theirs, strict=True))
        medians = {name: statistics.median(side) for name, side in values.items()}
        return cls(what=what, unit=unit, sides=medians, ratio=ratio, **aim)

    @property
    def line(self) -> str:
        """Both sides, their ratio and the aim in words."""
        sides = ", ".join(f"{name} {value:,.4g} {self.unit}" for name, value in self.sides.items())
        return f"{self.what}: {sides}, ratio {self.ratio:.3g}{self._aim}"

    @property
    def record(self) -> dict[str, Any]:
        """The same as plain values."""
        aims = {"at_least": self.at_least or None, "at_most": self.at_most if self.at_most < math.inf else None}
        return {"unit": self.unit, **self.sides, "ratio": self.ratio, **{k: v for k, v in aims.items() if v}}

    @property
    def _aim(self) -> str:
        if self.at_least:
            return f" (aim: at least {self.at_least:g})"
        return f" (aim: at most {self.at_most:g})" if self.at_most < math.inf else ""


class Measured(NamedTuple):
    """What a benchmark found: comparisons, one printed line each, and other numbers that explain them."""

    comparisons: tuple[Comparison, ...]
    details: dict[str, Any]

    @property
    def record(self) -> dict[str, Any]:
        """All of it as plain values."""
        return {item.what: item.record for item in self.comparisons} | self.details
