"""Figures of a search hold the trials' numbers: the front, the trade-off, λ, failed trials."""

import numpy as np
import pandas as pd
import pytest

from greycard.reports.panels import to_png
from greycard.reports.tuning import figures
from greycard.reports.tuning.frames import column, front, trade_off, values
from tests.reports.prediction import examples

MORE = {"baseline": examples.BASELINE, "chosen": {"best": 3, "knee": 9}}
COLOR = "param/fair.lam"


@pytest.fixture(scope="module")
def trials():
    return examples.trials()


def named(axes):
    handles, labels = axes.get_legend_handles_labels()
    return dict(zip(labels, handles, strict=True))


def test_the_front_by_hand():
    rows = pd.DataFrame({"metric/a": [1.0, 2.0, 3.0, 2.0, 1.0], "metric/b": [1.0, 3.0, 2.0, 3.0, 0.5]})
    assert front(rows, (("a", "min"), ("b", "max"))).tolist() == [True, True, False, True, False]
    assert front(rows, (("a", "min"),)).tolist() == [True, False, False, False, True]


def test_accuracy_against_sigma_iou(trials):
    axes, bar = figures.trade(trials, "sigma_iou", "accuracy", color=COLOR, goals=examples.GOALS, **MORE).axes
    done = trials[trials["status"] == "finished"]
    points = named(axes)["trial"]
    np.testing.assert_allclose(points.get_offsets()[:, 0], done["metric/sigma_iou"])
    np.testing.assert_allclose(points.get_offsets()[:, 1], done["metric/accuracy"])
    np.testing.assert_allclose(points.get_array(), done[COLOR])
    star = named(axes)["baseline"]
    assert (star.get_marker(), star.get_xdata()[0], star.get_ydata()[0]) == ("*", 0.083, 0.862)
    assert {"best (trial 3)", "knee (trial 9)", "better than the baseline in both"} <= set(named(axes))
    assert bar.get_ylabel() == "λ"
    assert bar.get_yscale() == "log"


def test_kinds_of_losses_have_markers():
    trials = examples.trials(kinds=("iou", "eo_l2"))
    axes = figures.trade(trials, "sigma_iou", "accuracy", color=COLOR, goals=examples.GOALS, **MORE).axes[0]
    assert {"L_iou", "L_eo^l2"} <= set(named(axes))


def test_the_front_is_filled_the_others_hollow(trials):
    axes = figures.pareto(trials, examples.GOALS, color=COLOR, **MORE).axes[0]
    done = trials[trials["status"] == "finished"]
    best = front(done, examples.GOALS)
    assert len(named(axes)["not beaten (front)"].get_offsets()) == best.sum()
    assert len(named(axes)["beaten by another trial"].get_xdata()) == (~best).sum()
    line = named(axes)["front"]
    np.testing.assert_array_equal(line.get_xdata(), np.sort(done["metric/sigma_iou"][best]))


def test_three_goals_have_a_panel_a_pair():
    trials = examples.codec_trials()
    figure = figures.pareto(trials, examples.CODEC_GOALS, color="param/parity.mu", baseline={}, chosen={})
    labels = [(axes.get_xlabel(), axes.get_ylabel()) for axes in figure.axes[:3]]
    assert [(x.partition(" (")[0], y.partition(" (")[0]) for x, y in labels] == [
        ("PSNR gap [dB]", "bits per pixel"),
        ("PSNR gap [dB]", "PSNR [dB]"),
        ("bits per pixel", "PSNR [dB]"),
    ]
    assert "front" not in named(figure.axes[0])


def test_lambda_against_both_on_a_log_axis_with_failed_trials(trials):
    figure = figures.against(trials, COLOR, ("sigma_iou", "accuracy"), **MORE)
    for axes, metric in zip(figure.axes, ("sigma_iou", "accuracy"), strict=True):
        assert axes.get_xscale() == "log"
        done = trials[trials["status"] == "finished"]
        np.testing.assert_array_equal(named(axes)["trial"].get_ydata(), done[f"metric/{metric}"])
        failed = trials.loc[trials["status"] == "failed", COLOR]
        np.testing.assert_array_equal(named(axes)["failed trial (no number)"].get_xdata(), failed)
    assert figure.axes[-1].get_xlabel() == "λ"


def test_progress_follows_the_best(trials):
    axes = figures.progress(trials, ("sigma_iou", "min"), baseline={}).axes[0]
    found = values(trials[trials["status"] == "finished"], "sigma_iou")
    np.testing.assert_array_equal(named(axes)["best so far"].get_ydata(), np.minimum.accumulate(found))
    assert "baseline" not in named(axes)


@pytest.mark.parametrize("goals", [examples.GOALS, examples.GOALS[:1]])
def test_the_trade_off_is_accuracy_against_sigma_iou(trials, goals):
    assert trade_off(trials, goals) == ("sigma_iou", "accuracy")
    assert trade_off(trials, goals, ("ece", "accuracy")) == ("ece", "accuracy")


def test_without_two_metrics_there_is_no_trade_off(trials):
    bare = trials[[name for name in trials if "accuracy" not in name]]
    assert trade_off(bare, examples.GOALS[:1]) == ()


def test_an_unknown_metric_names_near_ones(trials):
    with pytest.raises(ValueError, match="accuracy"):
        column(trials, "acuracy")


def test_the_same_figure_gives_the_same_bytes(trials):
    def once():
        figure = figures.trade(trials, "sigma_iou", "accuracy", color=COLOR, goals=examples.GOALS, **MORE)
        return to_png(figure, dots_per_inch=40)

    assert once() == once()
