from itertools import permutations

import numpy as np
import pytest
from scipy import stats

from greycard.metrics.by_group import Groups, by_group, clusters_of, everyone, means, partition, stack
from greycard.metrics.disparity import bias
from greycard.metrics.restoration.phenotypes import macro_recall
from greycard.metrics.significance import Bootstrap, Permutation, interval, p_value


def permuted_values(permutation, terms):
    return permutation.replicates(permutation.units.sums(terms))


def bootstrap(values: np.ndarray, groups: Groups, identities: np.ndarray | None, resamples: int, seed: int = 0):
    units = partition(groups, clusters_of(identities, len(values)))
    return Bootstrap.draw(units, resamples, seed).replicates(units.sums(means({"x": values})))[..., 0]


def test_interval_equals_scipys_percentile_bootstrap() -> None:
    values = np.random.default_rng(0).exponential(size=80)
    low, high = interval(bootstrap(values, everyone(80), None, 20000), 0.95)
    theirs = stats.bootstrap(
        (values,), np.mean, method="percentile", n_resamples=20000, rng=np.random.default_rng(1)
    ).confidence_interval
    error = values.std() / np.sqrt(80)
    assert low[0] == pytest.approx(theirs.low, abs=0.05 * error)
    assert high[0] == pytest.approx(theirs.high, abs=0.05 * error)


def test_gap_interval_equals_scipys_two_sample_bootstrap() -> None:
    random = np.random.default_rng(3)
    a, b = random.normal(1, 2, 60), random.normal(0, 1, 90)
    groups = Groups("g", ("a", "b"), np.repeat([0, 1], [60, 90]))
    replicates = bootstrap(np.concatenate([a, b]), groups, None, 20000)
    low, high = interval(replicates[:, 0] - replicates[:, 1], 0.9)
    theirs = stats.bootstrap(
        (a, b),
        lambda x, y, axis=-1: x.mean(axis=axis) - y.mean(axis=axis),
        method="percentile",
        n_resamples=20000,
        confidence_level=0.9,
        rng=np.random.default_rng(4),
    ).confidence_interval
    assert [low, high] == pytest.approx([theirs.low, theirs.high], abs=0.02)


def test_identities_are_drawn_whole() -> None:
    """Identical images of one identity carry no more information than one image."""
    people = np.random.default_rng(0).normal(size=50)
    values, identities = np.repeat(people, 9), np.repeat(np.arange(50), 9)
    clustered = bootstrap(values, everyone(450), identities, 4000).std()
    alone = bootstrap(people, everyone(50), None, 4000).std()
    rows = bootstrap(values, everyone(450), None, 4000).std()
    assert clustered == pytest.approx(alone, rel=0.05)
    assert rows == pytest.approx(alone / 3, rel=0.05)


def test_unequal_identities_give_a_ratio_of_sums() -> None:
    """Two identities of 1 and 3 images: the resamples are known exactly."""
    replicates = bootstrap(np.array([0.0, 1.0, 1.0, 1.0]), everyone(4), np.array([0, 1, 1, 1]), 4000)[:, 0]
    values, shares = np.unique(replicates, return_counts=True)
    np.testing.assert_allclose(values, [0, 0.75, 1])
    np.testing.assert_allclose(shares / 4000, [0.25, 0.5, 0.25], atol=0.03)


def test_groups_keep_their_number_of_identities() -> None:
    groups = Groups("g", ("a", "b", "c"), np.array([0, 0, 0, 2]))
    units = partition(groups, np.arange(4))
    weights = Bootstrap.draw(units, 500, 0).weights
    assert (weights[:, :3].sum(axis=1) == 3).all()
    assert (weights[:, 3] == 1).all()


def test_identities_that_span_groups_bring_all_their_images() -> None:
    groups = Groups("pose", ("left", "right"), np.array([0, 1, 0, 1, 0]))
    units = partition(groups, np.array([0, 0, 1, 1, 2]))
    drawn = Bootstrap.draw(units, 300, 0)
    weights = dict(zip(zip(units.group.tolist(), units.cluster.tolist(), strict=True), drawn.weights.T, strict=True))
    np.testing.assert_array_equal(weights[0, 0], weights[1, 0])
    np.testing.assert_array_equal(weights[0, 1], weights[1, 1])
    replicates = drawn.replicates(units.sums(means({"x": np.arange(5.0)})))[..., 0]
    assert np.isnan(replicates[:, 1]).any()  # only identity 2 drawn: no image looks right
    low, high = interval(replicates, 0.95)
    assert np.isfinite([low, high]).all()


def test_replicates_of_ratios_equal_recomputing_each_resample() -> None:
    random = np.random.default_rng(5)
    labels, right = random.integers(0, 3, 40), random.integers(0, 2, 40).astype(float)
    right[::7] = np.nan
    groups = Groups("g", ("a", "b"), np.repeat([0, 1], 20))
    identities = np.repeat(np.arange(10), 4)
    terms = stack([means({"x": right}), macro_recall("r", right, labels, 3)])
    units = partition(groups, identities)
    drawn = Bootstrap.draw(units, 20, 0)
    replicates = drawn.replicates(units.sums(terms))
    for weights, replicate in zip(drawn.weights, replicates, strict=True):
        rows = np.repeat(np.arange(40), weights[identities])
        again = by_group(
            stack([means({"x": right[rows]}), macro_recall("r", right[rows], labels[rows], 3)]),
            Groups("g", ("a", "b"), groups.codes[rows]),
        )
        np.testing.assert_allclose(replicate, again.values)


def test_seeds_repeat_and_differ() -> None:
    values = np.arange(30.0)
    first, again, other = (bootstrap(values, everyone(30), None, 50, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_large_draws_in_chunks_are_still_multinomial() -> None:
    weights = Bootstrap.draw(partition(everyone(60_000), np.arange(60_000)), 100, 0).weights
    assert (weights.sum(axis=1) == 60_000).all()
    assert weights.astype(float).var() == pytest.approx(1, rel=0.01)


def test_permutation_p_value_equals_enumeration() -> None:
    values, codes = np.array([3.0, 5.0, 4.0, 9.0, 8.0, 6.5]), np.array([0, 0, 0, 1, 1, 1])
    groups = Groups("g", ("a", "b"), codes)
    observed = abs(values[:3].mean() - values[3:].mean())
    every = [abs(values[list(o[:3])].mean() - values[list(o[3:])].mean()) for o in permutations(range(6))]
    expected = np.mean(np.array(every) >= observed - 1e-12)
    terms = means({"x": values})
    permuted = bias(permuted_values(Permutation.draw(groups, np.arange(6), 20000, 0), terms))
    p = p_value(bias(by_group(terms, groups).values), permuted)
    assert p[0] == pytest.approx(expected, abs=0.01)
    assert permuted.mean() == pytest.approx(np.mean(every), rel=0.02)


def test_permutation_equals_scipys() -> None:
    random = np.random.default_rng(0)
    a, b = random.normal(0, 1, 40), random.normal(0.5, 1, 30)
    theirs = stats.permutation_test(
        (a, b),
        lambda x, y, axis=-1: np.abs(x.mean(axis=axis) - y.mean(axis=axis)),
        alternative="greater",
        n_resamples=20000,
        vectorized=True,
        rng=np.random.default_rng(1),
    )
    terms = means({"x": np.concatenate([a, b])})
    groups = Groups("g", ("a", "b"), np.repeat([0, 1], [40, 30]))
    permuted = bias(permuted_values(Permutation.draw(groups, np.arange(70), 20000, 0), terms))
    assert p_value(np.array([theirs.statistic]), permuted)[0] == pytest.approx(theirs.pvalue, abs=0.01)


def test_whole_identities_move() -> None:
    identities = np.repeat(np.arange(8), 5)
    groups = Groups("g", ("a", "b"), np.repeat([0, 1], 20))
    values = np.repeat(np.arange(8.0), 5)
    permutation = Permutation.draw(groups, identities, 200, 0)
    assert permutation.groups.shape == (200, 8)
    assert (permutation.groups.sum(axis=1) == 4).all()
    replicates = permuted_values(permutation, means({"x": values}))[..., 0]
    np.testing.assert_allclose(replicates.sum(axis=1), 7)  # two groups of four identities each


def test_images_of_an_identity_that_spans_groups_are_exchanged_within_it() -> None:
    """Identities 0 and 1 lie in one group each and may swap; identity 2's left and right image may swap."""
    groups = Groups("pose", ("left", "right"), np.array([0, 1, 0, 1]))
    values = np.array([1.0, 2.0, 10.0, 40.0])
    permutation = Permutation.draw(groups, np.array([0, 1, 2, 2]), 400, 0)
    lefts = permuted_values(permutation, means({"x": values}))[:, 0, 0]
    assert sorted(set(lefts.tolist())) == [(1 + 10) / 2, (2 + 10) / 2, (1 + 40) / 2, (2 + 40) / 2]
    _, shares = np.unique(lefts, return_counts=True)
    np.testing.assert_allclose(shares / 400, 0.25, atol=0.08)


def test_interval_passes_over_missing_replicates() -> None:
    replicates = np.random.default_rng(0).normal(size=(200, 3))
    replicates[::3, 1] = np.nan
    replicates[:, 2] = np.nan
    low, high = interval(replicates, 0.9)
    np.testing.assert_allclose(low[:2], np.nanquantile(replicates[:, :2], 0.05, axis=0))
    np.testing.assert_allclose(high[:2], np.nanquantile(replicates[:, :2], 0.95, axis=0))
    assert np.isnan([low[2], high[2]]).all()


def test_nothing_drawn_is_nan() -> None:
    empty = bootstrap(np.arange(4.0), everyone(4), None, 0)
    assert np.isnan(interval(empty, 0.95)).all()
    assert np.isnan(p_value(np.array([0.3]), np.zeros((0, 1)))).all()
    assert np.isnan(p_value(np.array([np.nan]), np.zeros((9, 1)))).all()
