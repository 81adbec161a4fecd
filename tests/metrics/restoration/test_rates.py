import numpy as np
import pytest
from scipy.integrate import trapezoid
from scipy.interpolate import pchip_interpolate

from greycard.metrics.restoration.rates import Curve, NotComparableError, area, bd_psnr, bd_rate, shared_interval

RATES = np.array([0.036, 0.148, 0.236, 0.363, 0.523])
QUALITY = np.array([22.1, 26.4, 28.0, 29.9, 31.6])


def curve(rates: object = RATES, values: object = QUALITY) -> Curve:
    return Curve(np.array(rates, float), np.array(values, float))


@pytest.mark.parametrize("factor", [0.5, 0.8, 1.0, 1.25, 3.0])
def test_a_constant_factor_in_rate_is_that_percentage(factor: float) -> None:
    found = bd_rate(curve(RATES * factor), curve())
    assert found.value == pytest.approx(100 * (factor - 1), abs=1e-9)
    assert (found.low_bpp, found.high_bpp) == pytest.approx((RATES[0], RATES[-1]))


def test_a_constant_offset_in_quality_is_that_many_decibels() -> None:
    found = bd_psnr(curve(values=QUALITY + 0.7), curve())
    assert found.value == pytest.approx(0.7)
    assert (found.low_bpp, found.high_bpp) == pytest.approx((RATES[0], RATES[-1]))


def test_straight_lines_have_a_closed_form() -> None:
    """Quality = 10 log10(rate) + c against slope 8: PCHIP is exact on lines, the difference of means is by hand."""
    logs = np.linspace(-1, 0, 6)
    ours, theirs = curve(10**logs, 10 * logs + 40), curve(10**logs, 8 * logs + 38)
    # common quality 30..38: log rates (q - 40) / 10 and (q - 38) / 8, means at q = 34: -0.6 and -0.5
    assert bd_rate(ours, theirs).value == pytest.approx(100 * (10**-0.1 - 1))
    # over log rates -1..0 the mean of (2 log + 2) is 1
    assert bd_psnr(ours, theirs).value == pytest.approx(1)


def test_agrees_with_integrating_the_interpolation_finely() -> None:
    other = curve([0.02, 0.157, 0.241, 0.358, 0.517], [21.0, 26.9, 28.3, 30.2, 31.9])
    grid = np.linspace(max(QUALITY[0], 21.0), min(QUALITY[-1], 31.9), 200_001)
    difference = pchip_interpolate(other.values, np.log10(other.rates), grid) - pchip_interpolate(
        QUALITY, np.log10(RATES), grid
    )
    expected = 100 * (10 ** (trapezoid(difference, grid) / (grid[-1] - grid[0])) - 1)
    assert bd_rate(other, curve()).value == pytest.approx(expected, rel=1e-6)


def test_the_order_of_points_does_not_matter_and_swapping_inverts() -> None:
    other = curve(RATES * 1.1, QUALITY + 0.3)
    order = [3, 0, 4, 1, 2]
    forward = bd_rate(other, curve()).value
    assert bd_rate(curve(other.rates[order], other.values[order]), curve()).value == forward
    assert (1 + forward / 100) * (1 + bd_rate(curve(), other).value / 100) == pytest.approx(1)


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (curve([0.1], [25]), "at least 2 points, got 1"),
        (curve(values=QUALITY + 9), "share 5% of their qualities, 50% are needed"),
        (curve(values=QUALITY + 30), "share 0% of their qualities"),
        (curve(values=[22, 26, 25, 29, 31]), "quality does not rise with the rate"),
        (curve([0.1, 0.1, 0.2, 0.3, 0.4]), "two points have the same rate"),
        (curve([0.0, 0.1, 0.2, 0.3, 0.4]), "a rate is missing or not positive"),
        (curve([np.nan, 0.1, 0.2, 0.3, 0.4]), "a rate is missing or not positive"),
        (curve(values=[22, np.nan, 25, 29, 31]), "a quality is missing"),
    ],
)
def test_says_why_curves_cannot_be_compared(other: Curve, reason: str) -> None:
    for pair in ((other, curve()), (curve(), other)):
        with pytest.raises(NotComparableError, match=reason):
            bd_rate(*pair)


def test_overlap_is_a_setting() -> None:
    assert np.isfinite(bd_rate(curve(values=QUALITY + 9), curve(), min_overlap=0.01).value)


def test_area_of_a_line_and_of_a_part() -> None:
    line = curve([0.01, 0.1, 1.0], [0.4, 0.2, 0.0])  # falls by 0.2 a decade
    assert area(line, 0.01, 1.0) == pytest.approx(0.4)
    assert area(line, 0.01, 0.1) == pytest.approx(0.3)
    with pytest.raises(NotComparableError, match=r"spans 0\.01\.\.1 bpp only"):
        area(line, 0.005, 1.0)


def test_the_shared_interval() -> None:
    assert shared_interval([np.array([0.3, 0.02]), np.array([0.05, 0.1, 0.5])]) == pytest.approx((0.05, 0.3))
    with pytest.raises(NotComparableError, match="share 0% of their rates"):
        shared_interval([np.array([0.01, 0.02]), np.array([0.05, 0.5])])
