"""A table larger than memory: `python -m tests.benchmarks.tables.large`, in the repository.

Makes a CSV file of 2 GB and 24 columns (20 of numbers, one of them with gaps, two of categories, one of dates, and the
target), trains one epoch on it and predicts it, each in a new process, and measures their anonymous memory, the disk
they use, and the time until the first batch. Then it measures the feed alone, against arrays in memory; scikit-learn's
`partial_fit` on the same file, which pandas reads; and reading numbers, against DuckDB's own `read_csv`. The exit
status is 1 if a limit is missed. It takes about fifteen minutes on 2 cores, 6 GB of disk, and a Linux, which alone
tells anonymous memory.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import numpy as np

from specnet.data.feed import Feed
from specnet.files.large import new_array
from tests.benchmarks.report import Report, installed_versions
from tests.benchmarks.timing import medians, once
from tests.cases.reading import source as data_source

BYTES = 2 * 10**9
MOST_MEMORY, MOST_DISK, MOST_SECONDS = 10**9, 3 * 10**9, 120
FEEDING_AT_MOST = READING_AT_MOST = 1.5
BATCH = 256
CHILD = """
import json, sys, time
begin = time.monotonic()
import specnet

class Times(specnet.Observer):
    def started(self, network, rows, epochs):
        self.first_batch = time.monotonic() - begin
    def ended(self, epochs, steps, seconds, end):
        self.epoch = seconds

times = Times()
result = specnet.run(sys.argv[1], sys.argv[2], observer=times)
rows = sum(result.evaluation["rows"].values())
print(json.dumps({"rows": rows, "first_batch": times.first_batch, "epoch": times.epoch, "metrics": result.metrics}))
"""
SPEC = """
data = { type = "csv", path = "rows.csv", target = "y" }
network.hidden_layer_sizes = [32]
training = { loss = "binary_crossentropy", epochs = 1, batch_size = 256, metrics = ["accuracy", "roc_auc"] }
"""


class Measured(NamedTuple):
    """What a process has printed and used: seconds, and bytes at its peak."""

    printed: str
    seconds: float
    memory: int
    disk: int


def make_table(path: Path, rows: int) -> None:
    """Write the table; the same for the same number of rows."""

    def uniform(stream: int) -> str:
        return f"(hash(row * 64 + {stream}) % 9007199254740992)::DOUBLE / 9007199254740992"

    columns = [f"format('{{:.9g}}', {uniform(place)} * {2 ** (place % 4)} - 1) AS x{place}" for place in range(19)]
    columns += [
        f"CASE WHEN {uniform(40)} < 0.02 THEN NULL ELSE format('{{:.9g}}', {uniform(20)} * 10) END AS gaps",
        f"CASE WHEN {uniform(41)} < 0.01 THEN NULL ELSE 'city ' || hash(row * 64 + 42) % 40 END AS city",
        "chr((97 + hash(row * 64 + 43) % 5)::INT) AS sort",
        "strftime(DATE '2000-01-01' + (hash(row * 64 + 44) % 9000)::INT, '%Y-%m-%d') AS day",
        f"CASE WHEN {uniform(0)} + {uniform(1)} * {uniform(2)} > 0.8 THEN 'yes' ELSE 'no' END AS y",
    ]
    query = f"COPY (SELECT {', '.join(columns)} FROM range({rows}) made(row)) TO '{path}' (HEADER)"
    with duckdb.connect() as connection:
        connection.execute(query)


def measured(command: list[str], folder: Path) -> Measured:
    """Run a command to its end, with its temporary files on the disk of a folder."""
    environment = os.environ | {"TMPDIR": str(folder)}
    free = _free_bytes(folder)
    begin, memory, least_free = time.monotonic(), 0, free
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        while process.poll() is None:
            memory, least_free = max(memory, _anonymous_bytes(process.pid)), min(least_free, _free_bytes(folder))
            time.sleep(0.02)
        assert process.stdout is not None
        printed = process.stdout.read()
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with status {process.returncode}")
    return Measured(printed, time.monotonic() - begin, memory, free - least_free)


def feeding_seconds(rows: int, columns: int) -> tuple[float, float]:
    """The time that an epoch's batches take out of a file, in blocks, and out of memory, in any order."""
    target = np.zeros(rows, np.float32)
    inputs = {"x": np.empty((columns, BATCH), "f4"), "y": np.empty((1, BATCH), "f4"), "inverse": np.empty(())}

    def epoch(X: np.ndarray, in_blocks: bool) -> Callable[[], object]:
        for start in range(0, rows, 2**16):
            X[start : start + 2**16] = start
        how: dict[str, Any] = {"inverse_weight": "inverse", "generator": np.random.default_rng, "in_blocks": in_blocks}
        feed = Feed({"x": X, "y": target}, BATCH, **how)
        fill = feed.bound_to(inputs, BATCH).fill
        return lambda: [fill(batch) for batch in feed.batches(0) if len(batch) == BATCH]

    kinds = {"file": (new_array((rows, columns), np.float32), True), "memory": (np.empty((rows, columns), "f4"), False)}
    runs = {name: once(epoch(*kind)) for name, kind in kinds.items()}
    found = medians(runs, rounds=3, seconds=0)
    print(f"Batches of {rows} × {columns} numbers: {found['file']:.2f} s, {found['memory']:.2f} s an epoch")
    return found["file"], found["memory"]


def reading_seconds(folder: Path) -> tuple[float, float]:
    """The time to read 200 000 × 20 numbers, and that of DuckDB to read the same file as texts."""
    path = folder / "numbers.csv"
    table = np.random.default_rng(0).normal(size=(200_000, 20))
    np.savetxt(path, table, "%.9g", ",", header=",".join(f"x{place}" for place in range(20)), comments="")
    source = data_source(type="csv", path=path.name, target="x19", kind="values")

    def theirs() -> None:
        with duckdb.connect() as connection:
            connection.execute(f"CREATE TABLE made AS SELECT * FROM read_csv('{path}', all_varchar = true)")

    found = medians({"ours": once(lambda: source.load(folder, "values")), "theirs": once(theirs)}, seconds=0)
    return found["ours"], found["theirs"]


def partial_fit_seconds(path: Path) -> tuple[int, float]:
    """How many rows of the table scikit-learn trains on in how many seconds: its numbers alone, standardized."""
    import pandas
    from sklearn.neural_network import MLPClassifier
    from sklearn.preprocessing import StandardScaler

    begin, rows = time.monotonic(), 0
    names = [f"x{place}" for place in range(19)] + ["gaps", "y"]
    scaler, network = StandardScaler(), MLPClassifier((32,), batch_size=BATCH)
    for step in (scaler.partial_fit, None):
        for chunk in pandas.read_csv(path, usecols=names, chunksize=2**17):
            X = chunk[names[:-1]].fillna(5.0).to_numpy()
            if step is not None:
                step(X)
            else:
                network.partial_fit(scaler.transform(X), chunk["y"].to_numpy(str), classes=["no", "yes"])
                rows += len(X)
    return rows, time.monotonic() - begin


def _anonymous_bytes(process: int) -> int:
    try:
        found = re.search(r"RssAnon:\s+(\d+)", Path(f"/proc/{process}/status").read_text())
    except OSError:
        return 0
    return int(found[1]) * 1024 if found else 0


def _free_bytes(folder: Path) -> int:
    status = os.statvfs(folder)
    return status.f_bfree * status.f_frsize


def main() -> int:
    print(installed_versions(), flush=True)
    report = Report()
    with tempfile.TemporaryDirectory(prefix="specnet-benchmark-") as name:
        folder = Path(name)
        make_table(folder / "rows.csv", 100_000)
        rows = BYTES * 100_000 // (folder / "rows.csv").stat().st_size + 1
        make_table(folder / "rows.csv", rows)
        (folder / "spec.toml").write_text(SPEC)
        size = (folder / "rows.csv").stat().st_size
        print(f"{rows:,} rows of 24 columns, {size / 1e9:.2f} GB", flush=True)
        run = measured([sys.executable, "-c", CHILD, str(folder / "spec.toml"), str(folder / "run")], folder)
        printed = json.loads(run.printed)
        verb = [sys.executable, "-c", "from specnet.cli import main; main()", "predict", str(folder / "run")]
        predicted = measured([*verb, str(folder / "rows.csv"), "-o", str(folder / "out.csv"), "-q"], folder)
        report.table("", "seconds", "anonymous memory, MB", "at most", "disk, MB", "at most")
        for title, found in (("run", run), ("predict", predicted)):
            figures = (f"{found.memory / 1e6:.0f}", f"{MOST_MEMORY / 1e6:.0f}")
            report.row(title, f"{found.seconds:.0f}", *figures, f"{found.disk / 1e6:.0f}", f"{MOST_DISK / 1e6:.0f}")
            report.judge(f"memory of {title}", found.memory <= MOST_MEMORY)
            report.judge(f"disk of {title}", found.disk <= MOST_DISK)
        report.table("", "seconds", "at most")
        report.limited("until the first batch", printed["first_batch"], MOST_SECONDS)
        report.table("rows per second", "all", "training alone")
        trained, seconds = partial_fit_seconds(folder / "rows.csv")
        first, alone = rows / printed["first_batch"], rows / printed["epoch"]
        report.row("specnet", f"{first:,.0f} until the first batch", f"{alone:,.0f}")
        report.row("scikit-learn's partial_fit, 20 columns", f"{trained / seconds:,.0f}", "–")
        report.table("", "ms", "against", "ms", "ratio", "at most")
        for title, (ours, theirs), at_most, peer in (
            ("an epoch's feeding", feeding_seconds(rows * 3 // 4, 33), FEEDING_AT_MOST, "arrays in memory"),
            ("200 000 × 20 numbers", reading_seconds(folder), READING_AT_MOST, "DuckDB's read_csv, all VARCHAR"),
        ):
            report.row(title, f"{ours * 1e3:.0f}", peer, f"{theirs * 1e3:.0f}", f"{ours / theirs:.2f}", f"{at_most:g}")
            report.judge(title, ours <= at_most * theirs)
    return report.exit_status()


if __name__ == "__main__":
    sys.exit(main())
