"""The benchmark of calibration tells errors of probabilities from the noise of bins."""

import json
from pathlib import Path

import numpy as np
import pandas
import pytest

from tests.benchmarks.tables import calibration_error
from tests.benchmarks.tables.calibration_error import tables


def test_right_probabilities_have_the_error_of_the_noise_and_others_more():
    rng = np.random.default_rng(0)
    probability = rng.dirichlet([1, 1, 1], 2_000)
    target = (rng.random((2_000, 1)) > probability.cumsum(axis=1)).sum(axis=1)
    error, noise = calibration_error.error_and_noise(probability, target, 0)
    assert error == pytest.approx(noise, abs=0.01)
    sharp = probability**3 / (probability**3).sum(axis=1, keepdims=True)
    error, noise = calibration_error.error_and_noise(sharp, target, 0)
    assert error > noise + 0.1


@pytest.mark.slow
def test_a_table_is_measured_with_and_without_a_temperature(tmp_path: Path, capsys: pytest.CaptureFixture):
    rng = np.random.default_rng(0)
    rows = pandas.DataFrame({"place": np.array(["north", "south"])[np.arange(150) % 2], "a": rng.normal(size=150)})
    rows.assign(kind=np.where(rows.a > 0, "1", "no")).to_csv(tmp_path / "kinds.csv", index=False)
    (tmp_path / "tables.json").write_text(json.dumps({"kinds": {"kind": "classes", "target": "kind"}}))
    (table,) = tables(tmp_path, ["kinds"])
    recipe, plain, warmer = calibration_error.measured(table, 0, epochs=3).tolist()
    assert 0 < warmer[0] < plain[0]  # after three epochs it is not confident enough
    assert recipe == warmer  # as for all tables of few rows


def test_what_is_far_off_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture):
    (tmp_path / "tables.json").write_text(json.dumps({"kinds": {"kind": "classes", "target": "b"}}))
    (tmp_path / "kinds.csv").write_text("a,b\n1,x\n2,y\n")
    for error, status in ((0.05, 0), (0.07, 1)):
        found = np.array([[error, 0.04], [0.03, 0.04], [0.03, 0.04]])
        monkeypatch.setattr(calibration_error, "measured", lambda table, split, found=found: found)
        assert calibration_error.main([str(tmp_path)]) == status
        assert f"| kinds | {error:.4f} | 0.0400 | 0.0300 | 0.0400 |" in capsys.readouterr().out
