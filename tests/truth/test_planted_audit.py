"""A whole audit of a codec that lightens the skin of one group: it names the group and the size, and else nothing.

``drawn shards -> audits.restoration.run (Ray) -> findings``, with a codec that knows the images it treats and a
classifier that reads skin off the pixels. Expected numbers are worked out here from the images, by numpy alone.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
import torch

from greycard.audits.restoration.configs import RestorationAudit, System
from greycard.audits.restoration.run import run
from greycard.codecs import RawConfig
from greycard.datasets.faces import FacesConfig
from greycard.datasets.loading import load_images
from greycard.datasets.shards import write_shards
from greycard.datasets.splits import SplitConfig
from greycard.metrics.full_reference.distortion import Mse, Psnr
from greycard.metrics.restoration.findings import Findings, FindingsConfig, summarise
from greycard.protocols import Restored
from greycard.schema import RACE, SKIN_TYPE
from greycard.streaming.cluster import SessionConfig
from greycard.streaming.pipeline import Resources

SIZE = 32
ROWS, COLUMNS = slice(18, 22), slice(11, 21)  # nose and cheeks
STEP = 25  # 8-bit levels, about one skin type
LEVELS = (175.0, 155.0, 137.0, 113.0, 87.0)  # mean brightness between neighbouring types
MSE = STEP**2 * 4 * 10 / SIZE**2  # where no pixel is near white
PLANTED = ("African", "Indian")
POINTS = (*PLANTED, "anyone")  # whom the codec lightens at points 0, 1 and 2


def digest(pixels: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).hexdigest()


def lighten(images: np.ndarray) -> np.ndarray:
    """Raise the skin's pixels by a step; what would pass white is white."""
    lighter = images.copy()
    skin = lighter[..., ROWS, COLUMNS]
    skin += np.minimum(255 - skin, STEP).astype(np.uint8)
    return lighter


def read_skin(images: np.ndarray) -> np.ndarray:
    brightness = images[..., ROWS, COLUMNS].mean(axis=(1, 2, 3))
    return (brightness[:, None] < LEVELS).sum(axis=1)


@dataclass(frozen=True, kw_only=True)
class LightenConfig:
    """A codec that returns images as they are, but for the skin of those that it is told: a set of them a point."""

    digests: tuple[tuple[str, ...], ...]

    def build(self) -> "Lighten":
        return Lighten({float(point): frozenset(told) for point, told in enumerate(self.digests)})


class Lighten:
    def __init__(self, told: dict[float, frozenset[str]]) -> None:
        self.told = told
        self.points = tuple(told)

    def reconstruct(self, images: torch.Tensor, point: float, seeds: torch.Tensor) -> Restored:
        pixels = images.numpy()
        told = np.array([digest(image) in self.told[point] for image in pixels], bool)
        restored = torch.from_numpy(np.where(told[:, None, None, None], lighten(pixels), pixels))
        bits = torch.full((len(images),), 1000.0, dtype=torch.float64)
        return Restored(restored, bits, bits, bits)


@dataclass(frozen=True, kw_only=True)
class SkinReaderConfig:
    """A classifier without weights: the skin type by the brightness of nose and cheeks."""

    tasks: tuple[str, ...] = ("skin_type",)

    @property
    def class_sets(self) -> dict[str, tuple[str, ...]]:
        return {"skin_type": SKIN_TYPE.classes}

    def build(self) -> "SkinReader":
        return SkinReader()


class SkinReader:
    tasks = ("skin_type",)

    def predict(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"skin_type": torch.from_numpy(read_skin(images.numpy()).astype(np.int64))}


@dataclass(frozen=True)
class Known:
    """The drawn images: pixels (N, 3, H, W) uint8, codes of race and skin type (N,)."""

    pixels: np.ndarray
    race: np.ndarray
    skin: np.ndarray

    def digests(self, mask: np.ndarray) -> tuple[str, ...]:
        return tuple(map(digest, self.pixels[mask]))


@pytest.fixture(scope="module")
def audited(ray_session, tmp_path_factory) -> tuple[Known, Findings]:
    """One audit: the untouched images, and a system that lightens a group at each point, or a quarter of all."""
    home = tmp_path_factory.mktemp("planted")
    source = FacesConfig(count=360, size=SIZE, images_per_identity=1, seed=3)
    manifest = write_shards(source, home / "shards", split=SplitConfig(train=0, val=0, test=1), progress=False)
    loaded = load_images(manifest.uri, "test", size=SIZE)
    known = Known(loaded.images.numpy(), loaded.labels["race"].numpy(), loaded.labels["skin_type"].numpy())
    anyone = np.random.default_rng(0).random(len(known.race)) < 0.25
    masks = [*(known.race == RACE.code(group) for group in PLANTED), anyone]
    planted = LightenConfig(digests=tuple(map(known.digests, masks)))
    config = RestorationAudit(
        shards=manifest.uri,
        directory=str(home / "audit"),
        systems=(System(name="raw", codec=RawConfig()), System(name="planted", codec=planted)),
        measures=(Mse(), Psnr()),
        classifiers=(SkinReaderConfig(),),
        size=SIZE,
        resources=Resources(actors=1),
        ray=SessionConfig(progress=False),
    )
    settings = FindingsConfig(resamples=300, permutations=300)
    return known, summarise(run(config).table(), manifest.attributes, settings)


def rows(frame: pd.DataFrame, told: str, measure: str) -> pd.DataFrame:
    """The rows of the point that lightens ``told``, or of the untouched images ("raw")."""
    system, point = ("raw", 0.0) if told == "raw" else ("planted", float(POINTS.index(told)))
    found = frame[(frame["system"] == system) & (frame["point"] == point)]
    found = found[(found["measure"] == measure) & (found["attribute"] == "race")]
    return found.set_index("group") if "group" in found else found


def difference(findings: Findings, told: str, measure: str) -> pd.Series:
    return rows(findings.disparities, told, measure).iloc[0]


@pytest.mark.parametrize("group", PLANTED)
def test_the_audit_names_the_group(audited, group):
    _, found = audited
    for measure in ("mse", "psnr_db", "lighter/skin_type"):
        row = difference(found, group, measure)
        assert row["worst_group"] == group, measure
        assert row["p_value"] < 0.01, measure
        assert row["bias"] > 3 * row["noise_floor"], measure
        assert row["delta_low"] > 0, measure


@pytest.mark.parametrize("group", PLANTED)
def test_the_audit_gives_the_size_in_pixels(audited, group):
    known, found = audited
    own = known.pixels[known.race == RACE.code(group)]
    mse = np.square(lighten(own).astype(float) - own).mean(axis=(1, 2, 3))
    psnr = (10 * np.log10(255**2 / mse)).mean()
    assert mse.mean() == pytest.approx(MSE, rel=0.05)
    assert difference(found, group, "mse")["bias"] == pytest.approx(mse.mean())
    assert difference(found, group, "psnr_db")["bias"] == pytest.approx(100 - psnr)  # 100 dB: nothing changed
    assert rows(found.groups, group, "psnr_db").loc[group, "value"] == pytest.approx(psnr)


@pytest.mark.parametrize("group", PLANTED)
def test_the_audit_gives_the_size_in_predictions(audited, group):
    known, found = audited
    own = known.race == RACE.code(group)
    before, after = read_skin(known.pixels[own]), read_skin(lighten(known.pixels[own]))
    moved = (before - after).mean()
    lost = (before == known.skin[own]).mean() - (after == known.skin[own]).mean()
    assert moved > 0.5  # the planted change is one that a classifier of skin sees
    for measure, size in (("shift/skin_type", moved), ("accuracy/skin_type", lost)):
        drop = rows(found.groups, group, measure).loc[group]
        assert drop["drop"] == pytest.approx(size), measure
        assert drop["drop_low"] < size < drop["drop_high"], measure


@pytest.mark.parametrize("group", PLANTED)
def test_the_audit_says_nothing_of_the_other_groups(audited, group):
    _, found = audited
    for measure in ("shift/skin_type", "accuracy/skin_type", "lighter/skin_type"):
        others = rows(found.groups, group, measure).drop(group)
        np.testing.assert_array_equal(others[["drop", "drop_low", "drop_high"]], 0, err_msg=measure)
    assert (rows(found.groups, group, "mse").drop(group)["value"] == 0).all()


def test_a_change_that_no_group_gets_more_of_is_no_finding(audited):
    _, found = audited
    for measure in ("mse", "psnr_db"):
        row = difference(found, "anyone", measure)
        assert row["p_value"] > 0.05, measure
        assert row["bias"] < 3 * row["noise_floor"], measure
    assert rows(found.groups, "anyone", "mse")["value"].mean() == pytest.approx(MSE / 4, rel=0.2)
    shift = difference(found, "anyone", "shift/skin_type")
    assert shift["delta_low"] <= 0 <= shift["delta_high"]


def test_nothing_is_found_where_nothing_is_planted(audited):
    _, found = audited
    assert (rows(found.groups, "raw", "mse")["value"] == 0).all()
    assert difference(found, "raw", "mse")["bias"] == 0
    assert (found.counts["n_failed"] == 0).all()
