"""Pages of runs: from the folder and its rows, of what a run delivers, the same again later, at no cost to it."""

from __future__ import annotations

import hashlib
import json
import re
import signal
from base64 import b64encode
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest

import specnet
from specnet import FileError, Observer, SpecnetWarning, TakenError, run
from specnet.files.locks import locked_folder
from specnet.number_texts import figure, page_figure, percent
from specnet.report.pages import run_page as pages
from specnet.running.folder_pages import answers_shown, page_again
from specnet.saved.saved_run import SavedRun
from tests.made import data_of, run_copied, run_once
from tests.running.reports.page import Page
from tests.running.specs import csv_file, spec_on
from tests.texts.pinned import Refused

MOONS = """
name = "moons"
data = { type = "make_moons", n_samples = 300, noise = 0.2, random_state = 0 }
network = { hidden_layer_sizes = [5] }
training = { loss = "binary_crossentropy", epochs = 3, metrics = ["accuracy"] }
"""
TABLE = """
name = "table"
data = { type = "csv", path = "table.csv", target = "kind", split = { test_size = 0.4 } }
network.hidden_layer_sizes = [4]
training = { loss = "categorical_crossentropy", epochs = 2, metrics = ["accuracy"] }
"""
REGRESSION = """
data = {{ type = "make_regression", n_samples = 200, n_features = 3, n_targets = {targets} }}
network = {{ hidden_layer_sizes = [4], target_preprocessing = {steps} }}
training = {{ loss = {loss}, epochs = 2, metrics = {metrics} }}
"""
SECTIONS = [
    *("What now", "Findings", "Further findings", "Scores"),
    *("What it uses", "Ask it", "How it decides", "Results on test rows"),
    *("Which rows fail", "Pictures", "The network", "Training", "Do it again", "How to read your report"),
]


def made(source: Any, folder: Path, **settings: Any) -> Page:
    """Run a spec and read its report."""
    result = run(source, folder, observer=Observer(), **settings)
    assert "report" not in {warning.code for warning in result.warnings}
    return Page((folder / "report.html").read_text("utf-8"))


def write_table(path: Path, kinds: str = "ab") -> None:
    generator = np.random.default_rng(0)
    lines = [
        f"{generator.normal():.3f},{city},{kinds[city == 'rome']}"
        for city in generator.choice(["rome", "oslo", "bonn"], 200)
    ]
    path.write_text("\n".join(["size,city,kind", *lines]) + "\n")


# ----------------------------------------------------------------------------------------- the same again


SOURCES: dict[str, tuple[str, list[str]]] = {
    "moons": (MOONS, []),
    "settings": (MOONS, ["training.epochs=4", "network.activations=tanh"]),
    "ensemble": (MOONS, ["training.ensemble=2"]),
    "validation": (MOONS, ["data.split.validation_size=0.2", "training.early_stopping=true"]),
    "folds": (MOONS, ["training.ensemble={members=3,validation='folds'}"]),
    "table": (TABLE, []),
    "regression": (REGRESSION.format(targets=1, steps='["standardize"]', loss='"mse"', metrics='["r2"]'), []),
    "no test rows": (MOONS, ["data.split.test_size=0"]),
}


@pytest.mark.parametrize(
    "name", ["moons", *(pytest.param(name, marks=pytest.mark.slow) for name in SOURCES if name != "moons")]
)
def test_report_again_is_the_same_byte_for_byte(tmp_path: Path, name: str) -> None:
    text, overrides = SOURCES[name]
    write_table(tmp_path / "table.csv")
    (tmp_path / "spec.toml").write_text(text)
    folder = tmp_path / "run"
    page = made(tmp_path / "spec.toml", folder, overrides=overrides)
    assert page.headings == [section for section in SECTIONS if section in page.headings]
    assert page.identities == list(dict.fromkeys(page.identities))
    written = (folder / "report.html").read_bytes()
    (folder / "report.html").unlink()
    assert page_again(folder) == folder / "report.html"
    assert (folder / "report.html").read_bytes() == written


def test_report_of_a_spec_that_was_changed_in_python(tmp_path: Path) -> None:
    spec = specnet.parse_spec(MOONS, overrides=["training.epochs=4"])
    spec = spec.model_copy(update={"seed": 7})
    made(spec, tmp_path)
    written = (tmp_path / "report.html").read_bytes()
    page_again(tmp_path)
    assert (tmp_path / "report.html").read_bytes() == written


@pytest.mark.slow
def test_report_does_not_depend_on_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "two"):
        made(MOONS, tmp_path / name, overrides=["training.engine=numpy"])
    texts = [(tmp_path / name / "report.html").read_text("utf-8") for name in ("one", "two")]
    assert not any(str(tmp_path) in text for text in texts)
    monkeypatch.chdir(tmp_path / "one")
    page_again(".")
    assert Path("report.html").read_text("utf-8") == texts[0]


# --------------------------------------------------------------------------------------- all sorts of runs


@pytest.mark.parametrize(
    ("targets", "steps", "loss", "metrics", "said"),
    [
        (1, '["standardize"]', '"mse"', '["r2"]', ["Predicted and true values", "Residuals", "fall of R²"]),
        (3, '["standardize"]', '"mse"', '["r2"]', ["Residuals of y3", "mean residual", "rise of loss"]),
        (1, '["standardize"]', '"gaussian_nll"', "[]", ["a loss of", "Residuals"]),
        (1, "[]", '{ type = "quantile", quantile = 0.9 }', "[]", ["Residuals", "90 % of the rows should lie below"]),
    ],
)
def test_reports_of_regressions(tmp_path: Path, targets: int, steps: str, loss: str, metrics: str, said: list[str]):
    page = made(REGRESSION.format(targets=targets, steps=steps, loss=loss, metrics=metrics), tmp_path)
    for words in said:
        assert words in page.text
    assert "Confusion" not in page.text


def test_reports_draw_intervals_and_say_what_they_cover(tmp_path: Path) -> None:
    for targets in (1, 2):
        spec = REGRESSION.format(targets=targets, steps="[]", loss='"mse"', metrics="[]")
        folder = tmp_path / str(targets)
        page = made(spec, folder, overrides=["training.ensemble=3"])
        (told,) = (each for each in covered_by(folder) if each["level"] == 0.9)
        for size, share in zip(told["size"], told["covered"], strict=True):
            assert f"± {page_figure(size / 2)} on average), lie {100 * share:.1f} % of the rows" in page.text
        assert "on average and not for each group" in page.text
        if targets == 1:
            check_thirds(told["thirds"], folder, page)
    page = made(MOONS, tmp_path / "moons", overrides=["training.ensemble=3"])
    (told,) = (each for each in covered_by(tmp_path / "moons") if each["level"] == 0.9)
    none, one, two = told["rows_by_size"]
    assert sum(told["rows_by_size"]) == 75
    assert (one + 2 * two) / 75 == pytest.approx(told["size"][0])
    first = "one" if none else "one class"
    inside = f"{100 * told['covered'][0]:.1f} % of these sets of classes, made for 90 %, contain the true class."
    assert f"{one} rows have {first}; {two} rows have two or more. {inside}" in page.text
    assert ("no class that is sure enough" in page.text) == (none > 0)
    assert "on average and not" not in made(MOONS, tmp_path / "without").text


def check_thirds(thirds: list[list[float]], folder: Path, page: Page) -> None:
    """Compare coverage and width by third of the prediction with intervals of the saved model, and with the page."""
    model, test = specnet.load_model(folder), data_of(folder / "spec.resolved.json").splits["test"]
    low, high = model.predict_interval(test.columns, 0.9).T
    inside, widths = (low <= test.y) & (test.y <= high), high - low
    order = np.argsort(model.predict(test.columns).reshape(-1), kind="stable")
    expected = [(inside[part].mean(), widths[part].mean()) for part in np.array_split(order, 3)]
    np.testing.assert_allclose(thirds, expected)
    listed = ", ".join(f"{percent(share)} (± {page_figure(width / 2)})" for share, width in expected)
    assert f"By third of the prediction, from the lowest: {listed}." in page.text


def covered_by(folder: Path) -> list[dict[str, Any]]:
    levels: list[dict[str, Any]] = json.loads((folder / "metrics.json").read_text())["tables"]["test"]["coverage"]
    return levels


@pytest.mark.slow
def test_reports_of_counts_and_of_several_labels(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    X = generator.normal(size=(200, 3))
    counts, labels = generator.poisson(np.exp(X[:, 0])), (X[:, :2] + generator.normal(size=(200, 2)) > 0).astype(int)
    for name, y, loss in (("counts", counts, "poisson"), ("labels", labels, "binary_crossentropy")):
        np.savez(tmp_path / f"{name}.npz", X=X, y=y)
        spec = f'data = {{ type = "npz", path = "{tmp_path}/{name}.npz" }}\nnetwork.hidden_layer_sizes = [4]\n'
        page = made(f'{spec}training = {{ loss = "{loss}", epochs = 2 }}', tmp_path / name)
        assert ("Residuals" if name == "counts" else "predicted 1") in page.text


def test_report_of_margins_has_no_probabilities(tmp_path: Path) -> None:
    page = made(MOONS.replace("binary_crossentropy", "hinge"), tmp_path)
    assert "Confusion" in page.text
    assert "Calibration" not in page.text


@pytest.mark.slow
def test_parts_of_a_report_follow_from_the_data(tmp_path: Path) -> None:
    page = made(MOONS, tmp_path / "moons")
    assert "How it decides" in page.headings
    assert "Pictures" not in page.headings
    training = 'training = { loss = "categorical_crossentropy", epochs = 1 }'
    digits = f'data.type = "digits"\nnetwork.hidden_layer_sizes = [8]\n{training}'
    page = made(digits, tmp_path / "digits")
    assert "Pictures" in page.headings
    assert "How it decides" not in page.headings
    assert "weights of unit 1" in page.text
    page = made(MOONS, tmp_path / "few", overrides=["data.n_samples=100"])
    assert "too few test rows" in page.text
    page = made(MOONS, tmp_path / "none", overrides=["data.split.test_size=0"])
    assert "No rows were held out for testing" in page.text


def test_page_asks_for_nothing_and_can_be_read_without_script() -> None:
    text = (run_once(MOONS) / "report.html").read_text("utf-8")
    page = Page(text)
    script = text.split("<script>")[1].split("</script>")[0]
    digest = b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    assert f'http-equiv="Content-Security-Policy" content="{policy}"' in text
    assert all(reference.startswith(("#", "data:")) for reference in page.references)
    assert {reference[1:] for reference in page.references if reference[0] == "#"} <= set(page.identities)
    assert '<section id="ask" hidden>' in text
    assert "iframe" not in page.tags


def test_a_run_without_an_epoch_has_no_report(tmp_path: Path, refused: Refused):
    class Stopping(Observer):
        def trained(self, epoch: int, snapshot: Any) -> None:
            signal.raise_signal(signal.SIGINT)

    with refused(KeyboardInterrupt):
        specnet.run(MOONS, tmp_path / "run", observer=Stopping())
    assert not (tmp_path / "run" / "report.html").exists()
    assert (tmp_path / "run" / "findings.json").exists()
    with refused(FileError):
        page_again(tmp_path / "run")
    assert specnet.run(MOONS, tmp_path / "run", resume=True, observer=Observer()).history
    assert (tmp_path / "run" / "report.html").exists()


def test_a_spec_made_in_python_with_defaults_that_have_no_effect(tmp_path: Path) -> None:
    rows = ((row, row % 2, ("train", "test")[row % 3 == 0]) for row in range(30))
    table = csv_file(tmp_path / "rows.csv", "a,y,part", rows, split={"column": "part"})
    document = spec_on(table, loss="categorical_crossentropy", epochs=2)
    result = specnet.run(specnet.parse_spec(document), tmp_path / "run", observer=Observer())
    assert "report" not in [warning.code for warning in result.warnings]
    assert (tmp_path / "run" / "report.html").exists()
    again = specnet.run(tmp_path / "run", tmp_path / "again", observer=Observer())
    assert again.history == result.history
    assert (tmp_path / "again" / "spec.json").read_text() == (tmp_path / "run" / "spec.json").read_text()


CLUMSY = """<b>&"'a]]></script>"""


def test_clumsy_names_are_text(tmp_path: Path) -> None:
    """Names of columns, class labels and texts of categories, in the page, its pictures and its script."""
    quoted = CLUMSY.replace('"', '""')
    generator = np.random.default_rng(0)
    rows = [f'{a:.3f},{b:.3f},"{quoted} {"yes" if a + b > 0 else "no"}"' for a, b in generator.normal(size=(300, 2))]
    header = f'"{quoted} x","{quoted} y","{quoted} kind"'
    data = csv_file(tmp_path / "table.csv", header, rows, f"{CLUMSY} kind")
    page = made({"name": "clumsy", **spec_on(data, 4, epochs=2, metrics=["accuracy"])}, tmp_path / "run")
    assert "b" in page.tags  # the page's own
    text = (tmp_path / "run" / "report.html").read_text("utf-8")
    # A title of the page's own may begin with a name, whose first letters are escaped.
    assert not re.search("<b>&(?!lt;b&gt;)", text.split("<script>")[0])
    assert "]]></script>" not in text
    assert text.count("<script>") == text.count("</script>") == 1
    for name in (f"{CLUMSY} x", f"{CLUMSY} y", f"{CLUMSY} kind", f"{CLUMSY} yes"):
        assert name in page.text


# ------------------------------------------------------------------------------------------ rows are gone


def test_rows_that_are_gone_are_left_out_in_words(tmp_path: Path) -> None:
    write_table(tmp_path / "table.csv")
    (tmp_path / "spec.toml").write_text(TABLE)
    page = made(tmp_path / "spec.toml", tmp_path / "run")
    assert "Calibration" in page.text
    (tmp_path / "table.csv").rename(tmp_path / "elsewhere.csv")
    text = Page(page_again(tmp_path / "run").read_text("utf-8")).text
    assert "The rows cannot be read again: " in text
    assert "Confusion" in text  # of metrics.json
    assert "Calibration" not in text
    write_table(tmp_path / "table.csv", kinds="ba")
    text = Page(page_again(tmp_path / "run").read_text("utf-8")).text
    assert "have changed since the run" in text
    assert "Calibration" not in text
    (tmp_path / "elsewhere.csv").replace(tmp_path / "table.csv")
    assert Page(page_again(tmp_path / "run").read_text("utf-8")).text == page.text


def test_only_the_folder_of_a_run_has_a_report(tmp_path: Path, refused: Refused) -> None:
    with refused(FileError):
        page_again(tmp_path)
    trained = run_copied(MOONS, tmp_path / "run")
    with locked_folder(trained), refused(TakenError, varying="process .*"):
        page_again(trained)


# ------------------------------------------------------------------------------------ the run comes first


def test_a_finished_run_gets_its_report_when_it_is_resumed(tmp_path: Path) -> None:
    run(MOONS, tmp_path)
    page, files = (tmp_path / "report.html").read_bytes(), {path: path.read_bytes() for path in tmp_path.iterdir()}
    (tmp_path / "report.html").unlink()
    run(MOONS, tmp_path, resume=True, report=False)
    assert not (tmp_path / "report.html").exists()
    result = run(MOONS, tmp_path, resume=True)
    assert result.warnings == ()
    assert (tmp_path / "report.html").read_bytes() == page
    (tmp_path / "report.html").write_bytes(b"mine")
    run(MOONS, tmp_path, resume=True)
    assert (tmp_path / "report.html").read_bytes() == b"mine"
    assert {path.name for path in files if path.read_bytes() != files[path]} == {"report.html"}


def test_report_that_fails_costs_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for error, said in ((ZeroDivisionError("why"), "ZeroDivisionError: why"), (FileError("disk full"), "disk full")):
        monkeypatch.setattr(pages, "page", Mock(side_effect=error))
        with pytest.warns(SpecnetWarning, match=f"the report could not be written: {said}") as warned:
            result = run(MOONS, tmp_path, force=True)
        assert warned[0].filename == __file__
        assert [warning.code for warning in result.warnings] == ["report"]
        assert result.metrics["test"]
        assert not (tmp_path / "report.html").exists()
    monkeypatch.undo()
    page_again(tmp_path)
    assert (tmp_path / "report.html").exists()


NOISY = {"type": "make_moons", "n_samples": 200, "noise": 0.3, "random_state": 0}
RESTORED = {
    "loss": {"type": "binary_crossentropy", "label_smoothing": 0.2},
    "metrics": ["accuracy"],
    "epochs": 40,
    "optimizer": {"type": "adam", "learning_rate": 0.1},
    "early_stopping": {"patience": 40},
}


def delivered(folder: Path, training: dict[str, Any], **split: Any) -> tuple[specnet.RunResult, str]:
    spec = spec_on({**NOISY, "split": {"test_size": 0.2, **split}}, 24, **training)
    result = specnet.run(spec, folder, observer=Observer())
    return result, Page((folder / "report.html").read_text("utf-8")).text


def test_the_loss_and_the_layers_are_those_of_the_epoch_that_is_restored(tmp_path: Path) -> None:
    result, text = delivered(tmp_path, RESTORED, validation_size=0.2)
    losses = [record["validation_loss"] for record in result.history]
    best = int(np.argmin(losses))
    assert best < len(losses) - 5
    (epoch, loss) = re.search(
        r"weights of epoch (\d+), the dashed line\. The loss of .*? is ([\d.]+)\. ", text
    ).groups()
    assert (int(epoch), loss) == (result.history[best]["epoch"], figure(result.metrics["train"]["loss"]))
    assert loss != figure(result.history[best]["loss"])  # which is with label smoothing, and before each step
    network = result.model.network
    weights = {key: array for key, array in network.parameters(result.model.theta).items() if key.endswith("weight")}
    last = {layer["layer"]: layer for layer in result.layer_records[-1]["layers"]}
    for key, array in weights.items():
        size = float(np.sqrt(np.mean(np.square(array.astype(np.float64)))))
        assert last[key.removesuffix(".weight")]["weight"] == pytest.approx(size, rel=1e-6)
        assert f" {page_figure(size)} " in text
    assert f"loss {loss} " in text or f"train {loss} " in text


def test_the_page_names_exports_that_keep_directions_to_the_last_bit(tmp_path: Path) -> None:
    page = made(MOONS.replace("[5]", "[5], monotone = { 0 = 'increasing' }"), tmp_path)
    assert "In exports to C and NumPy they do not fall even in the last bit." in page.text


def test_dead_units_are_those_of_the_network_that_is_kept(tmp_path: Path) -> None:
    """A rate that is far too high kills units after the best epoch."""
    training = {**RESTORED, "optimizer": {"type": "adam", "learning_rate": 2.0}}
    result, text = delivered(tmp_path / "best", training, validation_size=0.2)
    rows = data_of(tmp_path / "best" / "spec.json").splits["train"]
    weights = result.model.network.parameters(result.model.theta)
    fires = np.asarray(rows.columns) @ weights["layers.0.weight"].T + weights["layers.0.bias"] > 0
    dead = float(np.mean(~fires.any(axis=0)))
    assert result.layer_records[-1]["layers"][0]["dead"] == dead
    assert f" {percent(dead)} " in text.partition("dead units")[2].partition("Training")[0]
    training["early_stopping"] = {"patience": 40, "restore_best": False}
    last, _ = delivered(tmp_path / "last", training, validation_size=0.2)
    assert last.layer_records[-1]["layers"][0]["dead"] > dead
    assert last.layer_records[:-1] == result.layer_records[:-1]


def test_averaged_weights_are_looked_at_in_the_end(tmp_path: Path) -> None:
    training = {"loss": "binary_crossentropy", "epochs": 20, "average_weights": {"type": "exponential", "decay": 0.99}}
    result, _ = delivered(tmp_path, training)
    weight = result.model.network.parameters(result.model.theta)["layers.0.weight"].astype(np.float64)
    assert result.layer_records[-1]["layers"][0]["weight"] == pytest.approx(np.sqrt(np.mean(weight**2)), rel=1e-6)


def test_the_loss_of_an_ensemble_is_its_own(tmp_path: Path) -> None:
    result, text = delivered(tmp_path, {"loss": "binary_crossentropy", "epochs": 10, "ensemble": 3})
    loss = figure(result.metrics["train"]["loss"])
    assert f"The loss of the delivered ensemble on the training rows is {loss}." in text
    assert loss not in {figure(record["loss"]) for record in result.history}


def test_what_is_worse_than_a_simple_model_says_so_first_and_has_no_clean_bill(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 6))
    np.savez(tmp_path / "rows.npz", X=X, y=X @ [3.0, 2.0, 1.0, 0.5, -1.0, -2.0] + 0.6 * rng.normal(size=400))
    training = {"loss": "mse", "metrics": ["r2"], "epochs": 150, "optimizer": {"type": "adam", "learning_rate": 0.003}}
    data = {"type": "npz", "path": str(tmp_path / "rows.npz"), "split": {"test_size": 0.25}}
    network = {"hidden_layer_sizes": [16], "target_preprocessing": ["standardize"]}
    spec = {"data": data, "network": network, "training": training}
    result = specnet.run(spec, tmp_path / "run", observer=Observer())
    assert result.findings == ()
    assert result.evaluation["gains"]["linear"]["loss"]["high"] < 0
    page = Page((tmp_path / "run" / "report.html").read_text("utf-8"))
    heading = next(text for text in page.texts if text.startswith("Worse than a linear model: R²\xa0"))
    assert heading.endswith("against 0.985 on 100 test rows.")
    assert "A linear model is better; 15 tests of the data, the training and the results found no reason" in page.text
    assert "Nothing stands out" not in page.text


MADE = {"type": "make_moons", "n_samples": 60, "split": {"test_size": 0.25, "validation_size": 0.25}}
REGRESSED = {"type": "make_regression", "n_samples": 60, "n_features": 3}
CLASSES, SEVERAL = ("class 0", "class 1"), ("0", "1", "2", "3", "4")
SPLIT_MEMBERS = {"ensemble": {"members": 2, "validation": "split"}}
OF_CLASSES, OF_VALUES = {"loss": "categorical_crossentropy"}, {"loss": "mse"}
SPECS: dict[str, tuple[Any, dict[str, Any], tuple[Any, ...]]] = {
    "moons": (MADE, {}, (("x1", "x2"), CLASSES, "the class")),
    "members": (MADE, SPLIT_MEMBERS, (("x1", "x2"), CLASSES)),
    "classes": (("a,b", "kind"), OF_CLASSES, (("a", "b"), SEVERAL, "kind")),
    "words": (("a,city", "kind"), OF_CLASSES, (("a", "city"), SEVERAL)),
    "value": (REGRESSED, OF_VALUES, (("x1", "x2", "x3"), (), "the target", ("target",))),
    "plane": (("a,b", "c"), OF_VALUES, (("a", "b"), (), "c", ("c",))),
    "values": (REGRESSED | {"n_targets": 2}, OF_VALUES, (("x1", "x2", "x3"), (), "the targets", ("y1", "y2"))),
    "named values": (("a,b", "c", "d"), OF_VALUES, (("a", "b"), (), "the targets", ("c", "d"))),
    "labels": (("a,b", "c", "d"), {}, (("a", "b"), (), "the targets", ("c", "d"))),
}
"""Data, training, and what a page calls the columns, the classes, the target and the outputs."""
INPUTS = {"words": ["a", "city = Bonn", "city = Oslo", "city = Rome"]}
"""What the network reads, if it is not the columns."""
PLANES = ("moons", "members", "classes", "plane")


def drawn_table(path: Path, columns: str, *targets: str) -> dict[str, Any]:
    """Write a table of 60 rows, and describe it."""
    rng = np.random.default_rng(3)
    drawn = {"city": ["Oslo", "Rome", "Bonn"], "kind": range(5)}
    values = {name: rng.choice(drawn.get(name, [0, 1]), 60) for name in (*columns.split(","), *targets)}
    target: Any = targets[0] if len(targets) == 1 else list(targets)
    return csv_file(path, ",".join(values), zip(*values.values(), strict=True), target)


@pytest.mark.parametrize("name", SPECS)
def test_a_page_is_made_from_the_run_and_its_rows(tmp_path: Path, name: str) -> None:
    data, training, expected = SPECS[name]
    spec = spec_on(data if isinstance(data, dict) else drawn_table(tmp_path / "rows.csv", *data), 3, **training)
    result = specnet.run(spec, tmp_path / "run", report=False, observer=Observer())
    folder, read = SavedRun(tmp_path / "run"), data_of(spec)
    shown = answers_shown(folder, read)
    columns = expected[0]
    told = columns, shown.classes, shown.target, shown.outputs
    assert told[: len(expected)] == expected
    assert folder.model.preprocessing.named(shown.columns) == INPUTS.get(name, [*columns])
    test = read.splits["test"]
    prepared = result.model.preprocessing.prepare(test.columns, texts=test.texts)
    raw = result.model.answers(prepared, test.y)
    np.testing.assert_array_equal(shown.answers.prediction, raw.prediction)
    np.testing.assert_array_equal(shown.answers.losses, raw.losses)
    assert [column.name for column in sorted(shown.panel.columns, key=lambda column: column.index)] == [*columns]
    assert (shown.plane is not None) == (name in PLANES)
    if shown.plane is not None:
        parts = [read.splits[part] for part in ("train", "validation", "test") if part in read.splits]
        np.testing.assert_array_equal(shown.plane.columns, np.concatenate([part.columns[:] for part in parts]))
        np.testing.assert_array_equal(shown.plane.target, np.concatenate([part.y for part in parts]))
        np.testing.assert_array_equal(shown.plane.held_out, np.arange(60) >= len(parts[0]))
        assert (shown.plane.column_names, shown.plane.class_names) == (expected[0], expected[1])
    gone = answers_shown(folder, "gone")
    assert (gone.columns, gone.absent) == (shown.columns, "gone")
    assert gone.answers is gone.importance is gone.panel is gone.plane is gone.images is None


@pytest.mark.parametrize("count", [2, 3])
def test_a_page_shows_probabilities_before_and_after_calibration(tmp_path: Path, count: int) -> None:
    generator = np.random.default_rng(5)
    X = generator.normal(size=(400, 3))
    y = np.digitize(X[:, 0] + 0.4 * generator.normal(size=400), [-0.4, 0.4][: count - 1])
    data = csv_file(tmp_path / "rows.csv", "a,b,c,kind", np.column_stack([X, y]), "kind", split=MADE["split"])
    name = "binary_crossentropy" if count == 2 else "categorical_crossentropy"
    adam = {"type": "adam", "learning_rate": 0.02}
    spec = spec_on(data, 4, loss={"type": name, "label_smoothing": 0.5}, metrics=["ece"], epochs=40, optimizer=adam)
    plain = specnet.run(spec, observer=Observer())
    found = specnet.run(spec, tmp_path / "run", overrides=["training.calibration=temperature"], observer=Observer())
    shown = answers_shown(SavedRun(tmp_path / "run"), data_of(spec))
    test = data_of(spec).splits["test"]
    before = plain.model.predict_proba(np.asarray(test.columns))
    np.testing.assert_allclose(shown.uncalibrated.probability, before, rtol=1e-5)
    errors = [run.metrics["test"]["expected_calibration_error"] for run in (found, plain)]
    text = Page((tmp_path / "run" / "report.html").read_text("utf-8")).text
    assert "Expected calibration error {:.4f}, {:.4f} before calibration (dashed).".format(*errors) in text
    assert plain.evaluation["calibration"]["error"]["test"] == errors[1]
    specnet.run(spec, tmp_path / "plain", observer=Observer())
    assert answers_shown(SavedRun(tmp_path / "plain"), "gone").uncalibrated is None
    assert f"Expected calibration error {errors[1]:.4f}." in Page((tmp_path / "plain" / "report.html").read_text()).text
