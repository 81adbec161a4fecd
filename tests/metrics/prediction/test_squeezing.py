"""Paper 002, eq. 17-19, and what the check says of squeezing, of a true gain and of none."""

from dataclasses import replace

import numpy as np
import pytest

from greycard.metrics.by_group import Groups
from greycard.metrics.prediction import squeezing as prediction_squeezing
from greycard.metrics.prediction.disparities import FAIR_LOSSES, iou, iou_sum
from greycard.metrics.prediction.squeezing import Squeezing, SqueezingConfig, check_squeezing, squeeze
from greycard.metrics.prediction.tables import Predictions, joint

FEW = SqueezingConfig(resamples=100)


def planted(rows: int = 600, classes: int = 2, seed: int = 0, gap: float = 2.0) -> Predictions:
    """Group 1's scores carry less of the label, and lean to class 0."""
    random = np.random.default_rng(seed)
    labels, codes = np.arange(rows) % classes, random.integers(0, 2, rows)
    logits = random.normal(size=(rows, classes)) + (3.0 - gap * codes)[:, None] * np.eye(classes)[labels]
    logits[:, 0] += gap / 2 * codes
    powers = np.exp(logits)
    return Predictions(powers / powers.sum(axis=1, keepdims=True), labels, Groups("g", ("a", "b"), codes))


def reduction(found: Squeezing, measure: str, view: str, column: str = "reduction") -> float:
    chosen = found.gains.query("measure == @measure and view == @view")
    assert len(chosen) == 1
    return float(chosen.iloc[0][column])


def test_squeezing_mixes_the_table_with_uniform() -> None:
    """Eq. 19: evenly distributed labels, two classes: p' = α p + (1 - α) / 4; the IoU goes to 1/3."""
    rows = planted()
    J = joint(rows).sum(axis=2) / 600
    squeezed = replace(rows, probabilities=squeeze(rows.probabilities, 0.2))
    np.testing.assert_allclose(joint(squeezed).sum(axis=2) / 600, 0.2 * J + 0.25 * 0.8, rtol=1e-12)
    everyone = joint(replace(rows, probabilities=squeeze(rows.probabilities, 1e-9))).sum(axis=2, keepdims=True)
    assert iou(everyone)[0] == pytest.approx(1 / 3, abs=1e-6)


@pytest.mark.parametrize("classes", [2, 4])
def test_squeezing_makes_every_soft_loss_vanish_without_a_changed_decision(classes: int) -> None:
    rows = planted(classes=classes)
    for alpha in (0.3, 0.03, 0.003):
        squeezed = replace(rows, probabilities=squeeze(rows.probabilities, alpha))
        np.testing.assert_array_equal(squeezed.decisions, rows.decisions)
    for name, loss in FAIR_LOSSES.items():
        assert loss(joint(squeezed)) < 0.01 * loss(joint(rows)), name


@pytest.mark.parametrize("classes", [2, 3])
def test_the_check_sees_through_squeezing(classes: int) -> None:
    rows = planted(classes=classes)
    squeezed = replace(rows, probabilities=squeeze(rows.probabilities, 0.02))
    assert iou_sum(joint(squeezed)) < 0.01 * iou_sum(joint(rows))
    found = check_squeezing(rows, squeezed, FEW)
    assert found.decisions_changed == 0
    assert found.accuracy[0] == found.accuracy[1]
    assert found.confidence[1] < found.confidence[0]
    assert set(found.verdicts.values()) == {"squeezed"}
    for name in FAIR_LOSSES:
        assert reduction(found, name, "soft") > 0.98
        assert reduction(found, name, "soft", "low") > 0.9
        assert reduction(found, name, "hard") == 0
        assert reduction(found, name, "hard", "survives") == 0
        assert reduction(found, name, "isotonic") == pytest.approx(0, abs=1e-9)
        assert reduction(found, name, "linear") == pytest.approx(0, abs=1e-4)
        for view in ("temperature", "platt"):  # not exact inverses, but most of the gain is gone
            assert reduction(found, name, view) < 0.3


def test_a_gain_in_decisions_is_kept() -> None:
    """A fair predictor whose groups are served equally well."""
    rows = planted()
    fair = replace(planted(gap=0.0), groups=rows.groups)
    found = check_squeezing(rows, fair, FEW)
    assert found.verdicts["iou"] == found.verdicts["eo_l2"] == found.verdicts["sigma_iou"] == "kept"
    for view in ("hard", "temperature", "platt", "linear", "isotonic"):
        assert reduction(found, "iou", view) > 0.75
    assert found.decisions_changed > 0


def test_no_gain_is_said() -> None:
    rows = planted()
    found = check_squeezing(rows, rows, FEW)
    assert set(found.verdicts.values()) == {"no soft gain"}
    assert found.gains["survives"].isna().all()


def test_decisions_without_disparity_are_undecided() -> None:
    """Everyone is decided rightly, so only the probabilities differ between groups."""
    codes, labels = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    p = np.array([0.9, 0.1, 0.6, 0.4])
    rows = Predictions(np.stack([p, 1 - p], axis=1), labels, Groups("g", ("a", "b"), codes))
    squeezed = replace(rows, probabilities=squeeze(rows.probabilities, 0.5))
    found = check_squeezing(rows, squeezed, replace(FEW, measures=("iou", "eo_l2"), refits=()))
    assert set(found.verdicts.values()) == {"undecided"}


def test_no_row_is_judged_by_a_refit_that_has_seen_it(monkeypatch) -> None:
    rows = planted()
    rows = replace(rows, identities=np.arange(len(rows.labels)) // 2)
    calls = []

    def fit(_, probabilities, labels):
        def apply(given):
            calls.append((probabilities[:, 0].tolist(), given[:, 0].tolist()))
            return given

        return apply

    monkeypatch.setattr(prediction_squeezing, "fit_recalibration", fit)
    check_squeezing(rows, rows, replace(FEW, refits=("platt",)))
    people = dict(zip(rows.probabilities[:, 0].tolist(), rows.identities.tolist(), strict=True))
    assert len(calls) == 4  # two halves of each predictor
    for seen, judged in calls:
        assert len(seen) > 100
        assert not {people[value] for value in seen} & {people[value] for value in judged}
    assert sorted(calls[0][1] + calls[1][1]) == sorted(people)


def test_rows_without_label_or_group_do_not_count() -> None:
    rows = planted()
    labels = rows.labels.copy()
    labels[::3] = -1
    partly = replace(rows, labels=labels)
    squeezed = replace(partly, probabilities=squeeze(rows.probabilities, 0.1))
    found = check_squeezing(partly, squeezed, FEW)
    again = check_squeezing(partly.known(), squeezed.known(), FEW)
    np.testing.assert_allclose(found.gains["reduction"], again.gains["reduction"], atol=1e-12)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda rows: replace(rows, labels=1 - rows.labels), "their labels or groups differ"),
        (lambda rows: planted(300), "differ in shape"),
        (lambda rows: replace(rows, groups=Groups("g", ("a", "c"), rows.groups.codes)), "other groups"),
    ],
)
def test_refuses_other_rows(make, match: str) -> None:
    rows = planted()
    with pytest.raises(ValueError, match=match):
        check_squeezing(rows, make(rows), FEW)


def test_refuses_unknown_names_and_values_out_of_range() -> None:
    rows = planted(20)
    nobody = replace(rows, labels=np.full(20, -1))
    with pytest.raises(ValueError, match="no row has a known label"):
        check_squeezing(nobody, nobody, FEW)
    with pytest.raises(ValueError, match=r"squeezing.measures 'sigma_iuo'; did you mean 'sigma_iou'"):
        SqueezingConfig(measures=("sigma_iuo",))
    with pytest.raises(ValueError, match=r"squeezing.refits 'plat'; did you mean 'platt'"):
        SqueezingConfig(refits=("plat",))
    with pytest.raises(ValueError, match="squeezed <= kept"):
        SqueezingConfig(kept=0.1)
    with pytest.raises(ValueError, match="alpha must be in"):
        squeeze(rows.probabilities, 0.0)
