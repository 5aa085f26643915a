"""CONTRIBUTING is short, and its commands are those of the checks and lead to files that are there."""

import re

from tests.docs.documents import ROOT, Document

CONTRIBUTING = Document(ROOT / "CONTRIBUTING.md")
CHECKS = (ROOT / ".ci" / "run").read_text("utf-8")
COMMANDS = re.findall(r"^ *```sh\n(.*?)^ *```$", CONTRIBUTING.text, re.MULTILINE | re.DOTALL)
TOOLS = {"ruff check", "ruff format", "mypy", "lint-imports", "specnet schema", "pytest"}


def test_it_has_at_most_110_lines() -> None:
    assert len(CONTRIBUTING.text.splitlines()) <= 110


def test_its_tools_are_those_of_the_checks() -> None:
    said = " ".join(COMMANDS)
    assert {tool for tool in TOOLS if tool not in said or tool not in CHECKS} == set()


def test_its_commands_name_files_that_are_there() -> None:
    paths = re.findall(r"\b(?:tests|schemas|specs)/[\w./]*", " ".join(COMMANDS))
    assert len(paths) > 4
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_its_modules_can_be_run() -> None:
    modules = re.findall(r"python -m ([\w.]+)", CONTRIBUTING.text)
    files = [ROOT.joinpath(*module.split(".")) for module in modules]
    assert len(modules) > 2
    assert [file for file in files if not (file.with_suffix(".py").is_file() or (file / "__main__.py").is_file())] == []
