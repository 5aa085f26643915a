"""Hints can be typed: one that advises what another verb does has its command, and each command has a verb."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import specnet
from specnet.cli.application import VERBS

PACKAGE = Path(specnet.__file__).parent
ADVICE = re.compile(
    r"(?:^|[;:] |, (?:or|and) )"
    r"(?:import|export|run|train|resume|distill|verify|evaluate|predict|compare|report)\b"
)
"""A clause that begins with what a verb does."""
TYPED = re.compile(r"`|(?<![\w-])--[a-z]")
"""A command, which stands between backticks, or an option of the verb that prints the hint."""
NEEDS_NO_VERB = {
    "run pip install": "a command already",
    "run it as a program": "an exported program, which its own language runs",
    "save it with model.save": "Keras in Python",
    "convert the network to float32, and import it again": "what was typed imports the converted file",
    "import its estimator, and set": "an object in Python",
    "train with training.ensemble": "settings",
    'train with "impute"': "a setting",
    "resume with the same spec": "what was typed resumes, with the same spec",
    "resume without changing training.epochs": "what was typed resumes, with the same epochs",
    "fit the arrays again in Python": "Python",
}
"""Texts that advise what a verb does, and why they have no command."""


def hints() -> Iterator[tuple[str, str]]:
    """Yield where the package has a hint, and its text with the code of what is inserted."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            match node:
                case ast.keyword(arg="hint", value=value):
                    texts: list[ast.AST] = [value]
                case ast.Assign(targets=[target], value=value) if "hint" in ast.unparse(target).lower():
                    texts = [value]
                case ast.FunctionDef(name=name) if "hint" in name:
                    texts = [each.value for each in ast.walk(node) if isinstance(each, ast.Return) and each.value]
                case _:
                    continue
            for text in texts:
                yield from ((f"{path.relative_to(PACKAGE)}:{line}", each) for line, each in strings(text))


def strings(node: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of each string in code, as a whole if code is inserted."""
    if isinstance(node, ast.JoinedStr):
        yield node.lineno, ast.unparse(node)[2:-1]
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.lineno, node.value
    elif not isinstance(node, ast.Call) or ast.unparse(node.func) != "shlex.join":
        for child in ast.iter_child_nodes(node):
            yield from strings(child)


def test_a_hint_to_use_another_verb_has_its_command() -> None:
    found = dict(hints())
    assert len(found) > 250
    advice = {where: text for where, text in found.items() if ADVICE.search(text)}
    assert len(advice) > 15
    without = {where: text for where, text in advice.items() if not TYPED.search(text)}
    assert {where: text for where, text in without.items() if not any(each in text for each in NEEDS_NO_VERB)} == {}


def test_each_command_in_a_hint_is_one_of_specnet() -> None:
    named = {(where, verb) for where, text in hints() for verb in re.findall(r"`specnet ([a-z]+)", text)}
    assert len(named) > 8
    assert {each for each in named if each[1] not in VERBS} == set()
