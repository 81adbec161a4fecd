import numpy as np
import pandas as pd
import pytest
from fairlearn.metrics import MetricFrame, count
from sklearn.metrics import accuracy_score, balanced_accuracy_score

from greycard.metrics.by_group import Groups, by_group, clusters_of, cross, everyone, means, partition, stack
from greycard.metrics.restoration.phenotypes import correct, macro_recall

RACE = ("African", "Asian", "Caucasian", "Indian")


def labelled(rows: int = 500) -> tuple[np.ndarray, np.ndarray, Groups, Groups]:
    random = np.random.default_rng(0)
    race = Groups("race", RACE, random.integers(0, 4, rows))
    gender = Groups("gender", ("female", "male"), random.integers(0, 2, rows))
    labels = random.integers(0, 3, rows)
    predictions = np.where(random.random(rows) < 0.7, labels, random.integers(0, 3, rows))
    return labels, predictions, race, gender


def test_equals_fairlearn_for_single_and_crossed_attributes() -> None:
    labels, predictions, race, gender = labelled()
    right = correct(labels, predictions[:, None])[:, 0]
    terms = stack([means({"accuracy": right}), macro_recall("macro_recall", right, labels, 3)])
    features = pd.DataFrame({"race": np.array(RACE)[race.codes], "gender": np.array(gender.names)[gender.codes]})
    metrics = {"accuracy": accuracy_score, "macro_recall": balanced_accuracy_score, "count": count}
    for groups, names in ((race, ["race"]), (gender, ["gender"]), (cross([race, gender]), ["race", "gender"])):
        theirs = MetricFrame(
            metrics=metrics, y_true=labels, y_pred=predictions, sensitive_features=features[names]
        ).by_group
        ours = by_group(terms, groups)
        keys = [name if len(names) == 1 else tuple(name.split(" x ")) for name in groups.names]
        np.testing.assert_allclose(ours.values[:, 0], theirs.loc[keys, "accuracy"].to_numpy(float))
        np.testing.assert_allclose(ours.values[:, 1], theirs.loc[keys, "macro_recall"].to_numpy(float))
        np.testing.assert_array_equal(ours.counts[:, 0], theirs.loc[keys, "count"].to_numpy(int))


def test_the_whole_is_a_group_too() -> None:
    labels, predictions, *_ = labelled()
    right = correct(labels, predictions[:, None])[:, 0]
    frame = by_group(means({"accuracy": right}), everyone(len(labels)))
    assert frame.groups == ("all",)
    assert frame.values.item() == pytest.approx(accuracy_score(labels, predictions))


def test_empty_groups_keep_their_place() -> None:
    groups = cross([Groups("race", RACE, np.array([3, 0, -1, 3])), Groups("eye", ("a", "b"), np.array([1, 0, 0, -1]))])
    frame = by_group(means({"x": np.array([5.0, 7.0, 1.0, 2.0])}), groups, np.array([4, 4, 4, 4]))
    assert len(frame.groups) == 8
    assert frame.groups[1] == "African x b"
    assert frame.groups[-1] == "Indian x b"
    np.testing.assert_array_equal(frame.values[:, 0], [7, np.nan, np.nan, np.nan, np.nan, np.nan, np.nan, 5])
    np.testing.assert_array_equal(frame.counts[:, 0], [1, 0, 0, 0, 0, 0, 0, 1])
    np.testing.assert_array_equal(frame.identities[:, 0], [1, 0, 0, 0, 0, 0, 0, 1])


def test_missing_values_leave_only_their_own_measure() -> None:
    groups = Groups("race", RACE, np.array([0, 0, 1]))
    frame = by_group(
        means({"x": np.array([1.0, np.nan, np.nan]), "y": np.array([1.0, 3.0, 5.0])}), groups, np.array([0, 1, 2])
    )
    np.testing.assert_array_equal(frame.values[:2], [[1, 2], [np.nan, 5]])
    np.testing.assert_array_equal(frame.counts[:2], [[1, 2], [0, 1]])
    np.testing.assert_array_equal(frame.identities[:2], [[1, 2], [0, 1]])


def test_counts_identities_and_rows_without_one() -> None:
    groups = Groups("race", RACE, np.array([0, 0, 0, 0, 1, 1]))
    frame = by_group(means({"x": np.arange(6.0)}), groups, np.array([9, 9, -1, -1, 9, 2]))
    assert frame.counts[:2, 0].tolist() == [4, 2]
    assert frame.identities[:2, 0].tolist() == [3, 2]  # identity 9 has images in both groups


def test_no_rows_at_all() -> None:
    frame = by_group(means({"x": np.zeros(0)}), Groups("race", RACE, np.zeros(0, np.int64)))
    assert np.isnan(frame.values).all()
    assert frame.counts.sum() == 0


def test_macro_recall_is_the_mean_over_classes_that_occur() -> None:
    labels, predictions = np.array([0, 0, 0, 2]), np.array([[0], [0], [1], [2]])
    right = correct(labels, predictions)[:, 0]
    frame = by_group(macro_recall("macro_recall", right, labels, 3), everyone(4))
    assert frame.values.item() == pytest.approx((2 / 3 + 1) / 2)
    assert frame.counts.item() == 4


def test_a_link_applies_to_the_finished_mean() -> None:
    frame = by_group(means({"root": np.array([1.0, 7.0])}, {"root": np.sqrt}), everyone(2))
    assert frame.values.item() == 2.0


def test_the_order_of_rows_does_not_matter() -> None:
    labels, predictions, race, _ = labelled()
    right = correct(labels, predictions[:, None])[:, 0]
    identities = np.random.default_rng(1).integers(0, 60, len(labels))
    order = np.random.default_rng(2).permutation(len(labels))
    first = by_group(means({"x": right}), race, identities)
    second = by_group(means({"x": right[order]}), Groups("race", RACE, race.codes[order]), identities[order])
    np.testing.assert_allclose(first.values, second.values)
    np.testing.assert_array_equal(first.identities, second.identities)


def test_units_are_identities_within_groups() -> None:
    groups = Groups("race", RACE, np.array([1, 0, 1, 0, -1]))
    units = partition(groups, clusters_of(np.array([7, 7, 7, 3, 3]), 5))
    assert units.group.tolist() == [0, 0, 1]
    assert units.cluster.tolist() == [3, 7, 7]
    assert units.bounds.tolist() == [0, 2, 3, 3, 3]
    assert units.sums(means({"x": np.array([1.0, 2.0, 4.0, 8.0, 16.0])})).numerators[:, 0].tolist() == [8, 2, 5]


def test_codes_outside_the_class_set_are_refused() -> None:
    with pytest.raises(ValueError, match=r"codes of 'race' must be -1\.\.3, got 0\.\.4"):
        Groups("race", RACE, np.array([0, 4]))
