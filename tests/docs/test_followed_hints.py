"""Each hint of the documented errors is followed by typing it, and the error is gone."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from specnet import DataError, SpecClassifier, SpecError, SpecRegressor, parse_spec
from specnet.errors import Diagnostic
from specnet.spec import parse_sweep
from tests.docs.reference.diagnostic_codes import Example, caused_examples, other_examples, spec_examples
from tests.docs.reference.followed import EDITS, NOT_TYPED, TYPED
from tests.texts.calling import called


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


def mistakes(text: str) -> list[Diagnostic]:
    parse = parse_sweep if "sweep" in text else parse_spec
    try:
        parse(text)
    except SpecError as error:
        return list(error.diagnostics)
    return []


@pytest.mark.parametrize("code", EDITS)
def test_a_spec_that_is_changed_as_its_hint_says_has_the_mistake_no_longer(code: str) -> None:
    edit, example = EDITS[code], spec_examples()[code]
    assert edit.hint in hint_of(example)
    assert edit.old in example.given
    assert code not in [each.code for each in mistakes(example.given.replace(edit.old, edit.new, 1))]


@pytest.mark.parametrize("code", TYPED)
def test_a_command_that_is_typed_as_its_hint_says_has_the_message_no_longer(code: str) -> None:
    typed = TYPED[code]
    first, second = typed.said()
    assert f"[{code}]" in first
    assert typed.hint in first
    assert f"[{code}]" not in second


ROWS = "a,b.c,d e,y\n" + "".join(f"{row * 7 % 11},5,{row * 7 % 11},{row * row % 37 / 10}\n" for row in range(60))


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str, str]]:
    """Return a function that calls specnet in a folder with a table and the spec that `specnet new` wrote for it."""
    monkeypatch.chdir(tmp_path)
    Path("rows.csv").write_text(ROWS, encoding="utf-8")

    def call(line: str) -> tuple[int, str, str]:
        return called(shlex.split(line))

    assert call("new spec.toml --data rows.csv --target y --quiet --quick --set 'data.columns.\"b.c\"=numeric'")[0] == 0
    return call


def settings_in(told: str, code: str) -> list[str]:
    """Return the settings that the hint of a message names."""
    (message,) = re.findall(rf"\[{code}\](?:.*\n)+?.*set (.*)", told)
    return re.findall(r'[\w.]+(?:\."[^"]+")? = (?:"[^"]*"|[^,\s]+)', message)


@pytest.mark.parametrize("code", ["constant", "duplicate-column"])
def test_settings_for_columns_with_any_name_are_options_as_they_are_printed(
    code: str, recipe: Callable[..., tuple[int, str, str]]
) -> None:
    run = "run spec.toml --no-report --set training.epochs=1"
    before = recipe(run)[2]
    (setting,) = settings_in(before, code)
    after = recipe(f"{run} --set {shlex.quote(setting)}")
    assert after[0] == 0
    assert f"[{code}]" not in after[2]


def test_settings_for_several_columns_are_all_named() -> None:
    text = "a,b,c d,kind\n" + "".join(f"{row * 7 % 11},5,6,{'xy'[row % 2]}\n" for row in range(40))
    typed = TYPED["constant"].cause
    told = typed._replace(files={**typed.files, "rows.csv": text}).said()
    settings = settings_in(told, "constant")
    assert settings == ['data.columns.b = "ignore"', 'data.columns."c d" = "ignore"']
    line = " ".join([typed.line, *(f"--set {shlex.quote(setting)}" for setting in settings)])
    after = typed._replace(line=line, files={**typed.files, "rows.csv": text}).said()
    assert "[constant]" not in after


def test_another_loss_in_the_recipe_s_spec_needs_no_calibration(recipe: Callable[..., tuple[int, str, str]]) -> None:
    assert recipe("new full.toml --data rows.csv --target y --quiet")[0] == 0
    quantile = """--set 'training.loss={ type = "quantile", quantile = 0.9 }'"""
    status, _, told = recipe(f"validate full.toml {quantile}")
    assert status == 1
    assert told.count("error[") == 1
    assert "remove training.calibration" in told
    assert recipe(f"run full.toml {quantile} --set training.calibration= --set training.epochs=1 --no-report")[0] == 0


def test_a_table_of_texts_alone_is_told_what_to_add(recipe: Callable[..., tuple[int, str, str]]) -> None:
    Path("texts.csv").write_text("name,y\n" + "".join(f"n{row},{row % 2}\n" for row in range(60)), encoding="utf-8")
    status, _, told = recipe("new texts.toml --data texts.csv --target y")
    assert status == 1
    assert "add columns of numbers or dates, or texts that 5 rows or more share" in told
    assert "category" not in told


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("predict spec.toml rows.csv --epochs 5", 'unknown option "--epochs"\n'),
        ("run spec.toml --folds 1", "expected an integer of at least 2, got 1\n"),
        ("run spec.toml --seeds 0", "expected an integer of at least 1, got 0\n"),
        ("run spec.toml --epochs 5", 'unknown option "--epochs"\n    use --set training.epochs=5\n'),
    ],
)
def test_a_wrong_option_is_answered_by_what_the_verb_takes(
    line: str, said: str, recipe: Callable[..., tuple[int, str, str]]
) -> None:
    status, _, told = recipe(line)
    assert status == 2
    assert told.endswith(said)


def test_estimators_name_the_arguments_that_hold_rows_out() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 2))
    y = X.sum(axis=1)
    with pytest.raises(DataError) as refused:
        SpecRegressor(epochs=2).fit(X, y).predict_interval(X)
    hint = refused.value.diagnostics[0].hint
    assert hint == 'fit SpecRegressor(validation_size=0.2, …), or SpecRegressor("recipe")'
    assert SpecRegressor(epochs=2, validation_size=0.2).fit(X, y).predict_interval(X).shape == (60, 2)
    with pytest.raises(DataError, match="fit SpecClassifier"):
        SpecClassifier(epochs=2).fit(X, y > 0).predict_set(X)
    assert SpecClassifier(epochs=2, validation_size=0.2).fit(X, y > 0).predict_set(X).shape == (60, 2)
