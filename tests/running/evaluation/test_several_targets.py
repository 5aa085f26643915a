"""Several targets of a table: figures with units are of each of them, and predictions have their names."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import specnet
from specnet import SpecError, parse_spec, resolve
from tests.running.specs import spec_on
from tests.texts.calling import called
from tests.texts.pinned import Refused

METRICS = ["root_mean_squared_error", "r2", "neg_mean_absolute_error", "neg_mean_absolute_percentage_error"]
LOSSES = {"mean_squared_error": 2, "gaussian_nll": 4, "binary_crossentropy": 2}


def several(folder: Path, loss: str = "mean_squared_error", **training: object) -> dict[str, object]:
    """Write a table of lengths in metres, which are large, and of prices in euros, and return a spec on it."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(90, 2)).round(3)
    targets = np.column_stack([1000 * x[:, 0] + 5000, x.sum(axis=1) + 9]).round(3)
    if loss == "binary_crossentropy":
        targets = (targets > [5000, 9]).astype(int)
    lines = ["a,b,length,price", *(",".join(map(str, row)) for row in np.column_stack([x, targets]).tolist())]
    (folder / "rows.csv").write_text("\n".join(lines))
    data = {"type": "csv", "path": str(folder / "rows.csv"), "target": ["length", "price"]}
    return spec_on(data, 8, loss=loss, epochs=3, **training)


def test_figures_with_units_are_of_each_target(tmp_path: Path):
    spec = several(tmp_path, metrics=METRICS, ensemble=2)
    specnet.run(spec, tmp_path / "out", observer=specnet.Observer())
    found = json.loads((tmp_path / "out" / "metrics.json").read_text())
    names = [
        "loss",
        *("root_mean_squared_error_length", "root_mean_squared_error_price", "r2"),
        *("neg_mean_absolute_error_length", "neg_mean_absolute_error_price", "neg_mean_absolute_percentage_error"),
    ]
    for figures in (found["train"], found["test"], found["intervals"]["test"], found["baselines"]["linear"]["test"]):
        assert list(figures) == names
    model = specnet.load_model(tmp_path / "out")
    rows = np.loadtxt(tmp_path / "rows.csv", delimiter=",", skiprows=1)
    evaluated = model.evaluate(rows[:, :2], rows[:, 2:])
    errors = rows[:, 2:] - model.predict(rows[:, :2])
    for place, name in enumerate(("length", "price")):
        expected = float(np.sqrt(np.mean(errors[:, place] ** 2)))
        assert evaluated[f"root_mean_squared_error_{name}"] == pytest.approx(expected, rel=1e-5)
        bounds = found["intervals"]["test"][f"root_mean_squared_error_{name}"]
        assert bounds["low"] < found["test"][f"root_mean_squared_error_{name}"] < bounds["high"]
    assert model.target_names == ("length", "price")


def test_targets_of_an_array_have_no_names_and_their_mean_as_before():
    X = np.random.default_rng(0).normal(size=(40, 2))
    model = specnet.fit(spec_on(None, 2, loss="mse", metrics=["mae"]), X, X)
    assert model.target_names == ()
    expected = np.abs(X - model.predict(X)).mean()
    assert model.evaluate(X, X)["mean_absolute_error"] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("loss", LOSSES)
def test_the_number_of_targets_is_known_without_the_table(loss: str, tmp_path: Path, refused: Refused):
    spec = several(tmp_path, loss)
    (tmp_path / "rows.csv").unlink()
    spec["network"] = {"layer_sizes": [2, LOSSES[loss]]}
    assert resolve(parse_spec(spec)).outputs == LOSSES[loss]
    spec["network"] = {"layer_sizes": [2, LOSSES[loss] + 2]}
    with refused(SpecError, code="size-clash"):
        resolve(parse_spec(spec))


def test_predictions_are_named_after_the_targets(tmp_path: Path):
    """By the command, and by the program that is exported."""
    for loss, more in (("mean_squared_error", {"ensemble": 2}), ("binary_crossentropy", {})):
        spec = several(tmp_path, loss, **more)
        model = specnet.run(spec, tmp_path / "out", observer=specnet.Observer(), force=True).model
        command = [
            "predict",
            str(tmp_path / "out"),
            str(tmp_path / "rows.csv"),
            "-o",
            str(tmp_path / "p.csv"),
            "--force",
        ]
        assert called([*command, *(["--interval", "90"] if more else [])])[0] == 0
        header = (tmp_path / "p.csv").read_text().partition("\n")[0].split(",")
        titles = ("prediction", "spread", "lower", "upper") if more else ("prediction", "probability")
        assert sorted(header) == sorted(f"{title}_{name}" for title in titles for name in ("length", "price"))
        specnet.export(model, "numpy", tmp_path / "own.py")
        program = [sys.executable, str(tmp_path / "own.py"), str(tmp_path / "rows.csv")]
        printed = subprocess.run(program, capture_output=True, text=True, check=True).stdout.partition("\n")[0]
        assert set(printed.split(",")) <= {*header}
        assert "prediction_price" in printed
