from itertools import pairwise

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from greycard.metrics.prediction.calibration import REFITS, ece, ece_columns, fit_recalibration
from greycard.metrics.prediction.ranking import macro_auc
from greycard.metrics.prediction.squeezing import squeeze


def draw(rows: int = 400, classes: int = 2, sharpness: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Calibrated probabilities and labels drawn from them; then sharpened."""
    random = np.random.default_rng(0)
    probabilities = random.dirichlet(np.ones(classes), rows)
    labels = (random.random((rows, 1)) > probabilities.cumsum(axis=1)).sum(axis=1)
    powers = probabilities**sharpness
    return powers / powers.sum(axis=1, keepdims=True), labels


@pytest.mark.parametrize("classes", [2, 4])
def test_auc_equals_scikit_learns(classes: int) -> None:
    probabilities, labels = draw(classes=classes)
    rounded = probabilities.round(1) + 1e-3  # many ties
    rounded /= rounded.sum(axis=1, keepdims=True)
    for rows in (probabilities, rounded):
        scores = rows[:, 1] if classes == 2 else rows
        assert macro_auc(rows, labels) == pytest.approx(roc_auc_score(labels, scores, multi_class="ovr"))


def test_auc_of_resamples_equals_scikit_learns_of_the_drawn_rows() -> None:
    probabilities, labels = draw(60)
    weights = np.random.default_rng(1).integers(0, 3, (4, 60)).astype(np.uint8)
    expected = [roc_auc_score(np.repeat(labels, w), np.repeat(probabilities[:, 1], w)) for w in weights]
    assert macro_auc(probabilities, labels, weights) == pytest.approx(expected)


def test_auc_needs_both_kinds_of_rows() -> None:
    assert np.isnan(macro_auc(np.array([[0.2, 0.8], [0.4, 0.6]]), np.array([1, 1])))
    assert np.isnan(macro_auc(np.zeros((0, 2)), np.zeros(0, int)))
    three = np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1]])
    assert macro_auc(three, np.array([0, 1])) == 1  # class 2 does not occur


def test_ece_equals_a_loop_over_bins() -> None:
    probabilities, labels = draw(classes=3, sharpness=3)
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    edges, expected = np.linspace(0, 1, 11), 0.0
    for low, high in pairwise(edges):
        inside = (confidence > low) & (confidence <= high)
        if inside.any():
            expected += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    found = ece(ece_columns(probabilities, labels, 10).sum(axis=0), np.array(400.0))
    assert found == pytest.approx(expected)
    assert np.isnan(ece(np.zeros(10), np.array(0.0)))


@pytest.mark.parametrize("classes", [2, 4])
def test_temperature_finds_how_much_was_sharpened(classes: int) -> None:
    probabilities, labels = draw(4000, classes, sharpness=3.0)
    found = fit_recalibration("temperature", probabilities, labels)(probabilities)
    original, _ = draw(4000, classes)
    np.testing.assert_allclose(found, original, atol=0.03)


def test_platt_equals_an_unpenalised_logistic_regression_on_the_log_odds() -> None:
    probabilities, labels = draw(sharpness=2.0)
    log_odds = np.log(probabilities[:, 1:] / probabilities[:, :1])
    theirs = LogisticRegression(C=np.inf, tol=1e-10).fit(log_odds, labels).predict_proba(log_odds)
    found = fit_recalibration("platt", probabilities, labels)(probabilities)
    np.testing.assert_allclose(found, theirs, atol=1e-4)


@pytest.mark.parametrize("kind", REFITS)
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("alpha", [1.0, 0.01])
def test_refits_are_probabilities_that_fit_no_worse(kind: str, classes: int, alpha: float) -> None:
    probabilities, labels = draw(classes=classes, sharpness=3.0)
    squeezed = squeeze(probabilities, alpha)
    found = fit_recalibration(kind, squeezed, labels)(squeezed)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert ((found >= 0) & (found <= 1)).all()
    before, after = (-np.log(p[np.arange(len(labels)), labels].clip(1e-9)).mean() for p in (squeezed, found))
    assert after < before


@pytest.mark.parametrize(("kind", "tolerance"), [("isotonic", 1e-12), ("linear", 1e-6)])
@pytest.mark.parametrize("classes", [2, 3])
def test_linear_and_isotonic_refits_do_not_see_squeezing(kind: str, tolerance: float, classes: int) -> None:
    probabilities, labels = draw(classes=classes)
    found, squeezed = (fit_recalibration(kind, p, labels)(p) for p in (probabilities, squeeze(probabilities, 0.1)))
    np.testing.assert_allclose(found, squeezed, atol=tolerance)


@pytest.mark.parametrize("classes", [2, 3])
def test_linear_refit_restores_calibrated_probabilities(classes: int) -> None:
    probabilities, labels = draw(4000, classes)
    squeezed = squeeze(probabilities, 0.3)
    found = fit_recalibration("linear", squeezed, labels)(squeezed)
    np.testing.assert_allclose(found, probabilities, atol=0.03)


def test_refits_survive_certain_and_uniform_rows() -> None:
    certain, labels = np.eye(2)[[0, 1, 0, 1]], np.array([0, 1, 0, 1])
    for kind in REFITS:
        for rows in (certain, np.full((4, 2), 0.5)):
            assert np.isfinite(fit_recalibration(kind, rows, labels)(rows)).all()


def test_refuses_unknown_kinds_and_rows_without_labels() -> None:
    with pytest.raises(ValueError, match="unknown recalibration 'temprature'; did you mean 'temperature'"):
        fit_recalibration("temprature", *draw())
    with pytest.raises(ValueError, match="no row with a known label"):
        fit_recalibration("platt", np.full((2, 2), 0.5), np.array([-1, -1]))
