"""The recipe on tables with texts, beside a linear model and CatBoost: `python -m tests.benchmarks.tables.text_tables`.

    python -m tests.benchmarks.tables.text_tables FOLDER                    all tables of a folder that have texts
    python -m tests.benchmarks.tables.text_tables FOLDER ramen --splits 3   some of them, on splits 0 to 2
    python -m tests.benchmarks.tables.text_tables FOLDER --model recipe --model linear

A folder has CSV files and `tables.json`, as for `tests.benchmarks.tables.coverage`; `text` lists a table's columns of
texts. A split holds out a fifth of the rows, whole groups where there are some. The models are `SpecClassifier` or
`SpecRegressor` with the recipe; a linear model of words and pairs of words alone, weighted by TF-IDF, whose penalty is
chosen by folds; and CatBoost with its defaults, which reads the columns as `text_features`, and texts as categories
where few rows differ. Only the recipe gets the column of groups, which it finds. Figures are means over splits of the
log loss, or of the RMSE, and of the CPU seconds of a fit with its predictions. CatBoost is no dependency; install it
first. Run it with one thread (`OMP_NUM_THREADS=1`).
"""

import argparse
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas
from numpy.typing import NDArray
from sklearn.metrics import log_loss, root_mean_squared_error
from sklearn.model_selection import GroupShuffleSplit, train_test_split

from specnet import SpecClassifier, SpecRegressor
from tests.benchmarks.report import Report
from tests.benchmarks.tables.coverage import CoveredTable, covered_tables

SMALLEST = 1e-6
"""The smallest probability that counts as such in a log loss."""
PENALTIES = (0.3, 1.0, 3.0, 10.0, 30.0)
"""The strengths of Ridge's penalty, and the inverse ones of LogisticRegression's, of which folds choose one."""
Model = Callable[[CoveredTable, pandas.DataFrame, NDArray[Any], pandas.DataFrame, int], Any]
"""Fits a model of a table to training rows and targets with a seed, and predicts other rows."""


def of_recipe(table: CoveredTable, X: pandas.DataFrame, y: NDArray[Any], others: pandas.DataFrame, seed: int) -> Any:
    """Return the recipe's probabilities (rows, classes) or values (rows,) for other rows."""
    if table.kind == "values":
        return SpecRegressor("recipe", random_state=seed).fit(X, y).predict(others)
    return SpecClassifier("recipe", random_state=seed).fit(X, y).predict_proba(others)


def of_linear(table: CoveredTable, X: pandas.DataFrame, y: NDArray[Any], others: pandas.DataFrame, seed: int) -> Any:
    """Return those of a linear model of words and pairs of words."""
    from scipy.sparse import hstack
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.model_selection import GridSearchCV

    known, new = [], []
    for column in table.about["text"]:
        vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2, strip_accents="unicode")
        known.append(vectorizer.fit_transform(X[column].fillna("")))
        new.append(vectorizer.transform(others[column].fillna("")))
    if table.kind == "values":
        search = GridSearchCV(Ridge(), {"alpha": PENALTIES}, cv=5, scoring="neg_root_mean_squared_error")
        return search.fit(hstack(known).tocsr(), y).predict(hstack(new))
    search = GridSearchCV(LogisticRegression(max_iter=300), {"C": PENALTIES}, cv=5, scoring="neg_log_loss")
    return search.fit(hstack(known).tocsr(), y).predict_proba(hstack(new))


def of_catboost(table: CoveredTable, X: pandas.DataFrame, y: NDArray[Any], others: pandas.DataFrame, seed: int) -> Any:
    """Return those of CatBoost's defaults, given texts, categories and numbers."""
    import catboost

    texts = table.about["text"]
    words = [name for name in X if not pandas.api.types.is_numeric_dtype(X[name])]
    rare = [name for name in words if name not in texts and X[name].nunique() > 0.5 * X[name].notna().sum()]
    categories = [name for name in words if name not in (*texts, *rare)]
    filled = dict.fromkeys(words, "missing")
    known, new = (rows.fillna(filled).drop(columns=rare) for rows in (X, others))
    options = {"random_seed": seed, "thread_count": 1, "verbose": False, "allow_writing_files": False}
    columns = {"cat_features": categories, "text_features": texts}
    if table.kind == "values":
        return catboost.CatBoostRegressor(**options, **columns).fit(known, y).predict(new)
    return catboost.CatBoostClassifier(**options, **columns).fit(known, y).predict_proba(new)


MODELS: dict[str, Model] = {"recipe": of_recipe, "linear": of_linear, "CatBoost": of_catboost}


def measured(table: CoveredTable, model: str, split: int) -> tuple[float, float]:
    """Return a model's log loss or RMSE on the rows that a split holds out, and CPU seconds."""
    rows = pandas.read_csv(table.path, keep_default_na=False, na_values=[""])
    y = rows.pop(table.about["target"]).to_numpy()
    group, at = table.about.get("group"), np.arange(len(y))
    if group:
        ((train, test),) = GroupShuffleSplit(1, test_size=0.2, random_state=split).split(rows, y, rows[group])
    else:
        even = y if table.kind == "classes" else None
        train, test = train_test_split(at, test_size=0.2, random_state=split, stratify=even)
    if table.kind == "classes":
        y = y.astype(str)
    features = rows if model == "recipe" or not group else rows.drop(columns=group)
    begin = time.process_time()
    found = MODELS[model](table, features.iloc[train], y[train], features.iloc[test], split)
    seconds = time.process_time() - begin
    if table.kind == "values":
        return float(root_mean_squared_error(y[test], found)), seconds
    classes = np.unique(y)
    assert set(y[train]) == {*classes}, "a stratified split has all classes"
    probabilities = np.clip(found, SMALLEST, 1)
    return log_loss(y[test], probabilities / probabilities.sum(1, keepdims=True), labels=classes), seconds


def show(report: Report, name: str, figures: dict[str, NDArray[np.float64]]) -> float | None:
    """Print a table's row; return the recipe's mean loss divided by that of the best other model, if there is one.

    Parameters
    ----------
    report : Report
    name : str
        The table's name.
    figures : dict
        The loss and the CPU seconds of each split (splits, 2), by model.
    """
    means = {model: each.mean(axis=0) for model, each in figures.items()}
    others = [loss for model, (loss, _) in means.items() if model != "recipe"]
    ratio = float(means["recipe"][0] / min(others)) if others and "recipe" in means else None
    cells = [f"{loss:.4f} ({seconds:.0f} s)" for loss, seconds in means.values()]
    report.row(name, *cells, "–" if ratio is None else f"{ratio:.3f}")
    return ratio


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", nargs="+", help="folders of tables, and names of tables")
    parser.add_argument("--splits", type=int, default=1)
    parser.add_argument("--model", action="append", choices=MODELS, dest="models")
    given = parser.parse_intermixed_args(arguments)
    folders = [Path(each) for each in given.what if Path(each).is_dir()]
    models = given.models or [*MODELS]
    report, ratios = Report(), list[float]()
    report.table("table", *models, "recipe ÷ best other")
    for table in covered_tables(folders, [each for each in given.what if not Path(each).is_dir()]):
        if table.about.get("text") and not table.is_later:
            splits = range(given.splits)
            figures = {model: np.array([measured(table, model, split) for split in splits]) for model in models}
            ratio = show(report, table.name, figures)
            ratios += [] if ratio is None else [ratio]
    if ratios:
        print(f"\nGeometric mean of the ratios: {np.exp(np.mean(np.log(ratios))):.3f}")
    return 0


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # columns of these tables that no model can use
    sys.exit(main(sys.argv[1:]))
