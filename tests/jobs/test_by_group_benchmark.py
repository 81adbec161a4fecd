import json

import pytest

from jobs.benchmarks.by_group import ByGroupConfig, run


def test_the_benchmark_compares_like_with_like() -> None:
    config = ByGroupConfig(rows=300, tasks=2, resamples=40, fairlearn_resamples=40)
    found = run(config)
    json.dumps(found)
    assert found["largest_difference_of_values"] < 1e-12
    assert found["largest_difference_of_intervals"] < 0.05
    assert not found["fairlearn_extrapolated"]
    assert found["ratio"] > 0


def test_it_says_when_fairlearn_was_scaled() -> None:
    found = run(ByGroupConfig(rows=60, tasks=1, resamples=8, fairlearn_resamples=2))
    assert found["fairlearn_extrapolated"]
    assert found["fairlearn_resamples_measured"] == 2
    with pytest.raises(ValueError, match=r"fairlearn_resamples must be 1\.\.1000, got 2000"):
        ByGroupConfig(fairlearn_resamples=2000)
