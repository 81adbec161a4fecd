"""The weights that configs name: found below a folder of models, then pinned before an audit starts.

Pinning fetches every URI once and names it by its content: a path can hold other weights tomorrow, so the content is
part of what names a system's results.
"""

import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar, cast

from greycard.layers.weights import MODEL, read_description
from greycard.tracking import fetch

C = TypeVar("C")

WEIGHTS: Final = "weights"
"""The field of a model's config that names its weights: a URI, or a tuple of them."""
_MODELS: Final = ("systems", "classifiers", "classifier", "generator")  # fields of an audit or a synthesis
_ABSOLUTE: Final = re.compile(r"/|~|[a-z][a-z0-9+.-]+:")  # a path from the root or a URI


class Pinned(NamedTuple):
    """A config whose weights are local files, and the fingerprint of each."""

    config: Any
    fingerprints: tuple[str, ...]


def pin(config: Any, *, local: bool = True) -> Pinned:
    """Fetch the weights that a config names, if any.

    Args:
        config: the config of a codec, a classifier or a measure.
        local: put the local paths into the config; otherwise only paths are made absolute and URIs stay, because
            workers on other machines fetch for themselves.

    Raises:
        FileNotFoundError: there are no such weights; near matches are listed.
        TrackingError: the store does not answer, or knows no such run or model.
    """
    uris = _uris(config)
    paths = [fetch(uri).absolute() for uri in uris]
    places = (str(path) if local or "://" not in uri else uri for uri, path in zip(uris, paths, strict=True))
    return Pinned(_with_weights(config, places), tuple(map(_fingerprint, paths)))


def with_models(folder: str, config: C) -> C:
    """Return the config of an audit or a synthesis with the relative weights of its models within a folder.

    Args:
        folder: a path or URI; "" changes nothing.
        config: its systems, classifiers and generator are the models; URIs and absolute paths stay.
    """
    if not folder:
        return config
    named = [field.name for field in fields(config) if field.name in _MODELS]  # type: ignore[arg-type]
    return cast(C, _changed(config, named, lambda model: _under(folder, model)))


def _under(folder: str, config: Any) -> Any:
    """Return a model's config, or what holds some, with relative weights within a folder."""
    if isinstance(config, tuple):
        return tuple(_under(folder, item) for item in config)
    if not is_dataclass(config):
        return config
    base, mark, options = folder.partition("?")
    places = (uri if _ABSOLUTE.match(uri) else f"{base.rstrip('/')}/{uri}{mark}{options}" for uri in _uris(config))
    held = [field.name for field in fields(config) if field.name != WEIGHTS]
    return _changed(_with_weights(config, places), held, lambda part: _under(folder, part))


def _changed(config: Any, names: Iterable[str], change: Callable[[Any], Any]) -> Any:
    """Return a config with some fields changed, and itself where nothing did."""
    before = {name: getattr(config, name) for name in names}
    after = {name: change(value) for name, value in before.items()}
    return config if after == before else replace(config, **after)


def _uris(config: Any) -> tuple[str, ...]:
    named = getattr(config, WEIGHTS, "") or ()
    return (named,) if isinstance(named, str) else tuple(named)


def _with_weights(config: Any, places: Iterable[str]) -> Any:
    named, found = getattr(config, WEIGHTS, ""), tuple(places)
    return replace(config, **{WEIGHTS: found[0] if isinstance(named, str) else found}) if found else config


def _fingerprint(path: Path) -> str:
    if path.is_dir() and (path / MODEL).is_file():
        return str(read_description(path).get("fingerprint", ""))
    digest = hashlib.sha256()
    for file in [path] if path.is_file() else sorted(item for item in path.rglob("*") if item.is_file()):
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:16]
