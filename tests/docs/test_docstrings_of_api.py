"""Every public name has a docstring as numpydoc wants it, with parameters in their order, and says what it returns."""

from __future__ import annotations

import importlib
import inspect
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from numpydoc.validate import validate

import specnet
from tests.docs.reference.api_pages import GROUPS, members

LEFT_OUT = tomllib.loads(Path(__file__).with_name("numpydoc.toml").read_text("utf-8"))
"""Checks of numpydoc that are not for us, and why."""
SAYS_RESULT = re.compile(r"(Return|Yield|As)\b")
NAMES = [f"{group.module}.{name}" for group in GROUPS.values() for name in group.names]


def found(name: str) -> Any:
    """Return what has a name; of a class's own, as it stands in the class."""
    owner, _, last = name.rpartition(".")
    if owner in NAMES:
        return inspect.getattr_static(found(owner), last)
    return getattr(importlib.import_module(owner), last)


def documented(name: str) -> str:
    """Return the docstring of a name; a method that says none has that of the method that it overrides."""
    owner, _, last = name.rpartition(".")
    return inspect.getdoc(getattr(found(owner), last) if owner in NAMES else found(name)) or ""


PUBLIC = [*NAMES, *(f"{name}.{method}" for name in NAMES for method in members(found(name)))]
FUNCTIONS = [name for name in PUBLIC if inspect.isfunction(found(name)) and not name.startswith("specnet.parts.")]
"""Those for authors of parts have short docstrings: their parameters are what the base class says of all."""


def test_every_public_name_is_in_a_group() -> None:
    assert {name for name in NAMES if name.count(".") == 1} == {f"specnet.{name}" for name in specnet.__all__}


@pytest.mark.parametrize("name", PUBLIC)
def test_a_docstring_is_as_numpydoc_wants_it(name: str) -> None:
    assert documented(name), "no docstring"
    errors = {code: message for code, message in validate(name)["errors"] if code not in LEFT_OUT}
    if found(name).__doc__ is None:  # that of the method that it overrides is looked at by itself
        errors.pop("GL08", None)
    assert errors == {}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_each_parameter_and_the_result_is_told(name: str) -> None:
    signature, text = inspect.signature(found(name)), documented(name)
    if "Arguments are those of" not in text:
        assert {each for each in signature.parameters if each != "self"} <= set(re.findall(r"\w+", text))
    if signature.return_annotation not in ("None", "Self"):
        assert SAYS_RESULT.match(text) or "Returns\n-------" in text
