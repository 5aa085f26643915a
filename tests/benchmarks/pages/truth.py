"""What a run's page should show, from its rows and its model by NumPy and scikit-learn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn import metrics
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.preprocessing import StandardScaler

import specnet
from tests.made import data_of

Array = NDArray[Any]
Z95 = 1.959963984540054
NEIGHBOURS = 15
RESAMPLES = 2000
Score = Callable[[Array, Array], float]
"""A metric of a target and of what was predicted for it: probabilities (rows, classes), or values (rows, outputs)."""


def log_loss(target: Array, probability: Array) -> float:
    """Return the mean of −log p of the true classes."""
    return float(-np.mean(np.log(probability[np.arange(len(target)), target])))


def wilson(share: float, rows: int) -> tuple[float, float]:
    """Return the 95 % interval of a fraction (Wilson 1927)."""
    middle, half = share + Z95**2 / (2 * rows), Z95 * np.sqrt(share * (1 - share) / rows + Z95**2 / (4 * rows**2))
    low, high = (float(end / (1 + Z95**2 / rows)) for end in (middle - half, middle + half))
    return max(low, 0.0), min(high, 1.0)


class Truth:
    """The rows and the model of a run.

    Parameters
    ----------
    folder : Path
        Folder of the model.
    spec : Path
        Spec of the run, for its rows.
    splits : sequence of str

    Attributes
    ----------
    columns, target : dict
        Cells of the columns, and the target as indices of classes or values (rows, outputs), by split.
    labels : list of str
        Names of the classes; empty for values.
    """

    def __init__(self, folder: Path, spec: Path, splits: Sequence[str] = ("train", "test")) -> None:
        self.folder, self.model = folder, specnet.load_model(folder)
        self.data = data_of(spec)
        section: Any = self.model.spec.data
        table = pd.read_csv(section.path)
        names = [section.target] if isinstance(section.target, str) else list(section.target)
        self.outputs, self.names = names, [name for name in table.columns if name not in names]
        self.labels = [] if self.model.labels is None else [str(label) for label in self.model.labels]
        self.lines = {split: np.asarray(self.data.splits[split].chosen) for split in splits}
        self.columns = {split: table.iloc[rows][self.names] for split, rows in self.lines.items()}
        self.target: dict[str, Array] = {}
        for split, rows in self.lines.items():
            found = table.iloc[rows][names].to_numpy()
            self.target[split] = (
                np.array([self.labels.index(str(label)) for label in found[:, 0]])
                if self.labels
                else found.astype(float)
            )
        self.are_numbers = (
            all(kind.kind == "f" for kind in table[self.names].dtypes) and not table[self.names].isna().to_numpy().any()
        )

    def predicted(self, columns: pd.DataFrame) -> Array:
        """Return probabilities (rows, classes), or values (rows, outputs)."""
        if self.labels:
            return np.asarray(self.model.predict_proba(columns), np.float64)
        return np.asarray(self.model.predict(columns), np.float64).reshape(len(columns), -1)

    @cached_property
    def own(self) -> dict[str, Array]:
        return {split: self.predicted(columns) for split, columns in self.columns.items()}

    @cached_property
    def simpler(self) -> dict[str, Array]:
        """What simpler predictors predict for the test rows; of columns with texts or gaps only the constant."""
        train, target = self.columns["train"], self.target["train"]
        rows = len(self.target["test"])
        share = np.bincount(target, minlength=len(self.labels)) / len(target) if self.labels else target.mean(axis=0)
        found = {"constant": np.tile(share, (rows, 1))}
        if not self.are_numbers:
            return found
        scaler = StandardScaler().fit(train)
        known, new = scaler.transform(train), scaler.transform(self.columns["test"])
        if self.labels:
            linear = LogisticRegression(tol=1e-10, max_iter=10_000).fit(known, target)
            near = KNeighborsClassifier(NEIGHBOURS).fit(known, target).predict_proba(new)
            return {
                "linear": linear.predict_proba(new),
                "neighbours": (NEIGHBOURS * near + share) / (NEIGHBOURS + 1),
                **found,
            }
        fitted = Ridge().fit(known, target), KNeighborsRegressor(NEIGHBOURS).fit(known, target)
        given = [each.predict(new).reshape(rows, -1) for each in fitted]
        return {"linear": given[0], "neighbours": given[1], **found}

    @cached_property
    def scores(self) -> dict[str, Score]:
        """Metrics by the words that pages have for them."""
        if self.labels:
            return self._class_scores()
        spread = self.target["train"].std(axis=0)
        found: dict[str, Score] = {
            "loss": lambda y, p: float(np.mean(((y - p) / spread) ** 2)),
            "R²": lambda y, p: float(metrics.r2_score(y, p)),
        }
        errors: Mapping[str, Callable[[Array, Array], float]] = {
            "root mean squared error": metrics.root_mean_squared_error,
            "mean absolute error": metrics.mean_absolute_error,
        }
        for words, of in errors.items():
            for index, name in enumerate(self.outputs):
                title = words if len(self.outputs) == 1 else f"{words} of {name}"
                found[title] = lambda y, p, of=of, index=index: float(of(y[:, index], p[:, index]))  # type: ignore[misc] # a lambda of defaults
        return found

    def _class_scores(self) -> dict[str, Score]:
        found: dict[str, Score] = {
            "loss": log_loss,
            "accuracy": lambda y, p: 100 * float(np.mean(p.argmax(axis=1) == y)),
            "balanced accuracy": lambda y, p: 100 * float(metrics.balanced_accuracy_score(y, p.argmax(axis=1))),
        }
        if len(self.labels) == 2:
            found["ROC AUC"] = lambda y, p: float(metrics.roc_auc_score(y, p[:, 1]))
            found["F1"] = lambda y, p: float(metrics.f1_score(y, p.argmax(axis=1), zero_division=0))
        return found

    def interval(self, name: str, predicted: Array) -> tuple[float, float, float]:
        """Return the 95 % interval of a metric on test rows, and how far the ends of another one may be from it.

        Of an accuracy it is Wilson's, of others the bootstrap's, which depends on the resamples that are drawn.
        """
        target, score = self.target["test"], self.scores[name]
        if name == "accuracy":
            low, high = wilson(score(target, predicted) / 100, len(target))
            return 100 * low, 100 * high, 0.0
        generator = np.random.default_rng(0)
        drawn = generator.integers(0, len(target), (RESAMPLES, len(target)))
        if self.labels:
            drawn = drawn[[len(np.unique(target[rows])) == len(self.labels) for rows in drawn]]
        low, high = np.quantile([score(target[rows], predicted[rows]) for rows in drawn], [0.025, 0.975])
        return float(low), float(high), 0.15 * float(high - low)
