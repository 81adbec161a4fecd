import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from greycard.metrics.by_group import Groups, by_group, means
from greycard.metrics.prediction import disparities as measures
from greycard.metrics.prediction.findings import GROUP_MEASURES, PredictionConfig, batch_means, summarise
from greycard.metrics.prediction.tables import Predictions, joint

FEW = PredictionConfig(resamples=200, permutations=100)


def planted(rows: int = 600, gap: float = 2.0, seed: int = 0) -> Predictions:
    """Two classes in three groups; the last group's scores carry less of the label by ``gap``."""
    random = np.random.default_rng(seed)
    labels, codes = random.integers(0, 2, rows), random.integers(0, 3, rows)
    strength = 2.5 - gap * (codes == 2)
    z = random.normal(size=rows) + strength * (labels - 0.5)
    p = 1 / (1 + np.exp(-z))
    return Predictions(
        np.stack([1 - p, p], axis=1), labels, Groups("group", ("a", "b", "c"), codes), np.arange(rows) // 2
    )


def cell(frame: pd.DataFrame, **at: str) -> pd.Series:
    for column, value in at.items():
        frame = frame[frame[column] == value]
    assert len(frame) == 1
    return frame.iloc[0]


def test_groups_equal_scikit_learn_with_counts_and_intervals() -> None:
    rows = planted()
    found = summarise(rows, FEW).groups
    assert set(found["measure"]) == set(GROUP_MEASURES)
    for code, group in enumerate([*rows.groups.names, "all"]):
        chosen = rows.groups.codes == code if group != "all" else np.ones(600, bool)
        labels, decided = rows.labels[chosen], rows.decisions[chosen]
        expected = {
            "accuracy": (labels == decided).mean(),
            "balanced_accuracy": balanced_accuracy_score(labels, decided),
            "auc": roc_auc_score(labels, rows.probabilities[chosen, 1]),
        }
        for measure, value in expected.items():
            row = cell(found, group=group, measure=measure)
            assert row["value"] == pytest.approx(value)
            assert row["low"] < value < row["high"]
            assert row["count"] == chosen.sum()
            assert row["identities"] == len(np.unique(rows.identities[chosen]))


def test_accuracy_and_counts_are_those_of_by_group() -> None:
    rows = planted()
    theirs = by_group(means({"accuracy": (rows.decisions == rows.labels).astype(float)}), rows.groups, rows.identities)
    ours = summarise(rows, FEW).groups.query("measure == 'accuracy' and group != 'all'")
    np.testing.assert_allclose(ours["value"], theirs.values[:, 0])
    np.testing.assert_array_equal(ours["count"], theirs.counts[:, 0])
    np.testing.assert_array_equal(ours["identities"], theirs.identities[:, 0])


def test_a_planted_difference_is_found_and_none_is_not() -> None:
    found = summarise(planted(), FEW).disparities
    for decisions in ("hard", "soft"):
        row = cell(found, measure="sigma_iou", decisions=decisions, estimate="full_split")
        assert row["p_value"] < 0.02
        assert row["low"] > row["noise_floor"]
    even = summarise(planted(gap=0.0), FEW).disparities
    row = cell(even, measure="sigma_iou", decisions="hard", estimate="full_split")
    assert row["p_value"] > 0.05


def test_values_are_those_of_the_tables() -> None:
    rows = planted()
    found = summarise(rows, FEW).disparities
    for name, measure in measures.DISPARITIES.items():
        for decisions, table in (("hard", joint(rows.hard())), ("soft", joint(rows))):
            row = cell(found, measure=name, decisions=decisions, estimate="full_split")
            assert row["value"] == pytest.approx(measure(table))
            assert row["missing"] == 0


def test_batch_means_equal_a_loop_over_batches() -> None:
    rows = planted(100)
    order = np.random.default_rng([3, 2]).permutation(100) // 32
    expected = dict.fromkeys(measures.FAIR_LOSSES, 0.0)
    for batch in range(4):
        chosen = order == batch
        part = Predictions(
            rows.probabilities[chosen], rows.labels[chosen], Groups("g", ("a", "b", "c"), rows.groups.codes[chosen])
        )
        for name in expected:
            expected[name] += chosen.mean() * float(measures.FAIR_LOSSES[name](joint(part), published=True))
    assert batch_means(rows, batch=32, seed=3) == pytest.approx(expected)
    whole = batch_means(rows, batch=100)
    assert whole["dp_mi"] == pytest.approx(float(measures.dp_mi(joint(rows))))


def test_batch_means_are_biased_as_theory_says() -> None:
    """Decisions independent of the group: E[MI] is near (K - 1)(S - 1) / (2 B), and the full split's is near 0."""
    random = np.random.default_rng(0)
    n = 256 * 200
    groups = Groups("g", ("a", "b"), (random.random(n) < 0.42).astype(int))
    rows = Predictions(np.eye(2)[random.integers(0, 2, n)], random.integers(0, 2, n), groups)
    assert batch_means(rows)["dp_mi"] == pytest.approx(1 / 512, rel=0.25)
    assert measures.dp_mi(joint(rows)) < 1e-4


def test_a_missing_cell_switches_the_published_loss_off() -> None:
    rows = planted(300)
    labels = np.where((rows.labels == 1) & (rows.groups.codes == 1), -1, rows.labels)
    rows = Predictions(rows.probabilities, labels, rows.groups)
    assert batch_means(rows)["eo_l2"] == 0
    assert batch_means(rows, published=False)["eo_l2"] > 0
    found = summarise(rows, FEW)
    assert cell(found.disparities, measure="eo_l2", decisions="hard", estimate="full_split")["missing"] == 1
    assert cell(found.cells, label=1, group="b")["count"] == 0
    assert found.cells["count"].sum() == (labels >= 0).sum()


def test_an_empty_group_keeps_its_place() -> None:
    rows = planted(90)
    rows = Predictions(rows.probabilities, rows.labels, Groups("g", ("a", "b", "c", "nobody"), rows.groups.codes))
    found = summarise(rows, FEW).groups
    for measure in GROUP_MEASURES:
        row = cell(found, measure=measure, group="nobody")
        assert np.isnan([row["value"], row["low"], row["high"]]).all()
        assert row["count"] == row["identities"] == 0


def test_no_rows_that_count_give_nan() -> None:
    rows = planted(20)
    found = summarise(Predictions(rows.probabilities, np.full(20, -1), rows.groups), FEW)
    assert found.groups["value"].isna().all()
    assert found.disparities["value"].isna().all()


def test_the_order_of_rows_does_not_matter() -> None:
    rows = planted(120)
    order = np.random.default_rng(1).permutation(120)
    again = Predictions(
        rows.probabilities[order], rows.labels[order], Groups("group", ("a", "b", "c"), rows.groups.codes[order])
    )
    ours = Predictions(rows.probabilities, rows.labels, rows.groups)
    values = [summarise(p, PredictionConfig(resamples=0, permutations=0)) for p in (ours, again)]
    np.testing.assert_allclose(values[0].groups["value"], values[1].groups["value"])
    whole = [v.disparities.query("estimate == 'full_split'") for v in values]
    np.testing.assert_allclose(whole[0]["value"], whole[1]["value"], atol=1e-14)
    assert values[0].groups["low"].isna().all()


def test_the_same_seed_gives_the_same_frames() -> None:
    first, second = (summarise(planted(90), FEW) for _ in range(2))
    pd.testing.assert_frame_equal(first.groups, second.groups)
    pd.testing.assert_frame_equal(first.disparities, second.disparities)


@pytest.mark.parametrize("field", [{"resamples": -1}, {"level": 1.0}, {"batch": 0}, {"bins": 0}])
def test_refuses_values_out_of_range(field: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"prediction..*{next(iter(field))}"):
        PredictionConfig(**field)
