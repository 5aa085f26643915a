"""The NumPy export reads the tables of its own model as specnet does: CSV, data frames, columns by name."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pandas as pd
import pytest

import specnet
from specnet import export
from specnet.data import read_inputs
from tests.exporting.tools import as_program
from tests.texts.pinned import Pinned

RNG = np.random.default_rng(0)
ROWS = 60
MOMENTS = [
    *("2024-01-31", "2024-02-29 12:30", "2023-07-01T06:00:00.123456+02:00"),
    *("2020-12-31 23:59:59 -0530", "1969-12-31 01:02Z"),
]


def table(date: list[str], point: str = ".") -> pandas.DataFrame:
    """Return a table of texts, as a file has them, with gaps."""
    columns = {
        "id": [f"row {row}" for row in range(ROWS)],
        "age": [f"{age:.2f}".replace(".", point) for age in RNG.normal(40, 9, ROWS)],
        "smoker": [("Yes", "no", "YES", "No")[row % 4] for row in range(ROWS)],
        "city": [("rome", "oslo", "1.0", "two words")[row % 4] for row in range(ROWS)],
        "seen": [date[row % len(date)] for row in range(ROWS)],
        "y": [("b", "a")[row % 3 // 2] for row in range(ROWS)],
    }
    found = pandas.DataFrame(columns, dtype=object)
    for place, name in enumerate(("age", "smoker", "city")):
        found.loc[place::9, name] = None
    return found


def trained(path: Path, seen: Any = "datetime", **data: Any) -> specnet.Model:
    kinds = {"id": "ignore", "age": "numeric", "smoker": "boolean", "city": "category", "seen": seen, "y": "category"}
    if not data.get("header", True):
        kinds = {f"column_{number}": kind for number, kind in enumerate(kinds.values(), 1)}
    spec = {
        "data": {"type": "csv", "path": str(path), "target": list(kinds)[-1], "columns": kinds, **data},
        "network": {"dtype": "float64", "hidden_layer_sizes": [3]},
        "training": {"loss": "binary_crossentropy", "epochs": 1, "ensemble": 2},
    }
    return specnet.run(spec, observer=specnet.Observer()).model


GERMAN = {
    "seen": {"type": "datetime", "format": "%d.%m.%Y %H:%M"},
    "missing_values": ["?"],
    "encoding": "latin-1",
    "delimiter": "|",
    "decimal": ",",
    "quote": "'",
    "skip": 2,
}
FILES: dict[str, tuple[Any, ...]] = {
    "plain": (MOMENTS, {}, {}),
    "german": (
        ["31.01.2024 12:00", "01.12.1950 00:30"],
        GERMAN,
        {"sep": "|", "na_rep": "?", "encoding": "latin-1", "quotechar": "'", "quoting": 1},
    ),
    "without a header": (MOMENTS, {"header": False}, {"header": False}),
    "semicolons": (MOMENTS, {}, {"sep": ";", "na_rep": "NA"}),
    "brackets": (MOMENTS, {"quote": "["}, {"sep": ";", "quotechar": "[", "quoting": 1}),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_the_csv_file_of_the_model_is_read_as_specnet_reads_it(name: str, tmp_path: Path):
    dates, data, writing = FILES[name]
    frame = table(dates, data.get("decimal", "."))
    path = tmp_path / "rows.csv"
    frame.to_csv(path, index=False, **writing)
    text = path.read_bytes()
    path.write_bytes(b"first; line\n\n"[: 13 * bool(data.get("skip"))] + text)
    model = trained(path, **data)
    export(model, "numpy", tmp_path / "own.py")
    module = runpy.run_path(str(tmp_path / "own.py"))
    expected = model.predict_proba(read_inputs(path, model.network.resolved))
    with path.open(encoding=data.get("encoding", "utf-8"), newline="") as lines:
        np.testing.assert_allclose(module["predict_proba"](module["read_rows"](lines)), expected, rtol=0, atol=1e-12)


def test_data_frames_are_read_by_name_as_the_model_reads_them(tmp_path: Path, pinned: Pinned):
    frame = table(MOMENTS).replace({"1.0": "1"})
    frame.to_csv(tmp_path / "rows.csv", index=False)
    model = trained(tmp_path / "rows.csv")
    export(model, "numpy", tmp_path / "own.py")
    predict = runpy.run_path(str(tmp_path / "own.py"))["predict_proba"]
    expected = model.predict_proba(frame)
    flags = frame["smoker"].map({"Yes": True, "YES": True, "no": False, "No": False})
    seen = pandas.to_datetime(frame["seen"], utc=True, format="mixed")
    typed = frame.assign(smoker=flags, age=frame["age"].astype(float), seen=seen)
    for X in (frame, frame[frame.columns[::-1]], typed, typed.assign(seen=seen.dt.tz_localize(None))):
        np.testing.assert_allclose(predict(X), expected, rtol=0, atol=1e-12)
        np.testing.assert_allclose(predict({name: X[name].tolist() for name in X}), expected, rtol=0, atol=1e-12)
    gaps = frame.assign(seen=None)
    with pytest.warns(specnet.SpecnetWarning, match='"seen": 60 of 60 cells are missing'):
        np.testing.assert_allclose(predict(gaps), model.predict_proba(gaps), rtol=0, atol=1e-12)
    unseen = frame.assign(city="nowhere")
    with pytest.warns(specnet.SpecnetWarning, match="nowhere"):
        np.testing.assert_allclose(predict(unseen), model.predict_proba(unseen), rtol=0, atol=1e-12)
    for wrong in ({"age": "x"}, {"smoker": "maybe"}, {"seen": "yesterday"}):
        with pytest.raises(ValueError, match="expected") as caught:
            predict(frame.assign(**wrong))
        pinned(caught.value)
    with pytest.raises(ValueError, match="X has no column city"):
        predict(frame.drop(columns="city"))


def test_a_frame_of_mere_numbers_is_read_by_name(tmp_path: Path):
    X = pandas.DataFrame(RNG.normal(size=(30, 2)), columns=["a", "b"])
    network = {"dtype": "float64", "hidden_layer_sizes": [2], "preprocessing": ["standardize"]}
    model = specnet.fit({"network": network, "training": {"loss": "mse", "epochs": 1}}, X, X.a)
    export(model, "numpy", tmp_path / "own.py")
    predict = runpy.run_path(str(tmp_path / "own.py"))["predict"]
    for given in (X, X.assign(c="text")[["b", "c", "a"]], X.to_numpy(), X.to_dict("list")):
        np.testing.assert_allclose(predict(given), model.predict(X), rtol=1e-12)
    with pytest.raises(ValueError, match="missing or not finite"):
        predict(X.mask(X > 1))


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


def test_the_exported_program_reads_what_a_column_specifies(tmp_path: Path):
    """Markers of one column, units, durations and the century of short years, in a file with a comma for all."""
    rng = np.random.default_rng(0)
    columns: dict[str, Any] = {
        "price": {"type": "numeric", "decimal": ",", "missing_values": ["k.A.", "-999"]},
        "mass": {"type": "numeric", "unit": "e"},
        "time": {"type": "numeric", "duration": "minutes", "missing_values": ["?"]},
        "born": {"type": "datetime", "format": "%d.%m.%y", "last_year": 2010},
        "plain": "numeric",
        "y": "category",
    }
    lines = []
    for row in range(40):
        price = ["k.A.", "-999,0", f"1.{rng.integers(100, 999)},5"][min(row % 7, 2)]
        mass = [f"{row}e", f"{row}e2", f"e {row}"][row % 3]
        time = ["?", "13:02", f"{row}h 30m", "1:02:03", "-0:45"][row % 5]
        lines.append(f"{price};{mass};{time};{1 + row % 28:02}.03.{(40 + row * 3) % 100:02};{row},25;{'ab'[row % 2]}")
    (tmp_path / "rows.csv").write_text("\n".join([";".join(columns), *lines]) + "\n")
    spec = {
        "data": {"type": "csv", "path": str(tmp_path / "rows.csv"), "target": "y", "decimal": ",", "columns": columns},
        "network": {"dtype": "float64", "hidden_layer_sizes": [3]},
        "training": {"loss": "binary_crossentropy", "epochs": 2},
    }
    model = specnet.run(spec).model
    raw = read_inputs(tmp_path / "rows.csv", model.network.resolved)
    assert np.isnan(raw.X[:, 0]).sum() == 12
    assert np.isnan(raw.X[:, 2]).sum() == 8
    np.testing.assert_array_equal(
        raw.X[1], [np.nan, 100, 782, (np.datetime64("1943-03-02") - np.datetime64(0, "D")).astype(int), 1.25]
    )
    export(model, "numpy", tmp_path / "own.py")
    module = runpy.run_path(str(tmp_path / "own.py"))
    expected = model.predict_proba(raw)
    with (tmp_path / "rows.csv").open() as rows:
        np.testing.assert_allclose(module["predict_proba"](module["read_rows"](rows)), expected, rtol=0, atol=1e-12)
    frame = pd.read_csv(tmp_path / "rows.csv", sep=";", decimal=",", dtype={"time": str}, keep_default_na=False)
    given = frame.assign(
        price=[float(cell.replace(".", "").replace(",", ".")) if cell[0] != "k" else -999.0 for cell in frame.price]
    )
    for X in (frame, given):
        np.testing.assert_allclose(module["predict_proba"](X), expected, rtol=0, atol=1e-12)
