"""`specnet predict` of many rows: some are predicted and written after the others."""

from pathlib import Path

import duckdb
import numpy as np
import pytest

from specnet import Observer, run
from tests.cli.conftest import Specnet

SPECS = Path(__file__).parents[3] / "specs"
PENGUINS, DATA = SPECS / "penguins.toml", SPECS / "data" / "penguins.csv"


def table_of(path: Path) -> dict[str, np.ndarray]:
    """Return the columns of a file of predictions by name."""
    if path.suffix == ".npy":
        return {"prediction": np.load(path)}
    frame = duckdb.sql(f"SELECT * FROM '{path}'")
    rows = [[np.nan if cell is None else cell for cell in row] for row in frame.fetchall()]
    return {name: np.array(column) for name, column in zip(frame.columns, zip(*rows, strict=True), strict=True)}


@pytest.fixture(scope="module", params=["species", "body_mass_g"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    loss = {"species": "categorical_crossentropy", "body_mass_g": "mean_squared_error"}[request.param]
    settings = [
        f"data.target={request.param}",
        f"training.loss={loss}",
        "data.missing_target=drop",
        "training.epochs=9",
    ]
    folder = tmp_path_factory.mktemp(request.param)
    run(PENGUINS, folder, overrides=[*settings, "training.metrics=[]"], report=False, observer=Observer())
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".npy"])
def test_predictions_are_written_part_by_part(
    suffix: str, model: Path, specnet: Specnet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    kept = () if suffix == ".npy" else ("--keep", "island,sex")
    tables = []
    for rows in (10_000, 50):
        monkeypatch.setattr("specnet.cli.models.prediction_files.ROWS_AT_ONCE", rows)
        out = tmp_path / f"{rows}{suffix}"
        assert specnet("predict", model, DATA, "--out", out, *kept).status == 0
        tables.append(table_of(out))
    whole, parts = tables
    assert list(parts) == list(whole)
    for name, column in whole.items():
        if column.dtype.kind in "fi":  # a row's last digits may depend on the rows beside it
            np.testing.assert_allclose(parts[name], column, rtol=1e-5)
        else:
            assert parts[name].tolist() == column.tolist()
    if suffix == ".csv":
        assert specnet("predict", model, DATA, *kept).out == out.read_text(encoding="utf-8")
