"""Weights pinned before an audit starts: every URI in a config fetched once, and named by its content.

A path can hold other weights tomorrow, so the content is part of what names a system's results.
"""

import dataclasses
import hashlib
import re
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple

from greycard.layers.weights import MODEL, read_description
from greycard.tracking import fetch

FIELD: Final = "weights"


class Pinned(NamedTuple):
    """A config whose weights are local files, and the fingerprint of each."""

    config: Any
    fingerprints: tuple[str, ...]


def pin(config: Any, *, local: bool = True) -> Pinned:
    """Fetch the weights that a config names (its field ``weights``: a URI or a tuple of them), if any.

    Args:
        config: of a codec, a classifier or a measure.
        local: put the local paths into the config; otherwise only paths are made absolute and URIs stay, because
            workers on other machines fetch for themselves.

    Raises:
        FileNotFoundError: there are no such weights; near matches are listed.
        TrackingError: the store does not answer, or knows no such run or model.
    """
    named = getattr(config, FIELD, "")
    if not named:
        return Pinned(config, ())
    uris = (named,) if isinstance(named, str) else tuple(named)
    paths = [fetch(uri).absolute() for uri in uris]
    places = tuple(str(path) if local or "://" not in uri else uri for uri, path in zip(uris, paths, strict=True))
    value: str | tuple[str, ...] = places[0] if isinstance(named, str) else places
    return Pinned(dataclasses.replace(config, **{FIELD: value}), tuple(map(_fingerprint, paths)))


def _fingerprint(path: Path) -> str:
    if path.is_dir() and (path / MODEL).is_file():
        return str(read_description(path).get("fingerprint", ""))
    digest = hashlib.sha256()
    for file in [path] if path.is_file() else sorted(item for item in path.rglob("*") if item.is_file()):
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:16]


_ABSOLUTE = re.compile(r"/|~|[a-z][a-z0-9+.-]+:")  # a path from the root or a URI


def under(folder: str, config: Any) -> Any:
    """Return a config with its relative weights within a folder; URIs and absolute paths stay."""
    base, mark, options = folder.partition("?")
    named = getattr(config, "weights", "")
    if not named:
        return config
    uris = (named,) if isinstance(named, str) else named
    places = tuple(uri if _ABSOLUTE.match(uri) else f"{base.rstrip('/')}/{uri}{mark}{options}" for uri in uris)
    return replace(config, weights=places[0] if isinstance(named, str) else places)
