"""Each hint of the documented errors is followed by typing it, and the error is gone."""

from __future__ import annotations

import re
import shlex
import tomllib
from contextlib import nullcontext
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
import pytest

from specnet import DataError, SpecClassifier, SpecRegressor
from tests.cases.reading import joined, listed
from tests.docs.reference.causes import CAUSES, Cause
from tests.docs.reference.diagnostic_codes import Example, caused_examples, mistakes, other_examples, spec_examples
from tests.texts.calling import Ended, called

FOLLOWED = tomllib.loads((Path(__file__).parent / "reference" / "followed.toml").read_text("utf-8"))
EDITS, TYPED, NOT_TYPED = FOLLOWED["edits"], FOLLOWED["typed"], FOLLOWED["not_typed"]


def hint_of(example: Example) -> str:
    """Return the hint of a message, behind the mark below a line or in a line of its own."""
    found = re.search(r"^ *\| +\^+ (.+)|^    (?! *\d* *\|)(\S.*)", example.message, re.MULTILINE)
    return "" if found is None else found[1] or found[2]


def test_each_hint_is_followed_or_it_is_said_why_not() -> None:
    examples = other_examples() | caused_examples() | spec_examples()
    with_hint = {code for code, example in examples.items() if hint_of(example)}
    followed = EDITS.keys() | TYPED.keys()
    assert with_hint - followed - NOT_TYPED.keys() == set()
    assert followed & NOT_TYPED.keys() == EDITS.keys() & TYPED.keys() == set()
    assert NOT_TYPED.keys() <= with_hint


@pytest.mark.parametrize("code", EDITS)
def test_a_spec_that_is_changed_as_its_hint_says_has_the_mistake_no_longer(code: str) -> None:
    edit, example = EDITS[code], spec_examples()[code]
    assert edit["hint"] in hint_of(example)
    assert edit["old"] in example.given
    text = example.given.replace(edit["old"], edit["new"], 1)
    assert code not in [each.code for each in mistakes(text, is_search="sweep" in text)]


def table(case: dict[str, Any]) -> str:
    """Return the table of a case, as followed.toml describes it."""
    columns = {"a": "{a}", "b": "{b}", "kind": "{kind}"} | case.get("columns", {})
    cells = {name: listed(pieces) for name, pieces in columns.items() if pieces}
    lines = [",".join(cells)]
    for row in range(case.get("rows", 40)):
        numbers = {"row": row, "later": row + 40, "a": row * 7 % 11, "b": row * 5 % 13, "kind": "xy"[row * row % 7 < 3]}
        lines.append(",".join(texts[row % len(texts)].format(**numbers) for texts in cells.values()))
    return "\n".join(lines) + "\n"


def line_of(text: str) -> str:
    return Template(text).substitute(FOLLOWED["lines"])


def with_settings(line: str, settings: list[str]) -> str:
    return " ".join([line, *(f"--set {shlex.quote(setting)}" for setting in settings)])


@pytest.mark.parametrize("code", TYPED)
def test_a_command_that_is_typed_as_its_hint_says_has_the_message_no_longer(
    code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    case = TYPED[code]
    if "cause" in case:
        cause = CAUSES[case["cause"]]
    else:
        files = {name: joined(text) for name, text in case.get("files", {}).items()}
        files = {"rows.csv": table(case)} | files
        cause = Cause(line_of(case.get("run", "$table")), files, line_of(case.get("before", "")))
    cause.prepare()
    with cause.state():
        first = cause.says(cause.line)
    for name, text in case.get("edited", {}).items():
        Path(name).write_text(joined(text), encoding="utf-8")
    line = with_settings(cause.line, case["set"]) if "set" in case else line_of(case.get("line", cause.line))
    with nullcontext() if "has_passed" in case else cause.state():
        second = cause.says(line)
    assert f"[{code}]" in first
    assert case["hint"] in first
    assert f"[{code}]" not in second


ROWS = "a,b.c,d e,f g,y\n" + "".join(f"{row * 7 % 11},5,{row * 7 % 11},6,{row * row % 37 / 10}\n" for row in range(60))


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with a table and the spec that `specnet new` writes for it."""
    monkeypatch.chdir(tmp_path)
    Path("rows.csv").write_text(ROWS, encoding="utf-8")
    columns = "--set 'data.columns.\"b.c\"=numeric' --set 'data.columns.\"f g\"=numeric'"
    typed(f"new spec.toml --data rows.csv --target y --quiet --quick {columns}").ok()


def typed(line: str) -> Ended:
    return called(*shlex.split(line))


@pytest.mark.usefixtures("recipe")
def test_settings_for_columns_with_any_name_are_options_as_they_are_printed() -> None:
    run = "run spec.toml --no-report --set training.epochs=1"
    before = typed(run).err
    columns = {"constant": ["b.c", "f g"], "duplicate-column": ["d e"]}
    for code, names in columns.items():
        (hint,) = re.findall(rf"\[{code}\](?:.*\n)+?.*set (.*)", before)
        settings = re.findall(r'[\w.]+(?:\."[^"]+")? = (?:"[^"]*"|[^,\s]+)', hint)
        assert settings == [f'data.columns."{name}" = "ignore"' for name in names]
        assert f"[{code}]" not in typed(with_settings(run, settings)).ok().err


@pytest.mark.usefixtures("recipe")
def test_another_loss_in_the_recipe_s_spec_needs_no_calibration() -> None:
    typed("new full.toml --data rows.csv --target y --quiet").ok()
    quantile = """--set 'training.loss={ type = "quantile", quantile = 0.9 }'"""
    message = typed(f"validate full.toml {quantile}").failed(1)
    assert message.count("error[") == 1
    assert "remove training.calibration" in message
    typed(f"run full.toml {quantile} --set training.calibration= --set training.epochs=1 --no-report").ok()


@pytest.mark.usefixtures("recipe")
def test_a_table_of_texts_alone_is_message_what_to_add() -> None:
    Path("texts.csv").write_text("name,y\n" + "".join(f"n{row},{row % 2}\n" for row in range(60)), encoding="utf-8")
    message = typed("new texts.toml --data texts.csv --target y").failed(1)
    assert "add columns of numbers or dates, or texts that 5 rows or more share" in message
    assert "category" not in message


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("predict spec.toml rows.csv --epochs 5", 'unknown option "--epochs"\n'),
        ("run spec.toml --folds 1", "expected an integer of at least 2, got 1\n"),
        ("run spec.toml --seeds 0", "expected an integer of at least 1, got 0\n"),
    ],
)
def test_a_wrong_option_is_answered_by_what_the_verb_takes(line: str, said: str) -> None:
    assert typed(line).failed(2).endswith(said)


def test_estimators_name_the_arguments_that_hold_rows_out() -> None:
    X = np.random.default_rng(0).normal(size=(60, 2))
    y = X.sum(axis=1)
    with pytest.raises(DataError) as refused:
        SpecRegressor(epochs=2).fit(X, y).predict_interval(X)
    hint = refused.value.diagnostics[0].hint
    assert hint == 'fit SpecRegressor(validation_size=0.2, …), or SpecRegressor("recipe")'
    assert SpecRegressor(epochs=2, validation_size=0.2).fit(X, y).predict_interval(X).shape == (60, 2)
    with pytest.raises(DataError, match="fit SpecClassifier"):
        SpecClassifier(epochs=2).fit(X, y > 0).predict_set(X)
    assert SpecClassifier(epochs=2, validation_size=0.2).fit(X, y > 0).predict_set(X).shape == (60, 2)
