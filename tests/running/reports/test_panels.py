"""The panel of a page: its controls, its rows and their words, and its size."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import specnet
from specnet import Model
from specnet.number_texts import rounded_up
from specnet.report.pages.model_answers import AskPanel, ModelAnswers
from specnet.running.data_rows import SpecData
from specnet.running.distillation import imitation
from specnet.running.evaluation.failures import slices_on_test
from specnet.running.folder_pages import answers_shown
from specnet.running.panel import model_code
from specnet.running.panel.contents import panel_of
from specnet.running.panel.words import decimals_of
from specnet.saved.saved_run import SavedRun
from tests.made import data_of, made_once

ROWS = 300
RANDOM = np.random.default_rng(3)
NUMBERS = (RANDOM.integers(0, 1000, ROWS) / 10).tolist()
START = date(2021, 1, 1)
DATES = [(START + timedelta(days=day)).strftime("%d/%m/%Y") for day in RANDOM.integers(0, 400, ROWS).tolist()]
COLOURS = np.where(RANDOM.random(ROWS) < 0.6, "red", "green").tolist()
OPEN = np.where(RANDOM.random(ROWS) < 0.5, "Yes", "No").tolist()
KINDS = {
    "number": "numeric",
    "colour": "category",
    "since": {"type": "datetime", "format": "%d/%m/%Y"},
    "open": "boolean",
    "code": "ignore",
    "y": "category",
}


def _make(folder: Path) -> None:
    folder.mkdir()
    lines = [",".join(KINDS)]
    for row, cells in enumerate(zip(NUMBERS, COLOURS, DATES, OPEN, strict=True)):
        number, *others = cells
        # Every tenth row has gaps, which preprocessing fills with the median, and so looks typical.
        known = [f"{number:.1f}", *others] if row % 10 else ["", *others]
        lines.append(",".join([*known, f"n{row}", "yes" if number > 60 else "no"]))
    (folder / "rows.csv").write_text("\n".join(lines))
    data = {
        "type": "csv",
        "path": str(folder / "rows.csv"),
        "target": "y",
        "columns": KINDS,
        "split": {"test_size": 0.3},
    }
    network = {"hidden_layer_sizes": [4], "preprocessing": ["impute", "standardize"]}
    spec = {"data": data, "network": network, "training": {"loss": "binary_crossentropy", "epochs": 3}}
    specnet.run(spec, folder / "run", observer=specnet.Observer(), report=False)


@pytest.fixture(scope="module")
def shown() -> tuple[ModelAnswers, SpecData]:
    """What a page shows of a run, and the rows of the run."""
    run = SavedRun(made_once(_make) / "run")
    data = data_of(run.path / "spec.resolved.json")
    return answers_shown(run, data), data


def panel_in(shown: tuple[ModelAnswers, SpecData], **options: bool) -> AskPanel:
    panel = panel_of(*shown, **{"with_rows": True, **options})
    assert isinstance(panel, AskPanel)
    return panel


def test_controls_are_those_of_the_columns_in_the_words_of_the_file(shown: Any) -> None:
    panel = panel_in(shown)
    columns = {column.name: column for column in panel.columns}
    number, colour, since, opened = columns["number"], columns["colour"], columns["since"], columns["open"]
    assert (number.kind, number.decimals, number.may_be_missing) == ("number", 1, True)
    assert 0 <= number.quantiles[0] < number.quantiles[10] < number.quantiles[-1] < 100
    assert (colour.kind, sorted(map(str, colour.options)), colour.may_be_missing) == ("choice", ["green", "red"], False)
    assert (since.kind, since.format, since.may_be_missing) == ("date", "%d/%m/%Y", False)
    assert (opened.kind, opened.options, opened.words) == ("choice", [0, 1], ("No", "Yes"))
    assert (panel.kind, list(panel.names), panel.level, panel.note) == ("binary", ["no", "yes"], None, "")


def test_slices_of_wrong_rows_are_in_the_words_of_the_file(shown: Any) -> None:
    (answered, data), test = shown, shown[1].splits["test"]
    is_open = test.columns[:, [column.name for column in test.kinds].index("open")] == 1
    target = answered.answers.target
    answers = replace(answered.answers, prediction=np.where(is_open, 1 - target, target))
    assert "open = Yes" in [each["where"] for each in slices_on_test(answered.model, data, answers)]


def test_the_typical_row_is_a_row_of_the_file(shown: Any) -> None:
    panel, (_, data) = panel_in(shown), shown
    text = panel.typical["text"]
    line = int(text.split("line ")[1].split()[0])
    cells = [NUMBERS, COLOURS, DATES, OPEN]
    number, colour, since, opened = (column[line - 2] for column in cells)
    days = (date(*map(int, reversed(since.split("/")))) - date(1970, 1, 1)).days
    assert panel.typical["cells"] == [number, colour, days, opened == "Yes"]
    assert f"line {line} (code n{line - 2})" in text
    assert line - 2 in data.splits["train"].numbers
    assert (line - 2) % 10  # no gap
    known = np.array(NUMBERS)
    assert abs(number - known.mean()) < 0.5 * known.std()


def test_typical_values_are_of_no_row_on_a_page_without_rows(shown: Any) -> None:
    panel, (_, data) = panel_in(shown, with_rows=False), shown
    assert panel.rows == panel.mistakes == []
    assert panel.typical["text"].startswith("Typical values: ")
    columns = np.asarray(data.splits["train"].columns)
    assert panel.typical["cells"][0] == np.nanquantile(columns[:, 0], 0.5, method="lower")
    assert panel.typical["cells"][1] == "red"


def test_mistakes_are_wrong_rows_with_their_lines(shown: Any) -> None:
    panel, (answers, data) = panel_in(shown), shown
    test, found = data.splits["test"], answers.answers
    wrong = [
        row for row in np.argsort(-found.losses, kind="stable").tolist() if found.target[row] != found.prediction[row]
    ]
    assert len(wrong) > 5 == len(panel.mistakes)
    for row, place in zip(panel.mistakes, wrong, strict=False):
        number = test.numbers[place]
        given = "no" if test.y[place] == "yes" else "yes"
        assert row["text"] == f"Test row, line {number + 2} (code n{number}): true {test.y[place]}, predicted {given}."
        assert row["cells"][1] == COLOURS[number]
    table = answers.mistakes
    assert table is not None
    for cells in (dict(zip(table.header, row, strict=True)) for row in table.rows):
        row = int(cells["row"].split()[1]) - 2
        assert (cells["open"], cells["since"]) == (OPEN[row], DATES[row])
    right = replace(answers, answers=replace(found, prediction=found.target))
    assert panel_in((right, data)).mistakes == []


def test_weights_have_fewer_bits_or_the_page_says_why_there_is_no_panel(shown: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(imitation, "MIXTURES", 1)
    full = panel_in(shown).code
    model: Model = shown[0].model
    monkeypatch.setattr(model_code, "MAX_CODE", len(full) - 1)
    panel = panel_in(shown)
    assert len(panel.code) < len(full)
    amount, bits = float(panel.note.split("by at most ")[1].split()[0]), float(panel.note.split()[4]) - 2
    short, raw = model_code.shortened(model, bits, dict(model_code.BITS)[bits]), shown[1].splits["test"].raw
    apart = 100 * abs(short.predict_proba(raw) - model.predict_proba(raw)).max()
    assert apart <= amount <= 1.1 * apart + 1e-9
    changed = int((short.predict(raw) != model.predict(raw)).sum())
    labels = ["no prediction changes", "1 prediction changes", f"{changed} predictions change"][min(changed, 2)]
    assert panel.note == (
        f"With weights of about {bits + 2:g} bits, so that the page is small: differs from the model by at most "
        f"{rounded_up(apart)} percentage points on 90 test rows; {labels}."
    )
    monkeypatch.setattr(model_code, "MAX_APART", apart / 101)
    reason = panel_of(*shown, with_rows=True)
    assert isinstance(reason, str)
    assert reason.startswith("The model is too large for a page: ")
    assert f"the panel would differ from it by up to {rounded_up(apart)} percentage points on 90 test rows" in reason
    monkeypatch.setattr(model_code, "MAX_APART", 1)
    monkeypatch.setattr(model_code, "MAX_CHANGED", (changed - 0.5) / 90)
    reason = panel_of(*shown, with_rows=True)
    assert isinstance(reason, str)
    assert reason.endswith(f"{labels}.")  # one network cannot be distilled
    monkeypatch.setattr(model_code, "MAX_CODE", 100)
    reason = panel_of(*shown, with_rows=True)
    assert isinstance(reason, str)
    assert reason.startswith("The model is too large for a page: ")


def test_decimals_and_bounds() -> None:
    decimals = [decimals_of(np.array(values)) for values in ([1.0, 20.0], [0.1, 0.25], [1e9 + 0.5], [1 / 3], [])]
    assert decimals == [0, 2, 1, None, 0]
    assert [*map(rounded_up, (0.0, 0.00341, 0.0035, 0.999, 12.1, 345.0))] == [
        "0",
        "0.0035",
        "0.0035",
        "1.00",
        "13",
        "350",
    ]
