"""The reference specs: each one runs, reaches what it says, and says what it teaches."""

import csv
import json
import shlex
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_wine

import specnet

FOLDER = Path(__file__).parents[2] / "specs"
SPECS = sorted(path.name for path in FOLDER.iterdir() if path.suffix in (".toml", ".json"))

# What the test rows must reach at least; a spec without a line here fails.
REACHED = {
    "moons.toml": {"accuracy": 0.85},
    "logistic.toml": {"accuracy": 0.95, "roc_auc": 0.98},
    "digits.toml": {"accuracy": 0.97, "f1_macro": 0.97},
    "iris.json": {"accuracy": 0.95, "balanced_accuracy": 0.95},
    "diabetes.toml": {"r2": 0.3},
    "wine_csv.toml": {"accuracy": 0.95, "f1_macro": 0.95},
    "penguins.toml": {"accuracy": 0.95},
    "expectations.toml": {"accuracy": 0.95},
    "breast_cancer.toml": {"balanced_accuracy": 0.9, "roc_auc": 0.97},
    "residual.toml": {"accuracy": 0.95},
    "realmlp.toml": {"accuracy": 0.95, "roc_auc": 0.98},
    "sweep_digits.toml": {"accuracy": 0.88},
}
OF_FILES = {"wine_csv.toml": {"inputs": 13, "outputs": 3}, "penguins.toml": {"inputs": 11, "outputs": 3}}
OF_FILES["expectations.toml"] = OF_FILES["penguins.toml"]
WITH_VALIDATION = {"breast_cancer.toml", "expectations.toml", "residual.toml", "realmlp.toml", "sweep_digits.toml"}
OF_DIGITS = {"digits.toml", "sweep_digits.toml"}


@pytest.mark.slow
@pytest.mark.parametrize("name", SPECS)
def test_runs_and_reaches_what_it_should(name, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # what a spec reads is found from its own folder
    result = specnet.run(FOLDER / name, observer=specnet.Observer())
    constant = [0, 32, 39] if name in OF_DIGITS else []  # pixels at the edges
    assert [warning.message for warning in result.warnings] == [
        f"column {pixel} is 0 in all rows" for pixel in constant
    ]
    assert result.metrics.keys() == {"train", "test"} | ({"validation"} if name in WITH_VALIDATION else set())
    assert result.history[-1]["loss"] < result.history[0]["loss"] / 2
    for metric, least in REACHED[name].items():
        assert result.metrics["test"][metric] >= least
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", SPECS)
def test_says_what_it_teaches(name):
    text = (FOLDER / name).read_text(encoding="utf-8")
    assert f"[{name}]({name})" in (FOLDER / "README.md").read_text(encoding="utf-8")
    if name.endswith(".json"):
        assert json.loads(text)["$schema"] == "../schemas/specnet.schema.json"
    else:
        first, *lines = text.splitlines()
        assert first == "#:schema ../schemas/specnet.schema.json"
        comment = " ".join(line.removeprefix("# ") for line in lines if line.startswith("#"))
        assert "It shows" in comment


@pytest.mark.slow
def test_realmlp_also_predicts_numbers_by_the_command_in_its_comment():
    text = (FOLDER / "realmlp.toml").read_text(encoding="utf-8")
    start, end = text.index("specnet run"), text.index("#\n# Differences from the paper")
    command = shlex.split(text[start:end].replace("#", "").replace("\\\n", ""))
    assert command[:3] == ["specnet", "run", "specs/realmlp.toml"]
    assert set(command[3::2]) == {"--set"}
    result = specnet.run(FOLDER / "realmlp.toml", overrides=command[4::2])
    assert result.model.spec.data.type == "diabetes"
    assert result.metrics["test"]["r2"] >= 0.25
    assert result.history[-1]["loss"] < result.history[0]["loss"] / 2


def test_every_key_of_realmlp_is_explained_where_it_stands():
    for line in (FOLDER / "realmlp.toml").read_text(encoding="utf-8").splitlines():
        key = line.partition(" = ")[0]
        if " = " in line and not line.startswith("#") and key not in ("name", "type"):
            assert " # " in line, line


def test_the_resolved_form_of_each_reads_as_itself():
    for name in SPECS:
        spec = specnet.parse_spec(FOLDER / name)
        resolved = specnet.build(spec, **OF_FILES.get(name, {})).spec
        again = specnet.build(json.loads(resolved.to_json())).spec
        assert again == resolved


def test_the_table_is_the_one_that_scikit_learn_ships():
    with open(FOLDER / "data" / "wine.csv", encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    wine = load_wine()
    np.testing.assert_array_equal(np.array([row[:-1] for row in rows], float), wine.data)
    names = np.array(["barolo", "grignolino", "barbera"])
    assert [row[-1] for row in rows] == names[wine.target].tolist()
    assert [name.replace("od280_od315", "od280/od315_of_diluted_wines") for name in header[:-1]] == wine.feature_names
