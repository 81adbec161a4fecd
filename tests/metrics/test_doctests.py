"""The examples in the docstrings are checked values."""

import doctest
import importlib
import pkgutil

import pytest

import greycard.metrics

MODULES = [module.name for module in pkgutil.iter_modules(greycard.metrics.__path__, "greycard.metrics.")]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0
