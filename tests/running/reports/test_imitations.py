"""Panels of models that are too large for a page: a small network answers that imitates the model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import specnet
from specnet import Model
from specnet.data import RawColumns
from specnet.exporting.export_columns import columns_of, texts_of
from specnet.number_texts import count, rounded_up
from specnet.report.pages.model_answers import AskPanel, ModelAnswers
from specnet.running.data_rows import SpecData
from specnet.running.distillation import imitation
from specnet.running.panel import model_code
from specnet.running.panel.contents import panel_of
from tests.exporting.tools import needs_node, printed_by_node
from tests.made import data_of, made_once
from tests.running.specs import csv_file

ROWS = 400
LIMIT = 30_000
"""Characters that the models below exceed with 14 bits, and their imitations do not."""
TASKS: dict[str, tuple[Any, Any]] = {
    "binary": ("label", "binary_crossentropy"),
    "classes": ("kind", "categorical_crossentropy"),
    "multilabel": (["label", "second"], "binary_crossentropy"),
    "values": ("value", "mean_squared_error"),
}
PREDICT = """
import { readFileSync } from "node:fs";
const net = new Function(readFileSync("code.js", "utf-8") + "; return { ready, forward, answered }")();
await net.ready;
const made = JSON.parse(readFileSync("rows.json")).map((row) => Array.from(net.forward(row)));
console.log(JSON.stringify([made, net.answered.length]));
"""


def _make(task: str, folder: Path) -> None:
    folder.mkdir()
    generator = np.random.default_rng(0)
    a, b = generator.normal(size=(2, ROWS))
    group = generator.integers(0, 3, ROWS)
    value = a + np.tanh(2 * b) + 0.5 * group
    target, loss = TASKS[task]
    columns = {
        "label": np.where(value > 0.5, "yes", "no"),
        "kind": np.select([value < 0, value < 1], ["low", "middle"], "high"),
        "second": np.where(b > 0, "yes", "no"),
        "value": value.round(3),
    }
    given = [target] if isinstance(target, str) else target
    known = np.where(generator.random(ROWS) < 0.1, "", a.round(3).astype(str))
    cells = zip(known, b.round(3), np.array(["red", "green", "blue"])[group], *map(columns.get, given), strict=True)
    kinds = {"a": "numeric", "b": "numeric", "colour": "category"}
    kinds |= dict.fromkeys(given, "numeric" if task == "values" else "boolean" if task == "multilabel" else "category")
    split = {"test_size": 0.3}
    data = csv_file(folder / "rows.csv", ",".join(kinds), cells, target=target, columns=kinds, split=split)
    network = {"hidden_layer_sizes": [96, 96], "preprocessing": ["impute", "standardize"]}
    if task == "values":
        network |= {"monotone": {"a": "increasing"}, "target_preprocessing": ["standardize"]}
    training = {"loss": loss, "epochs": 12, "ensemble": 3, "optimizer": {"type": "adam", "learning_rate": 0.01}}
    spec = {"data": data, "network": network, "training": training}
    specnet.run(spec, folder / "run", observer=specnet.Observer(), report=False)


def _made(task: str) -> tuple[Model, SpecData]:
    run = made_once(_make, task) / "run"
    return specnet.load_model(run), data_of(run / "spec.resolved.json")


def panel_for(model: Model, data: SpecData, **options: Any) -> AskPanel | str:
    shown = ModelAnswers(model=model, columns=tuple(model.feature_names or ()), answers=None)
    return panel_of(shown, data, with_rows=True, **options)


def limited(monkeypatch: Any) -> None:
    """Make models too large for a page, and imitations fast and coarse."""
    monkeypatch.setattr(model_code, "BITS", model_code.BITS[:1])
    limits: dict[Any, dict[str, Any]] = {
        model_code: {"MAX_CODE": LIMIT, "MAX_APART": 1, "MAX_CHANGED": 1},
        imitation: {"MIXTURES": 3, "WIDER": ()},
    }
    for module, numbers in limits.items():
        for name, number in numbers.items():
            monkeypatch.setattr(module, name, number)


def by_node(code: str, model: Model, rows: RawColumns, folder: Path) -> tuple[np.ndarray, int]:
    """Return what a page's code predicts for rows, and how many networks answer one by one."""
    texts = texts_of(columns_of(model), rows)
    cells = [
        [texts[k][row] if k in texts else None if np.isnan(cell) else cell for k, cell in enumerate(own)]
        for row, own in enumerate(rows.X.tolist())
    ]
    (folder / "code.js").write_text(code)
    (folder / "rows.json").write_text(json.dumps(cells))
    made, networks = printed_by_node(PREDICT, folder)
    return np.array(made), networks


@needs_node
@pytest.mark.parametrize("task", TASKS)
def test_the_note_has_the_measured_difference_of_the_network_that_answers(
    task: str, monkeypatch: Any, tmp_path: Path
) -> None:
    """It is computed again from what the code of the page predicts, and what `predict` does."""
    model, data = _made(task)
    limited(monkeypatch)
    panel, rows = panel_for(model, data), data.splits["test"].raw
    assert isinstance(panel, AskPanel), panel
    assert len(panel.code) <= LIMIT
    made, networks = by_node(panel.code, model, rows, tmp_path)
    assert not networks  # so that no number of networks that agree is shown
    own = model.predict_proba(rows) if model.gives_probabilities else model.predict(rows).reshape(len(rows), -1)
    own = own[:, -made.shape[1] :]
    apart = abs(made - own).max()
    assert 0 < apart <= 0.3 * (1 if model.gives_probabilities else own.std())
    if task == "values":
        amount, changes = rounded_up(apart), ""
    else:
        decided = (own > 0.5) != (made > 0.5) if task != "classes" else own.argmax(1) != made.argmax(1)
        changed = int(decided.reshape(len(rows), -1).any(axis=1).sum())
        amount = f"{rounded_up(100 * apart)} percentage points"
        changes = ["no prediction changes", "1 prediction changes", f"{changed} predictions change"][min(changed, 2)]
        changes = f"; {changes}"
    assert panel.note == (
        "Here a small network answers that was trained on the model's predictions, because the model is too large for "
        f"a page. It differs from the model by at most {amount} on {count(len(rows))} test rows{changes}."
    )


@needs_node
def test_the_network_of_a_monotone_model_is_monotone(monkeypatch: Any, tmp_path: Path) -> None:
    model, data = _made("values")
    limited(monkeypatch)
    panel = panel_for(model, data)
    assert isinstance(panel, AskPanel), panel
    rows = data.splits["test"].raw
    X = np.repeat(np.asarray(rows.X)[:10], 40, axis=0)
    X[:, 0] = np.tile(np.linspace(-5, 5, 40), 10)
    made, _ = by_node(panel.code, model, RawColumns(X, rows.kinds), tmp_path)
    steps = np.diff(made.reshape(10, 40))
    assert (steps >= -1e-6).all()
    assert (steps > 1e-3).any()


def test_a_team_too_large_for_a_page_has_no_answers_of_its_trials_and_the_same_page_again(monkeypatch: Any) -> None:
    model, data = _made("binary")
    team = Model.joined([model, model], [2, 1])
    limited(monkeypatch)
    panels = [panel_for(team, data, trials=["trial 0", "trial 1"]) for _ in range(2)]
    assert isinstance(panels[0], AskPanel)
    assert isinstance(panels[1], AskPanel)
    assert panels[0].data(None) == panels[1].data(None)
    assert (panels[0].code, panels[0].note) == (panels[1].code, panels[1].note)
    assert panels[0].trials == []
    monkeypatch.undo()
    full = panel_for(team, data, trials=["trial 0", "trial 1"])
    assert isinstance(full, AskPanel)
    assert full.trials == [("trial 0", 3), ("trial 1", 3)]


def test_a_network_that_differs_too_much_does_not_answer(monkeypatch: Any) -> None:
    model, data = _made("binary")
    limited(monkeypatch)
    monkeypatch.setattr(model_code, "MAX_APART", 1e-4)
    reason = panel_for(model, data)
    assert isinstance(reason, str)
    parameters = count(sum(each.theta.size for each in model.networks))
    assert reason.startswith(f"The model is too large for a page: {parameters} parameters")
    assert "; a panel with a small network trained on its predictions would differ from it by up to " in reason
    assert reason.endswith("; specnet distill trains a smaller network on its predictions.")
