"""A codec that lightens one group's skin by a known amount: the audit names the group and gives the size."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch

from greycard.metrics.full_reference.distortion import Mse, Psnr, Ssim
from greycard.metrics.restoration.findings import Findings, FindingsConfig, summarise
from greycard.metrics.restoration.phenotypes import RFW_SETS
from tests.truth.planted import ATTRIBUTES, RFW_COUNTS, audit_table, draw_labels, predictions

RACES = ATTRIBUTES["race"]


def rows(frame: pd.DataFrame, measure: str, system: str = "planted") -> pd.DataFrame:
    found = frame[(frame["system"] == system) & (frame["measure"] == measure) & (frame["attribute"] == "race")]
    return found.set_index("group") if "group" in found else found


PLANTED = 0.3
STEP = 30  # 8-bit levels between skin types


@pytest.fixture(scope="module", params=[0, 1, 3], ids=lambda code: RACES[code])
def predicted(request: pytest.FixtureRequest) -> tuple[str, Findings]:
    """Predictions of one group move a class toward light with a known probability."""
    faces = draw_labels(identities=150)
    random = np.random.default_rng(request.param)
    raw = predictions(faces.labels["skin_type"], 6, np.full(len(faces), 0.9), 5, random)
    moved = (random.random(raw.shape) < PLANTED) & (faces.race == request.param)[:, None] & (raw > 0)
    tables = [
        audit_table(faces, "raw", 0.0, {"skin_type": raw}),
        audit_table(faces, "planted", 1.0, {"skin_type": (raw - moved).astype(np.int8)}),
    ]
    return RACES[request.param], summarise(pa.concat_tables(tables), ATTRIBUTES, FindingsConfig())


def test_finds_the_group_in_predictions(predicted: tuple[str, Findings]) -> None:
    group, found = predicted
    shift = rows(found.disparities, "shift/skin_type").iloc[0]
    accuracy = rows(found.disparities, "accuracy/skin_type").iloc[0]
    assert accuracy["worst_group"] == group
    assert rows(found.disparities, "lighter/skin_type").iloc[0]["worst_group"] == group
    for row in (shift, accuracy):
        assert row["p_value"] < 0.01
        assert row["bias"] > 3 * row["noise_floor"]
        assert row["delta_low"] > 0


def test_finds_the_size_in_predictions(predicted: tuple[str, Findings]) -> None:
    group, found = predicted
    drops = rows(found.groups, "shift/skin_type")
    assert drops.loc[group, "drop"] == pytest.approx(PLANTED, abs=0.04)
    assert 0 < drops.loc[group, "drop_low"] < drops.loc[group, "drop"] < drops.loc[group, "drop_high"]
    assert drops.loc[group, "drop_high"] - drops.loc[group, "drop_low"] < 0.05
    accuracy = rows(found.groups, "accuracy/skin_type")
    assert accuracy.loc[group, "drop"] == pytest.approx(0.9 * PLANTED, abs=0.04)


def test_says_nothing_about_the_other_groups(predicted: tuple[str, Findings]) -> None:
    group, found = predicted
    others = rows(found.groups, "shift/skin_type").drop(group)
    np.testing.assert_array_equal(others[["drop", "drop_low", "drop_high"]], 0)


def luma(code: np.ndarray | float) -> np.ndarray:
    """Brightness of a skin type."""
    return 200 - STEP * np.asarray(code)


def draw(codes: np.ndarray) -> torch.Tensor:
    """Squares of skin with grain."""
    grain = np.random.default_rng(0).integers(-6, 7, (len(codes), 3, 16, 16))
    return torch.from_numpy((luma(codes)[:, None, None, None] + grain).astype(np.uint8))


def lighten_the_dark(images: torch.Tensor) -> torch.Tensor:
    """The planted codec: raise types 5 and 6 by one type."""
    dark = images.double().mean(dim=(1, 2, 3)) < luma(3.5).item()
    return torch.where(dark[:, None, None, None], images + STEP, images)


def classify(images: torch.Tensor) -> np.ndarray:
    """Read the type off the brightness."""
    brightness = images.double().mean(dim=(1, 2, 3)).numpy()
    return np.round((200 - brightness) / STEP).astype(np.int8)[:, None]


@pytest.fixture(scope="module")
def pixels() -> tuple[Findings, list[np.ndarray]]:
    """Findings of the planted codec on drawn skin, and the true types of each race."""
    faces = draw_labels(identities=100)
    codes = faces.labels["skin_type"]
    images = draw(codes)
    tables = []
    for system, restored in (("raw", images), ("planted", lighten_the_dark(images))):
        measures = {item.name: item(images, restored).numpy() for item in (Mse(), Psnr(), Ssim())}
        tables.append(audit_table(faces, system, 0.0, {"skin_type": classify(restored)}, measures))
    found = summarise(pa.concat_tables(tables), ATTRIBUTES, FindingsConfig())
    return found, [codes[faces.race == number] for number in range(4)]


def test_raw_pixels_show_no_bias(pixels: tuple[Findings, list[np.ndarray]]) -> None:
    findings, _ = pixels
    assert (rows(findings.groups, "accuracy/skin_type", "raw")["value"] == 1).all()
    assert rows(findings.disparities, "accuracy/skin_type", "raw").iloc[0]["bias"] == 0


def test_every_number_from_pixels_is_the_planted_one(pixels: tuple[Findings, list[np.ndarray]]) -> None:
    findings, types = pixels
    for group, own in zip(RACES, types, strict=True):
        dark = (own >= 4).mean()
        read = np.where(own >= 4, own - 1, own)
        merged = {ATTRIBUTES["skin_type"].index(name) for name in RFW_SETS["skin_type"].sets[group]}
        right = np.mean([(a == b) or (a in merged and b in merged) for a, b in zip(own, read, strict=True)])
        expected = {
            "shift/skin_type": -dark,
            "lighter/skin_type": dark,
            "accuracy/skin_type": 1 - dark,
            "accuracy_merged/skin_type": right,
            "mse": dark * STEP**2,
            "psnr_db": dark * 10 * np.log10(255**2 / STEP**2) + (1 - dark) * 100,
        }
        for measure, value in expected.items():
            assert rows(findings.groups, measure).loc[group, "value"] == pytest.approx(value, abs=1e-9), measure


def test_the_group_and_size_are_found_from_pixels(pixels: tuple[Findings, list[np.ndarray]]) -> None:
    findings, types = pixels
    gap = np.ptp([(own >= 4).mean() for own in types])
    shift = rows(findings.disparities, "shift/skin_type").iloc[0]
    assert shift["worst_group"] == "African"
    assert shift["bias"] == pytest.approx(gap)
    assert shift["delta"] == pytest.approx(gap)
    assert shift["p_value"] < 0.01
    merged = rows(findings.disparities, "accuracy_merged/skin_type").iloc[0]
    assert merged["worst_group"] == "African"
    typical = RFW_COUNTS["skin_type"][0, 4] / RFW_COUNTS["skin_type"][0].sum()  # type 5 leaves {5, 6}, type 6 does not
    assert merged["bias"] == pytest.approx(typical, abs=0.15)
