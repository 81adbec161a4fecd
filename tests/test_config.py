from dataclasses import dataclass, field
from typing import Annotated, Literal

import pytest

from greycard import config
from greycard.config import BY_KIND, ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Jpeg:
    kind: Literal["jpeg"] = "jpeg"
    quality: int = 3
    subsampling: Literal["4:4:4", "4:2:0"] = "4:2:0"

    def __post_init__(self):
        if not 1 <= self.quality <= 8:
            raise ValueError(f"codec.quality must be 1..8, got {self.quality}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Neural:
    kind: Literal["neural"] = "neural"
    lambdas: tuple[float, ...] = (1e-4,)


Codec = Annotated[Jpeg | Neural, BY_KIND]


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    codec: Codec = field(default_factory=Jpeg)
    systems: tuple[Codec, ...] = (Jpeg(), Neural())
    shares: dict[str, float] | None = None
    groups: dict[str, tuple[str, ...]] = field(default_factory=dict)
    name: str = "faces"


def test_override_sets_typed_values_anywhere_in_the_tree():
    settings = ["codec.quality=2", "systems.1.lambdas=[1e-4, 9e-4]", "name=photos", "shares={African: 0.5}"]
    changed = config.override(Audit(), settings)
    assert changed == Audit(
        codec=Jpeg(quality=2),
        systems=(Jpeg(), Neural(lambdas=(1e-4, 9e-4))),
        shares={"African": 0.5},
        name="photos",
    )


def test_choosing_a_kind_starts_from_its_defaults_and_takes_its_fields():
    changed = config.override(Audit(), ["codec.kind=neural", "codec.lambdas=[0.5]"])
    assert changed.codec == Neural(lambdas=(0.5,))


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("codec.qualty=2", ["codec.qualty", "'quality'", "kind, quality, subsampling"]),
        ("codec.kind=jpg", ["'jpg'", "'jpeg'", "jpeg, neural"]),
        ("codec.quality=9", ["must be 1..8", "got 9"]),
        ("codec.quality=high", ["codec", "quality", "valid integer", "'high'"]),
        ("codec.quality=2.5", ["quality", "2.5"]),
        ("codec.quality", ["NAME=VALUE"]),
        ("systems.7.quality=1", ["systems.7.quality", "below 2"]),
        ("systems.1.lambdas=high", ["lambdas", "'high'"]),
        ("name.first=x", ["name.first", "plain value"]),
        ("nam=x", ["'name'"]),
        ("codec.subsampling=4:4:2", ["codec.subsampling:", "'4:4:2'", "did you mean '4:4:4'"]),
    ],
)
def test_a_bad_setting_names_the_thing_and_what_is_accepted(setting, words):
    with pytest.raises(ConfigError) as caught:
        config.override(Audit(), [setting])
    assert all(word in str(caught.value) for word in words), caught.value


def test_text_that_looks_like_something_else_stays_text():
    changed = config.override(Audit(), ["codec.subsampling=4:4:4", "name=2024", "groups={Male: [yes, no]}"])
    assert changed.codec.subsampling == "4:4:4"
    assert changed.name == "2024"
    assert changed.groups == {"Male": ("yes", "no")}


def test_a_mapping_takes_one_key_after_another():
    changed = config.override(Audit(), ["groups.race=[African]", "groups.gender=[female]"])
    assert changed.groups == {"race": ("African",), "gender": ("female",)}


def test_dictionaries_round_trip():
    audit = Audit(systems=(Neural(lambdas=(1.0, 2.0)),), shares={"Indian": 1.0})
    assert config.from_dict(Audit, config.to_dict(audit)) == audit


def test_unknown_fields_are_refused_at_any_depth():
    with pytest.raises(ConfigError, match=r"systems\.0\.qualty"):
        config.from_dict(Audit, {"systems": [{"kind": "jpeg", "qualty": 1}]})


def test_digest_follows_the_content():
    assert config.digest(Audit()) == config.digest(Audit(codec=Jpeg(quality=3)))
    assert config.digest(Audit()) != config.digest(Audit(codec=Jpeg(quality=4)))


def test_flatten_gives_dotted_names():
    flat = config.flatten(Audit())
    assert flat["codec.quality"] == "3"
    assert flat["systems.1.lambdas"] == "[0.0001]"
    assert flat["name"] == "faces"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grown:
    name: str = "a"
    added: int = config.later(1)
    inner: tuple["Grown", ...] = ()


def test_a_field_that_came_later_is_left_out_at_its_default():
    assert config.to_dict(Grown(inner=(Grown(),))) == {"name": "a", "inner": [{"name": "a", "inner": []}]}
    changed = config.override(Grown(inner=(Grown(),)), ["inner.0.added=2"])
    assert changed == Grown(inner=(Grown(added=2),))
    assert config.to_dict(changed)["inner"][0] == {"name": "a", "added": 2, "inner": []}
    assert config.from_yaml(Grown, config.to_yaml(changed)) == changed
    assert config.digest(changed) != config.digest(Grown(inner=(Grown(),)))


def test_what_is_no_plain_value_is_named():
    with pytest.raises(TypeError, match="got complex 1j"):
        config.to_dict(Grown(name=1j))
