"""One table of verbs: the jobs that exist, the verbs that ``greycard submit`` takes, and the guide's table."""

import ast
import importlib
import re
from pathlib import Path

import pytest

from greycard.cli.command import main
from greycard.cli.submit import Submission
from greycard.cli.verbs import VERBS

ROOT = Path(__file__).parents[2]


def runs_by_itself(path):
    """Whether a module does something as ``python -m``."""
    tests = [node.test for node in ast.parse(path.read_text()).body if isinstance(node, ast.If)]
    return any(ast.unparse(test) == "__name__ == '__main__'" for test in tests)


def test_every_job_is_a_verb_and_every_verb_a_job():
    assert {path.stem for path in (ROOT / "jobs").glob("*.py") if runs_by_itself(path)} == set(VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_can_be_submitted(verb):
    submission = Submission(verb=verb, arguments=("recipe",), address="https://ray.example.org")
    assert submission.entrypoint == f"python -m jobs.{verb} recipe"


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_s_own_help_shows_how_to_call_it(verb):
    doc = importlib.import_module(f"jobs.{verb}").__doc__
    assert f"python -m jobs.{verb} " in doc


def test_the_guide_lists_the_same():
    rows = re.findall(r"^\| `jobs\.(\w+)` \| (.*) \|$", (ROOT / "docs" / "guide.md").read_text(), re.MULTILINE)
    assert dict(rows) == VERBS


def test_the_help_of_submit_lists_the_same(capsys):
    with pytest.raises(SystemExit):
        main(["submit", "--help"])
    shown = capsys.readouterr().out
    assert all(re.search(rf"^  {verb} +{re.escape(does)}$", shown, re.MULTILINE) for verb, does in VERBS.items())
