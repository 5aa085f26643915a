"""A small run of each kind of page, from a table whose columns are drawn by a fixed seed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import specnet
from specnet.running.folder_pages import page_again
from tests.texts.calling import called

ROWS = 500
NUMBERS = ["length", "width", "height", "weight"]
TEXTS = ["good and fast", "good but late", "bad and late", "never again", "would buy again", "fast"]
EPOCHS = 40


def table() -> pd.DataFrame:
    """Return rows with numbers, a category, gaps, dates, texts, and targets of each kind."""
    generator = np.random.default_rng(0)
    made = pd.DataFrame(generator.normal(size=(ROWS, 4)).round(4), columns=NUMBERS)
    noise = generator.normal(size=(ROWS, 3))
    signal = made["length"] + made["width"] ** 2
    made["price"] = (10 + 3 * signal - made["height"] + 0.5 * noise[:, 0]).round(3)
    made["stock"] = (50 + 8 * made["height"] - 5 * made["weight"] ** 2 + noise[:, 1]).round(2)
    made["fails"] = np.where(signal + 0.4 * noise[:, 2] > 2.6, "yes", "no")
    made["colour"] = np.where(generator.random(ROWS) < 0.1, None, generator.choice(["red", "green", "blue"], ROWS))
    made["since"] = pd.to_datetime("2020-01-01") + pd.to_timedelta(generator.integers(0, 900, ROWS), "D")
    words = generator.integers(0, len(TEXTS), ROWS)
    made["review"] = [f"{TEXTS[word]} {number}" for number, word in enumerate(words)]
    made["gap"] = np.where(generator.random(ROWS) < 0.15, np.nan, made["weight"] + noise[:, 0])
    score = signal + 1.5 * (made["colour"] == "red") + 0.8 * (words < 2) + 0.3 * noise[:, 1]
    made["kind"] = np.where(score < 0.7, "small", np.where(score < 2.2, "medium", "large"))
    return made


COLUMNS = {
    "two": [*NUMBERS, "fails"],
    "classes": [*NUMBERS, "kind"],
    "values": [*NUMBERS, "price"],
    "outputs": [*NUMBERS, "price", "stock"],
    "texts": [*NUMBERS[:2], "colour", "since", "review", "gap", "kind"],
}
"""Columns of the table of each task, the targets last."""
REGRESSION = ["r2", "root_mean_squared_error", "mean_absolute_error"]
TASKS: dict[str, tuple[str, list[str], dict[str, Any]]] = {
    "two": ("binary_crossentropy", ["accuracy", "balanced_accuracy", "roc_auc", "f1"], {"target": "fails"}),
    "classes": ("categorical_crossentropy", ["accuracy"], {"target": "kind"}),
    "values": ("mean_squared_error", REGRESSION, {"target": "price"}),
    "outputs": ("mean_squared_error", REGRESSION, {"target": ["price", "stock"]}),
    "texts": (
        "categorical_crossentropy",
        ["accuracy", "balanced_accuracy"],
        {"target": "kind", "columns": {"review": "text"}},
    ),
}
"""Loss, metrics and keys of the data for each task."""


def spec_of(folder: Path, task: str, **training: Any) -> dict[str, Any]:
    """Return the spec of a task, and write its table into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{task}.csv"
    table()[COLUMNS[task]].to_csv(path, index=False)
    loss, metrics, data = TASKS[task]
    split = {"test_size": 0.3, "random_state": 1}
    network: dict[str, Any] = {"hidden_layer_sizes": [8], "activations": "tanh"}
    if task in ("values", "outputs"):
        network["target_preprocessing"] = ["standardize"]
    optimizer = {"type": "adam", "learning_rate": 0.01}
    options = {"loss": loss, "metrics": metrics, "epochs": EPOCHS, "batch_size": 32, "optimizer": optimizer} | training
    data = {"type": "csv", "path": str(path), **data, "split": split}
    return {"name": task, "data": data, "network": network, "training": options}


def run_of(task: str, **training: Any) -> Callable[[Path], Path]:
    """Return a function that makes the run of a task in a folder, and returns its page."""

    def make(folder: Path) -> Path:
        specnet.run(spec_of(folder, task, **training), folder / "run", observer=specnet.Observer())
        return folder / "run" / "report.html"

    return make


class Interrupted(Executor):
    """Computes nothing: the user has pressed Ctrl-C."""

    def submit(self, *_args: Any, **_options: Any) -> Future[Any]:
        raise KeyboardInterrupt


def series_of(task: str, finished: int | None = None, **many: int) -> Callable[[Path], Path]:
    """Return a function that makes a series of folds or seeds, which is interrupted after so many `finished` runs."""

    def make(folder: Path) -> Path:
        spec = spec_of(folder, task)
        if "folds" in many:
            del spec["data"]["split"]
        result = specnet.run_many(spec, folder / "run", observer=specnet.Observer(), **many)
        if finished is None:
            return folder / "run" / "report.html"
        for run in result.runs[finished:]:
            shutil.rmtree(folder / "run" / run.name)
        with suppress(KeyboardInterrupt):
            specnet.run_many(spec, folder / "run", resume=True, executor=Interrupted(), **many)
        return page_again(folder / "run")

    return make


SPACE = {
    "network.hidden_layer_sizes": [[2], [4], [8]],
    "training.optimizer.learning_rate": {"low": 1e-3, "high": 1e-1, "log": True},
}
TRIALS = 24


def sweep(folder: Path) -> Path:
    """Make a sweep."""
    spec = spec_of(folder, "classes", epochs=15)
    spec["data"]["split"]["validation_size"] = 0.2
    spec["sweep"] = {"trials": TRIALS, "space": SPACE, "metric": "accuracy"}
    specnet.sweep(spec, folder / "run", jobs=1, observer=specnet.Observer())
    return folder / "run" / "report.html"


def team(folder: Path) -> Path:
    """Make a sweep whose best trials are a team."""
    spec = spec_of(folder, "classes", epochs=15, ensemble=3)
    spec["sweep"] = {"trials": 6, "space": SPACE}
    specnet.sweep(spec, folder / "run", jobs=1, observer=specnet.Observer())
    return folder / "run" / "team" / "report.html"


LEARNING_RATES = 0.001, 0.3


def runs(folder: Path, count: int) -> list[str]:
    """Make runs of one task with several rates, and return their names."""
    spec = spec_of(folder, "values")
    names = [f"rate{number}" for number in range(count)]
    for name, rate in zip(names, np.geomspace(*LEARNING_RATES, count).round(4), strict=True):
        overrides = [f"training.optimizer.learning_rate={rate}"]
        specnet.run(spec, folder / name, overrides=overrides, observer=specnet.Observer())
    return names


def compared(folder: Path) -> Path:
    """Make runs and the page that compares them."""
    names = [str(folder / name) for name in runs(folder, 6)]
    called("compare", *names, "-o", folder / "compare.html").ok()
    return folder / "compare.html"


def leaderboard(folder: Path) -> Path:
    """Make runs and the page that lists them."""
    runs(folder, 24)
    called("runs", "--html", folder, "-o", folder / "runs.html").ok()
    return folder / "runs.html"
