"""Recipes with monotone columns beside free ones: `python -m tests.benchmarks.tables.monotone FOLDER`.

FOLDER has the tables mpg.csv, insurance.csv, diamonds.csv, auto_price.csv and abalone.csv. For each and five seeds of
the split, what `specnet new` writes with and without directions is run, and scikit-learn's HistGradientBoosting with
`monotonic_cst` is fitted to the same training rows; XGBoost with `monotone_constraints` too, if it is installed. The
exit status is 1 if the geometric mean of RMSE, monotone to free, is above 1.02, or if a prediction falls.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingRegressor

import specnet
from specnet.parts.data import table_file_type
from specnet.recipes import read_with_texts, recipe, table_facts
from specnet.running.data_rows import read_data
from tests.benchmarks.report import Report, installed_versions

DIRECTIONS = {
    "mpg": ("mpg", {"weight": "decreasing", "model_year": "increasing"}),
    "insurance": ("charges", {"age": "increasing", "bmi": "increasing"}),
    "diamonds": ("price", {"carat": "increasing"}),
    "auto_price": ("price", {"horsepower": "increasing"}),
    "abalone": ("rings", {"length": "increasing"}),
}
SEEDS = (0, 1, 2, 3, 4)
"""Seeds of the split; the recipe was chosen on others."""
MOST = 1.02
"""The largest geometric mean of RMSE, monotone to free."""
ROUNDING = 1e-6
"""The largest fall, relative to the range of predictions, that is rounding in float32."""
MOST_CATEGORIES = 200
"""Largest number of categories that the trees read as such."""
STEPS = 64
"""Points at which a column is moved through its range."""


def written(path: Path, target: str, monotone: dict[str, str]) -> str:
    """Return the recipe for a table."""
    part = table_file_type(path)
    assert part is not None
    table = part(path=str(path), target=target)
    facts = table_facts(table, Path(), read_with_texts(table, Path()))
    words: dict[str, Any] = {"name": path.stem, "file": "spec.toml", "data_type": table.type, "path": str(path)}
    return recipe(facts, **words, target=target, monotone=monotone)


def largest_fall(model: specnet.Model, rows: pd.DataFrame, monotone: dict[str, str]) -> float:
    """Return the largest fall, relative to the range of predictions, if columns move over their ranges."""
    worst, sizes = 0.0, np.ptp(model.predict(rows))
    for name, direction in monotone.items():
        ends = sorted([rows[name].min(), rows[name].max()], reverse=direction == "decreasing")
        before = None
        for number in np.linspace(*ends, STEPS):
            after = model.predict(rows.assign(**{name: number}))
            worst = max(worst, 0.0 if before is None else float((before - after).max()))
            before = after
    return worst / float(sizes)


def boosted(
    train: pd.DataFrame, test: pd.DataFrame, target: str, monotone: dict[str, str], seed: int
) -> dict[str, Any]:
    """Return the RMSE of boosted trees with the same directions, by name."""
    signs = {name: 1 if direction == "increasing" else -1 for name, direction in monotone.items()}
    both = pd.concat([train, test]).drop(columns=target)
    for name in both.select_dtypes(exclude="number"):
        both[name] = (
            both[name].astype("category").cat.codes
            if both[name].nunique() > MOST_CATEGORIES
            else both[name].astype("category")
        )
    X, new, y = both.iloc[: len(train)], both.iloc[len(train) :], train[target]
    trees = HistGradientBoostingRegressor(monotonic_cst=signs, categorical_features="from_dtype", random_state=seed)
    found = {"HistGradientBoosting": trees.fit(X, y).predict(new)}
    try:
        from xgboost import XGBRegressor
    except ImportError:
        pass
    else:
        options = {"monotone_constraints": signs, "enable_categorical": True, "random_state": seed}
        found["XGBoost"] = XGBRegressor(**options).fit(X, y).predict(new)
    return {name: float(np.sqrt(np.mean((each - test[target]) ** 2))) for name, each in found.items()}


def main(folder: Path, tables: list[str]) -> int:
    report, ratios, worst = Report(), list[float](), 0.0
    print(installed_versions())
    report.table("table", "seed", "free", "monotone", "ratio", "largest fall / range", "trees with the same directions")
    for name in tables:
        target, monotone = DIRECTIONS[name]
        path = (folder / f"{name}.csv").resolve()
        rows = pd.read_csv(path)
        for seed in SEEDS:
            overrides = [f"data.split.random_state={seed}", f"seed={seed}"]
            specs = [specnet.parse_spec(written(path, target, each), overrides=overrides) for each in ({}, monotone)]
            free, bound = (specnet.run(spec, report=False) for spec in specs)
            chosen = {part: each.chosen for part, each in read_data(specs[0]).splits.items()}
            test = rows.iloc[chosen.pop("test")]
            trees = boosted(rows.iloc[np.concatenate([*chosen.values()])], test, target, monotone, seed)
            scores = [run.metrics["test"]["root_mean_squared_error"] for run in (free, bound)]
            fall = largest_fall(bound.model, test.drop(columns=target).head(256), monotone)
            ratios.append(scores[1] / scores[0])
            worst = max(worst, fall)
            shown = ", ".join(f"{peer} {score:.4g}" for peer, score in trees.items())
            report.row(
                name, str(seed), *(f"{score:.4g}" for score in scores), f"{ratios[-1]:.3f}", f"{fall:.1e}", shown
            )
    mean = float(np.exp(np.mean(np.log(ratios))))
    print(f"\ngeometric mean of monotone / free: {mean:.3f}, at most {MOST}; largest fall {worst:.1e} of the range")
    return int(mean > MOST or worst > ROUNDING)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:] or [*DIRECTIONS]))
