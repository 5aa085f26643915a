"""`specnet explain`: contributions of columns as bars and tables, the same as those of the model."""

import csv
import json

import numpy as np
import pytest

from specnet import load_model


@pytest.fixture
def rows(ran, folder):
    ran("moons")
    X = np.array([[0.5, 0.25], [-1.0, 1.0]])
    np.savez(folder / "rows.npz", X=X)
    return X


def test_a_row_is_shown_as_bars_with_its_prediction_and_the_base(specnet, rows, folder):
    found = load_model(folder / "moons").contributions(rows)
    shown = specnet("explain moons rows.npz --row 2").ok().out
    given = specnet("explain moons rows.npz --row 2 --format json").document
    output = int(found.base[0] + found.values[1].sum(axis=0)[0] < 0.5)
    assert (given["row"], given["output"]) == (2, str(output))
    assert given["base"] == pytest.approx(found.base[output])
    assert {each["column"]: each["value"] for each in given["contributions"]} == pytest.approx(
        dict(zip(("x1", "x2"), found.values[1, :, output], strict=True))
    )
    assert given["prediction"] == pytest.approx(given["base"] + sum(each["value"] for each in given["contributions"]))
    first = given["contributions"][0]
    assert f"{100 * first['value']:+.1f} points".replace("-", "−") in shown.splitlines()[2]
    assert "━" in shown.splitlines()[2]
    assert f"{100 * given['base']:.1f} %" in shown


def test_the_class_that_a_decision_threshold_predicts_is_shown(specnet, rows, folder):
    likely = load_model(folder / "moons").predict_proba(rows)[0, 1]
    threshold = likely / 2 if likely < 0.5 else (1 + likely) / 2
    specnet(f"run moons -o decided -q --no-report --set training.decision_threshold={threshold}").ok()
    predicted = str(int(likely < 0.5))
    assert specnet("explain decided rows.npz --row 1 --format json").document["output"] == predicted
    assert specnet("explain decided rows.npz --row 1").ok().out.startswith(f"row 1: {predicted} ")


def test_a_table_has_the_contributions_of_all_rows_whether_or_not_the_run_has_saved_rows(specnet, rows, folder):
    specnet("explain moons rows.npz -o with.csv").ok()
    (folder / "moons/background.safetensors").unlink()
    specnet("explain moons rows.npz -o without.csv").ok()
    assert (folder / "with.csv").read_bytes() == (folder / "without.csv").read_bytes()
    table = list(csv.DictReader((folder / "with.csv").read_text().splitlines()))
    for each in table:
        parts = [float(each[f"{name}_1"]) for name in ("base", "contribution_x1", "contribution_x2")]
        assert sum(parts) == pytest.approx(float(each["probability_1"]), abs=1e-6)
    failed = specnet("explain moons/model.safetensors rows.npz").failed(1)
    assert "no training rows to compare to" in failed
    assert "use the folder of its run, or a file of `specnet run SPEC --with-rows`" in failed


def test_wrong_rows_and_damaged_files_are_errors(specnet, rows, folder):
    assert "has 2 rows, got 3" in specnet("explain moons rows.npz --row 3").failed(2)
    assert "cannot be combined" in specnet("explain moons rows.npz --row 1 -o one.csv").failed(2)
    (folder / "moons/background.safetensors").write_bytes((folder / "moons/model.safetensors").read_bytes())
    assert "the background rows are damaged or of another model" in specnet("explain moons rows.npz --row 1").failed(1)


def test_a_run_without_rows_saves_no_background(specnet, folder):
    specnet("run moons.toml -o none --no-rows -q --no-report --set training.epochs=1").ok()
    assert not (folder / "none/background.safetensors").exists()
    np.savez(folder / "rows.npz", X=np.zeros((1, 2)))
    specnet("explain none rows.npz --row 1").ok()


def test_the_file_of_a_run_with_rows_explains_as_its_folder_does(specnet, folder):
    specnet("run moons.toml -o shared -q --no-report --with-rows --set training.epochs=1").ok()
    specnet("run moons.toml -o plain -q --no-report --set training.epochs=1").ok()
    np.savez(folder / "rows.npz", X=np.array([[0.5, 0.25], [-1.0, 1.0]]))
    assert specnet("explain shared/model.safetensors rows.npz").out == specnet("explain plain rows.npz").out
    assert json.loads((folder / "shared/run.json").read_text())["with_rows"] is True
    assert "with_rows" not in json.loads((folder / "plain/run.json").read_text())
    assert specnet("verify shared").ok().out == "the same 10 files\n"
    shared = specnet("run moons.toml -o shared -q --no-report --with-rows --resume --set training.epochs=1")
    assert shared.status == 0
    again = "run moons.toml -o plain -q --no-report --with-rows --resume --set training.epochs=1"
    assert "has finished, and its model.safetensors has no rows" in specnet(again).failed(1)


def test_rows_in_the_file_of_a_model_are_of_one_run(specnet, folder):
    assert "--no-rows" in specnet("run moons.toml -o none --with-rows --no-rows").failed(2)
    assert "--folds or --seeds" in specnet("run moons.toml -o none --with-rows --seeds 2").failed(2)
    assert not (folder / "none").exists()


def test_a_row_of_a_table_is_shown_in_the_words_of_its_file(specnet, folder):
    lines = [
        f"{'-' * (n % 2)}{n}.5,{'Yes' if n % 3 else 'No'},{1 + n % 28:02}/02/2020,{'Yes' if n % 3 else 'No'}"
        for n in range(60)
    ]
    (folder / "members.csv").write_text("\n".join(["height,member,since,bought", *lines]))
    specnet("new members.toml --data members.csv --target bought --quick").ok()
    specnet("run members.toml -o members -q --no-report --set training.epochs=3").ok()
    first, second = (specnet(f"explain members members.csv --row {row} --format json").document for row in (1, 2))
    cells = [{each["column"]: each["cell"] for each in given["contributions"]} for given in (first, second)]
    assert cells[0] == {"height": "0.5", "member": "No", "since": "01/02/2020"}
    assert cells[1] == {"height": "−1.5", "member": "Yes", "since": "02/02/2020"}
    shown = specnet("explain members members.csv --row 2").ok().out
    assert "-" not in shown
