"""The page on the layout of the code names functions that are there, in the order in which runs call them."""

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


DIAGRAMS = [re.findall(r"─ ([\w/]+\.py) +(\w+)", each.partition("```")[0]) for each in PAGE.split("```text")[1:]]
"""Files and functions."""
RUNS = {"specs/moons.toml": [], "specs/penguins.toml": ["--set", "training.epochs=2", "--set", "training.engine=numpy"]}
"""The specs that are run, with options."""


@pytest.mark.slow
@pytest.mark.parametrize(("spec", "diagram"), list(zip(RUNS, DIAGRAMS, strict=True)), ids=RUNS)
def test_a_run_calls_the_functions_of_a_diagram_in_their_order(
    spec: str, diagram: list[tuple[str, str]], tmp_path: Path
) -> None:
    package, called_functions = f"{Path(specnet.__file__).parent}{os.sep}", list[tuple[str, str]]()

    def note(frame: FrameType, event: str, _: object) -> None:
        function = frame.f_code.co_filename.removeprefix(package), frame.f_code.co_name
        if event == "call" and function in diagram and function not in called_functions:
            called_functions.append(function)

    sys.setprofile(note)
    try:
        ended = called("run", ROOT / spec, "-o", tmp_path / "out", "--quiet", *RUNS[spec])
    finally:
        sys.setprofile(None)
    ended.ok()
    assert len(diagram) == 10
    assert called_functions == diagram


def test_what_the_page_answers_is_there() -> None:
    answers = re.findall(r"\| `([\w/]+\.py)`(?:; `([\w/]+\.py)`)?(?:, `([\w.]+)`)? \|", PAGE)
    assert len(answers) == 22
    for first, second, name in answers:
        for path in filter(None, (first, second)):
            assert (ROOT / "specnet" / path).is_file()
        text = (ROOT / "specnet" / (second or first)).read_text("utf-8")
        for each in filter(None, name.split(".")):
            assert re.search(rf"(def|class) {each}\b|^{each}\b.* = ", text, re.MULTILINE)
