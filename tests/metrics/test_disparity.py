import numpy as np
import pytest

from greycard.metrics.disparity import bias, extremes, gap, mean_seed_bias

# paper 000, table 1: raw accuracies of Asian, African, Caucasian, Indian and the printed bias
TABLE = {
    "skin_type": ((0.92, 0.89, 0.96, 0.92), 0.07),
    "eye_type": ((0.78, 0.98, 0.93, 0.96), 0.20),
    "nose_type": ((0.59, 0.83, 0.57, 0.65), 0.26),
    "lip_type": ((0.76, 0.71, 0.83, 0.57), 0.27),
    "hair_type": ((0.99, 0.85, 0.96, 0.96), 0.14),
    "hair_color": ((0.90, 0.96, 0.77, 0.86), 0.20),
}


@pytest.mark.parametrize("task", TABLE)
def test_reproduces_the_papers_table(task: str) -> None:
    accuracies, printed = TABLE[task]
    assert bias(np.array(accuracies)[:, None])[0] == pytest.approx(printed, abs=0.011)  # printed from unrounded means


def test_equals_the_largest_pairwise_gap() -> None:
    values = np.random.default_rng(0).random((5, 3))
    pairwise = [[gap(values, a, b) for a in range(5)] for b in range(5)]
    np.testing.assert_array_equal(bias(values), np.max(pairwise, axis=(0, 1)))


def test_empty_groups_do_not_count_and_one_group_has_no_bias() -> None:
    values = np.array([[0.2, np.nan, 1.0], [np.nan, np.nan, np.nan], [0.5, np.nan, np.nan]])
    found = bias(values)
    assert found[0] == pytest.approx(0.3)
    assert np.isnan(found[1:]).all()


def test_mean_of_seeds_bias_is_no_smaller() -> None:
    seeds = np.random.default_rng(0).random((5, 4, 2))
    assert (mean_seed_bias(seeds) >= bias(seeds.mean(axis=0))).all()


def test_extremes_follow_the_direction_and_skip_empty_groups() -> None:
    values = np.array([[30.0, 0.3, -0.5, np.nan], [28.0, 0.1, 0.1, np.nan], [np.nan, np.nan, np.nan, np.nan]])
    found = extremes(values, ("higher", "lower", "zero", "higher"))
    assert found.best.tolist() == [0, 1, 1, -1]
    assert found.worst.tolist() == [1, 0, 0, -1]
