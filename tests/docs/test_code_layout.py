"""The page on the layout of the code names functions that are there, in the order in which a run calls them."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from types import FrameType

import pytest

import specnet
from tests.texts.calling import called

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/explanation/code_layout.md").read_text("utf-8")


DIAGRAM = re.findall(r"─ ([\w/]+\.py) +(\w+) ", PAGE.partition("```text")[2].partition("```")[0])
"""Files and functions."""


@pytest.mark.slow
def test_a_run_calls_the_functions_of_the_diagram_in_their_order(tmp_path: Path) -> None:
    package, called_functions = f"{Path(specnet.__file__).parent}{os.sep}", list[tuple[str, str]]()

    def note(frame: FrameType, event: str, _: object) -> None:
        function = frame.f_code.co_filename.removeprefix(package), frame.f_code.co_name
        if event == "call" and function in DIAGRAM and function not in called_functions:
            called_functions.append(function)

    sys.setprofile(note)
    try:
        ended = called("run", ROOT / "specs/moons.toml", "-o", tmp_path / "out", "--quiet")
    finally:
        sys.setprofile(None)
    ended.ok()
    assert len(DIAGRAM) == 10
    assert called_functions == DIAGRAM


def test_what_the_page_answers_is_there() -> None:
    answers = re.findall(r"\| `([\w/]+\.py)`(?:; `([\w/]+\.py)`)?(?:, `([\w.]+)`)? \|", PAGE)
    assert len(answers) == 17
    for first, second, name in answers:
        for path in filter(None, (first, second)):
            assert (ROOT / "specnet" / path).is_file()
        text = (ROOT / "specnet" / (second or first)).read_text("utf-8")
        for each in filter(None, name.split(".")):
            assert re.search(rf"(def|class) {each}\b|^{each}\b.* = ", text, re.MULTILINE)
