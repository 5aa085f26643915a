"""What the folder of runs on folds or with seeds says of them all: its table, and what they come to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import TypeAdapter

from specnet.errors import FileError
from specnet.files import file_errors, read_file
from specnet.files.plain_data import checked
from specnet.files.run_files import LARGEST_RECORD, RUNS_TABLE, SUMMARY
from specnet.files.tensors import parse_object
from specnet.parts.splits import SPLITS
from specnet.report.terminal.run_table import FINISHED, RunRecord
from specnet.running.evaluation.evaluation import Metrics
from specnet.running.many.summary import Summary, read_csv


def read_runs(folder: Path) -> list[RunRecord]:
    """Return what ``runs.csv`` says of each run.

    Raises
    ------
    FileError
    """
    return read_csv(folder / RUNS_TABLE, "table of runs", _run)


def read_summary(folder: Path, runs: Sequence[RunRecord]) -> Summary:
    """Return what ``summary.json`` says of runs.

    Raises
    ------
    FileError
    """
    path = folder / SUMMARY
    with file_errors(path):
        content = parse_object(read_file(path, LARGEST_RECORD), "the summary of the runs")
        summary = checked(TypeAdapter(Summary).validate_python, content, "the summary of runs is")
        if any(run.state == FINISHED for run in runs) and not (summary and all(summary.values())):
            raise FileError("the summary of runs has no metrics of those that have finished")
        return summary


def _run(row: Mapping[str, str]) -> RunRecord:
    metrics: Metrics = {}
    for column, cell in row.items():
        split, dot, name = column.partition(".")
        if dot and split in SPLITS and cell:
            metrics.setdefault(split, {})[name] = float(cell)
    if Path(row["run"]).name != row["run"]:
        raise ValueError(f"{row['run']!r} is not the name of a folder")
    seed, fold = (int(row[name]) if row[name] else None for name in ("seed", "fold"))
    epochs = int(row["epochs"])
    return RunRecord(row["run"], row["state"], row["message"], metrics, epochs=epochs, seed=seed, fold=fold)
