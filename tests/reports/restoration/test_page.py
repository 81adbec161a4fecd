"""The page: needs nothing else, is well formed, says what is missing, and claims no cure."""

import re
from html.parser import HTMLParser

import pytest

from greycard.reports.restoration import page as html
from greycard.reports.restoration import pictures as compose
from greycard.reports.restoration.headline import headline
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


def page_of(findings, *, pictures=False, **more):
    sections = compose.sections(findings, "race", ATTRIBUTES, absent=more.get("absent")) if pictures else ()
    values = {"title": "A <title>", "attribute": "race", "dataset": "faces", "drawn": True} | more
    return html.render(html.Report(findings=findings, sections=sections, **values))


@pytest.fixture(scope="module")
def page(findings):
    absent = {"lpips": "no weights on this machine"}
    return page_of(findings, pictures=True, absent=absent, config="a: <b>", provenance={"x": "y"})


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
    assert "drawn by a program" not in page_of(findings, drawn=False)


def test_it_promises_no_cure(page):
    assert not re.search(r"\bunbiased\b|\bdebias|\bfair\b", page, re.IGNORECASE)


def test_a_missing_group_is_a_dash_with_count_zero(without_indian):
    page = page_of(without_indian)
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
    assert f"group difference is {100 * row['bias']:.0f} percentage points" in text
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
    assert "no classifier" in page_of(bare)


@undrawn()
def test_sheets_and_comparisons_find_their_way_in(findings, tmp_path):
    write_reconstructions(tmp_path, audit_table(80, failed=0))
    made = compose.sections(findings, "race", ATTRIBUTES, reconstructions=tmp_path, images_per_group=1)
    assert next(section.title for section in made) == "hyperprior celeba like"
    assert all(section.sheet is not None for section in made)
    (picture,) = compose.comparisons(findings, "race")
    assert picture.name == "training-sets-hyperprior_celeba_like-hyperprior_balanced"


def test_it_does_not_blame_the_codec_alone(page):
    assert "answerable" not in page
    assert "added under these classifiers" in page
    assert "classifiers that were not trained on compressed images" in page
    assert "how they read images that are blurred is part of what is measured" in page
