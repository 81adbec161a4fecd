"""What the documents name exists: links, headings, files, and every command with its settings."""

import importlib
import itertools
import re
import shlex
from pathlib import Path

import pytest

from greycard import config as configs

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
LINK = re.compile(r"\]\(([^)#\s]*)(?:#([^)\s]+))?\)")
COMMAND = re.compile(r"^(?:python -m jobs\.|greycard submit )([a-z]+) (.+)$", re.MULTILINE)
INLINE = re.compile(r"`(?:python\s+-m\s+jobs\.|greycard\s+submit\s+)([a-z]+)\s+([\w./]+)`")


def anchors(path):
    """The anchors of a document's headings, as they are shown on the web: lower case, words joined by hyphens."""
    titles = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def links():
    return [
        pytest.param(path, target, anchor, id=f"{path.name}-{target}#{anchor}")
        for path in DOCUMENTS
        for target, anchor in LINK.findall(path.read_text(encoding="utf-8"))
        if "://" not in target
    ]


def commands():
    """Verb and arguments of every command in a block of code, continued lines joined and comments cut off."""
    for path in DOCUMENTS:
        text = re.sub(r"\\\n\s*", "", path.read_text(encoding="utf-8"))
        for verb, rest in COMMAND.findall(text):
            yield pytest.param(verb, shlex.split(rest, comments=True), id=f"{path.name}-{verb} {rest}"[:100])
        for verb, recipe in INLINE.findall(text):
            yield pytest.param(verb, [recipe], id=f"{path.name}-{verb} {recipe}")


@pytest.mark.parametrize(("path", "target", "anchor"), links())
def test_links_lead_somewhere(path, target, anchor):
    place = (path.parent / target).resolve() if target else path
    assert place.exists()
    assert not anchor or anchor in anchors(place)


@pytest.mark.parametrize(("verb", "arguments"), list(commands()))
def test_commands_resolve(verb, arguments):
    recipe, *rest = arguments
    job = importlib.import_module(f"jobs.{verb}")
    if recipe.endswith(".yaml"):  # what a job leaves
        return
    recipes = job.STUDIES if verb == "tune" else job.RECIPES
    settings = [value for flag, value in itertools.pairwise(rest) if flag == "--set"]
    configs.override(recipes[recipe](), settings)
