"""The page: needs nothing else, is well formed, says what is missing, and claims no cure."""

import re
from html.parser import HTMLParser

import pyarrow as pa
import pytest

from greycard.metrics.restoration.findings import FindingsConfig, summarise
from greycard.reports.pages import render
from greycard.reports.restoration import page as restoration_page
from greycard.reports.restoration import pictures
from greycard.reports.restoration.headline import headline
from greycard.reports.restoration.page import RestorationPage, compose
from tests.reports.restoration.examples import ATTRIBUTES, audit_table, write_reconstructions
from tests.reports.undrawn import undrawn

VOID = {"meta", "img", "br", "link", "hr"}


class Page(HTMLParser):
    """Checks nesting; collects links, texts and images."""

    def __init__(self, text):
        super().__init__()
        self.open, self.loads, self.alts, self.ids, self.anchors = [], [], [], set(), set()
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.loads += [values[name] for name in ("src", "srcset", "data", "action") if name in values]
        if tag == "a":
            self.anchors.add(values["href"])
        if tag == "img":
            self.alts.append(values["alt"])
        assert tag not in ("script", "link", "iframe", "object")
        if "id" in values:
            self.ids.add(values["id"])
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def page_of(findings, **more):
    values = {"title": "A <title>", "attribute": "race", "dataset": "faces", "drawn": True} | more
    return RestorationPage(findings=findings, **values)


def text_of(findings, **more):
    return render(compose(page_of(findings, **more)))


@pytest.fixture(scope="module")
def page(findings):
    absent = {"lpips": "no weights on this machine"}
    sections = pictures.sections(findings, "race", ATTRIBUTES, absent=absent)
    return text_of(findings, sections=sections, absent=absent, config="a: <b>", provenance={"x": "y"})


def test_it_is_well_formed_and_loads_nothing(page):
    parsed = Page(page)
    assert parsed.open == []
    assert parsed.loads
    assert all(item.startswith("data:image/png;base64,") for item in parsed.loads)
    assert not re.search(r"url\(|@import|https?://", page)
    assert all(parsed.alts)
    assert {anchor.removeprefix("#") for anchor in parsed.anchors} <= parsed.ids


def test_text_is_escaped(page):
    assert "A &lt;title&gt;" in page
    assert "a: &lt;b&gt;" in page


def test_it_says_what_is_absent_failed_and_drawn(page):
    assert "LPIPS is absent: no weights on this machine" in page
    assert "9 image results failed" in page
    assert "truncated image (3)" in page
    assert "They are not people" in page


def test_photographs_are_not_called_drawn(findings):
    assert "drawn by a program" not in text_of(findings, drawn=False)


def test_it_promises_no_cure(page):
    assert not re.search(r"\bunbiased\b|\bdebias|\bfair\b", page, re.IGNORECASE)


def test_a_missing_group_is_a_dash_with_count_zero(without_indian):
    page = text_of(without_indian)
    assert "Indian 0 (no images: shown as —)" in page
    assert re.search(r"<td>Indian</td><td>0</td><td>—</td>", page)


def test_the_headline_names_group_size_and_chance(findings):
    lines = headline(findings, "race")
    assert lines.system == "hyperprior_celeba_like"
    assert lines.task == "skin_type"
    text = " ".join(lines.sentences)
    row = findings.disparities.query(
        "system == 'hyperprior_celeba_like' and measure == 'accuracy_merged/skin_type' and point == 1e-4"
    ).iloc[0]
    assert f"group difference is {100 * row['bias']:.1f} percentage points" in text
    assert "African faces" in text
    assert "drawn at random" in text
    assert "lighter skin type" in text
    assert "hyperprior balanced" in text


def test_nothing_found_is_said_as_such(findings):
    quiet = findings._replace(disparities=findings.disparities.assign(p_value=0.5))
    lines = headline(quiet, "race")
    assert lines.system == ""
    assert "None of the 27 comparisons" in lines.sentences[0]
    assert "not proof" in lines.sentences[1]


def test_an_audit_without_classifiers(findings):
    measures = ["psnr_db", "ssim", "mse"]
    bare = findings._replace(
        groups=findings.groups[findings.groups["measure"].isin(measures)],
        disparities=findings.disparities[findings.disparities["measure"].isin(measures)],
        chance=findings.chance[:0],
    )
    assert "no classifier" in text_of(bare)


@undrawn()
def test_sheets_and_comparisons_find_their_way_in(findings, tmp_path):
    folder = tmp_path / "reconstructions"
    write_reconstructions(folder, audit_table(80, failed=0))
    made = pictures.sections(findings, "race", ATTRIBUTES, reconstructions=folder, images_per_group=1)
    assert next(section.title for section in made) == "hyperprior celeba like"
    assert all(section.looks for section in made)
    compared = pictures.comparisons(findings, "race")
    assert [item.name for item in compared] == ["training-sets-hyperprior_celeba_like-hyperprior_balanced"]
    page = page_of(findings, sections=made, comparisons=compared)
    assert [block.title for block in compose(page).blocks] == [
        "What it looks like: hyperprior celeba like",
        "What was measured: hyperprior celeba like",
        "Two training sets compared",
        "The other systems",
        "The numbers",
        "Failures",
    ]
    assert restoration_page.write(page, tmp_path) == tmp_path / "index.html"
    drawn = [item for section in made for item in (*section.looks, *section.figures)]
    assert {path.stem for path in (tmp_path / "figures").iterdir()} == {item.name for item in (*drawn, *compared)}
    assert (tmp_path / "index.html").read_text().count("data:image/png") == len(drawn) + 1


@pytest.fixture(scope="module")
def renamed():
    """The audit with its originals and its training sets called by other names."""
    names = {"raw": "untouched", "hyperprior_celeba_like": "first", "hyperprior_balanced": "second"}
    table = audit_table()
    systems = pa.array([names.get(name, name) for name in table["system"].to_pylist()])
    table = table.set_column(table.column_names.index("system"), "system", systems)
    config = FindingsConfig(resamples=100, permutations=100, reference="untouched")
    return summarise(table, ATTRIBUTES, config)


@undrawn()
def test_originals_are_the_system_that_the_findings_compare_with(findings, renamed):
    """Names carry nothing: the same numbers under other names say the same."""
    told = {"reference": "untouched", "pairs": (("first", "second"),)}
    sentences = headline(renamed, "race", *told.values()).sentences
    back = [
        text.replace("first", "hyperprior celeba like").replace("second", "hyperprior balanced") for text in sentences
    ]
    assert back == list(headline(findings, "race").sentences)
    blocks = compose(page_of(renamed, **told)).blocks
    tables = [item for block in blocks for _, items in block.details for item in items]
    heads = {name for table in tables for name in table.columns}
    assert "originals" in heads
    assert not [name for name in heads if "untouched" in name]
    assert not [row for table in (*blocks[0].tables, *tables) for row in table.rows if row[0] == "untouched"]
    assert [item.name for item in pictures.comparisons(renamed, "race", told["pairs"])] == [
        "training-sets-first-second"
    ]
    assert pictures.comparisons(renamed, "race") == ()


def test_it_does_not_blame_the_codec_alone(page):
    assert "answerable" not in page
    assert "added under these classifiers" in page
    assert "classifiers that were not trained on compressed images" in page
    assert "how they read images that are blurred is part of what is measured" in page
