"""Models of tables: columns of texts, numbers with gaps, and dates."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from specnet import Model, Network, parse_spec, resolve
from specnet.data import Preparation, RawColumns, unfitted
from specnet.parts.data import Column
from specnet.parts.preprocessing import Calendar, CategoryEmbedding, CategoryStep, Impute, OneHot, Ordinal, Standardize
from specnet.spec import ColumnGroup

ODD = [
    'a "quote"', "it's", "back\\slash", "\\n", "two\nlines", "a\r\nb", "tab\there", "Straße", "日本語", "a\u2028b",
    "🐧", "??/ */ // <!--", "${x}`", "__proto__", "%s{0}", "nan", "None", "1",
]  # fmt: skip # several to a line
"""Texts that are hard to write."""
ISLANDS = ["Biscoe", "Dream", "Torgersen"]
KINDS = {
    "island": "category",
    "bill_length_mm": "numeric",
    "bill_depth_mm": "numeric",
    'the "sex"': "category",
    "flipper_length_mm": "numeric",
    "body_mass_g": "numeric",
    "seen": "datetime",
    "ringed": "boolean",
}
NAMES = list(KINDS)
ROWS = 400


def training_rows() -> RawColumns:
    """Return rows as a reader makes them: gaps in the numbers and in one category, and rare texts."""
    rng = np.random.default_rng(5)
    X = np.stack(
        [
            rng.integers(0, len(ISLANDS), ROWS).astype(float),
            rng.normal(44, 5, ROWS),
            rng.normal(17, 2, ROWS),
            rng.integers(0, len(ODD), ROWS).astype(float),
            rng.normal(200, 14, ROWS).round(),
            rng.normal(4200, 800, ROWS).round(),
            rng.integers(13_000, 15_000, ROWS) + rng.integers(0, 24, ROWS) / 24,
            rng.integers(0, 2, ROWS).astype(float),
        ],
        axis=1,
    )
    for place in (1, 2, 3, 4, 5, 6):
        X[rng.random(ROWS) < 0.08, place] = np.nan
    rare = [*ISLANDS, "Nowhere"]
    X[:2, 0] = 3
    texts = {"island": np.array(rare), 'the "sex"': np.array(sorted(ODD))}
    return RawColumns(X, tuple(Column(name, kind, texts.get(name)) for name, kind in KINDS.items()))


def groups_of(form: str) -> list[ColumnGroup]:
    """Return groups of the columns: their categories as one_hot, ordinal or embedding."""
    texts: CategoryStep = {"one_hot": OneHot(), "ordinal": Ordinal(), "embedding": CategoryEmbedding(size=3)}[form]
    numbers = ("bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g")
    return [
        ColumnGroup(columns=("island", 'the "sex"'), steps=(texts,)),
        ColumnGroup(columns=numbers, steps=(Impute(), Standardize())),
        ColumnGroup(columns=("seen",), steps=(Calendar(), Impute(), Standardize())),
        ColumnGroup(columns=("ringed",), steps=()),
    ]


@cache
def table_model(form: str = "one_hot", dtype: str = "float64", loss: str = "categorical_crossentropy") -> Model:
    """Return a model with arbitrary weights behind what was fitted to the rows."""
    return model_of(groups_of(form), training_rows(), dtype, loss)


def model_of(written: list[ColumnGroup], rows: RawColumns, dtype: str, loss: str) -> Model:
    """Return a model with arbitrary weights behind groups that are fitted to rows."""
    names = [column.name for column in rows.kinds]
    preparation = Preparation.fit(unfitted(written, names), rows.X, texts=rows.texts, names=names)
    sized = [
        {"columns": list(group.columns), "steps": [step.dump(step) for step in map(_sized, group.steps, fitted.steps)]}
        for group, fitted in zip(written, preparation.groups, strict=True)
    ]
    network: dict[str, Any] = {
        "dtype": dtype,
        "hidden_layer_sizes": [6],
        "output_size": 3 if loss == "categorical_crossentropy" else 1,
        "activations": "tanh",
        "feature_names": names,
        "feature_kinds": {column.name: column.kind for column in rows.kinds},
        "preprocessing": sized,
    }
    built = Network(resolve(parse_spec({"network": network, "training": {"loss": loss}})))
    theta = 0.3 * np.random.default_rng(3).standard_normal(built.parameter_count)
    labels = np.array(["Adelie", "Chinstrap", "Gentoo"]) if built.class_count == 3 else None
    return Model(built, theta.astype(dtype), None, preparation, labels=labels)


def _sized(step: Any, fitted: Any) -> Any:
    return step.model_copy(update={"counts": fitted.counts}) if isinstance(step, CategoryEmbedding) else fitted


@cache
def month_model(dtype: str = "float32") -> Model:
    """Return a model of dates of a single month, which float32 does not tell apart well, and of one of two texts."""
    rng = np.random.default_rng(6)
    X = np.stack([rng.integers(20_000, 20_028, ROWS) + rng.random(ROWS).round(2), rng.integers(0, 2, ROWS)], axis=1)
    X[rng.random(ROWS) < 0.1, 0] = np.nan
    kinds = (Column("when", "datetime"), Column("what", "category", np.array(["a", "b"])))
    written = [
        ColumnGroup(columns=("when",), steps=(Calendar(), Impute(), Standardize())),
        ColumnGroup(columns=("what",), steps=(OneHot(),)),
    ]
    return model_of(written, RawColumns(X, kinds), dtype, "mean_squared_error")
