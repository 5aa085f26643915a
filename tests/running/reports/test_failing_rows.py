"""The section of rows that fail, against the file and the model's own predictions."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import specnet
from specnet import Observer
from specnet.findings.slices import slice_sentence
from specnet.number_texts import percent
from specnet.running.data_rows import SpecData
from specnet.running.folder_pages import answers_shown
from specnet.saved.saved_run import SavedRun
from tests.made import data_of
from tests.running.specs import csv_file, spec_on

ROWS = 300
Failing = tuple[Any, SpecData, Path, list[str]]
"""What a page shows of a model, its data, its folder, and the lines of its file."""


@pytest.fixture(scope="module", params=["kind", "price"])
def failing(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Failing:
    """Train on a table in which the rows of one town cannot be predicted."""
    folder, generator = tmp_path_factory.mktemp("sold"), np.random.default_rng(0)
    towns, sizes = generator.choice(["Rome", "Oslo", "Bonn"], ROWS), generator.normal(size=ROWS)
    known = np.where(towns == "Bonn", generator.permutation(sizes), sizes)
    targets = np.where(known > 0, "yes", "no") if request.param == "kind" else known.round(3).astype(str)
    lines = [f"c{row},{sizes[row]:.3f},{towns[row]},{targets[row]}" for row in range(ROWS)]
    types = {"customer_id": "ignore", "size": "numeric", "town": "category"}
    data = csv_file(folder / "rows.csv", "customer_id,size,town,y", lines, columns=types, split={"test_size": 0.5})
    loss = {"kind": "binary_crossentropy", "price": "mse"}[request.param]
    optimizer = {"type": "adam", "learning_rate": 0.05}
    spec = spec_on(data, 4, {"preprocessing": ["standardize"]}, loss=loss, epochs=20, optimizer=optimizer)
    specnet.run(spec, folder / "run", observer=Observer())
    made = data_of(spec)
    return answers_shown(SavedRun(folder / "run"), made), made, folder / "run", ["header", *lines]


def number(text: str) -> float:
    return float(text.replace("\N{MINUS SIGN}", "-"))


def test_rows_that_fail_are_those_of_the_file(failing: Failing) -> None:
    """Each has the truth of its line, and only what is wrong is called a mistake."""
    shown, _, folder, lines = failing
    answers, page = shown.answers, (folder / "report.html").read_text("utf-8")
    for table in filter(None, (shown.mistakes, shown.least_sure)):
        for row in table.rows:
            cells = dict(zip(table.header, row, strict=True))
            named = re.fullmatch(r"line (\d+) \(customer_id (c\d+)\)", cells["row"])
            assert named is not None
            identifier, size, town, target = lines[int(named[1]) - 1].split(",")
            assert (named[2], cells["town"]) == (identifier, town)
            assert cells["size"] == size.replace("-", "\N{MINUS SIGN}")
            if shown.classes:
                assert cells["true"] == target
                assert (cells["predicted"] == target) == (table is shown.least_sure)
            else:
                assert number(cells["true"]) == pytest.approx(float(target), rel=0.01)
                assert number(cells["error"]) == pytest.approx(number(cells["predicted"]) - float(target), abs=0.02)
    worst = [row[3] for row in shown.mistakes.rows]
    if shown.classes:
        wrong, probability = answers.target != answers.prediction, answers.probability.max(axis=1)
        assert worst == [percent(each) for each in sorted(probability[wrong], reverse=True)[:10]]
        assert [row[3] for row in shown.least_sure.rows] == [percent(each) for each in sorted(probability[~wrong])[:5]]
        assert f"{wrong.sum()} of 150 test rows are wrong" in page
    else:
        errors = np.abs(answers.target - answers.prediction).reshape(-1)
        assert [abs(number(each)) for each in worst] == pytest.approx(sorted(errors, reverse=True)[:10], rel=0.01)
        assert shown.least_sure is None
        assert "The mistakes" not in page


def test_a_planted_slice_is_in_the_record_and_on_the_page(failing: Failing) -> None:
    shown, data, folder, lines = failing
    test, answers = data.splits["test"], shown.answers
    errors = answers.target != answers.prediction
    if not shown.classes:
        errors = np.abs(answers.target - answers.prediction).reshape(-1)
    mask = np.array([",Bonn," in lines[row + 1] for row in test.numbers.tolist()])
    found, *_ = json.loads((folder / "metrics.json").read_text("utf-8"))["tables"]["test"]["slices"]
    assert (found["where"], found["rows"]) == ("town = Bonn", mask.sum())
    assert (found["mean"], found["elsewhere"]) == pytest.approx((errors[mask].mean(), errors[~mask].mean()))
    assert slice_sentence(found) in (folder / "report.html").read_text("utf-8").replace("\xa0", " ")
