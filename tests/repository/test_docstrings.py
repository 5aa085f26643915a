"""The examples in docstrings print what they say."""

import doctest
import pkgutil
from importlib import import_module

import pytest

import specnet

MODULES = [
    module.name for module in pkgutil.walk_packages(specnet.__path__, "specnet.") if "__main__" not in module.name
]


@pytest.mark.slow
@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str):
    assert doctest.testmod(import_module(name)).failed == 0


def test_there_are_examples():
    finder = doctest.DocTestFinder()
    assert any(test.examples for name in MODULES for test in finder.find(import_module(name)))
