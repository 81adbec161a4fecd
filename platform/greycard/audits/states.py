"""States beside the tables: what of many rows is kept so that numbers and maps follow without reading them again.

``rows/<system>/*.parquet -> states/<system>.npz``

A state is made of parts that merge (``zero, add, merge, finish``), so it is the same however the work was spread. It is
saved with its key, the values that it was made from, and is made again where these differ.
"""

import functools
import io
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from greycard.datasets.storage import Folder

STATES: Final = "states"
"""The folder of states in an audit's directory."""
_KEY: Final = "key"
Arrays = Mapping[str, NDArray[Any]]


class Mergeable(Protocol):
    """A part of a state, which can be merged with another of its kind."""

    def merge(self, other: Self) -> Self:
        """Return what both saw."""
        ...


class State(Protocol):
    """What can be saved as arrays alone."""

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return all that it holds, by name; no name is ``key``."""
        ...

    @classmethod
    def of_arrays(cls, arrays: Arrays) -> Self:
        """Return the state of what ``arrays`` gave."""
        ...


M = TypeVar("M", bound=Mergeable)
S = TypeVar("S", bound=State)


def total(parts: Iterable[M]) -> M:
    """Merge at least one part."""
    return functools.reduce(lambda one, other: one.merge(other), parts)


def save_state(state: State, folder: Folder, name: str, key: Mapping[str, Any]) -> None:
    """Write a state as arrays alone, with the values that it was made from."""
    buffer = io.BytesIO()
    np.savez(buffer, **{_KEY: np.array(_text(key))}, **state.arrays())
    folder.create()
    folder.write(f"{name}.npz", buffer.getvalue())


def load_state(kind: type[S], folder: Folder, name: str, key: Mapping[str, Any]) -> S | None:
    """Read a state that was made from these values; None if there is none."""
    if f"{name}.npz" not in folder.names():
        return None
    with np.load(io.BytesIO(folder.read(f"{name}.npz")), allow_pickle=False) as found:
        return kind.of_arrays(found) if str(found[_KEY]) == _text(key) else None


def load_or_make(kind: type[S], folder: Folder, name: str, key: Mapping[str, Any], make: Callable[[], S]) -> S:
    """Read a state that was made from these values, or make and save it.

    Args:
        kind: the class of the state.
        folder: the folder of the states.
        name: the state's name, which is the system's.
        key: the format's number, and all values that shape the state.
        make: computes the state.
    """
    found = load_state(kind, folder, name, key)
    if found is None:
        save_state(found := make(), folder, name, key)
    return found


def _text(key: Mapping[str, Any]) -> str:
    return json.dumps(dict(key), sort_keys=True)
