"""A measure that findings know by its column alone is in the report's tables, figure and page."""

import numpy as np
import pyarrow as pa
import pytest

from greycard.metrics.descriptions import COLUMNS, Description
from greycard.metrics.restoration.findings import FindingsConfig, summarise
from greycard.reports.panels import to_png
from greycard.reports.restoration import figures, tables
from greycard.reports.restoration import pictures as compose
from tests.reports.restoration.examples import ATTRIBUTES, audit_table
from tests.reports.restoration.test_page import text_of
from tests.reports.undrawn import undrawn

SYSTEM = "hyperprior_celeba_like"


@pytest.fixture
def blurred(monkeypatch):
    """An audit with an invented measure: 5 for African images, 1 for all others, at every system and point."""
    column = Description(label="blur width", unit="pixels", compares="by its edges", better="lower", digits=1)
    monkeypatch.setitem(COLUMNS, "blur", column)
    table = audit_table(80)
    race = np.array(table["race"].to_pylist())
    table = table.append_column("blur", pa.array(np.where(race == "African", 5.0, 1.0)))
    return summarise(table, ATTRIBUTES, FindingsConfig(resamples=20, permutations=20))


def test_it_has_a_table(blurred):
    found = [table for table in tables.measures_by_task(blurred, "race")["distortion"] if "blur" in table.caption]
    (table,) = found
    assert table.caption == "blur width (pixels); lower is closer to the original"
    assert [row[2] for row in table.rows] == ["5.0", "1.0", "1.0", "1.0"]


def test_it_has_a_panel_of_the_distortion_figure(blurred):
    figure = figures.distortion(blurred.groups, SYSTEM, "race")
    assert to_png(figure)
    panels = {axes.get_ylabel(): axes for axes in figure.axes}
    assert list(panels) == [
        "PSNR [dB]",
        "SSIM [0 to 1]",
        "MSE [8-bit levels squared]",
        "blur width [pixels]",
    ]
    lines = {line.get_label(): line for line in panels["blur width [pixels]"].get_lines()}
    assert set(lines["African"].get_ydata()) == {5.0}
    assert set(lines["Indian"].get_ydata()) == {1.0}


@undrawn()
def test_its_table_of_differences_and_its_words_are_there(blurred):
    row = blurred.disparities.query("measure == 'blur' and system == @SYSTEM").iloc[0]
    assert (row["bias"], row["worst_group"]) == (4, "African")
    page = text_of(blurred)
    assert "blur width (pixels); lower is closer to the original" in page
    assert "its original, by its edges; lower is closer" in page
    assert "blur width is absent" not in page
    assert compose.sections(blurred, "race", ATTRIBUTES)


def test_a_measure_in_the_table_of_columns_that_was_not_measured_is_said_to_be_absent(findings, monkeypatch):
    column = Description(label="blur width", unit="pixels", compares="by its edges", better="lower", digits=3)
    monkeypatch.setitem(COLUMNS, "blur", column)
    assert "blur width is absent: not measured in this audit" in text_of(findings)


def test_the_mean_error_in_decibels_has_a_table_of_its_own(findings):
    captions = [table.caption for table in tables.measures_by_task(findings, "race")["distortion"]]
    assert captions == [
        "PSNR (dB); higher is closer to the original",
        "SSIM (0 to 1); higher is closer to the original",
        "MSE (8-bit levels squared); lower is closer to the original",
        "PSNR of the mean MSE (dB); higher is closer to the original",
    ]


@pytest.mark.parametrize(("count", "shape"), [(1, (1, 1)), (3, (1, 3)), (4, (2, 2)), (5, (2, 3)), (7, (3, 3))])
def test_panels_stand_in_rows(findings, monkeypatch, count, shape):
    columns = dict.fromkeys((f"m{place}" for place in range(count)), COLUMNS["psnr_db"])
    psnr = findings.groups[findings.groups["measure"] == "psnr_db"]
    for name in list(COLUMNS):
        monkeypatch.delitem(COLUMNS, name)
    for name, column in columns.items():
        monkeypatch.setitem(COLUMNS, name, column)
    figure = figures.distortion(psnr, SYSTEM, "race", dict.fromkeys(columns, "not asked for"))
    assert len(figure.axes) == count
    assert figure.axes[0].get_subplotspec().get_gridspec().get_geometry() == shape


def test_an_audit_without_measures_of_images_still_has_a_figure(findings):
    groups = findings.groups[findings.groups["measure"].str.contains("/")]
    (axes,) = figures.distortion(groups, SYSTEM, "race").axes
    assert "no measure of images" in axes.texts[0].get_text().replace("\n", " ")
