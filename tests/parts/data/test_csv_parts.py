"""Large CSV files are read part by part: what comes of it is what comes of the whole."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from specnet import DataError
from specnet.parts.data.tables import csv_bytes, csv_files
from specnet.parts.data.tables.csv_bytes import parts_of
from specnet.parts.data.tables.duck import DuckError
from tests.cases.reading import load

LINES = [f"{n},{n / 8},c{n % 3}" for n in range(40)]
TEXTS = {
    "plain": "a,b,y\n" + "\n".join(LINES) + "\n",
    "no end": "a,b,y\n" + "\n".join(LINES),
    "returns": "a,b,y\r\n" + "\r\n".join(LINES) + "\r\n",
    "old returns": "a,b,y\r" + "\r".join(LINES) + "\r",
    "blank lines": "a,b,y\n" + "\n\n\n".join(LINES) + "\n\n",
    "quotes": "a,b,y\n" + "\n".join([*LINES, '1,2,"c\n1"']) + "\n",
    "a word": "a,b,y\n" + "\n".join([*LINES[:30], "x,1,c0", *LINES[30:]]) + "\n",
    "a long row": "a,b,y\n" + "\n".join([*LINES[:30], "1,1,c0,5", *LINES[30:]]) + "\n",
    "a short row": "a,b,y\n" + "\n".join([*LINES[:30], "1,1", *LINES[30:]]) + "\n",
    "another end": "a,b,y\n" + "\n".join(LINES[:30]) + "\r\n" + "\r\n".join(LINES[30:]) + "\r\n",
    "a gap": "a,b,y\n" + "\n".join([*LINES[:30], "1,,c0", *LINES[30:]]) + "\n",
    "no header": "\n".join(LINES) + "\n",
    "no header, returns": "\r\n".join(LINES) + "\r\n",
}


FAULTY = {"a word", "a long row", "a short row", "another end"}


def outcome(folder: Path, **fields: Any) -> object:
    try:
        table = load(folder / "rows.csv", **fields)
    except DataError as error:
        return [str(problem) for problem in error.diagnostics]
    return repr((table.X.tolist(), table.y.tolist(), table.columns))


@pytest.fixture
def part_bytes(monkeypatch: pytest.MonkeyPatch, by_duckdb: None) -> Callable[[int], None]:
    """Return a function that sets the size of parts."""

    def of_size(size: int) -> None:
        for module in (csv_files, csv_bytes):
            monkeypatch.setattr(module, "PART_BYTES", size)

    return of_size


@pytest.mark.parametrize(
    "size", [20, pytest.param(100, marks=pytest.mark.slow), pytest.param(333, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("name", TEXTS)
def test_parts_say_what_the_whole_says(name: str, size: int, tmp_path: Path, part_bytes):
    fields = {"header": False, "target": "column_3"} if "no header" in name else {}
    (tmp_path / "rows.csv").write_bytes(TEXTS[name].encode())
    expected = outcome(tmp_path, **fields)
    assert ("0.125" in str(expected)) == (name not in FAULTY)
    part_bytes(size)
    assert outcome(tmp_path, **fields) == expected


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_parts_are_the_lines_of_the_file(end: str, tmp_path: Path, part_bytes):
    part_bytes(50)
    file = tmp_path / "rows.csv"
    file.write_bytes(("head" + end + end.join(LINES)).encode())
    (tmp_path / "parts").mkdir()
    parts = parts_of(str(file), 4 + len(end), '"', str(tmp_path / "parts"))
    found = [Path(part).read_bytes() for part in parts]
    assert b"".join(found) == end.join(LINES).encode()
    assert len(found) > 5
    assert all(len(part) >= 50 and part.endswith(b"\n") for part in found[:-1])
    assert not list((tmp_path / "parts").iterdir())


def test_a_file_that_cannot_be_cut_has_no_parts(tmp_path: Path, part_bytes, monkeypatch: pytest.MonkeyPatch):
    part_bytes(50)
    monkeypatch.setattr(csv_bytes, "LONGEST_LINE", 100)
    (tmp_path / "parts").mkdir()
    for text in ("1,2\r" * 50, "1,2\n" * 50 + '1,"2"\n'):
        (tmp_path / "rows.csv").write_bytes(text.encode())
        with pytest.raises(DuckError):
            list(parts_of(str(tmp_path / "rows.csv"), 0, '"', str(tmp_path / "parts")))
        assert not list((tmp_path / "parts").iterdir())
