"""Configurations: frozen dataclass trees, made from dictionaries and changed by typed dotted overrides.

A config is a ``@dataclass(frozen=True, slots=True, kw_only=True)``. Where a field takes one of several kinds, each
kind is a class with a ``kind: Literal["..."]`` field and the field's type is ``Annotated[A | B, BY_KIND]``. pydantic
checks types and unions; ``__post_init__`` checks values.

pydantic is imported where values are checked, not here: a config that code makes needs none, so models can be trained
and run on a machine that has little more than torch (``make gpu-check``).
"""

import dataclasses
import hashlib
import json
import re
import types
import typing
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar, cast

import yaml

from greycard.schema import unknown

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, ValidationError
    from pydantic_core import CoreSchema

C = TypeVar("C")
_LATER = "later"


class ConfigError(ValueError):
    """A config field or value that is not accepted: names it, what was expected and near matches."""


def later(default: C) -> C:
    """Return a field that a config got after results were named by it: plain values leave it out at its default.

    So a config that says nothing of the field has the same plain values and the same digest as before it was there.
    """
    return dataclasses.field(default=default, metadata={_LATER: True})


class _ByKind:
    """What tells pydantic that the members of a union are distinguished by their field ``kind``."""

    def __get_pydantic_core_schema__(self, source: Any, handler: "GetCoreSchemaHandler") -> "CoreSchema":
        """Return pydantic's schema of the union ``source``, discriminated by ``kind``."""
        from pydantic import Field

        return handler(Annotated[source, Field(discriminator="kind")])


BY_KIND: Final = _ByKind()
"""Marks a union of configs in an annotation: ``Annotated[JpegConfig | RawConfig, BY_KIND]``."""


def to_dict(config: Any) -> dict[str, Any]:
    """Return a config tree as plain JSON-like dictionaries and lists."""
    return cast(dict[str, Any], json.loads(json.dumps(config, default=_fields)))


def from_dict(cls: type[C], values: Mapping[str, Any]) -> C:
    """Build a config from plain values.

    Raises:
        ConfigError: a field is unknown, missing, of the wrong type or out of its range.
    """
    from pydantic import TypeAdapter, ValidationError

    _check_names(cls, values, "")
    try:
        return TypeAdapter(cls).validate_python(values)
    except ValidationError as error:
        raise ConfigError(_describe(cls, values, error)) from None


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
        _set(values, parts, text, path)
        if parts[-1] == "kind":  # fill in the new kind's defaults, so that later settings find its fields
            values = to_dict(from_dict(type(config), values))
    return from_dict(type(config), values)


def to_yaml(config: Any) -> str:
    """Return a config tree as YAML, which `from_yaml` reads back."""
    return yaml.dump(to_dict(config), Dumper=_Dumper, sort_keys=False, allow_unicode=True)


def from_yaml(cls: type[C], text: str) -> C:
    """Build a config from YAML; fields that are left out have their defaults.

    Raises:
        ConfigError: the text is not YAML, or not of fields, or a field is unknown, missing or not acceptable.
    """
    try:
        values = yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        raise ConfigError(f"not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(values, dict):
        kind = type(values).__name__
        raise ConfigError(f"expected the fields of a {cls.__name__}, each as NAME: VALUE, got a {kind}")
    return from_dict(cls, values)


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


class _Loader(yaml.SafeLoader):
    """YAML with the scalars of version 1.2: ``yes``, ``4:4:4`` and dates are text, ``1e-4`` is a number."""


_Loader.yaml_implicit_resolvers = {}
for _name, _pattern, _first in (
    ("bool", r"true|false", "tf"),
    ("null", r"null|~|", "n~"),
    ("int", r"[-+]?(0|[1-9][0-9]*)", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+\.?[0-9]*)([eE][-+]?[0-9]+)?|[-+]?\.inf|\.nan", "-+.0123456789"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_name}", re.compile(rf"(?:{_pattern})\Z"), [*_first, ""])


class _Dumper(yaml.SafeDumper):
    """Quotes text that either version of YAML would read as something else."""


_Dumper.yaml_implicit_resolvers = {
    first: [*yaml.SafeDumper.yaml_implicit_resolvers.get(first, []), *_Loader.yaml_implicit_resolvers.get(first, [])]
    for first in yaml.SafeDumper.yaml_implicit_resolvers.keys() | _Loader.yaml_implicit_resolvers.keys()
}


def _fields(config: Any) -> dict[str, Any]:
    """Return the fields of one config: what JSON does not know."""
    if not dataclasses.is_dataclass(config):
        raise TypeError(f"a config holds plain values and configs, got {type(config).__name__} {config!r}")
    values = {field.name: (getattr(config, field.name), field) for field in dataclasses.fields(config)}
    return {
        name: value
        for name, (value, field) in values.items()
        if not (field.metadata.get(_LATER) and value == field.default)
    }


def _parse(text: str) -> Any:
    try:
        value = yaml.load(text, _Loader)
    except (yaml.YAMLError, ValueError):
        return text
    return value


def _set(values: Any, parts: list[str], text: str, path: str) -> None:
    """Set a value in a tree of plain values; names are checked when the config is built."""
    head, rest = parts[0], parts[1:]
    if isinstance(values, list):
        if not head.isdigit() or int(head) >= len(values):
            raise ConfigError(f"{path}: {head!r} must be an index below {len(values)}")
        place: Any = int(head)
    elif isinstance(values, dict):
        place = head
    else:
        raise ConfigError(f"{path}: {head!r} is set inside a plain value; shorten the path")
    old = values[place] if isinstance(values, list) else values.get(place)
    if rest:
        if old is None:
            old = values[place] = {}
        _set(old, rest, text, path)
        return
    value = _parse(text)
    if head == "kind" and value != old:
        values.clear()
    values[place] = text if isinstance(old, str) and not isinstance(value, list | dict) else value


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
    if typing.get_origin(cls) in (dict, Mapping):  # its keys are the user's own names, not fields
        for key, item in values.items():
            _check_names(typing.get_args(cls)[1], item, f"{path}.{key}" if path else str(key))
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


def _describe(cls: type, values: Any, error: "ValidationError") -> str:
    return "; ".join(_describe_one(cls, values, item) for item in error.errors())


def _describe_one(cls: type, values: Any, item: Any) -> str:
    message = str(item["msg"]).removeprefix("Value error, ")
    if item["type"] == "value_error":
        return message
    place = _place(values, item["loc"]) or cls.__name__
    if item["type"] == "literal_error":
        return f"{place}: {unknown('value', item['input'], re.findall(_QUOTED, item['ctx']['expected']))}"
    return f"{place}: {message}, got {item['input']!r}"


_QUOTED = re.compile("'([^']*)'")


def _place(values: Any, parts: Sequence[int | str]) -> str:
    """Return the dotted name that ``--set`` takes, without the union tags that pydantic puts between."""
    names = []
    for index, part in enumerate(parts):
        inside = (isinstance(values, Mapping) and part in values) or isinstance(values, list | tuple)
        if inside:
            values = values[part]
        if inside or index == len(parts) - 1:
            names.append(str(part))
    return ".".join(names)
