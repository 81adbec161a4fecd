"""Measures of joint tables against fairlearn, scikit-learn, the torch losses and tables worked by hand."""

import numpy as np
import pytest
import torch
from fairlearn.metrics import demographic_parity_difference, equalized_odds_difference
from sklearn.metrics import accuracy_score, balanced_accuracy_score, jaccard_score

from greycard.losses import DpL2, DpMi, EoL2, EoMi, Iou, IouPaired, JointTable
from greycard.metrics.by_group import Groups, clusters_of, cross
from greycard.metrics.prediction import disparities as measures
from greycard.metrics.prediction.tables import Predictions, batches, joint, resampled_joint
from greycard.metrics.significance import Bootstrap, Permutation

# [prediction, label, group]; 8 rows of label 0 and 4 of label 1 in each group
HAND = np.array([[[6.0, 4.0], [1.0, 2.0]], [[2.0, 4.0], [3.0, 2.0]]])
EVERYONE = (10 / 19 + 5 / 14) / 2  # IoU of all rows; of the groups 7/12 and 0.325
TORCH = {
    "dp_l2": DpL2,
    "dp_mi": DpMi,
    "eo_l2": EoL2,
    "eo_mi": EoMi,
    "iou": Iou,
    "iou_paired": IouPaired,
}


def make(rows: int = 200, classes: int = 2, groups: int = 3, seed: int = 0, unknown: bool = False) -> Predictions:
    random = np.random.default_rng(seed)
    low = -1 if unknown else 0
    labels, codes = random.integers(low, classes, rows), random.integers(low, groups, rows)
    logits = (
        random.normal(size=(rows, classes))
        + 1.5 * np.eye(classes)[labels]
        + 0.3 * codes[:, None] * [1] * (np.arange(classes) == 0)
    )
    powers = np.exp(logits)
    names = tuple(f"g{c}" for c in range(groups))
    return Predictions(powers / powers.sum(axis=1, keepdims=True), labels, Groups("g", names, codes))


@pytest.mark.parametrize("groups", [2, 5])
@pytest.mark.parametrize("seed", range(3))
def test_hard_gaps_equal_fairlearns(groups: int, seed: int) -> None:
    rows = make(groups=groups, seed=seed)
    table = joint(rows.hard())
    theirs = {"sensitive_features": rows.groups.codes}
    assert measures.dp_difference(table) == pytest.approx(
        demographic_parity_difference(rows.labels, rows.decisions, **theirs), abs=1e-12
    )
    assert measures.eo_difference(table) == pytest.approx(
        equalized_odds_difference(rows.labels, rows.decisions, **theirs), abs=1e-12
    )


def test_gaps_of_several_classes_are_the_worst_of_one_against_the_rest() -> None:
    rows = make(classes=4)
    table = joint(rows.hard())
    parity = [
        demographic_parity_difference(rows.labels == a, rows.decisions == a, sensitive_features=rows.groups.codes)
        for a in range(4)
    ]
    assert measures.dp_difference(table) == pytest.approx(max(parity))


@pytest.mark.parametrize("classes", [2, 4])
def test_group_values_equal_scikit_learns(classes: int) -> None:
    rows = make(classes=classes)
    table = joint(rows.hard())
    ours = measures.accuracy(table), measures.balanced_accuracy(table), measures.iou(table)
    for code in range(3):
        chosen = rows.groups.codes == code
        labels, decided = rows.labels[chosen], rows.decisions[chosen]
        assert ours[0][code] == pytest.approx(accuracy_score(labels, decided))
        assert ours[1][code] == pytest.approx(balanced_accuracy_score(labels, decided))
        assert ours[2][code] == pytest.approx(jaccard_score(labels, decided, average="macro"))
    assert measures.sigma_iou(table) == pytest.approx(np.std(ours[2], ddof=1))


@pytest.mark.parametrize("name", TORCH)
@pytest.mark.parametrize("published", [False, True])
@pytest.mark.parametrize("missing", ["nothing", "cell", "group", "label"])
def test_losses_equal_the_torch_losses(name: str, published: bool, missing: str) -> None:
    """Two implementations, of arrays and of autograd tensors, agree with and without empty cells."""
    rows = make(classes=3)
    labels, codes = rows.labels.copy(), rows.groups.codes.copy()
    drop = {
        "nothing": np.zeros(200, bool),
        "cell": (labels == 1) & (codes == 2),
        "group": codes == 2,
        "label": labels == 1,
    }[missing]
    labels[drop] = -1
    rows = Predictions(rows.probabilities, labels, Groups("g", rows.groups.names, codes))
    state = JointTable.zero(3, 3).add(*map(torch.from_numpy, (rows.probabilities, labels, codes)))
    expected = TORCH[name](empty="zero_batch" if published else "skip")(state).value.item()
    found = measures.FAIR_LOSSES[name](joint(rows), published=published)
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-14)
    if name == "iou":
        mean = Iou(reduction="mean", empty="zero_batch" if published else "skip")(state).value.item()
        assert measures.iou_mean(joint(rows), published=published) == pytest.approx(mean, rel=1e-9, abs=1e-14)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("dp_l2", 4 / 24**2),
        ("eo_l2", 8 / 64),
        ("iou", (7 / 12 - EVERYONE) ** 2 + (0.325 - EVERYONE) ** 2),
        ("iou_paired", (7 / 12 - 0.325) ** 2),
        ("dp_difference", 1 / 12),
        ("eo_difference", 1 / 4),
        ("sigma_iou", (7 / 12 - 0.325) / 2**0.5),
    ],
)
def test_equals_the_hand_made_table(name: str, value: float) -> None:
    assert measures.DISPARITIES[name](HAND) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize("name", measures.DISPARITIES)
def test_tables_side_by_side_are_measured_one_by_one(name: str) -> None:
    measure = measures.DISPARITIES[name]
    rows = make(classes=3, unknown=True)
    parts = batches(rows, np.arange(200) % 5, 5)
    parts[3] = 0  # a table without rows
    parts[4, ..., 1] = 0
    together = measure(parts.reshape(5, 1, 3, 3, 3))
    np.testing.assert_allclose(together[:, 0], [measure(part) for part in parts], rtol=1e-12)
    assert np.isnan(together[3])
    assert np.isfinite(together[[0, 1, 2, 4]]).all()
    np.testing.assert_allclose(batches(rows, np.arange(200) % 5, 5).sum(axis=0), joint(rows), rtol=1e-12)


@pytest.mark.parametrize("name", measures.DISPARITIES)
def test_a_perfect_classifier_is_unequal_in_parity_only(name: str) -> None:
    table = np.zeros((2, 2, 2))
    table[0, 0], table[1, 1] = [30, 10], [10, 30]
    expected = {"dp_difference": 0.5, "dp_l2": 0.25, "dp_mi": 0.75 * np.log(1.5) + 0.25 * np.log(0.5)}
    assert measures.DISPARITIES[name](table) == pytest.approx(expected.get(name, 0), abs=1e-14)


@pytest.mark.parametrize("name", measures.DISPARITIES)
def test_one_group_or_no_rows(name: str) -> None:
    alone = measures.DISPARITIES[name](HAND[..., :1])
    assert np.isnan(alone) if name in ("sigma_iou", "dp_difference", "eo_difference") else abs(alone) < 1e-12
    assert np.isnan(measures.DISPARITIES[name](np.zeros((2, 2, 2))))


def test_an_absent_class_is_left_out_or_counts_as_no_overlap() -> None:
    """Group 1 has no row of label 1 and predicts it once in four."""
    table = np.array([[[6.0, 3.0], [1.0, 0.0]], [[2.0, 1.0], [3.0, 0.0]]])
    assert measures.iou(table) == pytest.approx([7 / 12, 3 / 4])
    assert measures.iou(table, published=True) == pytest.approx([7 / 12, 3 / 8])


def test_unknown_rows_do_not_count_and_groups_may_be_crossed() -> None:
    rows = make(unknown=True)
    table = joint(rows)
    keep = (rows.labels >= 0) & (rows.groups.codes >= 0)
    assert table.sum() == pytest.approx(keep.sum())
    np.testing.assert_allclose(joint(rows.known()), table, rtol=1e-12)
    other = Groups("h", ("x", "y"), np.arange(200) % 2)
    crossed = joint(Predictions(rows.probabilities, rows.labels, cross([rows.groups, other])))
    np.testing.assert_allclose(crossed.reshape(2, 2, 3, 2).sum(axis=-1), table, rtol=1e-12)


def test_resampled_tables_equal_tables_of_the_drawn_rows() -> None:
    rows = make(60, classes=3)
    drawn = Bootstrap.draw(rows.units(), 4, 0)
    found = resampled_joint(drawn, rows)
    for weights, table in zip(drawn.weights, found, strict=True):
        again = np.repeat(drawn.units.order, weights)
        chosen = Predictions(
            rows.probabilities[again], rows.labels[again], Groups("g", rows.groups.names, rows.groups.codes[again])
        )
        np.testing.assert_allclose(table, joint(chosen), rtol=1e-12)


def test_permuted_tables_keep_everyone_and_the_group_sizes() -> None:
    rows = make(60, classes=3)
    permuted = resampled_joint(Permutation.draw(rows.groups, clusters_of(None, 60), 5, 0), rows)
    np.testing.assert_allclose(permuted.sum(axis=-1), np.broadcast_to(joint(rows).sum(axis=-1), (5, 3, 3)))
    sizes = np.bincount(rows.groups.codes)
    np.testing.assert_allclose(permuted.sum(axis=(1, 2)), np.broadcast_to(sizes, (5, 3)))


@pytest.mark.parametrize(
    ("probabilities", "labels", "match"),
    [
        (np.zeros((2, 1)), [0, 0], r"\(N, K\) with K >= 2"),
        (np.array([[0.5, 0.5], [2.0, -1.0]]), [0, 1], "1 of 2 rows are no probabilities.*row 1"),
        (np.array([[0.5, 0.5], [np.nan, 0.5]]), [0, 1], "1 of 2 rows are no probabilities"),
        (np.array([[0.5, 0.5]] * 2), [0, 2], r"labels must be -1..1, got 0..2"),
        (np.array([[0.5, 0.5]] * 2), [0], r"labels must be \(2,\)"),
    ],
)
def test_refuses_what_is_no_prediction(probabilities: np.ndarray, labels: list[int], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        Predictions(probabilities, np.array(labels), Groups("g", ("a",), np.zeros(len(probabilities), int)))
