"""Small sweeps, over in a moment, and all that their folders say but for time."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from pathlib import Path

import numpy as np

BASE = """\
name = "moons"  # of sixty rows
[data]
type = "make_moons"
n_samples = 60
noise = 0.2
[data.split]
test_size = 0.25
validation_size = 0.25
[network]
hidden_layer_sizes = [4]  # one hidden layer
[training]
loss = "binary_crossentropy"
epochs = 20
metrics = ["accuracy"]
"""
SPACE = """\
[sweep.space]
"network.hidden_layer_sizes" = [[2], [4], [4, 3]]
"training.l2" = { low = 1e-6, high = 1e-2, log = true }
"training.optimizer" = [
  { type = "sgd", learning_rate = { low = 1e-3, high = 1.0, log = true }, momentum = 0.9 },
  { type = "adam", learning_rate = { low = 1e-4, high = 1e-1, log = true } },
]
"""
LISTS = """\
[sweep.space]
"network.hidden_layer_sizes" = [[2], [4]]
"training.optimizer.learning_rate" = [0.1, 0.01, 0.001]
"""
TPE = f"{BASE}[sweep]\ntrials = 9\nparallel = 3\nsampler = {{ type = 'tpe', startup_trials = 3 }}\n{SPACE}"
PRUNED = TPE.replace("trials = 9\n", "trials = 14\npruner = { type = 'median', startup_trials = 2 }\n")
GRID = f"{BASE}[sweep]\nmetric = 'accuracy'\nsampler = 'grid'\nparallel = 3\n{LISTS}"
FOLDS = GRID.replace("validation_size = 0.25\n", "").replace("[sweep]\n", "[sweep]\nfolds = 2\nseeds = 2\n")
CANDIDATES = """\
[[sweep.candidates]]
"training.optimizer.learning_rate" = 0.05
"training.l2" = 1e-5
[[sweep.candidates]]
"network.hidden_layer_sizes" = [8]
"training.optimizer" = { type = "sgd", learning_rate = 1e-6 }
"""
MEMBERS = (
    TPE.replace("validation_size = 0.25\n", "")
    .replace("epochs = 20", "epochs = 20\nensemble = 4")
    .replace("parallel = 3", "parallel = 1\npruner = { type = 'wilcoxon', p = 0.2 }")
    .replace("[sweep.space]", f"{CANDIDATES}[sweep.space]")
)
"""Whose trials are ensembles on folds: each member is a task, and two of them may be enough."""
TEAM = """\
name = "moons"
[data]
type = "make_moons"
n_samples = 120
noise = 0.2
split.test_size = 0.25
[network]
hidden_layer_sizes = [4]
[training]
loss = "binary_crossentropy"
epochs = 8
metrics = ["accuracy"]
ensemble = 4
optimizer = { type = "adam", learning_rate = 0.05 }
[sweep]
trials = 6
[sweep.space]
"network.hidden_layer_sizes" = [[4], [8]]
"training.optimizer" = [{ type = "adam", learning_rate = 0.1 }, { type = "adam", learning_rate = 0.2 }]
"""
"""Whose trials are good enough for a team of several."""
SWEEPS = {"tpe": TPE, "pruned": PRUNED, "grid": GRID, "folds": FOLDS, "members": MEMBERS}

VALUES = """\
[data]
type = "csv"
path = "rows.csv"
target = "y"
split.test_size = 0.25
[network]
hidden_layer_sizes = [4]
preprocessing = ["standardize"]
target_preprocessing = ["standardize"]
[training]
loss = "mean_squared_error"
metrics = ["root_mean_squared_error"]
epochs = 30
ensemble = 3
optimizer = { type = "adam", learning_rate = 0.05 }
[sweep]
trials = 5
[[sweep.candidates]]
"network.target_preprocessing" = ["log", "standardize"]
[[sweep.candidates]]
"network.preprocessing" = ["robust", "smooth_clip"]
"network.hidden_layer_sizes" = [3, 3]
[sweep.space]
"network.hidden_layer_sizes" = [[6], [2]]
"""
SECONDS = {"seconds", "training_seconds"}
MACHINE = {"blas", "cpu_features", "machines", "sha256"}
"""And the SHA-256 of what says them."""
TIMED = {"sweep.json", "run.json"}


def write_values(folder: Path) -> None:
    """Write the spec VALUES with its rows."""
    rng = np.random.default_rng(2)
    x = rng.normal(size=(300, 2))
    y = np.exp(x[:, 0] + np.sin(2 * x[:, 1]) + 0.2 * rng.normal(size=300))
    rows = [f"{a},{b},{c}" for (a, b), c in zip(x, y, strict=True)]
    (folder / "rows.csv").write_text("\n".join(["a,b,y", *rows]) + "\n")
    (folder / "spec.toml").write_text(VALUES)


def without_numbers(text: str) -> str:
    """Return what a terminal shows without what varies."""
    return re.sub(r"[−-]?\d[\d.e−+-]*( (ms|s|min)\b)?", "#", text)


def fingerprint(folder: Path) -> dict[str, str]:
    """Return a hash of each file in a folder, of what does not tell time or machine; the journal is left out."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.name in ("study.journal", "report.html"):
            continue
        content = path.read_bytes()
        if path.name in TIMED:
            content = json.dumps(_without_time(json.loads(content)), sort_keys=True).encode()
        elif path.suffix == ".csv":
            rows = csv.DictReader(io.StringIO(content.decode()))
            content = json.dumps([{k: v for k, v in row.items() if k not in SECONDS} for row in rows]).encode()
        found[path.relative_to(folder).as_posix()] = hashlib.sha256(content).hexdigest()
    return found


def _without_time(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_time(inner) for key, inner in value.items() if key not in SECONDS | MACHINE}
    return [_without_time(inner) for inner in value] if isinstance(value, list) else value
