"""The panels of pages against their models: `python -m tests.benchmarks.tables.panels FOLDER …`.

    python -m tests.benchmarks.tables.panels FOLDER OTHER      all tables of two folders
    python -m tests.benchmarks.tables.panels FOLDER mpg car    some of them

A folder has CSV files and `tables.json`, which says of each table its `target`. The spec of `specnet new` is trained
for two epochs, and so is that of `specnet new --quick`; a team has both models, with shares 2 and 1. The code of a
page, with weights of 32 bits, predicts 50 test rows in which an eighth of the cells is missing and an eighth of the
categories is unknown, as the model does. The largest difference is printed, in standard deviations of the predictions
for values, and below it what the panel of the page says of its difference. The exit status is 1 if a code of 32 bits
differs by more than 1e-5.
"""

import json
import subprocess
import sys
import tempfile
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import specnet
from specnet import Model
from specnet.data import RawColumns
from specnet.exporting.export_columns import columns_of, texts_of
from specnet.exporting.targets.javascript import inlined
from specnet.report.pages.model_answers import AskPanel, ModelAnswers
from specnet.running.data_rows import SpecData
from specnet.running.panel.contents import panel_of
from tests.benchmarks.tables.coverage import called_process
from tests.made import data_of

ROWS, PART, BOUND = 50, 1 / 8, 1e-5
UNKNOWN = "\U0010ffff never seen"
"""A text after all others, as texts of columns ascend."""
PREDICT = """
import { readFileSync } from "node:fs";
const net = new Function(readFileSync("code.js", "utf-8") + "; return { ready, forward }")();
await net.ready;
console.log(JSON.stringify(JSON.parse(readFileSync("rows.json")).map((row) => Array.from(net.forward(row)))));
"""


def changed_rows(data: SpecData) -> RawColumns:
    """Return test rows with missing cells and unknown categories."""
    test, generator = data.splits["test"], np.random.default_rng(0)
    X = np.array(test.columns[np.arange(min(ROWS, len(test)))], np.float64)
    kinds = list(test.kinds)
    for index, column in enumerate(kinds):
        if column.kind == "category" and column.texts is not None:
            kinds[index] = replace(column, texts=np.array([*column.texts.tolist(), UNKNOWN]))
            X[generator.random(len(X)) < PART, index] = len(column.texts)
    X[generator.random(X.shape) < PART] = np.nan
    return RawColumns(X, tuple(kinds))


def by_node(code: str, model: Model, rows: RawColumns) -> Any:
    """Return what a page's code predicts for rows."""
    texts = texts_of(columns_of(model), rows)
    cells = [
        [
            texts[index][row] or None if index in texts else None if np.isnan(cell) else cell
            for index, cell in enumerate(own)
        ]
        for row, own in enumerate(rows.X.tolist())
    ]
    with tempfile.TemporaryDirectory() as folder:
        for name, content in {"code.js": code, "rows.json": json.dumps(cells), "run.mjs": PREDICT}.items():
            (Path(folder) / name).write_text(content, encoding="utf-8")
        ended = subprocess.run(["node", "run.mjs"], cwd=folder, capture_output=True, text=True, check=True)
    return np.array(json.loads(ended.stdout))


def difference(code: str, model: Model, rows: RawColumns) -> float:
    """Return the largest difference of a code's predictions from a model's."""
    found = by_node(code, model, rows)
    own = model.predict_proba(rows) if model.gives_probabilities else model.predict(rows).reshape(len(rows), -1)
    scale = 1.0 if model.gives_probabilities else max(float(np.std(own)), 1e-12)
    return float(abs(found - own[:, -found.shape[1] :]).max()) / scale


def check(path: Path, target: str) -> float:
    """Print the differences of a table's models, and return the largest."""
    models, largest = {}, 0.0
    with tempfile.TemporaryDirectory() as folder:
        for name, options in {"recipe": [], "quick": ["--quick"]}.items():
            called_process(Path(folder), "new", f"{name}.toml", "--data", str(path), "--target", target, *options)
            spec = Path(folder) / f"{name}.toml"
            models[name] = specnet.run(spec, overrides=["training.epochs=2", "training.baselines=[]"]).model
        data = data_of(Path(folder) / "recipe.toml")
        rows = changed_rows(data)
    models["team"] = Model.joined([*models.values()], [2, 1])
    for name, model in models.items():
        apart = difference(inlined(model), model, rows)
        largest = max(largest, apart)
        names = model.feature_names or tuple(map(str, range(rows.X.shape[1])))
        panel = panel_of(ModelAnswers(model=model, columns=names, answers=None), data, with_rows=True)
        says = panel if isinstance(panel, str) else panel.note or "32 bits."
        shown = f"{difference(panel.code, model, rows):.1e}" if isinstance(panel, AskPanel) else "–"
        members = sum(len(each.members) for each in model.networks)
        print(f"{path.stem:18} {name:7} {members:3} networks  {apart:.1e}  panel {shown}: {says}", flush=True)
    return largest


def main(arguments: list[str]) -> int:
    folders = [Path(each) for each in arguments if Path(each).is_dir()]
    chosen = {each for each in arguments if not Path(each).is_dir()}
    largest = 0.0
    for folder in folders:
        for name, about in json.loads((folder / "tables.json").read_text("utf-8")).items():
            if (folder / f"{name}.csv").exists() and (not chosen or name in chosen):
                largest = max(largest, check(folder / f"{name}.csv", about["target"]))
    print(f"largest difference of 32 bits: {largest:.1e}")
    return int(largest > BOUND)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.exit(main(sys.argv[1:]))
