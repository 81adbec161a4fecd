"""Every measure that a frame can hold is described, and once."""

from collections import Counter

import pytest

from greycard.audits.generation.scores import PUBLISHED, SCORES, measure_name
from greycard.metrics.descriptions import DIFFERENCES, NO_REFERENCE, TABLES, describe, describe_difference
from greycard.metrics.no_reference import NO_REFERENCE as QUALITY
from greycard.metrics.prediction.disparities import DISPARITIES
from greycard.metrics.prediction.findings import GROUP_MEASURES
from greycard.metrics.restoration import measures
from greycard.schema import RATES

OF_TASKS = [getattr(measures, name) for name in ("MERGED", "PLAIN", "RECALL", "SHIFT", "LIGHTER")]


def test_no_name_is_described_twice():
    counts = Counter(name for table in TABLES for name in table)
    assert [name for name, count in counts.items() if count > 1] == []


@pytest.mark.parametrize("name", [*RATES, *GROUP_MEASURES, *(f"{kind}/hair_type" for kind in OF_TASKS)])
def test_what_frames_of_groups_hold_is_described(name):
    assert describe(name).label


def test_every_difference_between_groups_is_described_and_no_other():
    assert sorted(DIFFERENCES) == sorted(DISPARITIES)
    assert {describe_difference(name).better for name in DISPARITIES} == {"lower"}


def test_every_no_reference_measure_is_described_and_no_other():
    assert sorted(NO_REFERENCE) == sorted(QUALITY)


def test_descriptions_are_whole():
    for description in (*(item for table in TABLES for item in table.values()), *DIFFERENCES.values()):
        assert all((description.label, description.unit, description.compares))
        assert description.digits is None or 0 < description.digits < 5


@pytest.mark.parametrize(("name", "near"), [("nique", "niqe"), ("psnr_dB", "psnr_db"), ("frechet_[aux]", "frechet")])
def test_unknown_names_list_near_ones(name, near):
    with pytest.raises(ValueError, match=f"unknown measure .*{near}"):
        describe(name)


@pytest.mark.parametrize(
    "name", [*(name for score in SCORES for name in score.measures), *PUBLISHED, *PUBLISHED.values()]
)
def test_scores_of_sets_are_described_whatever_their_features(name):
    assert describe(measure_name(name, "aux")) == describe(name)
