"""How CSV files are read: by their literal names and no others, with progress, and until a signal ends it."""

import os
import signal
import threading

import numpy as np
import pytest

from specnet.errors import DataError
from specnet.parts.data import Csv, CsvFile
from specnet.parts.data.progress import reading_progress
from tests.texts.pinned import Refused


def load(path):
    return Csv(path=path.name, target="y").load(path.parent, "classes")


def test_whoever_watches_is_told_how_far_reading_is(file):
    told = []
    path = file("a,y\n" + "1,0\n" * 1000)
    with reading_progress(lambda done, total: told.append((done, total))):
        load(path)
    size = path.stat().st_size
    assert told[0] == (0, size)
    assert told[-1] == (size, size)
    told.clear()
    load(path)
    assert not told


def test_a_signal_ends_reading_at_once_and_is_what_the_caller_gets(file, monkeypatch):
    import duckdb

    class Asked(KeyboardInterrupt):
        pass

    class Endless:
        """A connection whose query ends when it is interrupted."""

        interrupted = threading.Event()

        def __init__(self, *args):
            self.connection = connect(*args)

        def __enter__(self):
            return self

        def __exit__(self, *error):
            self.connection.close()

        def __getattr__(self, name):
            return getattr(self.connection, name)

        def execute(self, query, parameters=None):
            assert parameters is None or self.interrupted.wait(60)
            return self.connection.execute(query, parameters)

        def interrupt(self):
            self.interrupted.set()

        def query_progress(self):
            os.kill(os.getpid(), signal.SIGTERM)
            return -1.0

    def asked(number, frame):
        raise Asked

    connect = duckdb.connect
    monkeypatch.setattr(duckdb, "connect", Endless)
    before = signal.signal(signal.SIGTERM, asked)
    try:
        with pytest.raises(Asked):
            load(file("a,y\n1,0\n"))
    finally:
        signal.signal(signal.SIGTERM, before)
    assert Endless.interrupted.is_set()


@pytest.mark.parametrize(
    "name", ["it's.csv", "sp ace%20.csv", "b{a,c}.csv", "x=1.csv", "ü.csv", "file:x.csv", "a[1].csv"]
)
def test_names_of_files_are_taken_literally(tmp_path, name):
    (tmp_path / name).write_text("a,y\n1,0\n")
    np.testing.assert_array_equal(CsvFile(tmp_path / name).read(["a"])[0], [[1]])


def test_a_name_that_stands_for_another_file_reads_neither(tmp_path, refused: Refused):
    (tmp_path / "x[1].csv").write_text("a\n1\n")
    (tmp_path / "x1.csv").write_text("a\n2\n")
    with refused(DataError, code="csv-syntax", at="x[1].csv", varying=r"(?<=read the file: ).*"):
        CsvFile(tmp_path / "x[1].csv").read(["a"])


def test_duckdb_opens_the_one_file_and_nothing_else(file, tmp_path, monkeypatch, refused: Refused):
    import duckdb

    path, other = file("a,y\n1,0\n"), tmp_path / "other.csv"
    other.write_text("a,y\n2,0\n")
    refused = []
    connect = duckdb.connect

    class Prying:
        """A connection that, once it has been locked, tries to get at more."""

        def __init__(self, *args, **settings):
            self.connection = connect(*args, **settings)

        def __enter__(self):
            return self

        def __exit__(self, *error):
            self.connection.close()

        def __getattr__(self, name):
            return getattr(self.connection, name)

        def execute(self, query, parameters=None):
            if parameters is None:
                return self.connection.execute(query)
            attempts = [
                f"SELECT * FROM read_csv('{other}')",
                f"COPY (SELECT 1) TO '{tmp_path}/out.csv'",
                f"ATTACH '{tmp_path}/out.db'",
                "SET enable_external_access = true",
                "INSTALL httpfs",
            ]
            for attempt in attempts:
                with pytest.raises(duckdb.Error):
                    self.connection.execute(attempt)
                refused.append(attempt)
            return self.connection.execute(query, parameters)

    monkeypatch.setattr(duckdb, "connect", Prying)
    assert load(path).X.tolist() == [[1]]
    assert len(refused) == 5
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["other.csv", "rows.csv"]
