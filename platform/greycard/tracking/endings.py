"""How a run ends: its true status, whatever ended it, also a signal."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Final

_SIGNALS: Final = (signal.SIGTERM, signal.SIGHUP)
_KILLED_CODES: Final = {128 + number for number in (*_SIGNALS, signal.SIGINT)} | {signal.SIGTERM}  # Ray exits with 15


class Terminated(SystemExit):
    """SIGTERM or SIGHUP arrived; unwinds the job so that its runs end as KILLED."""


def status_of(error: BaseException) -> str:
    """Return the status a run ends with when its body raised."""
    if isinstance(error, KeyboardInterrupt | Terminated | GeneratorExit):
        return "KILLED"
    if isinstance(error, SystemExit):
        if not error.code:
            return "FINISHED"
        return "KILLED" if error.code in _KILLED_CODES else "FAILED"
    return "FAILED"


def _terminate(signum: int, frame: FrameType | None) -> None:
    raise Terminated(128 + signum)


@contextlib.contextmanager
def signals_raise() -> Iterator[None]:
    """Turn SIGTERM and SIGHUP into an exception, in the main thread of a process that has not ignored them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    signals = [number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, _terminate) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            if signal.getsignal(number) is _terminate:  # others (Ray) may have set their own meanwhile
                signal.signal(number, handler)


@contextlib.contextmanager
def deaf() -> Iterator[None]:
    """Do not be interrupted while the last words are written."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    signals = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
    before = {number: signal.signal(number, signal.SIG_IGN) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
