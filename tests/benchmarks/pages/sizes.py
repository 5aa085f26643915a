"""Sizes of pages, and the time of a report: ``python -m tests.benchmarks.pages.sizes [TABLE.csv:TARGET …]``.

Runs the specs of the repository, and the specs that ``specnet new --quick`` writes for tables, with few epochs. Prints
the size of each page with and without its panel, and the least of several times of the report of moons. The exit status
is 1 if a page is larger than 2.5 MB with or 400 kB without its panel, or if that report takes longer than 0.25 s.
"""

from __future__ import annotations

import re
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import specnet
from tests.benchmarks.processes import ROOT
from tests.texts.calling import called

PANEL = re.compile(r"const net = .*?^const ask = .*?$", re.DOTALL | re.MULTILINE)
WITH, WITHOUT, SECONDS, REPEATS = 2_500_000, 400_000, 0.25, 7


def pages(folder: Path, tables: list[str]) -> Iterator[tuple[str, Path]]:
    """Make runs, and yield their names and pages."""
    for spec in sorted((ROOT / "specs").iterdir()):
        if spec.suffix in (".toml", ".json") and "sweep" not in spec.name:
            epochs = [] if spec.stem == "moons" else ["training.epochs=3"]
            specnet.run(spec, folder / spec.stem, overrides=epochs, observer=specnet.Observer())
            yield spec.name, folder / spec.stem / "report.html"
    for table in tables:
        path, _, target = table.rpartition(":")
        spec, name = folder / f"{Path(path).stem}.toml", Path(path).name
        called("new", spec, "--data", path, "--target", target, "--quick").ok()
        overrides = ["training.epochs=3"]
        specnet.run(spec, folder / spec.stem, overrides=overrides, observer=specnet.Observer())
        yield name, folder / spec.stem / "report.html"


def main() -> int:
    """Print a row for each page."""
    missed = 0
    print("| run | kB | without panel |\n| --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        for name, page in pages(Path(folder), sys.argv[1:]):
            text = page.read_text("utf-8")
            whole, alone = len(text.encode()), len(PANEL.sub("", text).encode())
            print(f"| {name} | {whole / 1000:.0f} | {alone / 1000:.0f} |", flush=True)
            missed += whole > WITH or alone > WITHOUT
        times = []
        for _ in range(REPEATS):
            start = time.perf_counter()
            called("report", Path(folder, "moons")).ok()
            times.append(time.perf_counter() - start)
    print(f"\nThe report of moons takes {min(times):.3f} s in a process that has started.")
    return int(missed > 0 or min(times) > SECONDS)


if __name__ == "__main__":
    sys.exit(main())
