"""`specnet predict` of many rows: some are predicted and written after the others."""

from pathlib import Path

import pytest

from tests.cli.conftest import Specnet

SPECS = Path(__file__).parents[2] / "specs"
PENGUINS, DATA = SPECS / "penguins.toml", SPECS / "data" / "penguins.csv"


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".npy"])
@pytest.mark.parametrize("target", ["species", "body_mass_g"])
def test_predictions_are_written_part_by_part(
    suffix: str, target: str, specnet: Specnet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    loss = {"species": "categorical_crossentropy", "body_mass_g": "mean_squared_error"}[target]
    settings = [f"data.target={target}", f"training.loss={loss}", "data.missing_target=drop", "training.metrics=[]"]
    overrides = [part for setting in settings for part in ("--set", setting)]
    model = tmp_path / "model"
    assert specnet("run", PENGUINS, "--out", model, "-q", *overrides).status == 0
    kept = () if suffix == ".npy" else ("--keep", "island,sex")
    contents = []
    for rows in (10_000, 50):
        monkeypatch.setattr("specnet.cli.predictions.ROWS_AT_ONCE", rows)
        out = tmp_path / f"{rows}{suffix}"
        assert specnet("predict", model, DATA, "--out", out, *kept).status == 0
        contents.append(out.read_bytes())
    assert contents[0] == contents[1]
    if suffix == ".csv":
        printed = specnet("predict", model, DATA, *kept)
        assert printed.out.encode() == contents[0]
