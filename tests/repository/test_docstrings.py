"""The examples in docstrings print what they say."""

import doctest
import pkgutil
from importlib import import_module

import pytest

import specnet

MODULES = [
    module.name for module in pkgutil.walk_packages(specnet.__path__, "specnet.") if "__main__" not in module.name
]


def examples(name: str) -> list[doctest.DocTest]:
    """Return the docstrings of a module that have examples.

    Those without one are left out here: a runner looks at every imported file anew for each docstring that it gets.
    """
    return [test for test in doctest.DocTestFinder(exclude_empty=True).find(import_module(name)) if test.examples]


@pytest.mark.slow
@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str):
    runner = doctest.DocTestRunner()
    assert sum(runner.run(test).failed for test in examples(name)) == 0


def test_there_are_examples():
    assert any(examples(name) for name in MODULES)
