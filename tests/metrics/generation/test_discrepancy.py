import numpy as np
import pytest

from greycard.metrics.generation.discrepancy import (
    ShareCounts,
    corrected_shares,
    discrepancy,
    discrepancy_interval,
    discrepancy_over_splits,
    nearest_shares,
    sampling_floor,
)


def test_the_long_tail_itself_and_absent_classes():
    tail = np.array([5000, 3871, 2997, 2320, 1796, 1391, 1077, 834, 645, 500])
    assert discrepancy(tail / tail.sum()) == pytest.approx(0.2205, abs=5e-5)
    assert discrepancy(np.array([0.5, 0.5, 0, 0, 0, 0])) == pytest.approx(0.577, abs=5e-4)
    assert discrepancy(np.full(7, 1 / 7)) == pytest.approx(0)
    assert discrepancy(np.array([1.0, 0, 0, 0])) == pytest.approx(np.sqrt(3 / 4))


@pytest.mark.parametrize(
    ("classes", "images", "floor"), [(10, 10_000, 0.0095), (10, 5000, 0.0134), (6, 10_000, 0.0091)]
)
def test_a_perfect_generator_shows_the_sampling_floor(classes, images, floor):
    assert sampling_floor(classes, images) == pytest.approx(floor, abs=5e-5)
    drawn = np.random.default_rng(0).multinomial(images, np.full(classes, 1 / classes), size=4000) / images
    assert np.sqrt((discrepancy(drawn) ** 2).mean()) == pytest.approx(sampling_floor(classes, images), rel=0.03)


def test_shares_are_counted_by_arg_max_and_by_probability_and_merge():
    rng = np.random.default_rng(2)
    probabilities = rng.dirichlet(np.array([2.0, 1.0, 0.3]), size=40)
    splits = np.arange(40) % 4
    whole = ShareCounts.zero(3, 5).add(probabilities, splits)
    parts = [ShareCounts.zero(3, 5).add(probabilities[rows], splits[rows]) for rows in (slice(7), slice(7, 40))]
    merged = parts[1].merge(parts[0])
    np.testing.assert_array_equal(merged.counts, whole.counts)
    np.testing.assert_allclose(merged.sums, whole.sums)
    shares = whole.finish()
    np.testing.assert_allclose(shares.soft, probabilities.mean(axis=0))
    np.testing.assert_array_equal(shares.counts, np.bincount(probabilities.argmax(axis=1), minlength=3))
    assert shares.hard_splits.shape == (4, 3)  # the fifth holds nothing
    found = discrepancy_over_splits(shares.hard_splits, 10)
    values = [
        np.linalg.norm(1 / 3 - np.bincount(probabilities[splits == k].argmax(axis=1), minlength=3) / 10)
        for k in range(4)
    ]
    assert (found.mean, found.sd) == (pytest.approx(np.mean(values)), pytest.approx(np.std(values)))
    assert (found.splits, found.floor) == (4, pytest.approx(np.sqrt(2 / 3 / 10)))


def test_nothing_has_no_discrepancy():
    shares = ShareCounts.zero(3, 2).finish()
    assert np.isnan(discrepancy_over_splits(shares.hard_splits, 0).mean)
    assert np.isnan(discrepancy_interval(shares.counts).low)


def test_a_classifiers_confusions_are_taken_back():
    rates = np.array([[0.9, 0.1, 0.0], [0.2, 0.7, 0.1], [0.0, 0.3, 0.7]])
    true = np.array([0.6, 0.3, 0.1])
    found = corrected_shares(true @ rates, rates * np.array([[100], [50], [20]]))
    np.testing.assert_allclose(found.shares, true)
    assert found.condition == pytest.approx(np.linalg.cond(rates))
    assert (found.shift, found.warning) == (pytest.approx(0, abs=1e-12), "")


def test_corrections_that_can_not_be_trusted_say_so():
    absent = corrected_shares(np.array([0.5, 0.5]), np.array([[3, 1], [0, 0]]))
    assert np.isnan(absent.shares).all()
    assert "no labelled image of classes [1]" in absent.warning
    flat = corrected_shares(np.array([0.5, 0.5]), np.ones((2, 2)))
    assert "can not be inverted" in flat.warning
    poor = corrected_shares(np.array([0.9, 0.1]), np.array([[51, 49], [49, 51]]))
    assert poor.shares.tolist() == [1.0, 0.0]
    assert poor.shift > 1
    assert "condition number 50" in poor.warning


def test_the_nearest_shares_are_nearest():
    rng = np.random.default_rng(0)
    for values in rng.normal(size=(20, 4)):
        found = nearest_shares(values)
        assert found.sum() == pytest.approx(1)
        assert found.min() >= 0
        others = rng.dirichlet(np.full(4, 0.3), size=500)
        assert np.linalg.norm(found - values) <= np.linalg.norm(others - values, axis=1).min() + 1e-12


@pytest.mark.parametrize("true", [(0.5, 0.2, 0.2, 0.1), (0.25, 0.25, 0.25, 0.25), (0.3, 0.25, 0.25, 0.2)])
def test_an_interval_covers_the_true_discrepancy(true):
    true = np.array(true)
    inside = 0
    for seed in range(60):
        counts = np.random.default_rng(seed).multinomial(500, true)
        low, high = discrepancy_interval(counts, resamples=200, seed=seed)
        inside += low <= discrepancy(true) <= high
    assert inside >= 53


def test_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match=r"\(N, 3\)"):
        ShareCounts.zero(3).add(np.ones((2, 4)), np.zeros(2, np.int64))
    with pytest.raises(ValueError, match=r"0\.\.9"):
        ShareCounts.zero(3).add(np.ones((1, 3)), np.array([10]))
    with pytest.raises(ValueError, match=r"\(3, 3\)"):
        corrected_shares(np.full(3, 1 / 3), np.ones((2, 2)))
