"""What all no-reference measures share: table, columns, settings, and being parted by what can be taken."""

from dataclasses import dataclass

import pytest

import greycard.metrics.no_reference as family
from greycard.config import from_dict, to_dict
from greycard.metrics.descriptions import describe
from greycard.metrics.no_reference import NO_REFERENCE, Brisque, ClipIqa, EqFace, Niqe, NiqeLocal, NoReferenceConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    quality: tuple[NoReferenceConfig, ...] = ()


@pytest.mark.parametrize("kind", sorted(NO_REFERENCE))
def test_configs(kind):
    config = NO_REFERENCE[kind]()
    assert config.kind == kind
    assert config.missing().endswith(("measure", "or take niqe_local", "undistorted images"))
    assert config.higher_is_better == describe(config.name).higher_is_better == (kind in ("clip_iqa", "eqface"))
    assert from_dict(Holder, to_dict(Holder(quality=(config,)))) == Holder(quality=(config,))


def test_available(tmp_path):
    (tmp_path / "svm.txt").touch()
    brisque = Brisque(weights=(str(tmp_path / "svm.txt"),) * 2)
    found = family.available([Niqe(), NiqeLocal(weights=str(tmp_path)), brisque, ClipIqa(), EqFace()], 32)
    assert found.measures == (brisque,)
    assert list(found.absent) == ["niqe", "niqe_local", "clip_iqa", "eqface"]
    assert "two whole blocks" in found.absent["niqe"]
    assert "no CLIP weights named" in found.absent["clip_iqa"]
    assert family.available([NiqeLocal(weights=str(tmp_path))], 192).absent == {}
