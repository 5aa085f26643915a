"""The NumPy export: readable, exact, and alone."""

import csv
import io
import runpy
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest

import specnet
from specnet import export
from specnet.data import read_inputs
from tests.exporting.models import built, dense, exported, functions_of, random_model, spec_model
from tests.exporting.tools import as_program
from tests.model.models import make_model, make_rows
from tests.texts.pinned import Pinned, Refused

BARE = """
import importlib.abc, sys

class Refuse(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        allowed = name.partition(".")[0] in sys.stdlib_module_names | {"numpy", "export"}
        if not allowed:
            raise ImportError(f"{name} is not here")

sys.meta_path.insert(0, Refuse())
sys.path.insert(0, sys.argv[1])
import numpy as np
import export
X = np.load(sys.argv[1] + "/X.npy")
np.savez(sys.argv[1] + "/answers.npz", predict=export.predict(X), predict_proba=export.predict_proba(X))
print(sorted({name.partition(".")[0] for name in sys.modules} & {"scipy", "specnet", "sklearn", "pydantic"}))
"""


def process(*arguments: str | Path, text: str = "") -> str:
    command = [sys.executable, "-I", *map(str, arguments)]
    ended = subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=60)
    assert not ended.returncode, ended.stderr
    assert not ended.stderr
    return ended.stdout


def run(path: Path, *arguments: Path, text: str = "") -> str:
    printed, refused = as_program(path, *arguments, given=text.encode())
    assert not refused
    return printed


@pytest.mark.slow
@pytest.mark.parametrize("name", ["digits.toml", "moons.toml"])
def test_needs_numpy_alone(name, tmp_path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.undo()  # an export is compared in a process of its own
    model = spec_model(name)
    exported(model, "numpy", tmp_path / "export.py")
    X = np.random.default_rng(0).normal(size=(50, model.network.inputs))
    np.save(tmp_path / "X.npy", X)
    assert process("-c", BARE, tmp_path) == "[]\n"
    with np.load(tmp_path / "answers.npz") as answers:
        np.testing.assert_array_equal(answers["predict"], model.predict(X))
        np.testing.assert_allclose(answers["predict_proba"], model.predict_proba(X), rtol=0, atol=2e-6)


@pytest.mark.slow
def test_weights_are_exact_literals_or_lie_beside(tmp_path):
    small, large = spec_model("iris.json"), spec_model("digits.toml")
    assert [path.name for path in exported(small, "numpy", tmp_path / "s.py").files] == ["s.py"]
    assert [path.name for path in exported(large, "numpy", tmp_path / "l.py").files] == ["l.py", "l.npz"]
    for model, name in ((small, "s.py"), (large, "l.py")):
        defined = runpy.run_path(str(tmp_path / name))
        for tensor, array in model.network.parameters(model.theta).items():
            np.testing.assert_array_equal(defined[tensor.replace(".", "_")], array)
            assert defined[tensor.replace(".", "_")].dtype == array.dtype


@pytest.mark.slow
def test_one_line_for_each_layer_and_one_function_for_each_activation_that_numpy_does_not_have(tmp_path):
    exported(spec_model("residual.toml"), "numpy", tmp_path / "m.py")
    lines = (tmp_path / "m.py").read_text().splitlines()
    assert [line for line in lines if line.startswith("def ")] == [
        "def relu(x):", "def sigmoid(x):", "def outputs(X):", "def predict(X):", "def predict_proba(X):",
        "def is_number(cell):", "def read_rows(lines):", "def print_answers(X):",
    ]  # fmt: skip # several to a line
    layers = [line.strip() for line in lines if "# layers." in line]
    assert len(layers) == 1 + 3 * 3 + 1
    place = lines.index("        # layers.residual.0.0: dense, 16 → 16, relu")  # a line of its own before a long one
    assert lines[place + 1].strip() == ("x = relu(layers_0 @ layers_residual_0_0_weight.T + layers_residual_0_0_bias)")
    assert layers[-1] == "return sigmoid(x @ layers_2_weight.T + layers_2_bias)  # layers.2: dense, 16 → 1, sigmoid"


@pytest.mark.slow
@pytest.mark.parametrize(("activation", "function"), [("tanh", "np.tanh"), ("exponential", "np.exp")])
def test_what_numpy_has_itself_needs_no_function(activation, function, tmp_path):
    exported(built(dense(2, activation=activation), input_size=2, output_size=2), "numpy", tmp_path / "m.py")
    text = (tmp_path / "m.py").read_text()
    assert f"return {function}(x @ layers_0_weight.T + layers_0_bias)" in text
    assert f"def {activation}" not in text


@pytest.mark.slow
@pytest.mark.parametrize("name", ["wine_csv.toml", "residual.toml", "realmlp.toml", "diabetes.toml", *range(8)])
def test_it_is_written_as_python_is_with_short_lines_of_numbers_and_names(name, tmp_path):
    model = spec_model(name) if isinstance(name, str) else random_model(name, "float64")
    exported(model, "numpy", tmp_path / "m.py")
    text = (tmp_path / "m.py").read_text()
    constants, _, code = text.partition("\n\n\ndef ")
    assert max(map(len, constants.partition("\nimport numpy as np\n")[2].splitlines()), default=0) <= 100
    assert "\n\n\n\n" not in text
    for line, following in pairwise(code.splitlines()):
        assert line == line.rstrip()
        # No variable is returned as it was set.
        assert not (following.strip() == "return x" and line.strip().startswith("x = "))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["binary, text", "classes, integers", "multilabel", "value", "values"])
def test_as_a_program_it_reads_rows_and_prints_what_predict_prints(kind, tmp_path):
    model = make_model(kind)
    exported(model, "numpy", tmp_path / "m.py")
    X, _ = make_rows(model)
    text = "\n".join(",".join(map(repr, row)) for row in X.tolist())
    (tmp_path / "rows.csv").write_text(f"a,b,c\n{text}\n")
    printed = process(tmp_path / "m.py", text=text)
    assert run(tmp_path / "m.py", tmp_path / "rows.csv") == printed == run(tmp_path / "m.py", text=text)
    header, *rows = csv.reader(io.StringIO(printed))
    predictions = np.array(rows)[:, : model.network.outputs if kind in ("multilabel", "values") else 1]
    expected = model.predict(X).reshape(len(X), -1)
    if kind.startswith("value"):
        np.testing.assert_allclose(predictions.astype(float), expected, rtol=1e-13)
    else:
        np.testing.assert_array_equal(predictions, expected.astype(str))
        probabilities = np.array(rows)[:, predictions.shape[1] :].astype(float)
        np.testing.assert_allclose(probabilities, model.predict_proba(X), rtol=0, atol=1e-13)
    assert header[0] == ("prediction_0" if kind in ("multilabel", "values") else "prediction")


def refusal(path: Path, *arguments: Path, given: bytes = b"") -> str:
    """What a program says of input that it refuses: one line, and nothing else."""
    printed, refused = as_program(path, *arguments, given=given)
    assert not printed
    (line,) = refused.splitlines()
    return line


UNREADABLE = [b"", b"\n\n", b"a,b,c\n", b"\xef\xbb\xbf", b"1,2,3\n\n1,2,3,4\n", b"a,b,c\n1,2\n", b'"a\nb",b,c\n1,2\n']
UNREADABLE += [b"a;b;c\n1;2;3\n", b"1,2,3\n1,x,3\n", b"1,2,\n1,2,3\n", b"1,2,3\n1,nan,3\n", b"1,2,3\n1,1e999,3\n"]
UNREADABLE += [b"1,2,3\n1,1_3,3\n", b"1,2,3\n1,2,\xff3\n"]


@pytest.mark.slow
@pytest.mark.parametrize("given", UNREADABLE)
def test_rows_that_cannot_be_read_are_refused_in_one_line(given, tmp_path, pinned: Pinned):
    exported(make_model("value"), "numpy", tmp_path / "m.py")
    (tmp_path / "rows.csv").write_bytes(given)
    pinned(refusal(tmp_path / "m.py", given=given))
    pinned(refusal(tmp_path / "m.py", tmp_path / "rows.csv"))


@pytest.mark.slow
def test_columns_that_cannot_be_found_are_refused_in_one_line(tmp_path, pinned: Pinned):
    model = spec_model("wine_csv.toml")
    exported(model, "numpy", tmp_path / "m.py")
    names = ",".join(model.feature_names)
    for given in (
        names.replace("ash,", "Ash,", 1).replace("hue,", ""),
        f"hue,{names}\n{'1,' * 13}1",
        f"other,{names}\n{'1,' * 12}1",
        f"other,{names}\nred{',1' * 12},x",
        f"{'1,' * 11}1",
    ):
        pinned(refusal(tmp_path / "m.py", given=given.encode()))


def of_file(path: Path, loss: str = "binary_crossentropy", **data: Any) -> specnet.Model:
    """Return a model of a CSV file."""
    spec = {
        "data": {"type": "csv", "path": str(path), "target": "y", **data},
        "network": {"dtype": "float64", "hidden_layer_sizes": [3]},
        "training": {"loss": loss, "epochs": 1, "engine": "numpy"},
    }
    return specnet.run(spec, observer=specnet.Observer()).model


@pytest.mark.slow
def test_numbers_can_be_names_of_columns(tmp_path):
    (tmp_path / "numbered.csv").write_text("0,1,y\n1,2,3\n4,5,6\n7,8,10\n9,1,2\n")
    model = of_file(tmp_path / "numbered.csv", "mean_squared_error")
    exported(model, "numpy", tmp_path / "m.py")
    header, row, *others = csv.reader(io.StringIO(run(tmp_path / "m.py", text="1,0\n2,3\n")))
    assert (header, others) == (["prediction"], [])
    assert float(row[0]) == pytest.approx(model.predict([[3, 2]])[0])


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["value", "classes, text"])
def test_a_byte_order_mark_hides_no_row_and_no_name(kind, tmp_path):
    model = make_model(kind)
    exported(model, "numpy", tmp_path / "m.py")
    for text in ("1,2,3\n3,2,1\n", "a,b,c\n1,2,3\n3,2,1\n"):
        (tmp_path / "rows.csv").write_text(text, encoding="utf-8-sig")
        rows = list(csv.reader(io.StringIO(run(tmp_path / "m.py", tmp_path / "rows.csv"))))
        assert len(rows) == 3
        assert run(tmp_path / "m.py", text="\ufeff" + text) == run(tmp_path / "m.py", text=text)
    named = spec_model("wine_csv.toml")
    exported(named, "numpy", tmp_path / "named.py")
    text = f"{','.join(named.feature_names)}\n{','.join(['1'] * 13)}\n"
    assert run(tmp_path / "named.py", text="\ufeff" + text) == run(tmp_path / "named.py", text=text)


@pytest.mark.slow
def test_rows_of_another_width_are_refused_and_a_file_that_is_not_there_is_named(tmp_path, refused: Refused):
    predict = functions_of(make_model("value"), tmp_path)["predict"]
    with refused(ValueError):
        predict(np.zeros((2, 4)))
    assert "missing.csv" in refusal(tmp_path / "m.py", tmp_path / "missing.csv")


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
    return of_file(path, target=list(kinds)[-1], columns=kinds, **data)


GERMAN = {"missing_values": ["?"], "encoding": "latin-1", "delimiter": "|", "decimal": ",", "quote": "'", "skip": 2}
GERMAN |= {"seen": {"type": "datetime", "format": "%d.%m.%Y %H:%M"}}
WRITTEN = {"sep": "|", "na_rep": "?", "encoding": "latin-1", "quotechar": "'", "quoting": 1}
FILES: dict[str, tuple[Any, ...]] = {
    "plain": (MOMENTS, {}, {}),
    "german": (["31.01.2024 12:00", "01.12.1950 00:30"], GERMAN, WRITTEN),
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
    functions = functions_of(model, tmp_path)
    expected = model.predict_proba(read_inputs(path, model.network.resolved))
    with path.open(encoding=data.get("encoding", "utf-8"), newline="") as lines:
        np.testing.assert_allclose(
            functions["predict_proba"](functions["read_rows"](lines)), expected, rtol=0, atol=1e-12
        )


def test_data_frames_are_read_by_name_as_the_model_reads_them(tmp_path: Path, pinned: Pinned):
    frame = table(MOMENTS).replace({"1.0": "1"})
    frame.to_csv(tmp_path / "rows.csv", index=False)
    model = trained(tmp_path / "rows.csv")
    predict = functions_of(model, tmp_path)["predict_proba"]
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
    predict = functions_of(model, tmp_path)["predict"]
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
    model = of_file(tmp_path / "rows.csv", columns=columns)
    export(model, "numpy", tmp_path / "model.py")
    printed, _ = as_program(tmp_path / "model.py", tmp_path / "rows.csv")
    table = pandas.read_csv(tmp_path / "rows.csv")
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
    model = of_file(tmp_path / "rows.csv", decimal=",", columns=columns)
    raw = read_inputs(tmp_path / "rows.csv", model.network.resolved)
    assert np.isnan(raw.X[:, 0]).sum() == 12
    assert np.isnan(raw.X[:, 2]).sum() == 8
    np.testing.assert_array_equal(
        raw.X[1], [np.nan, 100, 782, (np.datetime64("1943-03-02") - np.datetime64(0, "D")).astype(int), 1.25]
    )
    functions = functions_of(model, tmp_path)
    expected = model.predict_proba(raw)
    with (tmp_path / "rows.csv").open() as rows:
        np.testing.assert_allclose(
            functions["predict_proba"](functions["read_rows"](rows)), expected, rtol=0, atol=1e-12
        )
    frame = pandas.read_csv(tmp_path / "rows.csv", sep=";", decimal=",", dtype={"time": str}, keep_default_na=False)
    given = frame.assign(
        price=[float(cell.replace(".", "").replace(",", ".")) if cell[0] != "k" else -999.0 for cell in frame.price]
    )
    for X in (frame, given):
        np.testing.assert_allclose(functions["predict_proba"](X), expected, rtol=0, atol=1e-12)
