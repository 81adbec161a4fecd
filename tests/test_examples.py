"""The examples in the docstrings are checked values, in every module that has one."""

import doctest
import importlib
import pkgutil
from pathlib import Path

import pytest

import greycard
import jobs
import tune_spaces


def modules(package):
    """Names of a package's modules at any depth. ``iter_modules`` would stop at the first."""
    below = pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    return [package.__name__, *(found.name for found in below)]


def has_example(name):
    path = importlib.util.find_spec(name).origin
    return path is not None and ">>>" in Path(path).read_text(encoding="utf-8")


ALL = [name for package in (greycard, jobs, tune_spaces) for name in modules(package)]
WITH_EXAMPLES = [name for name in ALL if has_example(name)]


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples(name):
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted > 0
    assert result.failed == 0


def test_every_module_is_walked():
    source = Path(greycard.__file__).parent
    files = {path for path in source.rglob("*.py") if ">>>" in path.read_text(encoding="utf-8")}
    walked = {Path(importlib.util.find_spec(name).origin) for name in WITH_EXAMPLES}
    assert files <= walked
