"""The page on the layout of the code names functions that are there, in the order in which a run calls them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import specnet

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/explanation/code_layout.md").read_text("utf-8")


def diagram() -> list[tuple[str, str]]:
    """Return the files and functions of the diagram."""
    text = PAGE.partition("```text")[2].partition("```")[0]
    return re.findall(r"─ ([\w/]+\.py) +(\w+) ", text)


TRACED = """
import json, sys
from specnet.cli import main

root, stations, *command = json.loads(sys.argv[1])
called = []


def note(frame, event, argument):
    station = [frame.f_code.co_filename.removeprefix(root), frame.f_code.co_name]
    if event == "call" and station in stations and station not in called:
        called.append(station)


sys.setprofile(note)
try:
    main(command)
finally:
    sys.setprofile(None)
    print(json.dumps(called))
"""


@pytest.mark.slow
def test_a_run_calls_the_functions_of_the_diagram_in_their_order(tmp_path: Path) -> None:
    stations = [list(each) for each in diagram()]
    package, spec = str(Path(specnet.__file__).parent) + os.sep, str(ROOT / "specs/moons.toml")
    arguments = json.dumps([package, stations, "run", spec, "-o", str(tmp_path / "out"), "--quiet"])
    ended = subprocess.run([sys.executable, "-c", TRACED, arguments], capture_output=True, text=True, check=True)
    assert len(stations) == 10
    assert json.loads(ended.stdout) == stations


def test_what_the_page_answers_is_there() -> None:
    answers = re.findall(r"\| `([\w/]+\.py)`(?:; `([\w/]+\.py)`)?(?:, `([\w.]+)`)? \|", PAGE)
    assert len(answers) == 14
    for first, second, name in answers:
        for path in filter(None, (first, second)):
            assert (ROOT / "specnet" / path).is_file()
        text = (ROOT / "specnet" / (second or first)).read_text("utf-8")
        for each in filter(None, name.split(".")):
            assert re.search(rf"(def|class) {each}\b", text)
