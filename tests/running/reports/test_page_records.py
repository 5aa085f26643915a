"""What the page of a run is made from: read from its folder and its rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import specnet
from specnet import Observer
from specnet.running.data_rows import read_data
from specnet.running.reports.run_report import answers_shown
from specnet.saved.saved_run import SavedRun
from tests.running.reports.page import Page
from tests.running.specs import csv_file, spec_on

MOONS = {"type": "make_moons", "n_samples": 60, "split": {"test_size": 0.25, "validation_size": 0.25}}
SPECS: dict[str, tuple[Any, dict[str, Any], tuple[Any, ...]]] = {
    "moons": (MOONS, {}, (("x1", "x2"), ("class 0", "class 1"), "the class")),
    "members": (MOONS, {"ensemble": {"members": 2, "validation": "split"}}, (("x1", "x2"), ("class 0", "class 1"))),
    "classes": (
        ("a,b", "kind"),
        {"loss": "categorical_crossentropy"},
        (("a", "b"), ("0", "1", "2", "3", "4"), "kind"),
    ),
    "words": (("a,city", "kind"), {"loss": "categorical_crossentropy"}, (("a", "city"), ("0", "1", "2", "3", "4"))),
    "value": (
        {"type": "make_regression", "n_samples": 60, "n_features": 3},
        {"loss": "mse"},
        (("x1", "x2", "x3"), (), "the target", ("target",)),
    ),
    "plane": (("a,b", "c"), {"loss": "mse"}, (("a", "b"), (), "c", ("c",))),
    "values": (
        {"type": "make_regression", "n_samples": 60, "n_features": 2, "n_targets": 2},
        {"loss": "mse"},
        (("x1", "x2"), (), "the targets", ("y1", "y2")),
    ),
    "named values": (("a,b", "c", "d"), {"loss": "mse"}, (("a", "b"), (), "the targets", ("c", "d"))),
    "labels": (("a,b", "c", "d"), {}, (("a", "b"), (), "the targets", ("c", "d"))),
}
INPUTS = {"words": ["a", "city = Bonn", "city = Oslo", "city = Rome"]}
"""What the network reads, if it is not the columns."""
PLANES = ("moons", "members", "classes", "plane")


def table(path: Path, columns: str, *targets: str) -> dict[str, Any]:
    """Write a table of 60 rows, and describe it."""
    rng = np.random.default_rng(3)
    drawn = {"city": ["Oslo", "Rome", "Bonn"], "kind": range(5)}
    values = {name: rng.choice(drawn.get(name, [0, 1]), 60) for name in (*columns.split(","), *targets)}
    target: Any = targets[0] if len(targets) == 1 else list(targets)
    return csv_file(path, ",".join(values), zip(*values.values(), strict=True), target)


@pytest.mark.parametrize("name", SPECS)
def test_a_page_is_made_from_the_run_and_its_rows(tmp_path: Path, name: str) -> None:
    data, training, expected = SPECS[name]
    spec = spec_on(data if isinstance(data, dict) else table(tmp_path / "rows.csv", *data), 3, **training)
    result = specnet.run(spec, tmp_path / "run", report=False, observer=Observer())
    folder, read, network = SavedRun(tmp_path / "run"), read_data(specnet.parse_spec(spec)), result.model.network
    shown = answers_shown(folder, read)
    columns = expected[0]
    told = columns, shown.classes, shown.target, shown.outputs
    assert told[: len(expected)] == expected
    assert folder.model.preprocessing.named(shown.columns) == INPUTS.get(name, [*columns])
    assert (folder.evaluation.record(), folder.history) == (result.evaluation, result.history)
    assert (folder.looks, folder.findings) == (result.looks, result.findings)
    assert len(folder.model.members) == len(result.model.members)
    assert folder.snapshots.keys() == result.snapshots.keys()
    test = read.splits["test"]
    assert shown.answers is not None
    prepared = result.model.preprocessing.prepare(test.columns, texts=test.texts)
    raw = result.model.answers(prepared, test.y)
    np.testing.assert_array_equal(shown.answers.prediction, raw.prediction)
    np.testing.assert_array_equal(shown.answers.losses, raw.losses)
    theta, _ = result.model.members[0]
    (saved, _), *_ = folder.model.members
    for key, array in network.parameters(theta).items():
        np.testing.assert_array_equal(folder.model.network.parameters(saved)[key], array)
    assert shown.panel is not None
    assert [column.name for column in sorted(shown.panel.columns, key=lambda column: column.place)] == [*columns]
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
    split = {"test_size": 0.25, "validation_size": 0.25}
    data = csv_file(tmp_path / "rows.csv", "a,b,c,kind", np.column_stack([X, y]), "kind", split=split)
    name = "binary_crossentropy" if count == 2 else "categorical_crossentropy"
    loss = {"type": name, "label_smoothing": 0.5}
    spec = spec_on(
        data, 4, loss=loss, metrics=["ece"], baselines=[], epochs=40, optimizer={"type": "adam", "learning_rate": 0.02}
    )
    plain = specnet.run(spec, observer=Observer())
    found = specnet.run(spec, tmp_path / "run", overrides=["training.calibration=temperature"], observer=Observer())
    shown = answers_shown(SavedRun(tmp_path / "run"), read_data(specnet.parse_spec(spec)))
    assert shown.uncalibrated is not None
    test = read_data(specnet.parse_spec(spec)).splits["test"]
    before = plain.model.predict_proba(np.asarray(test.columns))
    np.testing.assert_allclose(shown.uncalibrated.probability, before, rtol=1e-5)
    errors = [run.metrics["test"]["expected_calibration_error"] for run in (found, plain)]
    text = Page((tmp_path / "run" / "report.html").read_text("utf-8")).text
    assert "Expected calibration error {:.3f}, {:.3f} before calibration (dashed).".format(*errors) in text
    assert plain.evaluation["calibration"]["error"]["test"] == errors[1]
    plain = specnet.run(spec, tmp_path / "plain", observer=Observer())
    assert answers_shown(SavedRun(tmp_path / "plain"), "gone").uncalibrated is None
    assert f"Expected calibration error {errors[1]:.3f}." in Page((tmp_path / "plain" / "report.html").read_text()).text
