"""Times with and without a time zone: a model of local times refuses others, which it would take for UTC."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas
import polars
import pytest

import specnet
from specnet import DataError
from specnet.data import read_inputs
from specnet.parts.data.notations import LocalDatetime
from tests.running.specs import spec_on
from tests.texts.pinned import Refused

HOURS = pandas.date_range("2023-01-01", periods=60, freq="7h")
Y = np.sin(2 * np.pi * HOURS.hour / 24).to_numpy()
LOCAL = pandas.DataFrame({"when": HOURS, "y": Y})
ZONED = LOCAL.assign(when=HOURS.tz_localize("America/New_York"))
"""A zone with a name that narwhals does not know."""


def trained(folder: Path, table: pandas.DataFrame, **data: Any) -> tuple[specnet.Model, specnet.Model]:
    """Return the models of a file and of a data frame with the same table."""
    table.to_csv(folder / "rows.csv", index=False)
    spec = spec_on({"type": "csv", "path": str(folder / "rows.csv"), "target": "y", **data}, 4, loss="mse")
    spec["data"]["split"] = {"test_size": 0.0}
    of_file = specnet.run(spec, folder / "out", observer=specnet.Observer(), force=True).model
    of_frame = specnet.fit(spec, table, table.y, observer=specnet.Observer())
    assert of_file.theta.tobytes() == of_frame.theta.tobytes()
    assert of_file.spec.feature_kinds == of_frame.spec.feature_kinds
    return of_file, of_frame


@pytest.mark.parametrize("columns", [{}, {"when": {"type": "datetime", "format": "%Y-%m-%d %H:%M:%S"}}], ids=["", "f"])
def test_a_model_of_local_times_refuses_times_with_a_zone(tmp_path: Path, columns: dict[str, Any], refused: Refused):
    for model in trained(tmp_path, LOCAL, columns=columns):
        expected = model.predict(LOCAL)
        np.testing.assert_array_equal(model.predict(polars.from_pandas(LOCAL)), expected)
        for library in (ZONED, polars.from_pandas(ZONED), polars.from_pandas(ZONED).to_arrow()):
            with refused(DataError, code="not-a-datetime"):
                model.predict(library)
        for suffix, write in ((".csv", pandas.DataFrame.to_csv), (".parquet", pandas.DataFrame.to_parquet)):
            write(ZONED, tmp_path / f"zoned{suffix}", index=False)
            write(LOCAL, tmp_path / f"local{suffix}", index=False)
            found = read_inputs(tmp_path / f"local{suffix}", model.network.resolved)
            np.testing.assert_array_equal(model.predict(found), expected)
            with refused(DataError, code="not-a-datetime"):
                read_inputs(tmp_path / f"zoned{suffix}", model.network.resolved)


def test_a_model_of_times_with_a_zone_takes_all_of_one_moment_for_the_same(tmp_path: Path):
    for model in trained(tmp_path, ZONED):
        assert model.spec.feature_kinds == {"when": "datetime"}
        expected = model.predict(ZONED)
        for zone in ("UTC", "Asia/Kolkata"):
            np.testing.assert_array_equal(model.predict(ZONED.assign(when=ZONED.when.dt.tz_convert(zone))), expected)
        assert np.abs(expected - model.predict(LOCAL)).max() > 0


def test_dates_without_times_have_no_zone(tmp_path: Path):
    days = LOCAL.assign(when=HOURS.normalize())
    for model in trained(tmp_path, days):
        assert model.spec.feature_kinds == {"when": "datetime"}


def test_a_model_that_says_nothing_of_zones_reads_both(tmp_path: Path):
    spec = spec_on(None, 4, loss="mse", network={"feature_kinds": {"when": "datetime"}})
    old = specnet.parse_spec(specnet.fit(spec, ZONED, Y).spec.to_json())
    assert old.feature_kinds == {"when": "datetime"}
    local = LocalDatetime(type="datetime", zone=False)
    assert local.reads("2024-01-31 10:00")
    assert not local.reads("2024-01-31 10:00Z")
    assert specnet.fit(spec, LOCAL, Y).spec.feature_kinds == {"when": local}


def test_a_model_of_a_frame_predicts_a_file(tmp_path: Path):
    table = LOCAL.assign(town=["rome", "oslo"] * 30)
    model = specnet.fit(spec_on(None, 4, loss="mse"), table[["town", "when"]], Y)
    table.to_csv(tmp_path / "rows.csv", index=False)
    found = model.predict(read_inputs(tmp_path / "rows.csv", model.network.resolved))
    np.testing.assert_array_equal(found, model.predict(table))
