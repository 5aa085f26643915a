"""Rooms that one can find a thing in: few files in each, none of them long, and one name for one thing."""

import ast
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

import specnet

PACKAGE, TESTS = Path(specnet.__file__).parent, Path(__file__).parent
MOST_FILES, MOST_LINES = 15, 600

SHARED_MODULES = {
    "base": "what all parts of a kind have in common, in each kind's folder",
    "binding": "a plan bound to its arrays, by each engine",
}


@cache
def modules() -> dict[Path, ast.Module]:
    """Return the modules of the package and what they contain."""
    return {file: ast.parse(file.read_text("utf-8")) for file in sorted(PACKAGE.rglob("*.py"))}


def twice(names: list[str]) -> set[str]:
    """Return the names that are there more than once."""
    return {name for name, count in Counter(names).items() if count > 1}


@pytest.mark.parametrize("top", [PACKAGE, TESTS], ids=["specnet", "tests"])
def test_a_folder_holds_few_files_and_no_file_is_long(top: Path):
    files = sorted(top.rglob("*.py"))
    counts = Counter(file.parent for file in files)
    assert {folder: count for folder, count in counts.items() if count > MOST_FILES} == {}
    assert [file for file in files if len(file.read_text("utf-8").splitlines()) > MOST_LINES] == []


def test_a_module_has_a_name_of_its_own():
    assert twice([file.stem for file in modules() if file.stem != "__init__"]) == SHARED_MODULES.keys()


def test_a_public_class_has_a_name_of_its_own():
    classes = [each.name for module in modules().values() for each in module.body if isinstance(each, ast.ClassDef)]
    assert twice([name for name in classes if not name.startswith("_")]) == set()


def test_each_room_says_what_it_is_for():
    rooms = {file: ast.get_docstring(module) for file, module in modules().items() if file.stem == "__init__"}
    assert [file for file, told in rooms.items() if not told] == []
