"""Tables that were made to be something, as data frames: each gives the kinds, the model and answers of its file."""

import tomllib
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas
import polars
import pyarrow
import pytest

import specnet
from specnet.data import read_inputs
from specnet.parts.data import kind_of
from tests.journeys.made_tables import TABLES

LIBRARIES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "pandas": pandas.DataFrame,
    "Polars": polars.DataFrame,
    "Arrow": pyarrow.table,
}
READ = [name for name, table in TABLES.items() if not table.refused]


def read_toml(value):
    return tomllib.loads(f"value = {value}")["value"]


def spec_of(table, names, path):
    """Return a spec of a tiny network with the kinds that the table's columns were made to have."""
    columns = zip(names, table.columns.values(), strict=True)
    # What is written of long ones is how they begin; they are judged.
    kinds = {
        name: read_toml(column.kind) for name, column in columns if column.kind.count("{") == column.kind.count("}")
    }
    is_class = kinds[table.target] == "category"
    if len(kinds) < len(names):
        del kinds[table.target]  # where it is listed, all are
    classes = len({*(table.columns[table.target].values or ())} - {None})
    loss = ("binary_crossentropy" if classes == 2 else "categorical_crossentropy") if is_class else "mse"
    data = {"type": "csv", "path": str(path), "target": table.target, "columns": kinds, "split": {"test_size": 0.0}}
    return {
        "data": {**data, "missing_target": "drop"},
        "network": {"hidden_layer_sizes": [3]},
        "training": {"loss": loss, "epochs": 1, "baselines": [], "engine": "numpy"},
    }


@pytest.mark.filterwarnings("ignore::specnet.SpecnetWarning")
@pytest.mark.parametrize("name", READ)
def test_a_made_table_gives_the_model_of_its_file(name, tmp_path):
    table = TABLES[name]
    (tmp_path / "table.csv").write_bytes(table.content)
    names = [column.strip() or f"column_{place}" for place, column in enumerate(table.columns, 1)]
    spec, quiet = spec_of(table, names, tmp_path / "table.csv"), specnet.Observer()
    overrides = [part for part in table.options if part != "--set"]
    model = specnet.run(spec, tmp_path / "out", overrides=overrides, report=False, observer=quiet).model
    values = {
        name: column.values
        for name, column in zip(names, table.columns.values(), strict=True)
        if column.values is not None
    }
    known = np.array([value is not None for value in values[table.target]])
    y = np.array([value for value in values[table.target] if value is not None])
    expected = model.predict(read_inputs(tmp_path / "table.csv", model.network.resolved))
    for library, make in LIBRARIES.items():
        frame = make(values)
        part = make(
            {
                name: [cell for cell, is_row in zip(cells, known, strict=True) if is_row]
                for name, cells in values.items()
            }
        )
        fitted = specnet.fit(spec, part, y, overrides=overrides, observer=quiet)
        kinds = [{key: kind_of(kind) for key, kind in each.spec.feature_kinds.items()} for each in (model, fitted)]
        assert kinds[0] == kinds[1], library
        assert fitted.theta.tobytes() == model.theta.tobytes(), library
        for each in (model, fitted):
            np.testing.assert_array_equal(each.predict(frame).astype(str), expected.astype(str), err_msg=library)
