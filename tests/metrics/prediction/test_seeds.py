"""Comparisons of seeds against hand-made cases, independent libraries, and repeated experiments."""

import numpy as np
import pytest
from fairlearn.metrics import demographic_parity_difference, equalized_odds_difference
from scipy import stats
from sklearn.metrics import accuracy_score, jaccard_score, roc_auc_score

from greycard.metrics.by_group import Groups
from greycard.metrics.prediction.findings import PredictionConfig
from greycard.metrics.prediction.seeds import compare_seeds
from greycard.metrics.prediction.tables import Predictions
from greycard.metrics.significance import Bootstrap

NONE = PredictionConfig(resamples=0)
NAMES = ("a", "b", "c")


def decided(right, labels, codes, identities=None, sure=0.9):
    """A predictor that is right where told."""
    classes = np.where(right, labels, 1 - labels)
    p = np.where(classes == 1, sure, 1 - sure)
    names = NAMES[: int(max(codes)) + 1]
    return Predictions(np.stack([1 - p, p], axis=1), labels, Groups("group", names, codes), identities)


def drawn(seed, gap=1.5, rows=240, sample=0):
    random = np.random.default_rng([sample, 99])
    labels, codes = random.integers(0, 2, rows), random.integers(0, 3, rows)
    noise = random.normal(size=rows) + 0.5 * np.random.default_rng([sample, seed]).normal(size=rows)
    z = noise + (2.5 - gap * (codes == 2)) * (labels - 0.5)
    p = 1 / (1 + np.exp(-z))
    groups = Groups("group", NAMES, codes)
    return Predictions(np.stack([1 - p, p], axis=1), labels, groups, np.arange(rows) // 2)


def at(frame, measure):
    return frame.set_index("measure").loc[measure]


def test_a_case_worked_by_hand():
    """Group a is always right; in group b 2 (baseline) or 1 (fair) of 4 rows of each class are wrong."""
    labels = np.tile([0, 1], 8)
    codes = np.repeat([0, 1], 8)
    place = np.arange(16) % 8

    def wrong(count):
        return decided((codes == 0) | (place // 2 >= count), labels, codes)

    found = compare_seeds([wrong(2), wrong(2)], [wrong(1), wrong(0)], NONE)
    gap = at(found, "sigma_iou")  # IoU of b: 2 / 6, then 3 / 5 and 1; σ of two values is their gap / sqrt(2)
    assert gap["baseline"] == pytest.approx((1 - 1 / 3) / np.sqrt(2))
    assert gap["fair"] == pytest.approx((1 - 3 / 5) / np.sqrt(2) / 2)
    assert gap["reduction"] == pytest.approx(1 - (0.4 / 2) / (2 / 3))
    assert gap["difference"] == pytest.approx(gap["fair"] - gap["baseline"])
    right = at(found, "accuracy")
    assert (right["baseline"], right["fair"]) == (0.75, (14 / 16 + 1) / 2)
    assert np.isnan(right["reduction"])
    assert at(found, "eo_difference")["fair"] == pytest.approx((0.25 + 0) / 2)
    assert at(found, "eo_l2")["decisions"] == "soft"
    assert (gap["decisions"], gap["seeds"], gap["count"]) == ("hard", 2, 16)
    assert np.isnan(gap[["low", "high", "reduction_low", "reduction_high"]].to_numpy(float)).all()
    assert found["measure"].is_unique


def test_means_over_seeds_are_those_of_other_libraries():
    baseline, fair = [drawn(seed) for seed in (0, 1, 2)], [drawn(seed, gap=0.4) for seed in (10, 11, 12)]
    found = compare_seeds(baseline, fair, NONE)

    def sigma(rows):
        members = [rows.groups.codes == code for code in range(3)]
        return np.std([jaccard_score(rows.labels[m], rows.decisions[m], average="macro") for m in members], ddof=1)

    references = {
        "accuracy": lambda rows: accuracy_score(rows.labels, rows.decisions),
        "auc": lambda rows: roc_auc_score(rows.labels, rows.probabilities[:, 1]),
        "sigma_iou": sigma,
        "dp_difference": lambda rows: demographic_parity_difference(
            rows.labels, rows.decisions, sensitive_features=rows.groups.codes
        ),
        "eo_difference": lambda rows: equalized_odds_difference(
            rows.labels, rows.decisions, sensitive_features=rows.groups.codes
        ),
    }
    for measure, reference in references.items():
        row = at(found, measure)
        assert row["baseline"] == pytest.approx(np.mean([reference(one) for one in baseline]))
        assert row["fair"] == pytest.approx(np.mean([reference(one) for one in fair]))


def test_the_interval_of_one_pair_is_the_quantiles_of_refitted_resamples():
    """Each resample taken apart: rows repeated as their identity is drawn, measured by other libraries."""
    config = PredictionConfig(resamples=8, seed=4, level=0.8)
    baseline, fair = drawn(0, rows=90), drawn(3, 0.4, rows=90)
    found = compare_seeds([baseline], [fair], config)
    units = baseline.units()
    weights = Bootstrap.draw(units, config.resamples, config.seed).weights
    times = np.zeros((config.resamples, 90), int)
    times[:, units.order] = np.repeat(weights, np.diff(np.append(units.starts, 90)), axis=1)

    def values(rows, measure):
        return np.array([measure(rows, np.repeat(np.arange(90), count)) for count in times])

    def accuracy(rows, chosen):
        return accuracy_score(rows.labels[chosen], rows.decisions[chosen])

    def odds(rows, chosen):
        groups = rows.groups.codes[chosen]
        return equalized_odds_difference(rows.labels[chosen], rows.decisions[chosen], sensitive_features=groups)

    def area(rows, chosen):
        return roc_auc_score(rows.labels[chosen], rows.probabilities[chosen, 1])

    for name, measure in (("accuracy", accuracy), ("auc", area), ("eo_difference", odds)):
        row, before, after = at(found, name), values(baseline, measure), values(fair, measure)
        np.testing.assert_allclose([row["low"], row["high"]], np.quantile(after - before, [0.1, 0.9]))
        if name == "eo_difference":
            expected = np.quantile(1 - after / before, [0.1, 0.9])
            np.testing.assert_allclose([row["reduction_low"], row["reduction_high"]], expected)


def counted(right, people=None):
    """A predictor of 1000 rows, right in the first so many; all rows are of one person unless told."""
    labels, codes = np.tile([0, 1], 500), np.repeat([0, 1], 500)
    return decided(np.arange(1000) < right, labels, codes, np.zeros(1000, np.int64) if people is None else people)


def test_one_identity_leaves_the_chance_of_seeds_alone():
    """Of 3 pairs 2 are drawn, and the spread is widened from a normal's quartile to that of Student's t with 2 degrees.

    The means in order, in ninths: .01 (1), .03 (2), .05 (1), .07 (2), .09 (2), .13 (1); their quartiles are .03, .09.
    """
    config = PredictionConfig(level=0.5)
    found = at(compare_seeds([counted(700)] * 3, [counted(count) for count in (710, 750, 830)], config), "accuracy")
    mean = (0.01 + 0.05 + 0.13) / 3
    wider = stats.t.ppf(0.75, 2) / stats.norm.ppf(0.75)
    assert found["difference"] == pytest.approx(mean)
    assert found["low"] == pytest.approx(mean + wider * (0.03 - mean))
    assert found["high"] == pytest.approx(mean + wider * (0.09 - mean))


def test_the_interval_over_pairs_is_about_scipys_t_interval():
    gains = np.array([0, 12, 35, 41, 90, 55, 20, 64]) / 1000
    config = PredictionConfig(resamples=3000, level=0.9)
    fair = [counted(700 + round(1000 * gain)) for gain in gains]
    row = at(compare_seeds([counted(700)] * 8, fair, config), "accuracy")
    expected = stats.t.interval(0.9, 7, gains.mean(), stats.sem(gains))
    np.testing.assert_allclose([row["low"], row["high"]], expected, atol=0.004)


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    """Accuracy differs by 0.06 in truth; runs differ by chance, images by chance and by how hard they are for all."""
    hits, runs, rows = 0, 40, 120
    config = PredictionConfig(resamples=80, level=0.9)
    for run in range(runs):
        random = np.random.default_rng(run)
        labels, codes = random.integers(0, 2, rows), random.integers(0, 2, rows)
        hard, gain = random.normal(0, 0.1, rows), random.normal(0, 0.2, rows)

        def side(truth, random=random, labels=labels, codes=codes):
            levels = random.normal(0, 0.03, 5)
            return [decided(random.random(rows) < np.clip(truth + level, 0, 1), labels, codes) for level in levels]

        row = at(compare_seeds(side(0.5 + hard), side(0.56 + hard + gain), config), "accuracy")
        hits += row["low"] <= 0.06 <= row["high"]
    assert 0.78 <= hits / runs <= 1


def test_the_same_predictors_do_not_differ():
    rows = [drawn(0), drawn(1)]
    found = compare_seeds(rows, rows, PredictionConfig(resamples=30))
    assert (found["difference"] == 0).all()
    assert (found[["low", "high"]] == 0).all(axis=None)
    gaps = found.dropna(subset="reduction")
    assert (gaps[["reduction", "reduction_low", "reduction_high"]] == 0).all(axis=None)


def test_pairs_must_be_complete_and_of_the_same_rows():
    with pytest.raises(ValueError, match="2 baselines and 1 fair"):
        compare_seeds([drawn(0), drawn(1)], [drawn(2)])
    with pytest.raises(ValueError, match="0 baselines"):
        compare_seeds([], [])
    with pytest.raises(ValueError, match="same rows in one order"):
        compare_seeds([drawn(0)], [drawn(0, sample=1)])
    unknown = drawn(0)
    unknown.labels[:] = -1
    with pytest.raises(ValueError, match="no row"):
        compare_seeds([unknown], [unknown])
