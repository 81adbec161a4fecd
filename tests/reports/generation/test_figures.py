"""Figures and sheets of generators: every class has its place, numbers stand in the cells, flags are words."""

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.stats import binomtest

from greycard.metrics.significance import wilson
from greycard.reports.generation import figures, realism_figures, sheets
from greycard.reports.generation.evidence import Samples
from greycard.reports.generation.words import stem, word_of
from tests.reports.generation import examples

CLASSES = ("0", "1", "2", "3")


@pytest.fixture(scope="module")
def frames():
    return examples.frames(("real-seed0",), classes=CLASSES, never=("3",))


def texts(axes):
    return [item.get_text() for item in axes.texts]


def test_shares_keep_absent_classes_and_show_intervals(frames):
    rows = frames["shares"][frames["shares"]["label"] != "2"]  # a class that the frame lacks altogether
    figure = figures.shares_figure(rows, {"real-seed0": "before", "reference": "held out"}, CLASSES)
    bars = figure.axes[2]
    assert [label.get_text() for label in bars.get_yticklabels()] == list(CLASSES)
    assert " absent" in texts(bars)
    counts = frames["shares"].query("system == 'real-seed0'").set_index("label")["count"]
    assert f"{counts['0']:,}" in texts(bars)
    assert "0" in texts(bars)
    low, high = wilson(counts["0"], counts.drop("2").sum())
    segment = bars.collections[0].get_segments()[0]
    assert segment[:, 0].tolist() == pytest.approx([low, high])
    assert [axes.get_title() for axes in figure.axes[:2]] == ["before", "held out"]


def test_corrected_shares_lie_within_the_panel(frames):
    rows = frames["shares"].assign(corrected=lambda rows: rows["hard"] * 2)
    bars = figures.shares_figure(rows, {"real-seed0": "before"}, CLASSES).axes[1]
    assert bars.get_xlim()[1] > rows["corrected"].max()


@pytest.mark.parametrize(("count", "total"), [(7, 40), (0, 4000), (40, 40)])
def test_intervals_of_shares_agree_with_scipy(count, total):
    expected = binomtest(count, total).proportion_ci(method="wilson")
    assert wilson(count, total) == pytest.approx((expected.low, expected.high), abs=1e-6)


def test_no_images_have_no_interval():
    assert np.isnan(wilson(0, 0)).all()


def test_discrepancies_stand_over_their_floor():
    rows = pd.DataFrame(
        {"label": ["before", "after"], "value": [0.24, np.nan], "sd": [0.01, np.nan], "floor": [0.02, np.nan]}
        | {"corrected": [0.25, np.nan], "paper": [0.2279, 0.0281], "reference": [False, False]}
    )
    axes = figures.discrepancy_figure(rows).axes[0]
    widths = [patch.get_width() for patch in axes.patches]
    assert widths == pytest.approx([0.02, 0.24])
    assert "  not measured" in texts(axes)
    drawn = [line.get_xdata()[0] for line in axes.lines if len(line.get_xdata()) == 1]
    assert {0.25, 0.2279, 0.0281} <= set(drawn)


def test_heat_maps_have_their_numbers(frames):
    rows = frames["frechet_groups"].query("system == 'real-seed0'")
    figure = realism_figures.heat_map(rows, CLASSES, "held out", "before")
    axes = figure.axes[0]
    found = texts(axes)
    assert len(found) == 16
    assert found[-4:] == ["—"] * 4  # class 3 has no image
    assert all(text != "—" for text in found[:12])
    own = rows.query("group == '1' and reference_group == '1'")["value"].item()
    assert found[5] == realism_figures.number(own, 2)


def test_maps_share_a_scale():
    rows = pd.DataFrame([("0", "0", 1.0), ("0", "1", 4.0), ("1", "0", 4.0), ("1", "1", 1e-13)])
    rows.columns = ["group", "reference_group", "value"]
    axes = realism_figures.heat_map(rows, ("0", "1"), "", "", most=8.0).axes[0]
    assert axes.images[0].get_clim() == (0.0, 8.0)
    assert texts(axes)[-1] == "0"  # what is left of rounding


def test_references_stand_side_by_side(frames):
    figure = realism_figures.references_figure(frames["references"], {"reference": "held out", "real-seed0": "before"})
    first = figure.axes[0]
    assert [axes.get_title() for axes in figure.axes] == ["held out", "before"]
    assert [label.get_text() for label in first.get_yticklabels()] == ["as drawn", "made even", "made uneven"]
    same = frames["references"].query("system == 'reference' and generated == reference")["value"]
    assert same.abs().max() < 1e-9
    assert texts(first).count("0") == 3


def test_training_draws_what_was_recorded():
    histories = {"a": examples.history(), "b": examples.history(1, shares=True), "c": []}
    figure = figures.training_figure(histories, {"a": "first"})
    labels = [axes.get_ylabel() for axes in figure.axes]
    assert labels == ["losses", "discriminator's scores", "share term", "R1 penalty"]
    assert len(figure.axes[0].lines) == 4
    assert len(figure.axes[2].lines) == 1


def test_empty_figures_say_so():
    nothing = pd.DataFrame({"system": []})
    for figure in (
        figures.shares_figure(nothing, {}, CLASSES),
        figures.training_figure({}, {}),
        realism_figures.references_figure(nothing, {}),
    ):
        assert any("absent" in text for text in texts(figure.axes[0]))


def test_sheets_repeat_and_take_arrays():
    shown = [("before", examples.samples("real-seed0", never=("9",))), ("after", examples.samples("syn_bias-seed0"))]
    first = sheets.by_class(shown, examples.DIGITS)
    assert first.tobytes() == sheets.by_class(shown, examples.DIGITS).tobytes()
    arrays = [(name, Samples(images=[pixels(image) for image in one.images], labels=one.labels)) for name, one in shown]
    assert sheets.as_they_come(arrays).tobytes() == sheets.as_they_come(shown).tobytes()


def pixels(data):
    return np.asarray(Image.open(io.BytesIO(data)))


def test_small_images_are_enlarged_by_whole_pixels():
    image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    sheet = np.asarray(sheets.as_they_come([("one", Samples(images=[image], labels=["0"]))]))
    assert (sheet[34:98, 8:72] == image.repeat(2, axis=0).repeat(2, axis=1)).all()


def test_lineages_flag_duplicates_in_order_of_depth():
    rows = examples.lineages(("0",))
    drawn = np.asarray(sheets.lineage_sheet(rows.sample(frac=1, random_state=0), ("0", "1")))
    assert drawn.tobytes() == np.asarray(sheets.lineage_sheet(rows, ("0", "1"))).tobytes()
    flagged = (drawn == sheets.BORDER).all(axis=2)
    plain = np.asarray(sheets.lineage_sheet(rows.assign(duplicate=False), ("0",)))
    assert flagged.sum() > 400
    assert not (plain == sheets.BORDER).all(axis=2).any()
    assert sheets.lineage_sheet(rows[:0], ("0",)).height == 60


def test_samples_must_be_images_with_labels():
    with pytest.raises(ValueError, match="need a label each"):
        Samples(images=[b""], labels=[])
    wrong = Samples(images=[np.zeros((3, 8, 8), np.float32)], labels=["0"])
    with pytest.raises(ValueError, match=r"\(H, W, 3\) uint8, got \(3, 8, 8\) float32"):
        sheets.as_they_come([("x", wrong)])


def test_measures_are_called_by_name_and_extractor():
    assert word_of("frechet[aux]").label == "Fréchet distance [aux]"
    assert word_of("fid").label == "FID"
    assert word_of("something_new[x]").label == "something new [x]"
    assert stem("brisque[imquality-svm]") == "brisque"
    assert word_of("niqe_local").label == "NIQE (own images)"  # never taken for the published one
