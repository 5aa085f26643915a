"""How CSV files are read: by their literal names and no others, with progress, and until a signal ends it."""

import gzip
import os
import resource
import signal
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb
import numpy as np
import pytest

import specnet
from specnet import DataError, FileError
from specnet.cpus import default_threads, usable_cpus
from specnet.parts.data.progress import reading_progress
from specnet.parts.data.tables import csv_files, duck
from specnet.parts.data.tables.csv_files import CsvFile
from specnet.parts.data.tables.faults import Dialect
from tests.cases.reading import load, source
from tests.texts.pinned import Refused

PACKAGE = Path(specnet.__file__).parent


def test_progress_is_reported_while_it_is_observed(file):
    reported = []
    path = file("a,y\n" + "1,0\n" * 1000)
    with reading_progress(lambda done, total: reported.append((done, total))):
        load(path)
    size = path.stat().st_size
    assert reported[0] == (0, size)
    assert reported[-1] == (size, size)
    reported.clear()
    load(path)
    assert not reported


def test_a_signal_ends_reading_at_once_and_is_what_the_caller_gets():
    def asked(number, frame):
        raise Asked

    class Asked(KeyboardInterrupt):
        pass

    before, begun = signal.signal(signal.SIGALRM, asked), time.process_time()
    try:
        with duck.opened([], 1) as connection:
            signal.setitimer(signal.ITIMER_REAL, 0.2)
            with pytest.raises(Asked):
                connection.rows("SELECT sum(i % 7) FROM range(20_000_000_000) t(i)")
    finally:
        signal.signal(signal.SIGALRM, before)
    assert time.process_time() - begun < 10, "all of it takes minutes"


@pytest.mark.parametrize("name", ["it's.csv", "sp ace%20.csv", "b{a,c}.csv", "x=1.csv", "ü.csv", "file:x.csv"])
def test_names_of_files_are_taken_literally(tmp_path, name, by_duckdb):
    (tmp_path / name).write_text("a,y\n1,0\n")
    np.testing.assert_array_equal(load(tmp_path / name).X, [[1]])


@pytest.mark.parametrize("name", ["x[1].csv", "x*.csv", "x?.csv", "x[1]/rows.csv"])
def test_a_name_that_looks_like_a_pattern_is_refused(tmp_path, name, refused: Refused):
    (tmp_path / "x[1]").mkdir()
    (tmp_path / name).write_text("a,y\n1,0\n")
    (tmp_path / "x1.csv").write_text("a,y\n2,0\n")
    with refused(DataError, code="wildcard"):
        load(tmp_path / name)


def test_a_pattern_stands_for_its_files_in_order(tmp_path, refused: Refused):
    for number in (2, 1, 3):
        (tmp_path / f"part{number}.csv").write_text(f"a,y\n{number},0\n")
    rows = load(tmp_path / "part*.csv")
    assert rows.X.tolist() == [[1], [2], [3]]
    rows = load(tmp_path / "rows.csv", path=["part3.csv", "part[12].csv"])
    assert rows.X.tolist() == [[3], [1], [2]]
    with refused(DataError, code="no-file", at="path.1"):
        load(tmp_path / "rows.csv", path=["part3.csv", "none*"])


@pytest.mark.parametrize("address", ["https://example.com/rows.csv", "s3://bucket/*.csv", "file:///rows.csv"])
def test_urls_are_refused_as_such(tmp_path, address, refused: Refused):
    for path in (address, str(Path(address))):
        with refused(DataError, code="no-file", at="path"):
            load(tmp_path / "rows.csv", path=path)
    with refused(DataError, code="no-file", at="path.1"):
        load(tmp_path / "rows.csv", path=["rows.csv", address])


def test_a_pipe_is_no_file(tmp_path, refused: Refused):
    os.mkfifo(tmp_path / "rows.csv")
    with refused(FileError, at="rows.csv"):
        load(tmp_path / "rows.csv")


def test_a_link_is_read_as_what_it_leads_to(tmp_path, by_duckdb):
    (tmp_path / "real.csv").write_text("a,y\n1,0\n")
    (tmp_path / "link.csv").symlink_to(tmp_path / "real.csv")
    assert load(tmp_path / "link.csv").X.tolist() == [[1]]


def test_duckdb_opens_the_files_and_nothing_else(tmp_path):
    path, other, link = (tmp_path / f"{name}.csv" for name in ("rows", "other", "link"))
    path.write_text("a,y\n1,0\n")
    other.write_text("a,y\n2,0\n")
    link.symlink_to(other)
    there = sorted(entry.name for entry in tmp_path.iterdir())
    with duck.opened([str(path)], 1) as connection:
        assert connection.rows(f"SELECT * FROM read_csv('{path}')") == [(1, 0)]
        for attempt in (
            f"SELECT * FROM read_csv('{other}')",
            f"SELECT * FROM read_csv('{link}')",
            f"SELECT * FROM read_text('{tmp_path}/*')",
            f"SELECT * FROM glob('{tmp_path}/*')",
            f"COPY (SELECT 1) TO '{tmp_path}/out.csv'",
            f"ATTACH '{tmp_path}/out.db'",
            f"EXPORT DATABASE '{tmp_path}/out'",
            "SELECT * FROM read_csv('https://example.com/rows.csv')",
            "SET enable_external_access = true",
            f"SET allowed_directories = ['{tmp_path}']",
            f"SET temp_directory = '{tmp_path}'",
            "SET TimeZone = 'Asia/Tokyo'",
            "INSTALL httpfs",
            "LOAD httpfs",
        ):
            with pytest.raises(duck.DuckError):
                connection.rows(attempt)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == there
    sources = [path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py") if "import duckdb" in path.read_text()]
    assert sources == [Path("parts/data/tables/duck.py")], "no other connection reads files"


@contextmanager
def no_room():
    """Let files of this process be 100 bytes long at most."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("name", ["rows.csv", "rows.csv.gz", "utf16.csv", "rows.jsonl", "rows.parquet"])
def test_a_full_disk_is_told_of_by_the_folder_for_temporary_files(
    tmp_path, monkeypatch, by_duckdb, name, refused: Refused
):
    text = "a,y\n" + "1,0\n,1\n" * 100
    (tmp_path / "rows.csv").write_text(text)
    (tmp_path / "rows.csv.gz").write_bytes(gzip.compress(text.encode()))
    (tmp_path / "utf16.csv").write_text(text, encoding="utf-16")
    (tmp_path / "rows.jsonl").write_text('{"a": 1, "y": 0}\n' * 100)
    duckdb.execute(f"COPY (SELECT i AS a, i % 2 AS y FROM range(100) t(i)) TO '{tmp_path}/rows.parquet'")
    fields = {"encoding": "utf-16"} if name == "utf16.csv" else {}
    monkeypatch.setattr("specnet.files.large.LARGEST_IN_MEMORY", 0)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with no_room(), refused(FileError, at=tmp_path.name):
        load(tmp_path / name, **fields)
    assert len(list(tmp_path.iterdir())) == 5


def test_copies_of_files_are_files_of_their_own(tmp_path):
    """DuckDB's own files come and go in the folder of the copies."""
    (tmp_path / "private").mkdir()
    spilled = tmp_path / "private" / "spilled"
    spilled.touch()
    copies = []
    for word in ("one", "other"):
        with gzip.open(tmp_path / f"{word}.csv.gz", "wt") as packed:
            packed.write(f"a\n{word}\n")
        copies.append(CsvFile(str(tmp_path / f"{word}.csv.gz"), Dialect()).readable(str(tmp_path / "private")))
        spilled.unlink(missing_ok=True)
    assert [Path(path).read_text()[body:] for path, body in copies] == ["one\n", "other\n"]


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system ties no process to CPUs")
def test_reading_has_no_more_threads_than_the_process_has_cpus(file, monkeypatch, by_duckdb):
    counts, pool, before = [], csv_files.ThreadPoolExecutor, os.sched_getaffinity(0)
    monkeypatch.setattr(csv_files, "ThreadPoolExecutor", lambda count: counts.append(count) or pool(count))
    os.sched_setaffinity(0, {min(before)})
    try:
        load(file("a,y\n" + "1,0\n" * 1000))
        with duck.opened([], 1) as connection:
            ((threads,),) = connection.rows("SELECT current_setting('threads')")
        assert (usable_cpus(), default_threads(), threads) == (1, 1, 1)
    finally:
        os.sched_setaffinity(0, before)
    assert counts
    assert set(counts) == {1}


def paths_open() -> set[str]:
    found = set()
    for name in os.listdir("/proc/self/fd"):
        with suppress(OSError):  # that of the folder itself
            found.add(os.readlink(f"/proc/self/fd/{name}"))
    return found


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="this system does not list open files")
def test_no_file_stays_open_while_an_error_is_there(file, by_duckdb):
    """A traceback has the local variables of all its functions."""
    path = file("a,y\n" + "1,0\n" * 100 + "\n" * 20_000 + "1,0\n")
    with no_room(), pytest.raises(FileError) as copied:  # where the file is copied without its blank lines
        load(path)
    assert copied.value.__traceback__ is not None
    assert str(path) not in paths_open()

    cells = source(type="csv", path=path.name, target="y").read_cells(path.parent, ["a"], 5)
    assert len(next(cells)["a"].texts) == 5
    assert str(path) in paths_open()
    cells.close()
    assert str(path) not in paths_open()
