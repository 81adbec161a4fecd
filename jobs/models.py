"""Where trained models are: relative paths of weights under a folder that a cluster's nodes share."""

import re
from dataclasses import replace
from typing import Any

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
