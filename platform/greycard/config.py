"""Configurations: frozen dataclass trees, made from dictionaries and changed by typed dotted overrides.

A config is a ``@dataclass(frozen=True, slots=True, kw_only=True)``. Where a field takes one of several kinds, each
kind is a class with a ``kind: Literal["..."]`` field and the field's type is their union, discriminated by it. pydantic
checks types and unions; ``__post_init__`` checks values.
"""

import dataclasses
import hashlib
import json
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, cast

import yaml
from pydantic import TypeAdapter, ValidationError

from greycard.schema import unknown

C = TypeVar("C")


class ConfigError(ValueError):
    """A config field or value that is not accepted: names it, what was expected and near matches."""


def to_dict(config: Any) -> dict[str, Any]:
    """Return a config tree as plain JSON-like dictionaries and lists."""
    return cast(dict[str, Any], json.loads(json.dumps(dataclasses.asdict(config))))


def from_dict(cls: type[C], values: Mapping[str, Any]) -> C:
    """Build a config from plain values.

    Raises:
        ConfigError: a field is unknown, missing, of the wrong type or out of its range.
    """
    _check_names(cls, values, "")
    try:
        return TypeAdapter(cls).validate_python(values)
    except ValidationError as error:
        raise ConfigError(_describe(cls, error)) from None


def override(config: C, settings: Sequence[str]) -> C:
    """Apply ``a.b=value`` settings, in order; values are written as YAML (``1e-4``, ``[1, 2]``, ``true``, ``text``).

    A part of the path may be an index into a tuple: ``systems.0.codec.qualities=[1,5]``. Setting ``kind`` of a field
    that takes several kinds starts from that kind's defaults.

    Raises:
        ConfigError: the text has no ``=``, the path does not exist, or the value does not fit.
    """
    values = to_dict(config)
    for setting in settings:
        path, separator, text = setting.partition("=")
        if not separator or not path:
            raise ConfigError(f"--set takes NAME=VALUE (for example codec.quality=2), got {setting!r}")
        parts = path.strip().split(".")
        _set(values, parts, _parse(text), path)
        if parts[-1] == "kind":  # fill in the new kind's defaults, so that later settings find its fields
            values = to_dict(from_dict(type(config), values))
    return from_dict(type(config), values)


def digest(config: Any) -> str:
    """Return 16 hexadecimal digits that name a config's content."""
    return hashlib.sha256(json.dumps(to_dict(config), sort_keys=True).encode()).hexdigest()[:16]


def flatten(config: Any) -> dict[str, str]:
    """Return the tree as dotted names and text values, as trackers want parameters."""
    flat: dict[str, str] = {}

    def visit(value: Any, path: str) -> None:
        if isinstance(value, dict) and value:
            for name, item in value.items():
                visit(item, f"{path}.{name}" if path else name)
        elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
            for index, item in enumerate(value):
                visit(item, f"{path}.{index}")
        else:
            flat[path] = value if isinstance(value, str) else json.dumps(value)

    visit(to_dict(config), "")
    return flat


def _parse(text: str) -> Any:
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        return text
    if isinstance(value, str):  # YAML 1.1 reads 1e-4 as text
        try:
            return float(value)
        except ValueError:
            return value
    if isinstance(value, list):
        return [_parse(item) if isinstance(item, str) else item for item in value]
    return value


def _set(values: Any, parts: list[str], value: Any, path: str) -> None:
    head, rest = parts[0], parts[1:]
    if isinstance(values, list):
        if not head.isdigit() or int(head) >= len(values):
            raise ConfigError(f"{path}: {head!r} must be an index below {len(values)}")
        if rest:
            _set(values[int(head)], rest, value, path)
        else:
            values[int(head)] = value
        return
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: {head!r} is set inside a plain value; shorten the path")
    if rest:
        if head not in values:
            raise ConfigError(f"{path}: {unknown('field', head, sorted(values))}")
        if values[head] is None:
            values[head] = {}
        _set(values[head], rest, value, path)
        return
    if head not in values and values:
        raise ConfigError(f"{path}: {unknown('field', head, sorted(values))}")
    if head == "kind" and value != values.get("kind"):
        values.clear()
    values[head] = value


def _dataclasses_in(annotation: Any) -> list[type]:
    """Return the dataclasses an annotation admits, through unions, tuples and Annotated."""
    if dataclasses.is_dataclass(annotation) and isinstance(annotation, type):
        return [annotation]
    if isinstance(annotation, (types.UnionType, types.GenericAlias)) or typing.get_origin(annotation):
        return [found for item in typing.get_args(annotation) for found in _dataclasses_in(item)]
    return []


def _check_names(cls: Any, values: Any, path: str) -> None:
    """Refuse unknown field names anywhere in the tree, which pydantic would pass over."""
    if isinstance(values, (list, tuple)):
        for index, item in enumerate(values):
            _check_names(cls, item, f"{path}.{index}" if path else str(index))
        return
    if not isinstance(values, Mapping):
        return
    candidates = _dataclasses_in(cls)
    if "kind" in values and len(candidates) > 1:
        chosen = [
            candidate
            for candidate in candidates
            if values["kind"] in typing.get_args(typing.get_type_hints(candidate).get("kind"))
        ]
        if not chosen:
            kinds = [
                kind
                for candidate in candidates
                for kind in typing.get_args(typing.get_type_hints(candidate).get("kind"))
            ]
            raise ConfigError(f"{path}.kind: {unknown('kind', values['kind'], kinds)}")
        candidates = chosen
    if len(candidates) != 1:
        return
    hints = typing.get_type_hints(candidates[0], include_extras=True)
    for name, value in values.items():
        dotted = f"{path}.{name}" if path else name
        if name not in hints:
            raise ConfigError(f"{dotted}: {unknown('field', name, sorted(hints))}")
        _check_names(hints[name], value, dotted)


def _describe(cls: type, error: ValidationError) -> str:
    lines = []
    for item in error.errors():
        place = ".".join(str(part) for part in item["loc"]) or cls.__name__
        message = item["msg"].removeprefix("Value error, ")
        lines.append(f"{place}: {message}, got {item['input']!r}" if item["type"] != "value_error" else message)
    return "; ".join(lines)
