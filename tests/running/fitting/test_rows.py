"""Rows on their way into training: looked at once, copied where they must be, as many inputs as they become."""

from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas
import pytest

import specnet
from specnet import SpecError
from specnet.checking import check_spec
from specnet.parts import Preprocessing
from tests.running.specs import cells, csv_file, spec_on
from tests.texts.pinned import Refused


def spec_of(dtype: str = "float64", split: float = 0.0, **network: Any) -> dict[str, Any]:
    data = {"type": "make_moons", "split": {"validation_size": split}}
    return spec_on(data, 4, {"dtype": dtype, **network}, loss="mse", epochs=2)


def table(rows: int = 50) -> tuple[np.ndarray, np.ndarray]:
    X = np.random.default_rng(0).normal(3, 2, (rows, 3))
    return X, X[:, 0]


class WithSquares(Preprocessing):
    """Columns, and their squares beside them."""

    learned = ("largest",)
    type: Literal["with_squares"] = "with_squares"

    def output_size(self, columns: int) -> int:
        return 2 * columns

    def fit(self, columns, weight=None, texts=None):
        return self, {"largest": abs(columns).max(0)}

    def apply(self, columns, fitted):
        scaled = columns / fitted["largest"]
        return np.concatenate([scaled, scaled**2], axis=1)


def test_preprocessing_may_change_the_number_of_columns(tmp_path: Path):
    X, y = table()
    frame = pandas.DataFrame(X, columns=["a", "b", "c"])
    steps = ["standardize", "with_squares", "standardize"]
    model = specnet.fit(spec_of("float32", 0.2, preprocessing=steps), frame, y, parts=[WithSquares])
    resolved = model.network.resolved
    assert (resolved.columns, resolved.inputs, resolved.spec.network.input_size) == (3, 6, 6)
    assert {name: array.shape for name, array in model.preprocessing.tensors().items()} == {
        "0.0.mean": (3,),
        "0.0.scale": (3,),
        "0.1.largest": (3,),
        "0.2.mean": (6,),
        "0.2.scale": (6,),
    }
    model.save(tmp_path / "model.safetensors")
    again = specnet.load_model(tmp_path / "model.safetensors", parts=[WithSquares])
    np.testing.assert_array_equal(again.predict(frame), model.predict(X))
    assert again.evaluate(X, y) == model.evaluate(X, y)


def test_a_run_and_a_check_of_such_a_network(tmp_path: Path):
    X, y = table()
    spec = spec_of(preprocessing=["with_squares"])
    spec["data"] = csv_file(tmp_path / "rows.csv", "a,b,c,y", cells(np.column_stack([X, y])))
    result = specnet.run(spec, parts=[WithSquares], observer=specnet.Observer())
    assert set(result.metrics) == {"train", "test"}
    assert result.model.network.inputs == 6
    assert check_spec(specnet.parse_spec(spec, parts=[WithSquares])).agrees


def test_sizes_that_disagree_with_what_preprocessing_makes_are_errors(refused: Refused):
    X, y = table()
    spec = spec_of(preprocessing=["with_squares"])
    del spec["data"]
    assert specnet.build(spec, 3, 1, parts=[WithSquares]).inputs == 6
    spec["network"]["input_size"] = 3
    with refused(SpecError, code="size-clash", at="network.input_size"):
        specnet.fit(spec, X, y, parts=[WithSquares])
    with refused(SpecError, code="unknown-size", at="network"):
        specnet.build(spec, outputs=1, parts=[WithSquares])


@pytest.mark.parametrize("verb", ["fit", "run", "build"])
def test_parts_overrides_and_limits_are_the_same_everywhere(verb: str, refused: Refused):
    X, y = table()
    spec = spec_of(preprocessing=["with_squares"])
    if verb != "fit":
        spec["data"] = {"type": "make_regression", "n_features": 3, "n_informative": 0}
    call = {
        "fit": lambda **options: specnet.fit(spec, X, y, **options).network,
        "run": lambda **options: specnet.run(spec, **options).model.network,
        "build": lambda **options: specnet.build(spec, **options),
    }[verb]
    settings = ["network.hidden_layer_sizes=[7]"]
    assert call(parts=[WithSquares], overrides=settings).spec.network.layers[0].units == 7
    assert call(parts=[WithSquares], overrides=settings[0]).spec.network.layers[0].units == 7
    with refused(SpecError, code="too-many-parameters", at="network.hidden_layer_sizes.0"):
        call(parts=[WithSquares], limits=specnet.Limits(parameters=10))
