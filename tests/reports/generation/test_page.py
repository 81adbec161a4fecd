"""The page of a generation audit: shares, discrepancy over chance, the paper's rows, ways, heat maps, shortfalls."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from greycard.metrics.generation.discrepancy import discrepancy
from greycard.metrics.generation.paper004 import ROWS, printed_rows
from greycard.reports.generation import page as generation_page
from greycard.reports.generation.evidence import GenerationPage, Syntheses, Way
from greycard.reports.generation.page import compose
from greycard.reports.generation.realism_sections import realism
from greycard.reports.generation.verdict import headline, ratio, shortfalls
from tests.reports.generation import examples
from tests.reports.restoration.test_page import Page
from tests.reports.undrawn import undrawn

RACES = ("African", "East Asian", "Caucasian", "Middle Eastern")


MADE = Syntheses(
    accounts=(examples.account("search", short={"9": 37}), examples.account("rejection")),
    ways=examples.WAYS,
    lineages=examples.lineages(),
)


@pytest.fixture(scope="module")
def frames():
    return examples.frames(never=("9",))


@pytest.fixture(scope="module")
@undrawn()
def page(frames):
    return compose(page_of(frames))


def page_of(frames, **more):
    values = {"title": "Digits", "dataset": "MNIST-5k", "task": "digit", "paper": "CIFAR10-LT"}
    found = {
        "made": MADE,
        "min_ratio": 5.0,
        "samples": {name: examples.samples(name, count=20) for name in ("real-seed0", "syn_bias-seed0")},
        "histories": {"real-seed0": examples.history(), "syn_bias-seed0": examples.history(1, shares=True)},
        "command": "python -m jobs.rebalance mnist",
        "commit": "0123abc",
    }
    return GenerationPage(**(values | frames | found | more))


def table_of(page, caption):
    tables = [
        table
        for block in page.blocks
        for table in (*block.tables, *(item for _, many in block.details for item in many))
    ]
    return next(table for table in tables if caption in table.caption)


def block_of(page, title):
    return next(block for block in page.blocks if title in block.title)


def score(frames, system, measure):
    rows = frames["scores"]
    return rows[(rows["system"] == system) & (rows["measure"] == measure)].iloc[0]


def test_it_is_well_formed_and_complete(frames, tmp_path):
    path = generation_page.write(page_of(frames, config="a: <b>"), tmp_path)
    text = path.read_text()
    parsed = Page(text)
    assert parsed.open == []
    assert all(item.startswith("data:image/png;base64,") for item in parsed.loads)
    assert all(parsed.alts)
    assert not re.search(r"url\(|@import|https?://", text)
    assert not re.search(r"\bunbiased\b|\bdebias|\bfair\b", text, re.IGNORECASE)
    assert {path.stem for path in (tmp_path / "figures").iterdir()} == {
        "shares", "shares-of-sets", "discrepancy", "samples", "samples-by-class", "lineages", "groups-reference",
        "groups-real-seed0", "groups-syn_bias-seed0", "references", "training",
    }  # fmt: skip
    assert "a: &lt;b&gt;" in text
    assert "python -m jobs.rebalance mnist" in text
    assert "0123abc" in text


def test_the_headline_has_before_after_floor_and_what_is_short(frames, page):
    first, rarest, aim, short = page.headline
    before, after = (score(frames, name, "discrepancy[hard]") for name in ("real-seed0", "syn_bias-seed0"))
    assert f"“Imbalanced data” lie {before['value']:.4f} ± {before['sd']:.4f} from even" in first
    assert f"“Syn data + bias loss” {after['value']:.4f} ± {after['sd']:.4f}: " in first
    assert f"{before['value'] / after['value']:.2f} times lower" in first
    assert "about 0.0474 in 400 images; these shares cannot be told from even ones" in first
    assert "The rarest class before, 9, has 0.0\N{NO-BREAK SPACE}% of the images" in rarest
    assert "at least 5 times lower: met; and a Fréchet distance [aux]" in aim
    assert "not worse: met" in aim
    assert short == "By latent search 1 of 10 classes fell short within the search's budget: 9 (463 of 500)."


def test_an_aim_that_is_missed_is_said(frames):
    swapped = page_of(frames, before="syn_bias-seed0", after="reweighting-seed0")
    first, _, aim, *_ = headline(swapped)
    assert "times higher" in first
    assert "at least 5 times lower: not met" in aim
    assert "not worse: not met" in aim
    assert ratio(swapped) < 1


def test_sets_that_follow_no_training_are_compared_with_nothing(frames):
    keep = ["reference", "real-seed0", "reweighting-seed0"]
    some = {name: frame[frame["system"].isin(keep)] for name, frame in frames.items() if "system" in frame}
    page = page_of(frames | some, before="", after="", made=replace(MADE, ways=()), min_ratio=0.0)
    assert (page.first, page.last) == ("real-seed0", "")
    first, rarest, *more = headline(page)
    assert "times" not in first
    assert "after" not in rarest
    assert not [text for text in more if "aim" in text]


def test_the_paper_stands_beside_row_by_row(frames, page):
    table = table_of(page, "in the layout of Table 4")
    assert [row[0] for row in table.rows[:8]] == list(ROWS.values())
    measured = score(frames, "real-seed0", "discrepancy[hard]")
    real = table.rows[2]
    assert real[1] == f"{measured['value']:.4f} ± {measured['sd']:.4f}"
    assert real[4:] == ("0.0474", "10 × 400", "0.2279 ± 0.0020")
    assert table.rows[0][1] == "not made here"
    assert table.rows[0][-1] == "0.0286 ± 0.0018"
    assert [row[0] for row in table.rows[8:]] == ["set-search", "set-rejection", "held-out images"]
    assert table.marks.index(True) == 7


def test_what_the_paper_prints_of_realism_stands_apart(page):
    table = table_of(page, "Inception's features")
    assert table.columns == ("variant", "FID", "KID", "precision", "recall", "IS", "PPL", "BRISQUE", "CLIP-IQA")
    row = dict(zip(table.columns, table.rows[-1], strict=True))
    assert (row["FID"], row["IS"], row["PPL"]) == ("6.32", "9.49 ± 0.11", "23.96")


def test_absent_measures_give_their_reason(frames):
    block = realism(page_of(frames, absent={"niqe": "images below 96 px"}))
    table = block.tables[0]
    assert "set-search, kernel distance [aux]: subset of 1000 of 900 images" in table.caption
    cells = next(row for row in table.rows if row[0] == "set-search")
    assert cells[table.columns.index("kernel distance [aux] ↓")] == "—"
    assert "NIQE was not taken: images below 96 px." in block.paragraphs


def test_ways_are_compared_by_shares_duplicates_and_draws(frames, page):
    search, rejection, reweighting = table_of(page, "Draws are latents").rows
    assert search[:4] == ("latent search", "4,963 of 5,000", "2.00 (class 0: 2.00)", "12.0\N{NO-BREAK SPACE}%")
    assert rejection[1:4] == ("5,000", "22.0 (class 9: 40.0)", "2.0\N{NO-BREAK SPACE}%")
    assert reweighting[1:6] == ("—",) * 5
    row = score(frames, "reweighting-seed0", "discrepancy[hard]")
    assert reweighting[7] == f"{row['value']:.4f} ± {row['sd']:.4f}"


def test_classes_that_are_short_are_set_off_with_the_reason(page):
    table = table_of(page, "Latent search, class by class")
    assert table.marks == (False,) * 9 + (True,)
    assert table.rows[-1][:3] == ("9", "463 of 500", "7 of 10")
    assert table.rows[-1][-1] == "3 × no start in 1,000 seeds"


def test_full_classes_are_said_too(frames):
    full = page_of(frames, made=replace(MADE, accounts=(examples.account("rejection"),)))
    assert shortfalls(full) == ("By rejection sampling every class got its 500 images.",)
    assert len(headline(full)) == 3


def test_a_class_that_is_never_shown_keeps_its_place(page):
    table = table_of(page, "Imbalanced data: 4,000 images")
    assert table.rows[-1][:4] == ("9", "0", "0.0\N{NO-BREAK SPACE}%", "[0.0, 0.1]")
    assert "Imbalanced data never shows 9." in block_of(page, "How often").paragraphs


def test_what_hangs_on_the_correction_and_what_has_no_lineage_is_said(page):
    said = block_of(page, "How far from even").paragraphs
    assert said == ("The correction for confusions: condition number 1.05 of the confusion matrix.",)
    assert block_of(page, "lineages").paragraphs[0].startswith("No lineage is shown of 3, 4, 5, 6, 7, 8, 9:")


def test_one_system_alone_makes_a_page(tmp_path):
    found = examples.frames(("real-seed0",), classes=RACES)
    kept = {name: found[name] for name in ("scores", "shares")}
    page = GenerationPage(title="Faces", dataset="faces", task="race", drawn=True, **kept)
    made = compose(page)
    assert generation_page.write(page, tmp_path).exists()
    assert [block.title for block in made.blocks] == [
        "How often each class is shown", "How far from even", "How real they look",
    ]  # fmt: skip
    assert len(made.headline) == 2
    assert "a perfectly even generator would show about" in made.headline[0]
    assert made.cover.drawn


def test_nothing_audited_is_said():
    nothing = {
        name: frame[:0] for name, frame in examples.frames(("real-seed0",)).items() if name in ("scores", "shares")
    }
    made = compose(GenerationPage(title="", dataset="x", task="digit", **nothing))
    assert made.headline == ("Nothing was audited.",)


def test_seeds_of_one_row_are_told_apart(frames):
    scores = frames["scores"].replace({"variant": {"syn_bias": "syn_scratch"}})
    page = page_of(frames | {"scores": scores}, after="syn_bias-seed0")
    assert page.label("syn-seed0") == "Syn data (syn-seed0)"
    assert page.label("syn_bias-seed0") == "Syn data (syn bias-seed0)"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"paper": "CIFAR10"}, "CIFAR10-LT"),
        ({"before": "rael-seed0"}, "real-seed0"),
        ({"made": Syntheses(ways=(Way(name="search", set="set-serach"),))}, "set-search"),
        ({"min_ratio": 0.5}, "at least 1"),
        ({"shares": pd.DataFrame({"system": [], "label": []})}, "shares must have .* lacks hard"),
        ({"histories": {"real-seed0": [{"generator": 1.0}]}}, "after how many images"),
    ],
)
def test_bad_evidence_is_refused(frames, more, message):
    with pytest.raises(ValueError, match=message):
        page_of(frames, **more)


def test_the_printed_rows_are_those_of_the_paper():
    cifar, ffhq = (printed_rows(name).set_index("row") for name in ("CIFAR10-LT", "FFHQ"))
    assert list(cifar.index) == list(ROWS)
    assert list(ffhq.index) == list(ROWS)[1:]
    assert ffhq.loc["syn_bias", ["fairness", "fairness_sd", "niqe"]].tolist() == [0.0947, 0.0071, 4.7675]
    assert cifar.loc["finetune_freeze5", ["fairness", "fid", "recall", "brisque"]].tolist() == [
        0.0285, 6.56, 0.3946, 61.33,
    ]  # fmt: skip
    assert np.isnan(cifar.drop(columns="label").to_numpy(float)).sum() == 0
    tail = np.array([int(5000 * 0.1 ** (index / 9)) for index in range(10)])  # the data's own distance from even
    assert cifar.loc["real", "fairness"] == pytest.approx(discrepancy(tail / tail.sum()), abs=0.01)
