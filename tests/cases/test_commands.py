"""Command lines, and how each ends.

A case of ``commands/`` has

- its ``files`` beside ``moons.toml``, a small spec; a text may be given in parts. With ``given``, there is a trained
  model too: ``moons``, ``kinds`` or ``gappy`` (`tests/cli/conftest.py`).
- its command lines to ``run``, of which the last one is looked at and the others go well; they may have ``$moons``
  for the text of the spec, and read ``stdin``.
- its ``status``, 0 by default; texts that ``out`` and ``err`` contain; ``lines`` at the end of the output; values in
  the output as ``json``, by path; the ``differences`` in it, by key; files that are ``made`` and ``not_made``, and
  texts that some ``contain``. What a failing command writes is pinned, and so is what any writes that is ``pinned``.

A line of ``refused.txt`` is refused: by a message that is pinned, in both forms, and nothing is written.
"""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.cases.reading import FOLDER, cases, joined
from tests.cli.conftest import MOONS, Specnet
from tests.running.sweeps.searches import FOLDS, GRID
from tests.texts.pinned import Pinned


def at(document: Any, path: str) -> Any:
    """Return what stands at a path; an item of a list is found by its index or its "key"."""
    for step in path.split("/"):
        if not isinstance(document, list):
            document = document[step]
        elif step.lstrip("-").isdigit():
            document = document[int(step)]
        else:
            (document,) = (item for item in document if item["key"] == step)
    return document


def brief(value: Any) -> Any:
    """Return a value of a difference, "" for none and units or type for a layer."""
    if isinstance(value, dict) and "type" in value:
        return value.get("units", value["type"])
    return "" if value is None else value


@pytest.mark.parametrize("name", cases("commands"))
def test_a_command(name: str, specnet: Specnet, folder: Path, pinned: Pinned, request: pytest.FixtureRequest) -> None:
    case = cases("commands")[name]
    if "given" in case:
        request.getfixturevalue(case["given"])
    for file, text in case.get("files", {}).items():
        (folder / file).parent.mkdir(exist_ok=True)
        (folder / file).write_text(joined(text).replace("$moons", MOONS), encoding=case.get("encoding", "utf-8"))
    if "stdin" in case:
        request.getfixturevalue("type_in")(joined(case["stdin"]).encode(case.get("encoding", "utf-8")))
    *before, last = case["run"]
    for line in before:
        assert specnet(*shlex.split(line)).status == 0, line
    ended = specnet(*(word.replace("$moons", MOONS) for word in shlex.split(last)))
    assert ended.status == case.get("status", 0), ended.err
    assert ended.status == 0 or "json" in case or ended.out == ""
    for text in case.get("out", []):
        assert text in ended.out
    for text in case.get("err", []):
        assert text in ended.err
    if ended.status == 0 and "err" not in case:
        assert ended.err == ""
    if "lines" in case:
        assert ended.out.splitlines()[-len(case["lines"]) :] == case["lines"]
    for key, value in case.get("json", {}).items():
        assert at(ended.document, key) == value, key
    if "differences" in case:
        found = {item["key"]: [brief(item["before"]), brief(item["after"])] for item in ended.document["differences"]}
        assert found == case["differences"]
    assert all((folder / file).exists() for file in case.get("made", []))
    assert not any((folder / file).exists() for file in case.get("not_made", []))
    for file, text in case.get("contain", {}).items():
        assert text in (folder / file).read_text(encoding="utf-8")
    if ended.status or case.get("pinned"):
        pinned(ended.out + ended.err)


LINES = (FOLDER / "commands/refused.txt").read_text(encoding="utf-8").split("\n\n")
REFUSED = [(status, line) for status, part in zip((2, 1), LINES, strict=True) for line in part.splitlines()[1:]]


@pytest.fixture
def refusing(moons: object, folder: Path) -> Path:
    """The working folder with a run, tables, specs and models, of which some are none."""
    texts = {"named.csv": "a,b\n1,2\n", "broken.npz": "no archive", "no.safetensors": MOONS, "grid.toml": GRID}
    texts |= {"folds.toml": FOLDS, "bad.toml": MOONS.replace("[2, 5, 1]", "[3, 5, 1]")}
    for name, text in texts.items():
        (folder / name).write_text(text)
    np.savez(folder / "wide.npz", X=np.zeros((4, 3)), y=np.zeros(4, int))
    shutil.copy(FOLDER.parent / "importing/files/sklearn_words.onnx", folder / "words.onnx")
    return folder


def content(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() if path.is_file() else b"" for path in folder.rglob("*")}


@pytest.mark.parametrize(("status", "line"), REFUSED)
def test_what_is_refused_is_reported_and_nothing_is_written(
    specnet: Specnet, refusing: Path, status: int, line: str, pinned: Pinned
) -> None:
    before, words = content(refusing), shlex.split(line)
    reported = specnet(*words).failed(status)
    assert "Traceback" not in reported
    pinned(reported)
    if "--format" not in line and not line.startswith("-"):
        as_json = specnet(words[0], "--format=json", *words[1:])
        assert (as_json.status, as_json.err) == (status, "")
        errors = as_json.document["errors"]
        assert [error["code"] for error in errors] == [part.partition("]")[0] for part in reported.split("error[")[1:]]
        assert all(error["message"] in reported for error in errors)
        assert all(error["hint"] is None or error["hint"] in reported for error in errors)
    assert content(refusing) == before


REPLACED = {
    "predict moons rows.npz -o mine": "mine.csv",
    "show moons.toml --diagram mine": "mine.svg",
    "schema -o mine": "mine.json",
    "new mine": "mine.toml",
    "new other.toml": "specnet.schema.json",
    "export moons --to onnx -o mine": "mine.onnx",
    "export moons --to c -o mine.c": "mine.h",
    "import words.onnx -o mine": "mine.toml",
    "import words.onnx -o mine.toml": "mine.safetensors",
    "compare moons moons -o mine": "mine.html",
    "runs moons --html -o mine": "mine.html",
    "run moons.toml -o new --no-report --log jsonl:mine": "mine.jsonl",
    "run moons.toml -o full": "full/notes.txt",
}
"""Lines that write a file, whose suffix they leave out, and the file."""


@pytest.mark.parametrize("line", REPLACED)
def test_files_that_are_there_are_replaced_by_force_alone(specnet: Specnet, refusing: Path, line: str) -> None:
    file = Path(REPLACED[line])
    command = line.replace("mine", file.name) if line.endswith("mine") else line
    file.parent.mkdir(exist_ok=True)
    file.write_text("mine")
    before = content(refusing)
    reported = specnet(command).failed(2)
    assert f"{file if len(file.parts) == 1 else file.parent}: error[" in reported
    assert "--force" in reported
    assert content(refusing) == before
    assert specnet(f"{command} --force --quiet").err == ""
    assert (file.read_text(errors="replace") == "mine") == (file.name == "notes.txt")
    assert content(refusing).keys() > {path for path in before if path.name != file.name}
    written = file.read_bytes()
    specnet(f"{command} --force").ok()
    assert file.read_bytes() == written
