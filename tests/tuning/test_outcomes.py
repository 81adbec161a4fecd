import numpy as np
import pandas as pd
import pytest

from greycard.tuning import Goal, best, knee, pareto

GOALS = (Goal(metric="acc", mode="max"), Goal(metric="gap"))


def frame():
    """Worked by hand: 0, 2 and 4 are on the front; 1 is dominated by 2, 3 failed, 5 was stopped."""
    return pd.DataFrame(
        {
            "number": [0, 1, 2, 3, 4, 5],
            "status": ["finished", "finished", "finished", "failed", "finished", "stopped"],
            "metric/acc": [0.90, 0.85, 0.88, np.nan, 0.80, 0.99],
            "metric/gap": [0.50, 0.20, 0.15, np.nan, 0.10, 0.01],
        }
    )


def test_the_front_by_hand():
    assert pareto(frame(), GOALS).tolist() == [True, False, True, False, True, False]


def test_equal_trials_share_the_front():
    twice = pd.concat([frame().iloc[[2]], frame().iloc[[2]]])
    assert pareto(twice, GOALS).tolist() == [True, True]


def test_the_best_keeps_the_bounds():
    assert best(frame(), GOALS) == 0
    assert best(frame(), GOALS[::-1]) == 4
    assert best(frame(), GOALS, {"acc": 0.85}) == 2
    assert best(frame(), GOALS, {"gap": 0.12}) == 4
    assert best(frame(), GOALS, {"gap": 0.2, "acc": 0.8}) == 2  # all bounded: the goals in their order
    with pytest.raises(ValueError, match=r"no finished trial has acc within 0\.95"):
        best(frame(), GOALS, {"acc": 0.95})
    with pytest.raises(ValueError, match="did you mean 'gap'"):
        best(frame(), GOALS, {"gaps": 0.95})
    with pytest.raises(ValueError, match="did you mean 'acc'"):
        best(frame(), (Goal(metric="accu"),))


def test_the_knee_by_hand():
    # scaled sums over the front: 0 -> 0 + 1, 2 -> 0.2 + 0.125, 4 -> 1 + 0
    assert knee(frame(), GOALS) == 2
    assert knee(frame(), (Goal(metric="gap"),)) == 4
    with pytest.raises(ValueError, match="no finished trial"):
        knee(frame().iloc[[3, 5]], GOALS)
