"""The NumPy export: readable, exact, and alone."""

import csv
import io
import runpy
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import specnet
from specnet import export
from specnet.exporting.targets.numpy import MOST_LITERALS
from tests.exporting.models import built, dense, exported, random_model, spec_model
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
    assert small.network.parameter_count < MOST_LITERALS < large.network.parameter_count
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
@pytest.mark.parametrize(("activation", "written"), [("tanh", "np.tanh({})"), ("exponential", "np.exp({})")])
def test_what_numpy_has_itself_needs_no_function(activation, written, tmp_path):
    model = built(dense(2, activation=activation), input_size=2, output_size=2)
    exported(model, "numpy", tmp_path / "m.py")
    line = f"return {written.format('x @ layers_0_weight.T + layers_0_bias')}"
    assert line in (tmp_path / "m.py").read_text()
    assert f"def {activation}" not in (tmp_path / "m.py").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["wine_csv.toml", "residual.toml", "realmlp.toml", "diabetes.toml"])
def test_no_line_of_numbers_or_names_is_long_and_no_variable_is_returned_as_it_was_set(name, tmp_path):
    exported(spec_model(name), "numpy", tmp_path / "m.py")
    lines = (tmp_path / "m.py").read_text().splitlines()
    constants = lines[lines.index("import numpy as np") : next(k for k, x in enumerate(lines) if x.startswith("def "))]
    assert max(map(len, constants)) <= 100
    for line, following in pairwise(lines):
        assert not (following.strip() == "return x" and line.strip().startswith("x = "))


@pytest.mark.slow
def test_it_is_written_as_python_is(tmp_path):
    for seed in range(8):
        exported(random_model(seed, "float64"), "numpy", tmp_path / "m.py")
        text = (tmp_path / "m.py").read_text()
        code = text.partition("\n\n\ndef ")[2]
        assert "\n\n\n\n" not in text
        assert not [line for line in code.splitlines() if line != line.rstrip()]


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


@pytest.mark.slow
def test_columns_are_found_by_their_names(tmp_path):
    model = spec_model("wine_csv.toml")
    exported(model, "numpy", tmp_path / "m.py")
    names, X = model.feature_names, np.random.default_rng(0).normal(5, 2, (4, 13))
    given = np.concatenate([np.zeros((4, 1)), X[:, ::-1]], axis=1)
    text = "\n".join([",".join(["other", *names[::-1]]), *(",".join(map(repr, row)) for row in given.tolist())])
    rows = list(csv.reader(io.StringIO(run(tmp_path / "m.py", text=text))))
    assert [row[0] for row in rows[1:]] == model.predict(X).tolist()
    assert rows[0] == ["prediction", *(f"probability_{label}" for label in model.labels)]


def refusal(path: Path, *arguments: Path, given: bytes = b"") -> str:
    """What a program says of input that it refuses: one line, and nothing else."""
    printed, refused = as_program(path, *arguments, given=given)
    assert not printed
    (line,) = refused.splitlines()
    return line


@pytest.mark.slow
@pytest.mark.parametrize(
    "given",
    [
        b"",
        b"\n\n",
        b"a,b,c\n",
        b"\xef\xbb\xbf",
        b"1,2,3\n\n1,2,3,4\n",
        b"a,b,c\n1,2\n",
        b'"a\nb",b,c\n1,2\n',
        b"a;b;c\n1;2;3\n",
        b"1,2,3\n1,x,3\n",
        b"1,2,\n1,2,3\n",
        b"1,2,3\n1,nan,3\n",
        b"1,2,3\n1,1e999,3\n",
        b"1,2,3\n1,1_3,3\n",
        b"1,2,3\n1,2,\xff3\n",
    ],
)
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


@pytest.mark.slow
def test_numbers_can_be_names_of_columns(tmp_path):
    (tmp_path / "numbered.csv").write_text("0,1,y\n1,2,3\n4,5,6\n7,8,10\n9,1,2\n")
    spec = {
        "data": {"type": "csv", "path": str(tmp_path / "numbered.csv"), "target": "y"},
        "network": {"layer_sizes": [2, 1]},
        "training": {"loss": "mean_squared_error", "epochs": 1},
    }
    model = specnet.run(spec).model
    exported(model, "numpy", tmp_path / "m.py")
    header, row, *others = csv.reader(io.StringIO(run(tmp_path / "m.py", text="1,0\n2,3\n")))
    assert (header, others) == (["prediction"], [])
    assert float(row[0]) == pytest.approx(model.predict([[3, 2]])[0])


@pytest.mark.slow
def test_a_file_that_is_not_there_is_named(tmp_path):
    exported(make_model("value"), "numpy", tmp_path / "m.py")
    assert "missing.csv" in refusal(tmp_path / "m.py", tmp_path / "missing.csv")


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
def test_rows_of_another_width_are_refused(tmp_path, refused: Refused):
    export(make_model("value"), "numpy", tmp_path / "widths.py")
    predict = runpy.run_path(str(tmp_path / "widths.py"))["predict"]
    with refused(ValueError):
        predict(np.zeros((2, 4)))
