"""Command lines, and how each ends.

A case of ``commands/`` has

- its ``files`` beside ``moons.toml``, a small spec; a text may be given in parts.
- its command lines to ``run``, of which the last one is looked at and the others go well; they may have ``$moons``
  for the text of the spec.
- its ``status``, 0 by default; texts that ``out`` and ``err`` contain; ``lines`` at the end of the output; values in
  the output as ``json``, by path; the ``differences`` in it, by key; files that are ``made`` and ``not_made``, and
  texts that some ``contain``. What a failing command writes is pinned, and so is what any writes that is ``pinned``.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest

from tests.cases.reading import cases, joined
from tests.cli.conftest import MOONS, Specnet
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
def test_a_command(name: str, specnet: Specnet, folder: Path, pinned: Pinned) -> None:
    case = cases("commands")[name]
    for file, text in case.get("files", {}).items():
        (folder / file).parent.mkdir(exist_ok=True)
        (folder / file).write_text(joined(text).replace("$moons", MOONS), encoding=case.get("encoding", "utf-8"))
    *before, last = case["run"]
    for line in before:
        assert specnet(*shlex.split(line)).status == 0, line
    ended = specnet(*(word.replace("$moons", MOONS) for word in shlex.split(last)))
    assert ended.status == case.get("status", 0), ended.err
    assert ended.status == 0 or ended.out == ""
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
