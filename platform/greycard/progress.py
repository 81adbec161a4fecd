"""How far a long job is: a bar on a terminal, and elsewhere (a file, a job's log) a line at least every half minute.

``shards of faces: 4,096/20,000 images, 812 images/s, 20 s left``
"""

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final, Never, TextIO

from tqdm import tqdm

LINE_SECONDS: Final = 30.0
BAR_SECONDS: Final = 1.0
_PERIODS: Final = ((1.0, "s"), (60.0, "min"), (3600.0, "h"))


class Meter:
    """How much of a stage is done, and a note beside it.

    This one shows nothing; ``meter`` gives one that does.
    """

    def __init__(self, done: int = 0) -> None:
        self.done, self.note = done, ""

    def advance(self, count: int = 1) -> None:
        """Count what has been done since the last call."""
        self.reach(self.done + count)

    def reach(self, done: int, note: str | None = None) -> None:
        """Say how much is done in all, and, unless it stays, what stands beside it."""
        self.done = done
        self.note = self.note if note is None else note
        self.show()

    def show(self) -> None:
        """Draw it as things stand."""


class _Bar(Meter):
    """A meter with a bar of tqdm."""

    def __init__(self, bar: "tqdm[Never]", done: int) -> None:
        super().__init__(done)
        self._bar = bar

    def show(self) -> None:
        if self.note != (self._bar.postfix or ""):
            self._bar.set_postfix_str(self.note, refresh=False)
        self._bar.update(self.done - self._bar.n)


@contextlib.contextmanager
def meter(
    stage: str,
    total: int,
    unit: str,
    *,
    done: int = 0,
    show: bool = True,
    measure: Callable[[], int] | None = None,
    stream: TextIO | None = None,
    clock: Callable[[], float] = time.monotonic,
    line_seconds: float = LINE_SECONDS,
) -> Iterator[Meter]:
    """Show how far a stage is while the block runs, which tells the meter what is done.

    Args:
        stage: what is being done.
        total: how many there are.
        unit: of what, in the singular.
        done: of an earlier start; it does not count in the rate.
        show: False shows nothing.
        measure: says how many are done, where the block cannot: it is asked from a thread, and at the end.
        stream: where it is shown; standard error by default.
        clock: tells the seconds.
        line_seconds: from one line to the next where ``stream`` is no terminal. Stages that end sooner show nothing.
    """
    stream = stream or sys.stderr
    if not show:
        yield Meter(done)
    elif stream.isatty():
        with tqdm(total=total, initial=done, desc=stage, unit=unit, file=stream) as bar:
            drawn = _Bar(bar, done)
            with _following(drawn, measure, lambda: None, BAR_SECONDS if measure else 0.0):
                yield drawn
    else:
        silent, start = Meter(done), clock()

        def write() -> None:
            print(line(stage, total, unit, silent, done, clock() - start), file=stream, flush=True)

        with _following(silent, measure, write, line_seconds):
            yield silent
        if clock() - start >= line_seconds:
            write()


def line(stage: str, total: int, unit: str, found: Meter, first: int, seconds: float) -> str:
    """Word how far a stage is that was at ``first`` so many seconds ago."""
    parts = [f"{found.done:,}/{total:,} {unit}s"]
    rate = (found.done - first) / seconds if seconds > 0 else 0.0
    if rate > 0:
        parts.append(_rate(rate, unit))
        left = max(0, total - found.done) / rate
        parts.append(f"{duration(left)} left" if left else f"took {duration(seconds)}")
    return f"{stage}: {', '.join([*parts, *filter(None, [found.note])])}"


def duration(seconds: float) -> str:
    """Word seconds in the two largest units: ``45 s``, ``3 min 20 s``, ``2 h 5 min``."""
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    parts = [f"{hours} h", f"{minutes} min"] if hours else [f"{minutes} min", f"{rest} s"] if minutes else [f"{rest} s"]
    return " ".join(parts)


def say(text: str) -> None:
    """Print a line, above a bar if one is drawn."""
    tqdm.write(text)


def _rate(per_second: float, unit: str) -> str:
    """Word a rate per second, minute or hour, whichever gives a number of at least one."""
    length, name = next(((length, name) for length, name in _PERIODS if per_second * length >= 1), _PERIODS[-1])
    rate = per_second * length
    return f"{rate:,.0f} {unit}s/{name}" if rate >= 100 else f"{rate:.3g} {unit}s/{name}"


@contextlib.contextmanager
def _following(
    found: Meter, measure: Callable[[], int] | None, then: Callable[[], None], every: float
) -> Iterator[None]:
    """Every so many seconds (0: never), measure what is done, show it and call ``then``; measure at the end as well."""

    def look() -> None:
        with contextlib.suppress(OSError):  # a file that is just being renamed; the next look sees it
            if measure is not None:
                found.reach(measure())

    def follow() -> None:
        while not stop.wait(every):
            look()
            then()

    stop = threading.Event()
    thread = threading.Thread(target=follow, name="greycard-progress", daemon=True)
    if every:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        if every:
            thread.join()
        look()
