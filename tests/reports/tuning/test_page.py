"""The page of a search: verdict first, every trial counted, failures with their reasons, any number of goals."""

import re

import numpy as np
import pytest

from greycard.reports import pages
from greycard.reports.pages import render
from greycard.reports.prediction.verdict import AcceptedCost, Aim
from greycard.reports.prediction.words import metric_word
from greycard.reports.tuning import page as search_page
from greycard.reports.tuning.page import SearchPage, compose
from tests.reports.prediction import examples
from tests.reports.restoration.test_page import Page
from tests.reports.undrawn import undrawn


def page_of(**more):
    values = {
        "title": "A <title>",
        "study": "faces_smile",
        "drawn": True,
        "command": "python -m jobs.tune faces_smile",
        "trials": examples.trials(),
        "goals": examples.GOALS,
        "color": "param/fair.lam",
        "baseline": examples.BASELINE,
        "chosen": {"best": 3, "knee": 9},
        "commit": "0123abc",
    }
    return SearchPage(**(values | more))


def text_of(page, out):
    return search_page.write(page, out).read_text()


@pytest.fixture(scope="module")
def made():
    return examples.systems((0, 1))


@pytest.fixture(scope="module")
@undrawn()
def plain():
    """A page of the search alone."""
    return compose(page_of())


@pytest.fixture(scope="module")
def out(made, tmp_path_factory):
    folder = tmp_path_factory.mktemp("search")
    frames = examples.frames(made)
    whole = page_of(verdict="It holds.", comparison=examples.comparison(made), aim=Aim(), notes=("A note.",), **frames)
    assert search_page.write(whole, folder) == folder / "index.html"
    return folder


def test_it_is_well_formed_and_loads_nothing(out):
    text = (out / "index.html").read_text()
    parsed = Page(text)
    assert parsed.open == []
    assert all(item.startswith("data:image/png;base64,") for item in parsed.loads)
    assert all(parsed.alts)
    assert not re.search(r"url\(|@import|https?://", text)
    assert "A &lt;title&gt;" in text
    assert not re.search(r"\bunbiased\b|\bdebias|\bfair\b", text, re.IGNORECASE)


def test_pictures_are_files_too(out):
    names = {path.stem for path in (out / "figures").glob("*.png")}
    assert names == {
        *("seeds", "trade-off", "pareto-front", "setting"),
        *("groups-smile-gender", "differences-smile-gender", "squeezing-smile-gender"),
    }
    assert (out / "index.html").read_text().count("data:image/png") == len(names)


def test_the_verdict_comes_first_and_the_test_split_before_the_search(out):
    text = (out / "index.html").read_text()
    headline = text[text.index('<section class="headline">') :]
    assert re.search(r"<p>(.*?)</p>", headline).group(1) == "It holds."
    titles = re.findall(r"<h2[^>]*>(.*?)</h2>", text)
    assert titles[:3] == ["How to read this page", "Baseline and chosen setting, 2 trainings each", "The search"]
    assert titles[3:7] == [
        "Trials without a result",
        "By group: smile by gender",
        "Group differences: smile by gender",
        "Is the gain real or squeezed: smile by gender",
    ]
    assert "They are not people" in text


def test_settings_numbers_and_provenance_are_there(out):
    text = (out / "index.html").read_text()
    row = examples.trials().set_index("number").loc[3]
    assert f"trial 3 (λ\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}{row['param/fair.lam']:.0f})" in text
    assert f"σ_IOU {row['metric/sigma_iou']:.4f} (baseline 0.0830)" in text
    assert f"accuracy {100 * row['metric/accuracy']:.1f}\N{NO-BREAK SPACE}% (baseline 86.2" in text
    assert "python -m jobs.tune faces_smile" in text
    assert "0123abc" in text


def test_failed_and_stopped_trials_are_counted_and_listed(out, plain):
    text = (out / "index.html").read_text()
    assert "20 trials: 17 finished, 2 failed, 1 stopped early." in text
    assert text.count("loss was nan after 3 epochs; 1 retry") == 2
    tables = [table for block in plain.blocks for table in block.tables if "why" in table.caption]
    assert [(row[0], row[1]) for row in tables[0].rows] == [("4", "failed"), ("7", "stopped"), ("11", "failed")]


@undrawn()
def test_no_failure_is_said_too(tmp_path):
    text = text_of(page_of(trials=examples.trials(8, failed=(), stopped=()), chosen={}), tmp_path)
    assert "None: every trial finished." in text
    assert "8 trials: 8 finished, 0 failed." in text


def test_a_search_in_which_all_failed(tmp_path):
    trials = examples.trials(3, failed=(0, 1, 2), stopped=())
    text = text_of(page_of(trials=trials, chosen={}), tmp_path)
    assert "No trial finished with σ_IOU and accuracy measured" in text
    assert "<img" not in text


@undrawn()
def test_without_a_verdict_the_comparison_gives_it(made):
    comparison = examples.comparison(made)
    first = compose(page_of(comparison=comparison)).headline[0]
    assert "in hard decisions σ_IOU falls by" in first
    assert "over 2 seeds" in first


def test_without_a_comparison_it_says_that_nothing_was_confirmed(plain):
    first = plain.headline[0]
    assert "No setting was trained again on the test split" in first
    rows = examples.trials().query("status == 'finished'")
    better = (rows["metric/sigma_iou"] < 0.083) & (rows["metric/accuracy"] > 0.862)
    assert f"{better.sum()} of 17 trials are better than the baseline in all goals" in first


@undrawn()
def test_an_aim_is_stated_only_where_there_is_one(made):
    comparison = examples.comparison(made)
    plain, judged = (compose(page_of(comparison=comparison, aim=aim)) for aim in (None, Aim(min_reduction=0.2)))
    assert not re.search(r"\baims?\b", re.sub(r'data:image[^"]*', "", render(plain)), re.IGNORECASE)
    assert "at least 20\N{NO-BREAK SPACE}% less" in judged.headline[0]
    assert plain.blocks[0].title == "Baseline and fairness loss, 2 trainings each"
    assert judged.blocks[0].paragraphs[0].startswith("The aim was to lower σ_IOU by at least 20\N{NO-BREAK SPACE}%")


def test_every_picture_is_drawn_once(made, monkeypatch):
    drawn = []
    monkeypatch.setattr(pages, "to_png", lambda figure: drawn.append(figure) or b"")
    page = compose(page_of(comparison=examples.comparison(made), **examples.frames(made)))
    assert len(drawn) == len(page.pictures) == 7


def test_one_goal_shows_the_progress():
    page = compose(page_of(goals=(("sigma_iou", "min"),), chosen={"best": 3, "knee": 3}))
    assert [item.name for item in page.pictures] == ["trade-off", "progress", "setting"]
    assert "Chosen as best and knee: trial 3" in page.headline[1]


def test_three_goals_of_another_family():
    page = compose(
        page_of(
            study="codec_rate_disparity",
            trials=examples.codec_trials(),
            goals=examples.CODEC_GOALS,
            baseline=examples.CODEC_BASELINE,
            color="param/parity.mu",
            show=("bpp", "psnr_gap_db"),
            comparison=examples.codec_comparison(),
            aim=Aim(
                "psnr_gap_db",
                costs=(AcceptedCost("psnr_db", most=0.25), AcceptedCost("bpp", "min", 0.1, relative=True)),
            ),
        )
    )
    assert [item.name for item in page.pictures] == ["seeds", "trade-off", "pareto-front", "setting"]
    assert "low PSNR gap, low bits per pixel and high PSNR" in page.subtitle
    assert "PSNR gap from 1.350 to 0.800: 41" in page.headline[0]
    aim = page.blocks[0].paragraphs[0]
    assert "lower PSNR gap by at least 30" in aim
    assert "PSNR by at most 0.25, bits per pixel by at most 10\N{NO-BREAK SPACE}% of the baseline's." in aim
    assert "accuracy" not in aim


@undrawn()
def test_metrics_are_found_with_or_without_where_they_were_measured(plain):
    trials = examples.trials().rename(columns=lambda name: name.replace("metric/", "metric/val/"))
    assert compose(page_of(trials=trials)).headline[1] == plain.headline[1]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"goals": (("sigma_iuo", "min"),)}, "sigma_iou"),
        ({"goals": (("sigma_iou", "lowest"),)}, "min"),
        ({"goals": ()}, "at least one metric"),
        ({"chosen": {"best": 99}}, "got 99 of 20 trials"),
        ({"trials": examples.trials().drop(columns="status")}, "status"),
    ],
)
def test_parts_that_do_not_fit_are_refused(more, message):
    with pytest.raises(ValueError, match=message):
        compose(page_of(**more))


@undrawn()
def test_a_metric_of_no_number_is_a_dash_and_never_zero():
    trials = examples.trials(6, failed=(), stopped=())
    trials.loc[2, ["metric/ece", "metric/ece/seed0", "metric/ece/seed1"]] = np.nan
    search = next(block for block in compose(page_of(trials=trials, chosen={})).blocks if block.title == "The search")
    (other,) = dict(search.details)["Other metrics of every trial"]
    place = other.columns.index("ECE")
    assert [row[place] == "—" for row in other.rows] == [False, False, True, False, False, False]


def test_a_tasks_accuracy_and_empty_cells_are_named_for_people():
    assert metric_word("metric/accuracy/high").label == "accuracy: high"
    assert metric_word("accuracy/high").share
    assert metric_word("metric/val/accuracy").label == "accuracy"
    assert metric_word("fair_missing").label == "empty cells"
