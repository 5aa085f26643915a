"""The NumPy export: readable, exact, and alone."""

import csv
import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from specnet.exporting import export
from specnet.exporting.targets.numpy import MOST_LITERALS
from tests.exporting.models import exported, random_model, spec_model
from tests.model.models import make_model, make_rows

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


def run(*arguments: str | Path, text: str = "") -> str:
    ended = subprocess.run(
        [sys.executable, "-I", *map(str, arguments)],
        input=text,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert not ended.returncode, ended.stderr
    assert not ended.stderr
    return ended.stdout


@pytest.mark.parametrize("name", ["digits.toml", "moons.toml"])
def test_needs_numpy_alone(name, tmp_path):
    model = spec_model(name)
    exported(model, "numpy", tmp_path / "export.py")
    X = np.random.default_rng(0).normal(size=(50, model.network.inputs))
    np.save(tmp_path / "X.npy", X)
    assert run("-c", BARE, tmp_path) == "[]\n"
    with np.load(tmp_path / "answers.npz") as answers:
        np.testing.assert_array_equal(answers["predict"], model.predict(X))
        np.testing.assert_allclose(answers["predict_proba"], model.predict_proba(X), rtol=0, atol=2e-6)


def test_weights_are_exact_literals_or_lie_beside(tmp_path):
    small, large = spec_model("iris.json"), spec_model("digits.toml")
    assert small.network.parameter_count < MOST_LITERALS < large.network.parameter_count
    assert [path.name for path in exported(small, "numpy", tmp_path / "s.py").files] == ["s.py"]
    assert [path.name for path in exported(large, "numpy", tmp_path / "l.py").files] == ["l.py", "l.npz"]
    sys.path.insert(0, str(tmp_path))
    try:
        for model, module in ((small, __import__("s")), (large, __import__("l"))):
            for name, array in model.network.parameters(model.theta).items():
                np.testing.assert_array_equal(getattr(module, name.replace(".", "_")), array)
                assert getattr(module, name.replace(".", "_")).dtype == array.dtype
    finally:
        sys.path.remove(str(tmp_path))


def test_one_function_for_each_distinct_activation_and_one_line_for_each_layer(tmp_path):
    exported(spec_model("residual.toml"), "numpy", tmp_path / "m.py")
    lines = (tmp_path / "m.py").read_text().splitlines()
    assert [line for line in lines if line.startswith("def ")] == [
        "def relu(x):", "def sigmoid(x):", "def outputs(X):", "def predict(X):", "def predict_proba(X):",
        "def read_rows(lines):", "def print_answers(X):",
    ]  # fmt: skip
    layers = [line.strip() for line in lines if "  # layers." in line]
    assert len(layers) == 1 + 3 * 3 + 1
    assert layers[-1] == "x = sigmoid(x @ layers_2_weight.T + layers_2_bias)  # layers.2: dense, 16 → 1, sigmoid"


def test_it_is_written_as_python_is(tmp_path):
    for seed in range(8):
        exported(random_model(seed, "float64"), "numpy", tmp_path / "m.py")
        text = (tmp_path / "m.py").read_text()
        code = text.partition("\n\n\ndef ")[2]
        assert "\n\n\n\n" not in text
        assert not [line for line in code.splitlines() if line != line.rstrip()]


@pytest.mark.parametrize("kind", ["binary, text", "classes, integers", "multilabel", "value", "values"])
def test_as_a_program_it_reads_rows_and_prints_what_predict_prints(kind, tmp_path):
    model = make_model(kind)
    exported(model, "numpy", tmp_path / "m.py")
    X, _ = make_rows(model)
    text = "\n".join(",".join(map(repr, row)) for row in X.tolist())
    (tmp_path / "rows.csv").write_text(f"a,b,c\n{text}\n")
    printed = run(tmp_path / "m.py", text=text)
    assert run(tmp_path / "m.py", tmp_path / "rows.csv") == printed
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


def test_columns_are_found_by_their_names(tmp_path):
    model = spec_model("wine_csv.toml")
    exported(model, "numpy", tmp_path / "m.py")
    names, X = model.feature_names, np.random.default_rng(0).normal(5, 2, (4, 13))
    given = np.concatenate([np.zeros((4, 1)), X[:, ::-1]], axis=1)
    text = "\n".join([",".join(["other", *names[::-1]]), *(",".join(map(repr, row)) for row in given.tolist())])
    rows = list(csv.reader(io.StringIO(run(tmp_path / "m.py", text=text))))
    assert [row[0] for row in rows[1:]] == model.predict(X).tolist()
    assert rows[0] == ["prediction", *(f"probability_{label}" for label in model.labels)]


def test_rows_of_another_width_are_refused(tmp_path):
    export(make_model("value"), "numpy", tmp_path / "widths.py")
    sys.path.insert(0, str(tmp_path))
    try:
        module = __import__("widths")
    finally:
        sys.path.remove(str(tmp_path))
    with pytest.raises(ValueError, match=r"X has shape \(2, 4\), and \(rows, 3\) is needed"):
        module.predict(np.zeros((2, 4)))
