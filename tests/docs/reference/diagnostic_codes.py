"""The codes of all mistakes and warnings, as the source says them, and a text in which each is met."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import specnet
from specnet import SpecError, parse_spec
from specnet.errors import Diagnostic, render
from specnet.spec import parse_sweep
from tests.docs.reference.causes import CAUSES
from tests.spec.cases import DOCUMENTS, NETWORKS, SEARCHES, TEXTS, marked

SNAPSHOT = Path(__file__).parents[2] / "texts" / "snapshot.txt"
"""What commands and calls print in tests, held against them there."""
CODE = re.compile(r"[a-z]+(-[a-z]+)*")
SAYING = {"Diagnostic": 0, "diagnostic": 0, "report": 0, "_say": 0, "_warning": 0, "warning": 0, "FieldProblem": 2}
"""What makes a diagnostic, and which of its arguments is the code."""
NO_CODES = {"note", "column", "more", "error", "spec"}
"""Notes below others, and codes of classes whose errors all have one of their own."""
LONGEST = 900
"""Characters of a spec that a page shows."""

MORE_SPECS = {
    "decision threshold": """\
[network]
layer_sizes = [2, 1]

[training]
loss = 'mean_squared_error'
decision_threshold = 0.2
""",
    "parametric": """\
[network]
layer_sizes = [2, 3, 2]
activations = [{ type = 'softmax', parametric = true }, 'linear']

[training]
loss = 'mean_squared_error'
""",
}
"""Specs with mistakes that no other test has."""


class Example(NamedTuple):
    """A text in which a code is met.

    Attributes
    ----------
    given : str
        A spec; or what a terminal or a prompt shows in front of the message, empty where it is rows of a table.
    message : str
    """

    given: str
    message: str


@cache
def all_codes() -> frozenset[str]:
    """Return every code: those that the source says as such, and those that texts have from elsewhere."""
    return frozenset(({*_said()} | {*spec_examples()} | {*other_examples()} | CAUSES.keys()) - NO_CODES)


def _said() -> Iterator[str]:
    for path in Path(specnet.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                yield from _constants(node.args[SAYING[name] :][:1] if name in SAYING else [])
                yield from _constants([each.value for each in node.keywords if each.arg == "code"])
            elif isinstance(node, ast.ClassDef):
                values = [each.value for each in node.body if isinstance(each, ast.Assign) and _is_code(each.targets)]
                yield from _constants(values)


def _is_code(targets: list[ast.expr]) -> bool:
    return isinstance(targets[0], ast.Name) and targets[0].id == "code"


def _constants(values: list[ast.expr]) -> Iterator[str]:
    for value in values:
        if isinstance(value, ast.Constant) and isinstance(value.value, str) and CODE.fullmatch(value.value):
            yield value.value


@cache
def spec_examples() -> dict[str, Example]:
    """Return for each code of specs the shortest spec that has it, with the message."""
    found: dict[str, Example] = {}
    cases = {name: marked(text).text for name, text in (TEXTS | DOCUMENTS | NETWORKS | SEARCHES).items()}
    for name, text in sorted((cases | MORE_SPECS).items(), key=lambda case: (len(case[1]), case[0])):
        if len(text) > LONGEST:
            break
        for each in mistakes(text, is_search=name in SEARCHES):
            found.setdefault(each.code, Example(text, render(each).replace("<text>", "spec.toml")))
    return found


def mistakes(text: str, *, is_search: bool) -> list[Diagnostic]:
    """Return the mistakes of a spec."""
    try:
        (parse_sweep if is_search else parse_spec)(text)
    except SpecError as error:
        return list(error.diagnostics)
    return []


@cache
def other_examples() -> dict[str, Example]:
    """Return for each other code a message of the snapshot, with the command or the call that it belongs to."""
    _, *cases = re.split(r"^== ", SNAPSHOT.read_text("utf-8"), flags=re.MULTILINE)
    found: dict[str, Example] = {}
    for case in cases:
        title, _, text = case.partition("\n")
        sign = "$" if title.startswith("specnet ") else ">>>"
        given = "" if title.startswith("tests/") else f"{sign} {title}\n"
        for code, message in _messages(text.partition("\n# ")[0]):
            shown = message.replace("<text>", "spec.toml").replace("<folder>/", "")
            found.setdefault(code, Example(given, shown))
    return found


@cache
def caused_examples() -> dict[str, Example]:
    """Return for each code that has a cause of its own the message that comes of it."""
    return {code: Example(cause.given, _message_of(code, cause.said())) for code, cause in CAUSES.items()}


def _message_of(code: str, said: str) -> str:
    return next(message for each, message in _messages(said) if each == code)


def _messages(text: str) -> Iterator[tuple[str, str]]:
    """Yield the code and the text of each error and warning in what was printed."""
    for message in re.split(r"\n(?=\S)", text):
        for code in re.findall(r"^(?:.*?: )?(?:error|warning)\[([a-z-]+)\]", message)[:1]:
            yield code, message.strip()
