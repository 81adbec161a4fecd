import numpy as np
import pytest

from greycard.config import from_dict, override, to_dict
from greycard.datasets.groups import RFW_COUNTS as RFW_LITERAL
from greycard.metrics.restoration.findings import FindingsConfig
from greycard.metrics.restoration.phenotypes import (
    RFW_SETS,
    MinShare,
    Table,
    TopK,
    correct,
    correct_merged,
    mean_over_seeds,
    merged_chance,
    merged_classes,
    shift,
)
from greycard.schema import PHENOTYPES, RACE
from tests.truth.planted import RFW_COUNTS


def names(task: str, members: np.ndarray) -> list[set[str]]:
    return [set(np.array(PHENOTYPES[task].classes)[row]) for row in members]


def test_the_counts_are_those_of_the_data_sets_table() -> None:
    for task, counts in RFW_COUNTS.items():
        np.testing.assert_array_equal(counts, [RFW_LITERAL[task][race] for race in RACE.classes])


@pytest.mark.parametrize(
    ("task", "rule"), [("skin_type", MinShare(share=0.05)), ("hair_type", TopK()), ("hair_color", TopK())]
)
def test_the_papers_sets_follow_from_its_rules(task: str, rule: TopK | MinShare) -> None:
    classes = PHENOTYPES[task].classes
    found = names(task, merged_classes(rule, RACE.classes, classes, RFW_COUNTS[task]))
    listed = names(task, merged_classes(RFW_SETS[task], RACE.classes, classes, RFW_COUNTS[task]))
    assert found == listed == [set(RFW_SETS[task].sets[race]) for race in RACE.classes]


def test_skin_by_the_top_three() -> None:
    found = merged_classes(TopK(k=3), RACE.classes, PHENOTYPES["skin_type"].classes, RFW_COUNTS["skin_type"])
    assert [np.flatnonzero(row).tolist() for row in found] == [[3, 4, 5], [1, 2, 3], [1, 2, 3], [2, 3, 4]]


def test_classes_that_never_occur_are_not_merged_and_ties_go_by_class_order() -> None:
    counts = np.array([[0, 5, 0, 5], [1, 1, 1, 0], [0, 0, 0, 0]])
    found = merged_classes(TopK(k=3), ("a", "b", "c"), tuple("wxyz"), counts)
    assert found.tolist() == [[False, True, False, True], [True, True, True, False], [False] * 4]
    assert merged_classes(TopK(k=1), ("a", "b", "c"), tuple("wxyz"), counts).nonzero()[1].tolist() == [1, 0]
    assert not merged_classes(MinShare(), ("a", "b", "c"), tuple("wxyz"), counts)[2].any()


def test_accuracy_equals_comparing_after_the_map() -> None:
    random = np.random.default_rng(0)
    members = merged_classes(RFW_SETS["skin_type"], RACE.classes, PHENOTYPES["skin_type"].classes, np.zeros((4, 6)))
    labels, races = random.integers(0, 6, 500), random.integers(0, 4, 500)
    predictions = random.integers(0, 6, (500, 3))
    maps = [[100 if members[race, code] else code for code in range(6)] for race in range(4)]
    expected = [
        [maps[race][label] == maps[race][prediction] for prediction in row]
        for race, label, row in zip(races, labels, predictions, strict=True)
    ]
    np.testing.assert_array_equal(correct_merged(labels, predictions, races, members), expected)


def test_missing_labels_predictions_and_groups_are_nan() -> None:
    members = np.array([[True, True]])
    labels, groups = np.array([0, -1, 1, 1]), np.array([0, 0, -1, 0])
    predictions = np.array([[1, -1], [1, 1], [1, 1], [-1, -1]])
    np.testing.assert_array_equal(correct(labels, predictions)[0], [0, np.nan])
    merged = correct_merged(labels, predictions, groups, members)
    np.testing.assert_array_equal(merged, [[1, np.nan], [np.nan] * 2, [np.nan] * 2, [np.nan] * 2])
    np.testing.assert_array_equal(mean_over_seeds(merged), [1, np.nan, np.nan, np.nan])


def test_shift_is_signed_and_lighter_is_below_the_label() -> None:
    steps, lighter = shift(np.array([4, 0, -1]), np.array([[2, 4], [1, 0], [1, 1]]))
    np.testing.assert_array_equal(steps, [[-2, 0], [1, 0], [np.nan] * 2])
    np.testing.assert_array_equal(lighter, [[1, 0], [0, 0], [np.nan] * 2])


def test_chance_of_an_empty_group() -> None:
    found = merged_chance(np.array([[True, True, False], [False] * 3]), np.array([[1, 2, 7], [0, 0, 0]]))
    assert found.constant == 2
    np.testing.assert_array_equal(found.accuracy, [0.7, np.nan])
    assert found.group_constants.tolist() == [2, -1]


def test_rules_are_checked_and_survive_a_round_trip() -> None:
    with pytest.raises(ValueError, match="k must be at least 1, got 0"):
        TopK(k=0)
    with pytest.raises(ValueError, match=r"share must be in \(0, 1\], got 1.5"):
        MinShare(share=1.5)
    with pytest.raises(ValueError, match="did you mean 'type1'"):
        merged_classes(Table(sets={"African": ("typ1",)}), RACE.classes, ("type1", "type2"), np.zeros((4, 2)))
    config = FindingsConfig(rules={"skin_type": TopK(k=2), "hair_type": RFW_SETS["hair_type"]})
    assert from_dict(FindingsConfig, to_dict(config)) == config
    changed = override(FindingsConfig(), ["rules.skin_type.kind=top_k", "rules.skin_type.k=2", "attributes=[gender]"])
    assert changed.rules["skin_type"] == TopK(k=2)
    assert changed.rules["hair_type"] == RFW_SETS["hair_type"]
    assert changed.attributes == ("gender",)
