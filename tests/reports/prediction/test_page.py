"""The page and the figures of a prediction audit: groups, differences over chance, hard beside soft, squeezing."""

import re

import numpy as np
import pandas as pd
import pytest

from greycard.metrics.prediction.paper002 import beside_paper
from greycard.reports.prediction import figures, tables
from greycard.reports.prediction import page as prediction_page
from greycard.reports.prediction.arms import arms_of, fell, pick
from greycard.reports.prediction.page import PredictionPage, compose
from greycard.reports.prediction.verdict import AcceptedCost, Aim
from greycard.reports.prediction.words import DISPARITY_WORDS, value_label
from greycard.reports.wording import EQUALS, Word, amount, change, number, p_value, share, span
from tests.reports.prediction import examples
from tests.reports.restoration.test_page import Page
from tests.reports.undrawn import undrawn

RACES = ("African", "Asian", "Caucasian", "Indian")


@pytest.fixture(scope="module")
def made():
    """A baseline, one after a fairness loss, and one that is the baseline squeezed; one group has no image."""
    more = {"groups": RACES, "absent": ("Indian",), "attribute": "race"}
    found = examples.systems((0,), **more)
    squeezed = examples.predictions(missed=0.25, seed=0, alpha=0.1, **more)
    return found | {"smile-dp_l2-lam3-seed0": ("dp_l2", 3.0, 0, "smile-seed0", squeezed)}


@pytest.fixture(scope="module")
def frames(made):
    return examples.frames(made)


@pytest.fixture(scope="module")
@undrawn()
def page(frames):
    return compose(page_of(frames))


@pytest.fixture(scope="module")
def seeds():
    return examples.systems((0, 1, 2))


def page_of(frames, **more):
    values = {"title": "Smiles", "dataset": "faces", "drawn": True, "command": "python -m jobs.x", "commit": "0123abc"}
    return PredictionPage(**(frames | values | more))


def table_of(page, caption):
    tables = [
        table
        for block in page.blocks
        for table in (*block.tables, *(item for _, many in block.details for item in many))
    ]
    return next(table for table in tables if caption in table.caption)


def test_it_is_well_formed_and_complete(frames, tmp_path):
    counts = pd.DataFrame([{"system": "smile-seed0", "n_in": 3, "n_ok": 2, "n_failed": 1, "reasons": "1 x truncated"}])
    path = prediction_page.write(page_of(frames, counts=counts, config="a: <b>"), tmp_path)
    text = path.read_text()
    parsed = Page(text)
    assert parsed.open == []
    assert all(item.startswith("data:image/png;base64,") for item in parsed.loads)
    assert not re.search(r"url\(|@import|https?://", text)
    assert not re.search(r"\bunbiased\b|\bdebias|\bfair\b", text, re.IGNORECASE)
    assert {path.stem for path in (tmp_path / "figures").iterdir()} == {
        "groups-smile-race", "differences-smile-race", "squeezing-smile-race",
    }  # fmt: skip
    assert "1 x truncated" in text
    assert "a: &lt;b&gt;" in text
    assert "0123abc" in text


def test_the_headline_names_both_and_the_noise_floor(frames, page):
    (sentence,) = page.headline
    gaps = frames["disparities"].query("measure == 'sigma_iou' and decisions == 'hard'").set_index("system")
    before, after = gaps.loc["smile-seed0"], gaps.loc["smile-iou-lam12.5-seed0"]
    assert sentence.startswith(f"Smile by race: σ_IOU of decisions is {before['value']:.4f} [{before['low']:.4f}, ")
    assert f"{after['value']:.4f} [{after['low']:.4f}, {after['high']:.4f}] with L_iou" in sentence
    assert f"about {after['noise_floor']:.4f}" in sentence


@undrawn()
def test_one_system_is_measured_against_chance(frames):
    one = {
        name: None if name == "squeezing" else frame[frame["system"] == "smile-seed0"] for name, frame in frames.items()
    }
    (sentence,) = compose(page_of(one)).headline
    assert "than chance alone would give" in sentence


def test_a_group_without_images_keeps_its_place(page):
    table = table_of(page, "accuracy;")
    assert [row[0] for row in table.rows] == ["all images", *RACES]
    assert table.rows[-1][1:] == ("0", "—", "—", "—")
    assert "No images: Indian" in page.blocks[0].paragraphs[0]
    assert table_of(page, "each true class").rows[-1] == ("Indian", "0 (empty)", "0 (empty)")


def test_differences_have_interval_noise_floor_and_chance(frames, page):
    table = table_of(page, "Group differences in decisions")
    rows = frames["disparities"].query("decisions == 'hard' and measure == 'sigma_iou' and system == 'smile-seed0'")
    row = rows.iloc[0]
    value = f"{row['value']:.4f} [{row['low']:.4f}, {row['high']:.4f}]"
    chance = f"{'yes' if row['p_value'] < 0.05 else 'no'} ({p_value(row['p_value'])})"
    expected = ("σ_IOU", "baseline (cross-entropy)", value, f"{row['noise_floor']:.4f}", chance, "2")
    assert table.rows[0] == expected
    assert table.marks[0] == (row["p_value"] < 0.05)


def test_hard_stands_beside_soft_and_batches(frames, page):
    table = table_of(page, "Hard beside soft")
    gaps = frames["disparities"].query("system == 'smile-seed0' and measure == 'dp_l2'")
    expected = [number(value) for value in gaps["value"]]  # hard, soft, mean over batches: the frame's order
    row = next(row for row in table.rows if row[0] == "L_dp^l2")
    assert list(row[1:4]) == expected
    assert table.columns[1:4] == tuple(
        f"baseline (cross-entropy): {view}" for view in ("decisions", "probabilities", "batches of 256 mean")
    )


def test_squeezing_is_called_so_and_a_real_gain_is_not(page):
    squeezed, kept = table_of(page, "baseline: L_dp^l2"), table_of(page, "baseline: L_iou")
    assert all(row[-1].startswith("Squeezed: ") for row in squeezed.rows)
    assert all(squeezed.marks)
    assert kept.rows[0][-1].startswith("Kept: ")
    assert not any(kept.marks)
    assert squeezed.rows[0][2].startswith("0\N{NO-BREAK SPACE}%")


@undrawn()
def test_the_papers_rows_stand_beside_where_they_match(frames):
    table = frames["table"].assign(target="Smiling", sensitive="Male")
    bare = frames | {"table": table, "squeezing": None}
    page = compose(page_of(bare, paper=beside_paper(table, "celeba"), verdict="First."))
    assert page.headline[0] == "First."
    shown = table_of(page, "as means over shuffled batches")
    sources = [row[0] for row in shown.rows]
    assert sources.count("measured") == 3
    assert sum("Table 1" in source for source in sources) == 3
    assert "8.73×10⁻⁴" in shown.rows[0]


def test_where_the_paper_has_no_row_it_is_said(page):
    block = next(block for block in page.blocks if block.title.startswith("In the layout"))
    assert "no row for this data set" in block.paragraphs[0]
    assert "source" not in block.tables[0].columns


@undrawn()
def test_several_seeds_are_one_arm_each(seeds):
    frames = examples.frames(seeds)
    arms = arms_of(frames["table"], frames["groups"])
    space = "\N{NO-BREAK SPACE}"
    assert [arm.label for arm in arms] == ["baseline (cross-entropy)", f"L_iou, λ{space}={space}12.5"]
    assert [len(arm.systems) for arm in arms] == [3, 3]
    page = compose(page_of(frames))
    rows = frames["groups"].query("group == 'male' and measure == 'iou' and system.str.contains('iou')")
    text = f"{share(rows['value'].mean())} ({share(rows['value'].min())} to {share(rows['value'].max())})"
    assert table_of(page, "IoU;").rows[2][3] == text
    assert "over 3 seeds" in page.headline[0]
    both = compose(page_of(frames | {"squeezing": None}, comparison=examples.comparison(seeds))).headline
    assert "in hard decisions σ_IOU falls" in both[0]
    assert both[1:] == page.headline


def test_losses_of_different_lambda_are_different_arms(frames):
    table = frames["table"].assign(loss=["ce", "iou", "iou"])
    assert len({arm.label for arm in arms_of(table, frames["groups"])}) == 3
    assert len({arm.label for arm in arms_of(table.drop(columns="lam"), frames["groups"])}) == 3
    assert arms_of(None, frames["groups"])[0].label == "smile-seed0"


def test_arms_of_a_study_keep_their_names():
    table = pd.DataFrame(
        {"system": ["best-seed0", "control-seed0", "baseline-seed0"], "loss": ["iou", "iou", "ce"], "lam": [5.0, 0, 0]}
        | {"seed": [0, 0, 0]}
    )
    labels = [arm.label.replace("\N{NO-BREAK SPACE}", " ") for arm in arms_of(table, table)]
    assert labels == ["baseline (cross-entropy)", "best: L_iou, λ = 5", "control: without the loss, λ = 0"]


def test_what_fell_is_of_means_over_seeds():
    rows = pd.DataFrame({"baseline": [0.001, 0.2], "fair": [0.05, 0.05]})  # 1 - 0.1 / 0.201, not the mean of two shares
    assert fell(rows) == pytest.approx(0.5025, abs=1e-4)
    assert np.isnan(fell(rows.assign(baseline=0.0)))


def test_groups_are_drawn_with_their_intervals(frames):
    rows = pick(frames["groups"], "smile", "race")
    arms = arms_of(frames["table"], frames["groups"])
    left, _ = figures.groups_figure(rows, arms).axes
    assert [label.get_text() for label in left.get_yticklabels()][-1] == "Indian\nno images"
    base = rows.query("measure == 'accuracy' and system == 'smile-seed0' and count > 0")
    drawn = {(float(low), float(high)) for line in left.collections for (low, _), (high, _) in line.get_segments()}
    assert {(row.low, row.high) for row in base.itertuples()} <= drawn
    assert "not measured" in [text.get_text() for text in left.texts]


def test_the_noise_floor_is_drawn(frames):
    rows = frames["disparities"]
    axes = figures.disparities_figure(rows, arms_of(frames["table"], frames["groups"])).axes[0]
    expected = rows.query("decisions == 'hard' and measure == 'sigma_iou'")["noise_floor"]
    widths = sorted(bar.get_width() for bar in axes.patches)
    np.testing.assert_allclose(widths, sorted(expected))


def test_the_comparison_has_its_aim_drawn(seeds):
    frame = examples.comparison(seeds)
    left, right = figures.seeds_figure(frame, Aim()).axes
    rows = figures.lowered(frame)
    assert [label.get_text() for label in left.get_yticklabels()] == [DISPARITY_WORDS[n].label for n in rows["measure"]]
    assert rows["decisions"].tolist() == sorted(rows["decisions"])
    (fall,) = left.patches
    assert fall.get_x() == pytest.approx(30)
    (cost,) = right.patches
    assert cost.get_x() == pytest.approx(-1)
    shown = frame["measure"][frame["measure"].isin(("accuracy", "balanced_accuracy", "auc"))].tolist()
    places = [rows["measure"].tolist().index("sigma_iou"), shown.index("accuracy")]
    assert [bar.get_y() for bar in (fall, cost)] == pytest.approx([place - 0.5 for place in places])
    points = [line for line in right.get_lines() if line.get_marker() == "o" and len(line.get_xdata())]
    accuracy = frame.set_index("measure").loc["accuracy", "difference"]
    assert points[0].get_xdata()[0] == pytest.approx(100 * accuracy)


def test_every_cost_is_shaded_in_its_own_row(seeds):
    frame = examples.comparison(seeds)
    costs = (AcceptedCost("auc", most=0.005), AcceptedCost("ece", "min", 0.5, relative=True), AcceptedCost("bpp"))
    left, right = figures.seeds_figure(frame, Aim("eo_difference", 0.4, costs)).axes
    labels = [label.get_text() for label in left.get_yticklabels()]
    assert left.patches[0].get_y() == labels.index(DISPARITY_WORDS["eo_difference"].label) - 0.5
    auc, ece = right.patches
    assert auc.get_x() == pytest.approx(-0.5)
    before = frame.set_index("measure").loc["ece", "baseline"]
    assert ece.get_x() + ece.get_width() == pytest.approx(50 * before)
    labels = [label.get_text() for label in right.get_yticklabels()]
    assert [bar.get_y() + 0.5 for bar in (auc, ece)] == [labels.index("AUC"), labels.index("ECE")]


def test_a_control_is_called_one(frames):
    losses = [row[2] for row in tables.paper_layout(frames["table"].assign(lam=0.0)).rows]
    assert set(losses) == {"cross-entropy", f"control, λ{EQUALS}0"}


def test_a_comparison_with_missing_numbers_is_drawn(seeds):
    frame = examples.comparison(seeds)
    columns = ["reduction", "reduction_low", "reduction_high"]
    frame.loc[frame["measure"] == "dp_difference", columns] = np.nan
    left, _ = figures.seeds_figure(frame, Aim()).axes
    assert " absent" in [text.get_text() for text in left.texts]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (number(0.08213), "0.0821"),
        (number(8.73e-4), "8.73×10⁻⁴"),
        (number(-1234.6), "−1,235"),
        (number(float("nan")), "—"),
        (p_value(0.0341), "p\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}0.034"),
        (value_label(3.0), "3"),
        (value_label("dp_l2"), "L_dp^l2"),
        (share(-0.0001), "0.0\N{NO-BREAK SPACE}%"),
        (amount(float("nan"), Word(label="x", decimals=3)), "—"),
        (change(0.0123, Word(label="x", share=True)), "+1.2 points"),
        (span(-0.01, 0.02, Word(label="x", share=True)), "[−1.0, 2.0]"),
        (span(float("nan"), 0.02, Word(label="x")), "—"),
    ],
)
def test_numbers_as_people_write_them(text, expected):
    assert text == expected
