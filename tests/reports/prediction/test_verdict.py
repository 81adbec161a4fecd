"""Verdicts say no more than the numbers, judge the aim that was set, and name what they can not judge."""

import re

import numpy as np
import pandas as pd
import pytest

from greycard.metrics.by_group import Groups
from greycard.metrics.prediction.findings import PredictionConfig
from greycard.metrics.prediction.seeds import compare_seeds
from greycard.metrics.prediction.tables import Predictions
from greycard.reports.prediction.verdict import AcceptedCost, Aim, verdict

NONE = PredictionConfig(resamples=0)


def outcome(reduction, low, cost, cost_high, seeds=5):
    common = {"level": 0.95, "seeds": seeds, "count": 2000, "high": 0.0}
    gap = {"measure": "sigma_iou", "baseline": 0.08, "fair": 0.08 * (1 - reduction), "reduction": reduction}
    gap |= {"reduction_low": low, "reduction_high": 0.9, "difference": -0.08 * reduction, "low": -0.07}
    right = {"measure": "accuracy", "baseline": 0.9, "fair": 0.9 - cost, "difference": -cost, "low": -cost_high}
    return pd.DataFrame([gap | common, right | common])


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ((0.6, 0.4, 0.002, 0.008), "The aim is met, and the whole intervals lie within it"),
        ((0.6, 0.1, 0.002, 0.008), "The means meet the aim; the intervals show a reduction, but not"),
        ((0.6, 0.4, 0.002, 0.02), "The means meet the aim; the intervals show a reduction, but not"),
        ((0.6, -0.1, 0.002, 0.008), "does not exclude that nothing is reduced"),
        ((0.2, 0.1, 0.0, 0.0), "The aim is missed"),
        ((0.6, 0.4, 0.02, 0.03), "The aim is missed"),
        ((0.6, np.nan, 0.002, np.nan), "no interval says how sure"),
    ],
)
def test_the_verdict_says_no_more_than_the_intervals(case, words):
    said = verdict(outcome(*case), Aim())
    assert words in said
    assert re.search(r"σ_IOU falls by \d+\N{NO-BREAK SPACE}%, from 0\.0800 to 0\.\d{4}", said)
    assert "over 5 seeds and 2,000 rows." in said


def test_the_verdict_names_what_was_aimed_at_and_what_rose():
    said = verdict(outcome(-0.25, -0.5, 0.0, 0.0, seeds=1), Aim(min_reduction=0.5, costs=(AcceptedCost(most=0.02),)))
    assert "(at least 50\N{NO-BREAK SPACE}% less at a cost of at most 2 points)" in said
    assert "σ_IOU rises by 25\N{NO-BREAK SPACE}%" in said
    assert "over 1 seed and" in said
    nothing = compare_seeds([perfect()], [perfect()], NONE)
    assert "nothing that a fairness loss could reduce" in verdict(nothing, Aim())


def perfect():
    labels = np.tile([0, 1], 8)
    groups = Groups("group", ("a", "b"), np.repeat([0, 1], 8))
    return Predictions(np.stack([1.0 - labels, labels], axis=1), labels, groups, None)


def test_the_usual_sentence_is_as_it_always_was():
    assert verdict(outcome(0.6, 0.4, 0.002, 0.008), Aim()).replace("\N{NO-BREAK SPACE}", " ") == (
        "The aim is met, and the whole intervals lie within it (at least 30 % less at a cost of at most 1 point): in "
        "hard decisions σ_IOU falls by 60 %, from 0.0800 to 0.0320 (reduction 95 % interval 40 % to 90 %), and "
        "accuracy changes by −0.2 points (−0.8 to 0.0), over 5 seeds and 2,000 rows."
    )


def test_without_an_aim_the_numbers_are_stated_and_nothing_is_judged():
    assert verdict(outcome(0.6, 0.4, 0.002, 0.008)).replace("\N{NO-BREAK SPACE}", " ") == (
        "Measured over 5 seeds and 2,000 rows, in hard decisions σ_IOU falls by 60 %, from 0.0800 to 0.0320 (reduction "
        "95 % interval 40 % to 90 %), and accuracy changes by −0.2 points (−0.8 to 0.0)."
    )
    assert "nothing that a fairness loss could reduce." in verdict(compare_seeds([perfect()], [perfect()], NONE))


def with_auc(difference, low):
    frame = outcome(0.6, 0.4, 0.002, 0.008)
    auc = frame.iloc[1].to_dict() | {"measure": "auc", "baseline": 0.8, "difference": difference, "low": low}
    return pd.concat([frame, pd.DataFrame([auc])], ignore_index=True)


@pytest.mark.parametrize(
    ("difference", "low", "words"),
    [
        (-0.004, -0.0045, "The aim is met, and the whole"),
        (-0.004, -0.009, "or as cheap as that"),
        (-0.006, -0.009, "The aim is missed"),
    ],
)
def test_every_cost_is_judged(difference, low, words):
    said = verdict(with_auc(difference, low), Aim(costs=(AcceptedCost(), AcceptedCost("auc", most=0.005))))
    assert words in said
    assert "at a cost of at most 1 point of accuracy and 0.005 of AUC" in said
    assert f"accuracy changes by −0.2 points (−0.8 to 0.0), AUC changes by −{-difference:.4f}" in said


@pytest.mark.parametrize(("most", "met"), [(0.004, True), (0.002, False)])
def test_a_cost_may_be_a_share_of_the_baseline(most, met):
    """Accuracy falls by .002 of .9, a share of .0022; the interval's end is a share of .0033."""
    said = verdict(outcome(0.6, 0.4, 0.002, 0.003), Aim(costs=(AcceptedCost(most=most, relative=True),)))
    assert ("The aim is met" in said) == met
    assert f"at most {100 * most:g}\N{NO-BREAK SPACE}% of accuracy" in said


def test_a_cost_where_less_is_better_counts_what_rises():
    frame = outcome(0.6, 0.4, 0.0, 0.0)
    ece = frame.iloc[1].to_dict() | {"measure": "ece", "baseline": 0.05, "difference": 0.02, "low": 0.01, "high": 0.03}
    frame = pd.concat([frame, pd.DataFrame([ece])], ignore_index=True)
    assert "The aim is missed" in verdict(frame, Aim(costs=(AcceptedCost("ece", "min", 0.01),)))
    assert "as cheap as that" in verdict(frame, Aim(costs=(AcceptedCost("ece", "min", 0.025),)))
    assert "whole intervals lie within" in verdict(frame, Aim(costs=(AcceptedCost("ece", "min", 0.03),)))


def test_what_was_not_compared_is_said():
    said = verdict(outcome(0.6, 0.4, 0.002, 0.008), Aim(costs=(AcceptedCost(), AcceptedCost("accuracy_all"))))
    assert said.startswith("As far as it was measured, the aim is met")
    assert said.endswith("Accuracy all was not compared: its cost is not judged.")
    assert "Loss was not compared, so the aim" in verdict(outcome(0.6, 0.4, 0.0, 0.0), Aim(goal="loss"))


def test_another_disparity_is_judged_where_it_is_the_goal():
    frame = outcome(0.1, 0.05, 0.0, 0.0)
    other = frame.iloc[0].to_dict() | {"measure": "eo_difference", "reduction": 0.5, "reduction_low": 0.4}
    frame = pd.concat([frame, pd.DataFrame([other])], ignore_index=True)
    assert "The aim is missed" in verdict(frame, Aim())
    assert "in hard decisions eo difference falls by 50\N{NO-BREAK SPACE}%" in verdict(frame, Aim(goal="eo_difference"))
    quality = frame.assign(reduction=frame["reduction"].where(frame["measure"] != "accuracy"))
    assert "Accuracy is no group difference" in verdict(quality, Aim(goal="accuracy"))
