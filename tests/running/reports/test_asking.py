"""The rows and columns that a page's panel is given, against the table that they are of."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

import specnet
from specnet import Observer
from specnet.report.pages.model_answers import AskColumn, AskPanel
from specnet.report.pages.run_page import page
from specnet.running.data_rows import read_data
from specnet.running.reports import asking
from specnet.running.reports.run_report import answers_shown
from specnet.saved.saved_run import SavedRun
from tests.running.specs import csv_file

GENERATOR = np.random.default_rng(3)
NUMBERS, DAYS = GENERATOR.integers(0, 100, 300), GENERATOR.integers(0, 400, 300)
TEXTS = np.where(GENERATOR.random(300) < 0.6, "red", "green")
ROWS = [
    (number if k % 10 else "", text, date(2021, 1, 1) + timedelta(days=day), "yes" if number > 60 else "no")
    for k, (number, text, day) in enumerate(zip(NUMBERS.tolist(), TEXTS.tolist(), DAYS.tolist(), strict=True))
]
KINDS = {"number": "numeric", "colour": "category", "since": "datetime", "y": "category"}
NETWORK = {"hidden_layer_sizes": [4], "preprocessing": ["impute", "standardize"]}


def panel_and_page(folder: Path) -> tuple[AskPanel | None, str]:
    data = csv_file(folder / "rows.csv", "number,colour,since,y", ROWS, columns=KINDS, split={"test_size": 0.3})
    training = {"loss": "binary_crossentropy", "epochs": 3}
    spec = {"data": data, "network": NETWORK, "training": training}
    specnet.run(spec, folder / "run", observer=Observer(), report=False)
    saved = SavedRun(folder / "run")
    shown = answers_shown(saved, read_data(specnet.parse_spec(spec)))
    return shown.panel, page(saved, shown)


def test_controls_are_those_of_the_columns(tmp_path: Path) -> None:
    panel, _ = panel_and_page(tmp_path)
    assert panel is not None
    columns = {column.name: column for column in panel.columns}
    number, colour, since = columns["number"], columns["colour"], columns["since"]
    assert (number.kind, number.is_whole, number.may_be_missing) == ("number", True, True)
    assert 0 <= number.quantiles[0] < number.quantiles[10] < number.quantiles[-1] < 100
    assert (colour.kind, sorted(map(str, colour.options)), colour.may_be_missing) == ("choice", ["green", "red"], False)
    assert (since.kind, since.may_be_missing) == ("date", False)
    assert panel.typical["cells"][1] == "red"
    assert (panel.kind, list(panel.names), panel.level) == ("binary", ["no", "yes"], None)


def test_worst_rows_are_those_of_the_largest_losses(tmp_path: Path) -> None:
    panel, text = panel_and_page(tmp_path)
    assert panel is not None
    model = specnet.load_model(tmp_path / "run")
    data = read_data(specnet.parse_spec(tmp_path / "run" / "spec.resolved.json"))
    test = data.splits["test"]
    inputs = model.preprocessing.prepare(test.columns, texts=test.texts)
    order = np.argsort(-model.answers(inputs, test.y).losses, kind="stable")
    for row, place in zip(panel.worst, order[:5].tolist(), strict=True):
        assert row["told"].startswith(f"Test row {place + 1} of {len(test)}. It is {test.y[place]}; the model gave it ")
        cells = test.columns[[place]][0]
        texts = test.texts[1]
        assert texts is not None
        assert row["cells"][1] == texts[int(cells[1])]
        assert row["cells"][2] == cells[2]
        assert (row["cells"][0] is None) == np.isnan(cells[0])
    section = text.split("<h3>The worst mistakes</h3>")[1].split("</section>")[0]
    assert section.count("Test row ") == 5


def test_cells_in_words() -> None:
    day, number = AskColumn(0, "a", "date"), AskColumn(0, "b", "number")
    assert [day.told(18628.75), day.told(-1), day.told(None)] == ["2021-01-01", "1969-12-31", "missing"]
    told = [number.told(cell) for cell in (-0.123456, 15234.0, 15234.6, 3.0, 999.96, -0.25)]
    assert told == ["−0.1235", "15234", "15235", "3", "1000", "−0.25"]


def test_a_model_that_is_too_large_has_no_panel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "MOST_BYTES", 10)
    panel, text = panel_and_page(tmp_path)
    assert panel is None
    assert "The worst mistakes" not in text
