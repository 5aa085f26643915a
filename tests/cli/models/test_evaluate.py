"""`specnet evaluate`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from specnet import Model
from tests.cli.conftest import Specnet, arrays_in
from tests.texts.pinned import Pinned


def test_an_evaluation_is_a_row_of_figures(specnet: Specnet, moons: Model, folder: Path) -> None:
    ended = specnet("evaluate", "moons/model.safetensors", "rows.npz")
    ended.went()
    rows = arrays_in(folder / "rows.npz")
    figures = moons.evaluate(rows["X"], rows["y"])
    header, row = ended.out.splitlines()
    assert header.split() == ["loss", "accuracy"]
    assert row.split() == ["rows.npz", f"{figures['loss']:.4f}", f"{100 * figures['accuracy']:.1f}", "%"]
    as_json = specnet("evaluate", "moons/model.safetensors", "rows.npz", "--format", "json")
    assert as_json.document == {"errors": [], "rows": 7, "metrics": figures}


def test_an_evaluation_on_the_training_rows_repeats_the_run_s_figures(specnet: Specnet, kinds: Model) -> None:
    spec = "kinds.toml"
    assert specnet("run", spec, "--out", "all", "-q", "--set", "data.split.test_size=0").status == 0
    written = json.loads(Path("all/metrics.json").read_text())["train"]
    ended = specnet("evaluate", "all/model.safetensors", "table.csv", "--format", "json")
    assert ended.document["metrics"] == pytest.approx(written, rel=1e-6)


def test_weights_of_rows_count(specnet: Specnet, moons: Model, folder: Path) -> None:
    rows = arrays_in(folder / "rows.npz")
    weights = np.array([1.0, 0, 0, 0, 0, 0, 0])
    np.savez(folder / "weighted.npz", **rows, sample_weight=weights)
    np.savez(folder / "first.npz", X=rows["X"][:1], y=rows["y"][:1])
    weighted, first = (
        specnet("evaluate", "moons/model.safetensors", name, "--format", "json").document["metrics"]
        for name in ("weighted.npz", "first.npz")
    )
    assert weighted == pytest.approx(first, rel=1e-6)


def test_a_figure_that_cannot_be_told_is_a_dash_and_null(specnet: Specnet, folder: Path) -> None:
    assert specnet("run", "moons.toml", "--out", "m", "-q", "--set", 'training.metrics=["roc_auc"]').status == 0
    np.savez(folder / "zeros.npz", X=np.zeros((3, 2)), y=np.zeros(3, int))
    ended = specnet("evaluate", "m/model.safetensors", "zeros.npz")
    ended.went()
    assert ended.out.splitlines()[1].split()[-1] == "–"
    as_json = specnet("evaluate", "m/model.safetensors", "zeros.npz", "--format", "json")
    assert as_json.document["metrics"]["roc_auc"] is None


@pytest.mark.slow
def test_an_evaluation_on_rows_of_the_training_set_says_so(
    specnet: Specnet, gappy: Path, folder: Path, pinned: Pinned
) -> None:
    header, *rows = (folder / "gappy.csv").read_text().splitlines()
    changed = [row.replace(",", "1,", 1) for row in rows]
    (folder / "some.csv").write_text("\n".join([header, *rows[40:], *changed[:30]]) + "\n")
    for model in (gappy, gappy / "model.safetensors"):
        ended = specnet("evaluate", model, "some.csv")
        assert ended.status == 0
        pinned(ended.err)
        (warning,) = specnet("evaluate", model, "some.csv", "--format", "json").document["warnings"]
        assert warning["code"] == "training-rows"
        assert warning["message"].startswith("20 of 50 rows ")
        assert specnet("evaluate", model, "some.csv", "-q").err == ""
    (gappy / "model.safetensors").rename(folder / "alone.safetensors")
    assert specnet("evaluate", "alone.safetensors", "some.csv").err == ""


@pytest.mark.slow
def test_an_evaluation_on_other_rows_has_no_warning(specnet: Specnet, gappy: Path, folder: Path) -> None:
    header, *rows = (folder / "gappy.csv").read_text().splitlines()
    (folder / "other.csv").write_text("\n".join([header, *(row.replace(",", "1,", 1) for row in rows)]) + "\n")
    specnet("evaluate", gappy, "other.csv").went()
    assert "warnings" not in specnet("evaluate", gappy, "other.csv", "--format", "json").document


def test_rows_that_were_held_out_are_no_training_rows(specnet: Specnet, kinds: Model, folder: Path) -> None:
    (warning,) = specnet("evaluate", "kinds", "table.csv", "--format", "json").document["warnings"]
    rows = json.loads((folder / "kinds/metrics.json").read_text())["rows"]["train"]
    assert rows < 30
    assert warning["message"].startswith(f"{rows} of 30 rows ")


def test_a_label_that_the_model_does_not_know_is_told_of_with_its_file(specnet: Specnet, kinds: Model) -> None:
    text = Path("table.csv").read_text()
    Path("strange.csv").write_text(text.replace("kind a", "kind z", 2))
    specnet("evaluate", "kinds", "strange.csv").failed(1, "strange.csv: error[unknown-label]: 2 of 30 rows ")


@pytest.mark.parametrize("row", ["?,1,rome,5", "1,1,rome,", "1,1,rome,?"])
def test_whoever_has_no_spec_is_not_told_to_change_it(specnet: Specnet, gappy: Path, row: str, pinned: Pinned) -> None:
    Path("wrong.csv").write_text(f"size,age,city,price\n1,2,oslo,3\n{row}\n")
    said = specnet("evaluate", gappy, "wrong.csv").failed(1, "wrong.csv:3:")
    assert "set " not in said
    pinned(said)


def test_weights_of_a_table_count_as_in_its_run(specnet: Specnet, folder: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(40, 2)).round(3)
    lines = [f"{a},{b},{a > 0},{'true' if b > 0 else 'false'}" for a, b in rows]
    (folder / "table.csv").write_text("\n".join(["a,b,y,w", *lines]) + "\n")
    data = {"type": "csv", "path": "table.csv", "target": "y", "sample_weight": "w"}
    data |= {"columns": {"w": "boolean"}, "split": {"test_size": 0}}
    spec = {
        "data": data,
        "network": {"hidden_layer_sizes": [3]},
        "training": {"loss": "binary_crossentropy", "epochs": 9},
    }
    (folder / "weighted.json").write_text(json.dumps(spec))
    assert specnet("run", "weighted.json", "-o", "out", "-q").status == 0
    written = json.loads((folder / "out/metrics.json").read_text())["train"]
    ended = specnet("evaluate", "out", "table.csv", "--format", "json")
    assert ended.document["metrics"] == pytest.approx(written, rel=1e-6)
    (folder / "none.csv").write_text("a,b,y\n1,2,True\n")
    assert specnet("predict", "out", "none.csv").status == 0
    lacking = specnet("evaluate", "out", "none.csv")
    assert lacking.status == 1
    assert '"w"' in lacking.err
    assert "none.csv" in lacking.err
