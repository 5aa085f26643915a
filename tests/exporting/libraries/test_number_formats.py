"""Columns of numbers with separators, units and other decimal signs, read again by the exported NumPy program."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import specnet
from specnet.exporting import export
from tests.exporting.tools import as_program

FORMATS = {"dollars": "${:,.2f}", "per cent": "{:.1f} %", "apostrophes": "{:,.0f}"}


@pytest.mark.parametrize("form", FORMATS)
def test_the_exported_program_reads_numbers_as_the_model_does(form: str, tmp_path: Path):
    rng = np.random.default_rng(0)
    cells = [f'"{FORMATS[form].format(cell)}"' for cell in rng.uniform(500, 9000, 40)]
    cells[3] = ""
    lines = [f"{cell},{rng.normal():.3f},{'ab'[row % 2]}" for row, cell in enumerate(cells)]
    (tmp_path / "rows.csv").write_text("\n".join(["price,x,y", *lines]) + "\n")
    columns = {"price": {"type": "numeric", "unit": {"d": "$", "p": "%"}.get(form[0])}, "x": "numeric", "y": "category"}
    if form == "apostrophes":
        columns["price"] = {"type": "numeric", "decimal": "."}
    spec = {
        "data": {"type": "csv", "path": str(tmp_path / "rows.csv"), "target": "y", "columns": columns},
        "network": {"hidden_layer_sizes": [3], "preprocessing": ["impute", "standardize"]},
        "training": {"loss": "binary_crossentropy", "epochs": 2},
    }
    model = specnet.run(spec).model
    export(model, "numpy", tmp_path / "model.py")
    printed, _ = as_program(tmp_path / "model.py", tmp_path / "rows.csv")
    table = pd.read_csv(tmp_path / "rows.csv")
    answered = [line.split(",") for line in printed.splitlines()[1:]]
    assert [row[0] for row in answered] == model.predict(table).tolist()
    np.testing.assert_allclose(np.array(answered)[:, -1].astype(float), model.predict_proba(table)[:, -1], atol=2e-6)
