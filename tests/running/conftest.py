"""Runs on arrays, and the rows that they trained and were tested on."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.model_selection import train_test_split

import specnet
from specnet import RunResult
from tests.running.test_forced import MAKE, OF_FOLDS

ROWS = 120


@dataclass
class Ran:
    """A run on arrays, and its training and test rows: X, y and weights."""

    result: RunResult
    train: tuple[Any, Any, Any]
    test: tuple[Any, Any, Any]

    def __getitem__(self, name: str) -> Any:
        return self.result.evaluation[name]

    @property
    def figures(self) -> dict[str, Any]:
        return self["test"]

    @property
    def tables(self) -> dict[str, Any]:
        return self["tables"]["test"]


@pytest.fixture
def ran(tmp_path: Path):
    def run(X, y, weight=None, *, test_size: float = 0.25, network: Any = None, **training: Any) -> Ran:
        arrays = {"X": X, "y": y} if weight is None else {"X": X, "y": y, "sample_weight": weight}
        np.savez(tmp_path / "rows.npz", **arrays)
        split = {"test_size": test_size, "stratify": False}
        spec = {
            "data": {"type": "npz", "path": str(tmp_path / "rows.npz"), "split": split},
            "network": {"dtype": "float64", "hidden_layer_sizes": [4], **(network or {})},
            "training": {"epochs": 3, **training},
        }
        result = specnet.run(spec, observer=specnet.Observer())
        rows = train_test_split(np.arange(len(X)), test_size=test_size, random_state=0) if test_size else None
        parts = [(X[part], y[part], None if weight is None else weight[part]) for part in rows or ()]
        return Ran(result, *(parts or ((X, y, weight), None)))

    return run


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(11)


def columns(rng: np.random.Generator) -> np.ndarray:
    return rng.normal(size=(ROWS, 3))


def classes(rng: np.random.Generator, X: np.ndarray, count: int = 2) -> np.ndarray:
    return np.digitize(X[:, 0] + rng.normal(size=len(X)), np.linspace(-1, 1, count + 1)[1:-1] * 0.7)


@pytest.fixture(scope="session")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep, whose trials and team are made again by verifications."""
    folder = tmp_path_factory.mktemp("swept")
    specnet.sweep(OF_FOLDS, folder, jobs=1, report=False)
    return folder


@pytest.fixture(scope="session")
def fresh(tmp_path_factory: pytest.TempPathFactory, swept: Path) -> dict[str, Path]:
    """A folder of each kind."""
    made = {}
    for kind, make in MAKE.items():
        made[kind] = tmp_path_factory.mktemp("fresh") / "out"
        make(made[kind], False, swept)
    return made


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes are started however little there is to compute."""
    monkeypatch.setattr("specnet.running.workers.SECONDS_WORTH_WORKERS", 0)
