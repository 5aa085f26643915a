"""Models of tables: columns of texts, numbers with gaps, dates and booleans, and each preprocessing step."""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

import numpy as np
import pandas

import specnet
from specnet import Model
from specnet.data.raw_columns import RawColumns, raw_columns

ODD = [
    'a "quote"', "it's", "back\\slash", "\\n", "two\nlines", "a\r\nb", "tab\there", "Straße", "日本語", "a\u2028b",
    "🐧", "??/ */ // <!--", "${x}`", "__proto__", "%s{0}", "nan", "None", "1",
]  # fmt: skip # several to a line
"""Texts that are hard to write."""
ISLANDS = ["Biscoe", "Dream", "Torgersen"]
SEX = 'the "sex"'
NAMES = ["island", "bill_length_mm", "bill_depth_mm", SEX, "flipper_length_mm", "body_mass_g", "seen", "ringed"]
CLASSES = "categorical_crossentropy"
ROWS = 400


def fitted(preprocessing: list[Any], rows: Any, dtype: str = "float64", loss: str = "mse", **network: Any) -> Model:
    """Return a model behind steps, or groups of steps, that are fitted to rows."""
    rng = np.random.default_rng(2)
    y = rng.choice(["Adelie", "Chinstrap", "Gentoo"], len(rows)) if loss == CLASSES else rng.normal(5, 2, len(rows))
    spec = {
        "network": {"dtype": dtype, "hidden_layer_sizes": [6], "activations": "tanh", "preprocessing": preprocessing},
        "training": {"loss": loss, "epochs": 1, "engine": "numpy"},
    }
    spec["network"] |= network
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", specnet.SpecnetWarning)  # about rare categories, which are there on purpose
        return specnet.fit(spec, rows, y, observer=specnet.Observer())


def group(columns: str, *steps: Any) -> dict[str, Any]:
    return {"columns": columns.split(), "steps": [*steps]}


def raw(model: Model, rows: pandas.DataFrame) -> RawColumns:
    """Return rows as a model reads them."""
    spec = model.spec
    return raw_columns(rows, spec.feature_kinds, model.network.resolved.columns, spec.feature_names)


def dates(hours: Any) -> Any:
    return pandas.to_datetime(hours, unit="h", utc=True)


@cache
def training_rows() -> pandas.DataFrame:
    """Return rows with gaps in the numbers and in one category, and rare texts."""
    rng = np.random.default_rng(5)
    columns = [
        ["Nowhere", "Nowhere", *rng.choice(ISLANDS, ROWS - 2)],
        rng.normal(44, 5, ROWS),
        rng.normal(17, 2, ROWS),
        rng.choice(ODD, ROWS),
        rng.normal(200, 14, ROWS).round(),
        rng.normal(4200, 800, ROWS).round(),
        dates(rng.integers(13_000, 15_000, ROWS) * 24 + rng.integers(0, 24, ROWS)),
        rng.integers(0, 2, ROWS) == 1,
    ]
    rows = pandas.DataFrame(dict(zip(NAMES, columns, strict=True)))
    for name in NAMES[1:7]:
        rows.loc[rng.random(ROWS) < 0.08, name] = None
    return rows


def asked_rows() -> pandas.DataFrame:
    """Return rows for the model of a table: each odd text, gaps in every column that may have them, and new texts."""
    sexes = [*ODD, "new", "back\\\\slash", "two\r\nlines", None]
    count, rng = len(sexes), np.random.default_rng(8)
    islands = [*ISLANDS, "Atlantis", "biscoe"]
    columns = [
        [islands[k % len(islands)] for k in range(count)],
        rng.normal(44, 5, count).astype(np.float32).astype(np.float64),
        rng.normal(17, 2, count).astype(np.float32).astype(np.float64),
        sexes,
        rng.normal(200, 14, count).round(),
        rng.normal(4200, 800, count).round(),
        dates(rng.integers(10_000, 16_000, count) * 24 + 6),
        rng.integers(0, 2, count) == 1,
    ]
    rows = pandas.DataFrame(dict(zip(NAMES, columns, strict=True)))
    for place in (0, 1, 2, 4, 5, 6):
        rows.loc[place::7, NAMES[place]] = None
    return rows


def cells(rows: pandas.DataFrame) -> list[list[Any]]:
    """Return rows as a person writes them: None where a cell is missing, days in place of dates."""
    days = (rows.seen - pandas.Timestamp(0, tz="UTC")) / pandas.Timedelta(days=1)
    table = rows.assign(seen=days, ringed=rows.ringed.astype(float)).to_numpy(object)
    return [[None if pandas.isna(cell) else cell for cell in row] for row in table.tolist()]


def groups_of(form: str) -> list[dict[str, Any]]:
    """Return groups of the columns: their categories as one_hot, ordinal, embedding or target_encoding."""
    texts = {"type": "embedding", "size": 3} if form == "embedding" else form
    return [
        {"columns": ["island", SEX], "steps": [texts]},
        group("bill_length_mm bill_depth_mm flipper_length_mm body_mass_g", "impute", "standardize"),
        group("seen", "calendar", "impute", "standardize"),
        group("ringed"),
    ]


@cache
def table_model(form: str = "one_hot", dtype: str = "float64") -> Model:
    return fitted(groups_of(form), training_rows(), dtype, CLASSES)


def month_model(dtype: str) -> Model:
    """Return a model of dates of a single month, which float32 does not tell apart well, and of one of two texts."""
    rng = np.random.default_rng(6)
    hours = rng.integers(20_000 * 24, 20_028 * 24, ROWS)
    rows = pandas.DataFrame({"when": dates(hours), "what": rng.choice(["a", "b"], ROWS)})
    rows.loc[rng.random(ROWS) < 0.1, "when"] = None
    return fitted([group("when", "calendar", "impute", "standardize"), group("what", "one_hot")], rows, dtype)


def gaps_model(dtype: str) -> Model:
    """Return a model of numbers alone, of which one column may be missing."""
    rows = pandas.DataFrame(np.random.default_rng(10).normal(size=(50, 2)), columns=["a", "b"])
    rows.loc[::4, "a"] = np.nan
    return fitted([group("a", "impute", "standardize"), group("b", "standardize")], rows, dtype)


QUANTILES = {"type": "quantile", "points": 9}
CHAINS: dict[str, list[Any]] = {
    "robust": ["robust", {"type": "smooth_clip", "limit": 2}],
    "log": ["log", "minmax"],
    "clip": ["clip", "standardize"],
    "quantile": [QUANTILES, "standardize"],
    "impute": [{"type": "impute", "indicator": [0, 2, 3]}, "standardize"],
    "impute with all indicators": [{"type": "impute", "strategy": "mean", "indicator": True}],
    "impute without indicators": [{"type": "impute", "strategy": "most_frequent", "indicator": False}, "robust"],
    "calendar": ["calendar", {"type": "impute", "indicator": False}, "standardize"],
}
TARGETS: dict[str, list[Any]] = {"log": ["log", "robust"], "clip": ["clip", "minmax"]}
"""For the target, beside those of the same name for the columns."""


def chain_rows(name: str) -> pandas.DataFrame:
    """Return training rows for a chain."""
    rng = np.random.default_rng(1)
    columns = rng.normal(20_000, 400, (80, 4)) if name == "calendar" else rng.normal(3, 2, (80, 4))
    columns[:, 2] = columns[:, 2].round()  # some are equal
    rows = pandas.DataFrame(columns, columns=[f"x{k}" for k in range(4)])
    if name == "calendar":
        rows = (rows * 24).round().apply(dates)
    return rows.mask(rng.random(rows.shape) < 0.2) if name.startswith(("impute", "calendar")) else rows


@cache
def chain_model(name: str, dtype: str) -> Model:
    """Return a model with a chain of fitted steps."""
    target = TARGETS.get(name, [])
    return fitted(CHAINS[name], chain_rows(name), dtype, target_preprocessing=target)


@cache
def grouped_model(dtype: str) -> Model:
    """Return a model whose columns go through different steps."""
    without = {"type": "impute", "indicator": False}
    groups = [
        group("x1 x3", {"type": "impute", "indicator": True}, "minmax"),
        group("x0", without, "standardize"),
        group("x2", without),
    ]
    return fitted(groups, chain_rows("impute"), dtype)
