"""Exports of models with each preprocessing step, and what they make of missing cells."""

from functools import cache
from typing import Any

import numpy as np

from specnet import Model, Network, parse_spec, resolve
from specnet.data import Preparation, unfitted
from specnet.exporting.export_proof import probe_rows
from specnet.exporting.formula import TEXT_EXPANSIONS
from specnet.exporting.model_program import Program
from specnet.parts.preprocessing import (
    Calendar,
    CategoryStep,
    ClipColumns,
    Impute,
    Log,
    Minmax,
    Preprocessing,
    QuantileRanks,
    Robust,
    SmoothClip,
    Standardize,
)
from specnet.spec import ColumnGroup
from tests.registry import REGISTRY

CHAINS: dict[str, list[Preprocessing]] = {
    "robust": [Robust(), SmoothClip(limit=2)],
    "log": [Log(), Minmax()],
    "clip": [ClipColumns(), Standardize()],
    "quantile": [QuantileRanks(points=9), Standardize()],
    "impute": [Impute(indicator=(0, 2, 3)), Standardize()],
    "impute with all indicators": [Impute(strategy="mean", indicator=True)],
    "impute without indicators": [Impute(strategy="most_frequent", indicator=False), Robust()],
    "calendar": [Calendar(), Impute(indicator=False), Standardize()],
}
TARGETS: dict[str, list[Preprocessing]] = {"log": [Log(), Robust()], "clip": [ClipColumns(), Minmax()]}
"""For the target, beside those of the same name for the columns."""
ROWS, COLUMNS = 80, 4
NAMES = [f"x{k}" for k in range(COLUMNS)]


def training(name: str) -> np.ndarray:
    """Return training rows for a chain."""
    rng = np.random.default_rng(1)
    columns = rng.normal(20_000, 400, (ROWS, COLUMNS)) if name == "calendar" else rng.normal(3, 2, (ROWS, COLUMNS))
    columns[:, 2] = columns[:, 2].round()  # some are equal
    if name.startswith(("impute", "calendar")):
        columns[rng.random(columns.shape) < 0.2] = np.nan
    return columns


def model_of(preparation: Preparation, inputs: int, dtype: str, target: Preparation, preprocessing: list[Any]) -> Model:
    """Return a model with arbitrary weights behind what was fitted."""
    network: dict[str, Any] = {
        "dtype": dtype,
        "layer_sizes": [inputs, 5, 1],
        "activations": "tanh",
        "feature_names": NAMES,
        "preprocessing": preprocessing,
        "target_preprocessing": [step.dump(step) for step in target.steps],
    }
    built = Network(resolve(parse_spec({"network": network, "training": {"loss": "mean_squared_error"}})))
    theta = 0.3 * np.random.default_rng(3).standard_normal(built.parameter_count)
    return Model(built, theta.astype(dtype), None, preparation, target)


@cache
def chain_model(name: str, dtype: str) -> Model:
    """Return a model with a chain of fitted steps and arbitrary weights."""
    columns = training(name)
    preparation = Preparation.fit(unfitted(CHAINS[name]), columns)
    target = Preparation.fit(unfitted(TARGETS.get(name, [])), np.random.default_rng(2).normal(5, 2, (ROWS, 1)))
    inputs = preparation.prepare(columns).shape[1]
    return model_of(preparation, inputs, dtype, target, [step.dump(step) for step in preparation.steps])


@cache
def grouped_model(dtype: str) -> Model:
    """Return a model whose columns go through different steps."""
    columns = training("impute")
    written = [
        ColumnGroup(columns=("x1", "x3"), steps=(Impute(indicator=True), Minmax())),
        ColumnGroup(columns=("x0",), steps=(Impute(indicator=False), Standardize())),
        ColumnGroup(columns=("x2",), steps=(Impute(indicator=False),)),
    ]
    preparation = Preparation.fit(unfitted(written, NAMES), columns)
    sized = [
        {"columns": list(group.columns), "steps": [step.dump(step) for step in fitted.steps]}
        for group, fitted in zip(written, preparation.groups, strict=True)
    ]
    return model_of(preparation, 6, dtype, Preparation(), sized)


def test_every_step_is_exported():
    kinds = {type(step) for chain in [*CHAINS.values(), *TARGETS.values()] for step in chain}
    steps = REGISTRY.of_kind("preprocessing")
    assert kinds == {step for step in steps if not issubclass(step, CategoryStep)}


def test_rows_that_exports_are_compared_on_lie_where_the_steps_say_something():
    for name in CHAINS:
        program = Program(chain_model(name, "float64"), np.dtype(np.float64), TEXT_EXPANSIONS)
        rows, _ = probe_rows(program)
        assert np.isnan(rows.X).any() == name.startswith(("impute", "calendar"))
        prepared = chain_model(name, "float64").preprocessing.prepare(rows.X)
        assert np.isfinite(prepared).all()
        assert (np.ptp(prepared, axis=0) > 0).mean() > 0.4
