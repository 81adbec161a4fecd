import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight

from greycard.training.objectives.class_weights import class_weights

SKIN = (22_790, 409)  # benign and malignant images of SIIM-ISIC's training split


def test_effective_numbers_are_the_published_ones():
    assert class_weights(SKIN, "effective", 0.9998).tolist() == pytest.approx([0.147, 1.853], abs=5e-4)


def test_weights_follow_class_codes_and_not_frequency():
    rare_first = class_weights(SKIN[::-1], "effective")
    assert torch.equal(rare_first, class_weights(SKIN, "effective").flip(0))
    indian_before_asian = class_weights((100, 50, 20, 30), "inverse")
    assert indian_before_asian.argsort(descending=True).tolist() == [2, 3, 1, 0]


@pytest.mark.parametrize("scheme", ["balanced", "inverse"])
def test_balanced_weights_are_scikit_learns_brought_to_sum_k(scheme):
    counts = (7, 20, 3)
    theirs = compute_class_weight("balanced", classes=np.arange(3), y=np.repeat(np.arange(3), counts))
    ours = class_weights(counts, scheme)
    np.testing.assert_allclose(ours, theirs * 3 / theirs.sum(), rtol=1e-6)


def test_inverse_square_roots_by_hand():
    assert class_weights((1, 4), "inverse_sqrt").tolist() == pytest.approx([4 / 3, 2 / 3])


@pytest.mark.parametrize("scheme", ["none", "balanced", "inverse", "inverse_sqrt", "effective"])
def test_weights_sum_to_the_number_of_classes(scheme):
    weights = class_weights((5, 50, 500), scheme)
    assert weights.dtype == torch.float32
    assert float(weights.sum()) == pytest.approx(3)


def test_effective_goes_from_equal_weights_to_inverse_counts():
    assert class_weights(SKIN, "effective", 0.0).tolist() == [1, 1]
    near_one = class_weights(SKIN, "effective", 1 - 1e-12)
    assert torch.allclose(near_one, class_weights(SKIN, "inverse"), rtol=1e-4)


@pytest.mark.parametrize(
    ("counts", "scheme", "beta", "message"),
    [
        ((1, 2), "efective", 0.9, "did you mean 'effective'"),
        ((1, 2), "effective", 1.0, r"beta must be in \[0, 1\), got 1.0"),
        ((1, -2), "inverse", 0.9, "counts must be"),
        ((), "none", 0.9, "counts must be"),
        ((5, 0), "inverse", 0.9, r"classes \[1\] .* have none: take scheme none"),
    ],
)
def test_values_that_do_not_fit_are_refused(counts, scheme, beta, message):
    with pytest.raises(ValueError, match=message):
        class_weights(counts, scheme, beta)


def test_a_class_without_images_has_weight_1_where_counts_do_not_matter():
    assert class_weights((5, 0), "none").tolist() == [1, 1]
