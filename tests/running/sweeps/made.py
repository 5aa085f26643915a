"""Folders of sweeps and of seeds, written without training anything."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from specnet.running.sweeps.trials import table_text
from specnet.saved.metrics_file import cells_of, columns_of, csv_text, summarized
from specnet.saved.saved_sweep import Trial

WILD = "<b onclick=alert(1)>&\"']]>"
SPACE: dict[str, Any] = {
    "network.hidden_layer_sizes": [[4], [16, 16]],
    "network.activations": [WILD, "relu"],
    "training.l2": {"low": 1e-6, "high": 1e-2, "log": True},
    "training.optimizer": [
        {"type": "sgd", "learning_rate": {"low": 0.001, "high": 1.0, "log": True}, "momentum": 0.9},
        "adam",
    ],
}
METRICS = {
    "rows": {"train": 60, "validation": 20, "test": 20},
    "train": {"loss": 0.0625, "accuracy": 0.99},
    "validation": {"loss": 0.25, "accuracy": 0.95},
    "test": {"loss": 0.375, "accuracy": 0.875},
}
RUN = {"finished": True, "epochs": 10, "versions": {"specnet": "0", WILD: "1"}, "threads": 1, "data_sha256": "ab"}


def settings(number: int) -> dict[str, Any]:
    """Return what a trial has drawn."""
    optimizer = '"adam"' if number % 3 else '{ type = "sgd", momentum = 0.9 }'
    drawn = {
        "network.hidden_layer_sizes": ["[4]", "[16, 16]"][number % 2],
        "network.activations": json.dumps(WILD) if number % 5 == 0 else '"relu"',
        "training.l2": 1e-6 * 10 ** (number % 40 / 10),
        "training.optimizer": optimizer,
    }
    return drawn if number % 3 else drawn | {"training.optimizer.sgd.learning_rate": 0.001 * 2 ** (number % 9)}


def trial(number: int, figure: float | None, state: str = "finished", **others: Any) -> Trial:
    """Return a trial with this figure."""
    return Trial(number, state, settings(number), figure, epochs=10, seconds=0.5, **others)  # type: ignore[arg-type] # any text


def write_sweep(
    folder: Path,
    trials: Sequence[Trial],
    *,
    epochs: int = 10,
    metric: str = "validation_loss",
    figure: str = "validation_loss",
    metrics: Mapping[str, Any] | None = METRICS,
    name: str = WILD,
    planned: int | None = None,
) -> Path:
    """Write the folder of a sweep with these trials, and with the run of the best one unless there are no metrics."""
    spec = {"name": name, "seed": 0, "training": {"epochs": epochs}}
    sweep = {"metric": metric, "sampler": {"type": "tpe"}, "pruner": {"type": "median"}, "space": SPACE}
    facts = {
        "identity": {"spec": spec, "sweep": sweep, "data_sha256": "ab"},
        "name": name,
        "metric": metric,
        "figure": figure,
        "larger_is_better": metric != "validation_loss",
        "versions": {"specnet": "0"},
        "threads": 1,
        "trials": len(trials) if planned is None else planned,
        "finished": metrics is not None,
        "end": "all trials",
    }
    folder.mkdir(parents=True)
    (folder / "sweep.json").write_text(json.dumps(facts))
    columns = [*SPACE, "training.optimizer.sgd.learning_rate"]
    (folder / "trials.csv").write_text(table_text(trials, columns))
    (folder / "spec.toml").write_text(f"# {WILD}\n")
    (folder / "trials").mkdir()
    for each in trials:
        files = {"run.json": json.dumps(each.facts())}
        if each.figure is not None:
            files["history.jsonl"] = history(epochs, each.figure)
        write_files(folder / "trials" / f"{each.number:04}", files)
    if metrics is not None:
        (folder / "best.toml").write_text(f"# best of {WILD}\n")
        write_run(folder / "best", metrics, name=name)
        (folder / "best" / "report.html").write_text("")
    return folder


def write_files(folder: Path, files: Mapping[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, "utf-8")


def write_run(folder: Path, metrics: Mapping[str, Any], *, name: str = "made", epochs: int = 10) -> None:
    """Write what pages of many runs read of a run."""
    write_files(
        folder,
        {
            "run.json": json.dumps(RUN),
            "metrics.json": json.dumps(metrics),
            "history.jsonl": history(epochs, metrics["train"]["loss"]),
            "spec.resolved.json": json.dumps({"name": name}),
            "spec.toml": "",
        },
    )


def history(epochs: int, last: float) -> str:
    """Return a history that ends with this validation loss."""
    losses = [last * (1 + (epochs - epoch) / epoch) for epoch in range(1, epochs + 1)]
    records = ({"epoch": n, "loss": loss / 2, "validation_loss": loss} for n, loss in enumerate(losses, 1))
    return "".join(json.dumps(record) + "\n" for record in records)


def write_series(folder: Path, runs: Sequence[tuple[str, int | None, int | None, Mapping[str, Any] | str]]) -> Path:
    """Write a folder of runs: name, seed, fold, and metrics, or the message of one that has failed."""
    folder.mkdir(parents=True)
    done = [metrics for *_, metrics in runs if not isinstance(metrics, str)]
    columns = columns_of([dict(metrics) for metrics in done])
    rows = []
    for name, seed, fold, metrics in runs:
        failed = isinstance(metrics, str)
        if not isinstance(metrics, str):
            write_run(folder / name, metrics, name=WILD)
        cells = ["", *("" for _ in columns[1:])] if isinstance(metrics, str) else cells_of(dict(metrics), columns)
        state, message = ("diverged", metrics) if failed else ("finished", "")
        rows.append([name, seed, fold, state, *cells[: len(columns)], 0 if failed else 10, 0.5, message])
    header = ["run", "seed", "fold", "state", *(f"{split}.{name}" for split, name in columns)]
    (folder / "runs.csv").write_text(csv_text([*header, "epochs", "seconds", "message"], rows))
    write_summary(folder, done)
    return folder


def write_summary(folder: Path, done: Sequence[Mapping[str, Any]]) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "summary.json").write_text(json.dumps(summarized([dict(metrics) for metrics in done])))


def scores(loss: float, accuracy: float | None) -> dict[str, dict[str, float | None]]:
    """Return the metrics of a run of which these are the test set's."""
    return {"train": {"loss": loss / 2, "accuracy": 1.0}, "test": {"loss": loss, "accuracy": accuracy}}
