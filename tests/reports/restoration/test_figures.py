"""Figures hold the numbers of the frames, in lines that can be told apart."""

import numpy as np
import pytest

from greycard.reports.restoration import figures
from greycard.reports.restoration.frames import common_rate, training_pairs

SYSTEM = "hyperprior_celeba_like"


def lines_of(axes):
    return {line.get_label(): line for line in axes.get_lines() if not line.get_label().startswith("_")}


def numbers(frame, column, **values):
    for name, value in values.items():
        frame = frame[frame[name] == value]
    return frame.sort_values("bpp_estimated")[column].to_numpy()


def test_distortion_has_a_line_a_group_and_says_what_is_absent(findings):
    figure = figures.distortion(findings.groups, SYSTEM, "race", {"lpips": "no weights"})
    psnr, _, lpips, mse = figure.axes
    assert mse.get_ylabel() == "MSE [8-bit levels squared]"
    lines = lines_of(psnr)
    assert list(lines) == ["African", "Asian", "Caucasian", "Indian", "all images"]
    expected = {"system": SYSTEM, "measure": "psnr_db", "attribute": "race", "group": "Asian"}
    np.testing.assert_array_equal(lines["Asian"].get_ydata(), numbers(findings.groups, "value", **expected))
    np.testing.assert_array_equal(lines["Asian"].get_xdata(), numbers(findings.groups, "bpp_estimated", **expected))
    assert psnr.get_ylabel() == "PSNR [dB]"
    assert psnr.get_xlabel() == "bits per pixel, estimated from likelihoods"
    assert "absent: no weights" in [text.get_text() for text in lpips.texts]


def test_accuracy_above_and_difference_below(findings):
    figure = figures.accuracy_and_bias(findings.groups, findings.disparities, SYSTEM, "race", "skin_type")
    above, below = figure.axes
    measure = "accuracy_merged/skin_type"
    african = lines_of(above)["African"]
    expected = numbers(findings.groups, "value", system=SYSTEM, measure=measure, attribute="race", group="African")
    np.testing.assert_array_equal(african.get_ydata(), expected)
    difference = lines_of(below)["largest group difference"]
    assert difference.get_linestyle() == "-."
    np.testing.assert_array_equal(
        difference.get_ydata(), numbers(findings.disparities, "bias", system=SYSTEM, measure=measure, attribute="race")
    )
    bands = {band.get_label(): band for band in below.collections}
    floor = bands["noise floor: difference by chance alone"].get_paths()[0].vertices[:, 1].max()
    expected = numbers(findings.disparities, "noise_floor", system=SYSTEM, measure=measure, attribute="race")
    assert floor == pytest.approx(expected.max())
    assert "95\N{NO-BREAK SPACE}% interval" in bands


def test_a_line_a_phenotype_filled_where_beyond_chance(findings):
    (axes,) = figures.bias_by_task(findings.disparities, SYSTEM, "race").axes
    assert list(lines_of(axes)) == ["skin type", "eye type", "hair type"]
    rows = findings.disparities
    rows = rows[(rows["system"] == SYSTEM) & rows["measure"].str.startswith("accuracy_merged")]
    filled = sum(len(line.get_xdata()) for line in axes.get_lines() if line.get_linestyle() == "None")
    assert filled == (rows["p_value"] < 0.05).sum()


def test_two_training_sets_solid_and_dashed(findings):
    pair = ("hyperprior_celeba_like", "hyperprior_balanced")
    axes = figures.training_sets(findings.disparities, pair, "race", ["skin_type"]).axes[0]
    lines = lines_of(axes)
    assert lines["hyperprior celeba like"].get_linestyle() == "-"
    assert lines["hyperprior balanced"].get_linestyle() == "--"


def test_groups_keep_their_colour_when_one_is_missing(findings, without_indian):
    def colours(frames):
        axes = figures.accuracy_and_bias(frames.groups, frames.disparities, SYSTEM, "race", "skin_type").axes[0]
        return {name.partition(":")[0]: line.get_color() for name, line in lines_of(axes).items()}

    assert colours(findings) == colours(without_indian)
    assert len(set(colours(findings).values())) == 4


def test_a_group_without_images_is_named(without_indian):
    figure = figures.accuracy_and_bias(without_indian.groups, without_indian.disparities, SYSTEM, "race", "skin_type")
    assert "Indian: no images" in lines_of(figure.axes[0])


def test_kinds_of_rate_are_never_mixed(findings):
    assert common_rate(findings.groups, [SYSTEM]) == "bpp_estimated"
    assert common_rate(findings.groups, [SYSTEM, "jpeg"]) == "bpp_payload"
    without = findings.groups[findings.groups["system"].isin([SYSTEM, "jpeg"])].copy()
    without.loc[without["system"] == SYSTEM, ["bpp_payload", "bpp_total"]] = np.nan
    assert common_rate(without, [SYSTEM, "jpeg"]) is None


def test_the_same_figure_gives_the_same_bytes(findings):
    def once():
        return figures.to_png(figures.bias_by_task(findings.disparities, SYSTEM, "race"), dots_per_inch=50)

    assert once() == once()


def test_pairs_of_training_sets():
    assert training_pairs(["raw", "jpeg", "joint_celeba_like", "joint_balanced", "other_balanced"]) == [
        ("joint_celeba_like", "joint_balanced")
    ]
    assert training_pairs(["balanced", "jpeg"]) == []
