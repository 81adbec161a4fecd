"""The coverage of the intervals is a setting; no figure, table or sentence says another."""

import re

import pytest

from greycard.metrics.restoration.findings import FindingsConfig, summarise
from greycard.reports.restoration import figures, tables
from greycard.reports.restoration import pictures as compose
from greycard.reports.restoration.frames import chance_level, chance_text, coverage
from greycard.reports.restoration.headline import counts_as_found, headline
from tests.reports.restoration.examples import ATTRIBUTES, audit_table
from tests.reports.restoration.test_page import text_of
from tests.reports.undrawn import undrawn

SYSTEM = "hyperprior_celeba_like"


@pytest.fixture(scope="module")
def at_90():
    return summarise(audit_table(240), ATTRIBUTES, FindingsConfig(resamples=50, permutations=50, level=0.9))


def plain(text):
    return text.replace("\N{NO-BREAK SPACE}", " ")


@pytest.mark.parametrize(
    ("level", "covered", "chance", "number"),
    [(0.95, "95 %", "5 %", 0.05), (0.9, "90 %", "10 %", 0.1), (0.999, "99.9 %", "0.1 %", 0.001)],
)
def test_it_is_read_from_the_frames(findings, level, covered, chance, number):
    frame = findings.groups.assign(level=level)
    assert (plain(coverage(frame)), plain(chance_text(frame)), chance_level(frame)) == (covered, chance, number)


@undrawn()
def test_sentences_tables_and_page_say_it(at_90):
    assert "90 % interval" in plain(" ".join(headline(at_90, "race").sentences))
    assert "difference [90 % interval]" in map(plain, tables.verdicts(at_90, "skin_type", "race").columns)
    pictures = [picture for section in compose.sections(at_90, "race", ATTRIBUTES) for picture in section.figures]
    page = plain(text_of(at_90) + "".join(p.caption for p in (*pictures, *compose.comparisons(at_90, "race"))))
    assert "90 % interval, bootstrap" in page
    assert "fewer than 10 % of such random deals" in page
    assert "permutation test at 10 %" in page
    assert not re.search(r"95 % interval|(?<![\d.])5 % (of such|still|interval)|at 5 %|twenty", page)


def test_the_figure_says_it(at_90):
    below = figures.accuracy_and_bias(at_90.groups, at_90.disparities, SYSTEM, "race", "skin_type").axes[1]
    assert "90 % interval" in [plain(band.get_label()) for band in below.collections]


def test_what_counts_as_found_follows_it(findings):
    rows = findings.disparities.head(2).assign(p_value=[0.04, 0.07], delta_low=0.1)
    assert counts_as_found(rows).tolist() == [True, False]
    assert counts_as_found(rows.assign(level=0.9)).tolist() == [True, True]
    assert counts_as_found(rows.assign(level=0.99)).tolist() == [False, False]


def test_a_p_value_at_the_edge_is_not_beyond_chance(findings):
    rows = findings.disparities.head(1).assign(p_value=0.05, delta_low=0.1)
    assert not counts_as_found(rows).any()
