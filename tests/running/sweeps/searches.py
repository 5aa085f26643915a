"""Small sweeps, over in a moment, and all that their folders say but for time."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from pathlib import Path

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
FOLDS = GRID.replace("validation_size = 0.25\n", "").replace("[sweep]\n", "[sweep]\nfolds = 3\nseeds = 2\n")
SWEEPS = {"tpe": TPE, "pruned": PRUNED, "grid": GRID, "folds": FOLDS}

SECONDS = {"seconds", "training_seconds"}
MACHINE = {"blas", "cpu_features", "machines"}
TIMED = {"sweep.json", "run.json"}


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
