"""Exports of models with each preprocessing step, and what they make of missing cells."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from specnet.data import Preparation
from specnet.exporting import find_target
from specnet.exporting.program import Program
from specnet.exporting.text import TEXT_EXPANSIONS
from specnet.model import Model
from specnet.network import Network
from specnet.parts.preprocessing import (
    Calendar,
    Clip,
    Embedding,
    Impute,
    Log,
    Minmax,
    OneHot,
    Ordinal,
    Preprocessing,
    Quantile,
    Robust,
    SmoothClip,
    Standardize,
)
from specnet.parts.registry import built_in_registry
from specnet.spec import parse_spec, resolve
from tests.exporting.models import DTYPES, exported
from tests.exporting.tools import RUNNABLE, SUFFIXES

CHAINS: dict[str, list[Preprocessing]] = {
    "robust": [Robust(), SmoothClip(limit=2)],
    "log": [Log(), Minmax()],
    "clip": [Clip(), Standardize()],
    "quantile": [Quantile(points=9), Standardize()],
    "impute": [Impute(indicator=(0, 2, 3)), Standardize()],
    "impute with all indicators": [Impute(strategy="mean", indicator=True)],
    "impute without indicators": [Impute(strategy="most_frequent", indicator=False), Robust()],
    "calendar": [Calendar(), Impute(indicator=False), Standardize()],
    "ordinal": [Ordinal(minimum_count=1)],
    "one_hot": [OneHot(minimum_count=10)],
    "embedding": [Embedding(minimum_count=1)],
}
TARGETS: dict[str, list[Preprocessing]] = {"log": [Log(), Robust()], "clip": [Clip(), Minmax()]}
"""For the target, beside those of the same name for the columns."""
ROWS, COLUMNS = 80, 4


def training(name: str) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
    """Return training rows for a chain, and each column's texts."""
    rng = np.random.default_rng(1)
    if name in ("ordinal", "one_hot", "embedding"):
        return rng.integers(0, [2, 7, 11, 1], (ROWS, COLUMNS)).astype(float), (np.array(list("abcdefghijk")),) * COLUMNS
    columns = rng.normal(20_000, 400, (ROWS, COLUMNS)) if name == "calendar" else rng.normal(3, 2, (ROWS, COLUMNS))
    columns[:, 2] = columns[:, 2].round()  # some are equal
    if name.startswith(("impute", "calendar")):
        columns[rng.random(columns.shape) < 0.2] = np.nan
    return columns, ()


@cache
def chain_model(name: str, dtype: str) -> Model:
    """Return a model with a chain of fitted steps and arbitrary weights."""
    columns, texts = training(name)
    steps, learned = [], []
    for unfitted in CHAINS[name]:
        step, found = unfitted.fit(columns, None, texts)
        if texts:
            columns = step.codes(columns, texts, found)
        columns = step.apply(columns, found)
        steps.append(step)
        learned.append(found)
    target = Preparation.fit(TARGETS.get(name, []), np.random.default_rng(2).normal(5, 2, (ROWS, 1)))[0]
    network: dict[str, Any] = {
        "dtype": dtype,
        "layer_sizes": [columns.shape[1], 5, 1],
        "activations": "tanh",
        "feature_names": [f"x{k}" for k in range(COLUMNS)],
        "preprocessing": [step.dump(step) for step in steps],
        "target_preprocessing": [step.dump(step) for step in target.steps],
    }
    built = Network(resolve(parse_spec({"network": network, "training": {"loss": "mean_squared_error"}})))
    theta = 0.3 * np.random.default_rng(3).standard_normal(built.parameter_count)
    return Model(built, theta.astype(dtype), None, Preparation(tuple(steps), tuple(learned)), target)


def test_every_step_is_exported():
    kinds = {type(step) for chain in [*CHAINS.values(), *TARGETS.values()] for step in chain}
    assert kinds == set(built_in_registry().of_kind("preprocessing"))


@pytest.mark.slow
@pytest.mark.parametrize("target", RUNNABLE)
@pytest.mark.parametrize("name", CHAINS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_step_agrees(name: str, target: str, dtype: str, tmp_path: Path):
    written = exported(chain_model(name, dtype), target, tmp_path / f"m{SUFFIXES[target]}")
    assert written.dtype == dtype


@pytest.mark.slow
@pytest.mark.parametrize("target", RUNNABLE[1:])
@pytest.mark.parametrize("name", [name for name in CHAINS if name.startswith(("impute", "calendar"))])
def test_missing_cells_are_filled_as_the_model_does(name: str, target: str, tmp_path: Path):
    model = chain_model(name, "float64")
    columns, _ = training(name)
    assert np.isnan(columns).any()
    program = find_target(target).program(model, model.network.dtype)
    path = tmp_path / f"m{SUFFIXES[target]}"
    exported(model, target, path)
    found = find_target(target).run(program, path, columns)
    expected = model.network.predict(model.theta, model.preprocessing.apply(columns))
    np.testing.assert_allclose(found.outputs, expected, rtol=1e-12, atol=1e-12)


def test_rows_that_exports_are_compared_on_lie_where_the_steps_say_something():
    from specnet.exporting.proof import probe_rows

    for name in CHAINS:
        program = Program(chain_model(name, "float64"), np.dtype(np.float64), TEXT_EXPANSIONS)
        X, _ = probe_rows(program)
        prepared = chain_model(name, "float64").preprocessing.prepare(X)
        assert np.isfinite(prepared).all()
        assert (np.ptp(prepared, axis=0) > 0).mean() > 0.4
