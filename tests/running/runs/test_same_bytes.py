"""The same table gives the same bytes: in every time zone, from each kind of file, and however often it was stopped."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import NormalDist
from typing import Any

import duckdb
import numpy as np
import pytest

from specnet import Observer, run
from tests.running.moons import Interrupting
from tests.running.specs import csv_file, spec_on

ROWS = 120
ZONE = "America/St_Johns"
"""Whose hours exist twice, or never, and begin with no hour of Greenwich; that of this process is another one."""
SPLITS: dict[str, Any] = {
    "random": {"test_size": 0.25},
    "group": {"group": "city", "test_size": 0.25},
    "time": {"time": "sent", "test_size": 0.25},
}
CHILD = """
import os, pathlib, sys
os.fsync = lambda descriptor: None
from tests.running.runs.test_same_bytes import train_all
train_all(*map(pathlib.Path, sys.argv[1:]))
"""
SAME = ("model.safetensors", "history.jsonl", "metrics.json", "findings.json", "layers.jsonl", "spec.resolved.json")


def rows() -> Iterator[dict[str, str]]:
    """Yield a table with gaps, categories, booleans and moments, some in hours that clocks skip."""
    rng = np.random.default_rng(6)
    for row in range(ROWS):
        moment = np.datetime64("2024-03-10T00:15:00") + np.timedelta64(int(rng.integers(0, 1000)) * 15, "m")
        yield {
            "size": f"{NormalDist().inv_cdf(rng.random()):.6g}" if row % 7 else "",
            "count": str(rng.integers(0, 9)),
            "city": f"city {rng.integers(0, 12)}" if row % 11 else "",
            "late": str(rng.random() < 0.5).lower(),
            "day": str(moment.astype("datetime64[D]")),
            "when": str(moment),
            "sent": f"{moment}+05:30",
            "y": "yes" if rng.random() < 0.5 else "no",
        }


def document(folder: Path, suffix: str, split: str, **training: Any) -> dict[str, Any]:
    data = {"type": suffix, "path": str(folder / f"rows.{suffix}"), "target": "y", "split": SPLITS[split]}
    return {"seed": 3, **spec_on(data, 4, epochs=6, metrics=["accuracy"], **training)}


def train_all(folder: Path, out: Path) -> None:
    """Run in this process, whose time zone counts: each kind of file, whole and resumed, alone and as an ensemble."""
    for split in SPLITS:
        for suffix in ("csv", "parquet"):
            run(document(folder, suffix, split), out / split / suffix, observer=Observer(), report=False)
    stopped = document(folder, "csv", "random")
    try:
        run(stopped, out / "random" / "resumed", observer=Interrupting(3), report=False)
    except KeyboardInterrupt:
        run(stopped, out / "random" / "resumed", observer=Observer(), resume=True, report=False)
    ensemble = document(folder, "csv", "random", ensemble=3)
    run(ensemble, out / "random" / "ensemble", observer=Observer(), report=False)


@pytest.fixture(scope="module")
def outs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The folders of runs in each time zone."""
    folder = tmp_path_factory.mktemp("zones")
    table = list(rows())
    csv_file(folder / "rows.csv", ",".join(table[0]), (row.values() for row in table))
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(
            f"""COPY (SELECT size::DOUBLE size, count::INTEGER count, city, late::BOOLEAN late, day::DATE AS day,
            "when"::TIMESTAMP AS "when", sent::TIMESTAMPTZ sent, y
            FROM read_csv('{folder}/rows.csv', all_varchar = true, nullstr = ''))
            TO '{folder}/rows.parquet' (FORMAT parquet)"""
        )
    here, there = folder / "here", folder / "there"
    command = [sys.executable, "-c", CHILD, str(folder), str(there)]
    subprocess.run(command, env={**os.environ, "TZ": ZONE}, check=True, timeout=600)
    train_all(folder, here)
    return [here, there]


def tensors(folder: Path) -> tuple[dict[str, Any], bytes]:
    """Return a model without the spec in it: what its tensors are, and their bytes."""
    content = (folder / "model.safetensors").read_bytes()
    stop = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:stop])
    del header["__metadata__"]
    return header, content[stop:]


@pytest.mark.slow
def test_a_time_zone_changes_no_byte(outs: list[Path]):
    one, other = outs
    folders = [path.parent.relative_to(one) for path in one.rglob("run.json")]
    assert len(folders) == 2 * len(SPLITS) + 2
    for folder in folders:
        for name in SAME:
            assert (one / folder / name).read_bytes() == (other / folder / name).read_bytes(), (folder, name)
        facts = [json.loads((out / folder / "run.json").read_text()) for out in outs]
        assert facts[0]["data_sha256"] == facts[1]["data_sha256"]


@pytest.mark.slow
@pytest.mark.parametrize("split", SPLITS)
def test_a_table_is_the_same_from_csv_and_from_parquet(outs: list[Path], split: str):
    csv, parquet = outs[0] / split / "csv", outs[0] / split / "parquet"
    assert tensors(csv) == tensors(parquet)
    for name in ("history.jsonl", "metrics.json"):
        assert (csv / name).read_bytes() == (parquet / name).read_bytes(), name


@pytest.mark.slow
def test_a_resumed_run_writes_what_a_whole_one_does(outs: list[Path]):
    whole, resumed = outs[0] / "random" / "csv", outs[0] / "random" / "resumed"
    assert len((resumed / "history.jsonl").read_text().splitlines()) == 6
    for name in SAME:
        assert (whole / name).read_bytes() == (resumed / name).read_bytes(), name
