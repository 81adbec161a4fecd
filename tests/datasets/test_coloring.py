import numpy as np
import pytest

from greycard.datasets.coloring import INKS, choose_colors, paint

KEYS = [f"k{number}" for number in range(20_000)]
CLASSES = np.arange(20_000) % 10


def choose(keys=KEYS, classes=CLASSES, shares=(0.8, 0.2), correlation=0.0, seed=0):
    return choose_colors(keys, classes, num_classes=10, shares=shares, correlation=correlation, seed=seed)


@pytest.mark.parametrize("shares", [(0.8, 0.2), (0.5, 0.3, 0.2), (1.0,), (0.0, 1.0)])
def test_without_correlation_the_shares_hold_in_every_class(shares):
    colors = choose(shares=shares)
    for digit in range(10):
        found = np.bincount(colors[digit == CLASSES], minlength=len(shares)) / 2000
        assert found == pytest.approx(shares, abs=0.035)  # 3.5 standard errors of a share of one half


def test_with_full_correlation_the_class_alone_decides():
    colors = choose(correlation=1.0, shares=(0.6, 0.3, 0.1))
    by_class = [set(colors[digit == CLASSES].tolist()) for digit in range(10)]
    assert by_class == [{0}] * 6 + [{1}] * 3 + [{2}]


def test_half_correlation_mixes_both_and_keeps_the_shares():
    colors = choose(correlation=0.5)
    assert np.mean(colors == 1) == pytest.approx(0.2, abs=0.01)
    assert np.mean(colors[CLASSES == 9] == 1) == pytest.approx(0.5 + 0.5 * 0.2, abs=0.035)
    assert np.mean(colors[CLASSES == 0] == 1) == pytest.approx(0.5 * 0.2, abs=0.03)


def test_a_color_depends_on_its_own_key_seed_and_class_alone():
    colors = choose(correlation=0.5)
    order = np.random.default_rng(0).permutation(300)
    assert (choose([KEYS[row] for row in order], CLASSES[order], correlation=0.5) == colors[order]).all()
    assert (choose(correlation=0.5, seed=1) != colors).mean() > 0.1


def test_paint_runs_from_paper_to_ink():
    gray = np.array([[[0, 51, 255]]], dtype=np.uint8)
    full = paint(gray, (255, 64, 0), contrast=1.0, paper=64)
    assert full.dtype == np.uint8
    assert full.tolist() == [[[[64, 64, 64], [102, 64, 51], [255, 64, 0]]]]  # 64 + 51 / 255 * 191, * -64
    weak = paint(gray, (255, 64, 0), contrast=0.1, paper=64)
    assert weak[0, 0, 2].tolist() == [83, 64, 58]  # 64 + 19.1, 64, 64 - 6.4


def test_plain_white_on_black_is_the_gray_image_itself():
    gray = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    assert (paint(gray, INKS["white"], contrast=1.0, paper=0) == gray[..., None]).all()
