"""Random tables, read back: ``python -m tests.parts.data.fuzz [FILES] [SEED]`` counts cells that are read wrongly.

Each column is drawn as numbers or texts, and written in one of many notations; the file then may get blank lines,
quotes, other line ends, a byte-order mark, or a fault. What is read must be what was drawn, whether Python reads the
file, as small ones, or DuckDB. The last line is a digest of all that was read, messages included: it shows whether a
change of the code changes anything.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import math
import random
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from specnet import DataError, FileError
from specnet.errors import render
from tests.cases.reading import by_duckdb, load

EPOCH = datetime.datetime(1970, 1, 1)
DAY = datetime.timedelta(days=1)


class Drawn(NamedTuple):
    """A column: its kind, texts as a file has them, and numbers, or the texts again for categories."""

    kind: str
    cells: list[str]
    values: list[Any]


def grouped(value: float, decimal: str, thousands: str, digits: int = 2) -> str:
    return f"{value:,.{digits}f}".translate({ord(","): thousands, ord("."): decimal})


def whole(draw: random.Random, rows: int) -> Drawn:
    values = [draw.randint(-(10**6), 10**6) for _ in range(rows)]
    return Drawn("numeric", [draw.choice(["{}", "{}", "{}.0", "{}e0"]).format(value) for value in values], values)


def real(draw: random.Random, rows: int) -> Drawn:
    values = [0.1234567, *(draw.choice([draw.gauss(0, 1), draw.random() * 1e9, -2.5e-7]) for _ in range(rows - 1))]
    return Drawn("numeric", [repr(value) for value in values], values)


def amounts(decimal: str, thousands: str, unit: str = "") -> Callable[[random.Random, int], Drawn]:
    def drawn(draw: random.Random, rows: int) -> Drawn:
        values = [1234567.25, *(draw.randint(-(10**7), 10**8) / 100 for _ in range(rows - 1))]
        return Drawn("numeric", [grouped(value, decimal, thousands) + unit for value in values], values)

    return drawn


def dates(form: str) -> Callable[[random.Random, int], Drawn]:
    def drawn(draw: random.Random, rows: int) -> Drawn:
        first = datetime.datetime(1999, 3, 31, 13, 5, 59)
        days = [first, *(first + datetime.timedelta(seconds=draw.randint(-(10**9), 10**9)) for _ in range(rows - 1))]
        cells = [day.strftime(form) for day in days]
        values = [(datetime.datetime.strptime(cell, form) - EPOCH) / DAY for cell in cells]
        return Drawn("datetime", cells, values)

    return drawn


def zoned(draw: random.Random, rows: int) -> Drawn:
    cells, values = [], []
    for _ in range(rows):
        moment = datetime.datetime(2024, 1, 1) + datetime.timedelta(microseconds=draw.randint(0, 10**14))
        hours = draw.randint(-12, 14)
        cells.append(moment.isoformat() + draw.choice(["", " "]) + (f"{hours:+03d}:00" if hours else "Z"))
        values.append((moment - datetime.timedelta(hours=hours) - EPOCH) / DAY)
    return Drawn("datetime", cells, values)


def durations(draw: random.Random, rows: int) -> Drawn:
    values = [61, *(draw.randint(0, 5000) for _ in range(rows - 1))]
    return Drawn("numeric", [f"{value // 60}h {value % 60}m" for value in values], values)


def booleans(draw: random.Random, rows: int) -> Drawn:
    false, true = draw.choice([("no", "Yes"), ("false", "true"), ("N", "y"), ("F", "T")])
    values = [draw.randint(0, 1) for _ in range(rows)]
    return Drawn("boolean", [true if value else false for value in values], values)


def categories(draw: random.Random, rows: int) -> Drawn:
    words = draw.choice([["red", "blue, or so", 'gr"een'], ["é", "ß", "10 km x"], ["x1", "007", "1_0"]])
    cells = [draw.choice(words) for _ in range(rows)]
    return Drawn("category", cells, [*cells])


def names(draw: random.Random, rows: int) -> Drawn:
    cells = [f"{draw.choice('abcdef')}{index} {draw.random()}" for index in range(rows)]
    return Drawn("ignore", cells, [*cells])


COLUMNS: list[Callable[[random.Random, int], Drawn]] = [
    *(whole, real, real, amounts(",", "."), amounts(",", " "), amounts(".", ",", " %"), amounts(",", ".", " €")),
    *(dates("%Y-%m-%d"), dates("%Y-%m-%dT%H:%M:%S"), dates("%d.%m.%Y"), dates("%d/%m/%Y %H:%M"), dates("%d %b %Y")),
    *(zoned, durations, booleans, categories, names),
]


def drawn_table(draw: random.Random) -> dict[str, Drawn]:
    """Return columns by name, some cells of which are missing."""
    rows = draw.choice([1, 12, 40, 40, 200])
    found = {f"c{index}": draw.choice(COLUMNS)(draw, rows) for index in range(draw.randint(1, 6))}
    for column in found.values():
        if rows > 1 and draw.random() < 0.4:
            for row in draw.sample(range(1, rows), rows // 8):
                column.cells[row] = draw.choice(["", "NA", " ", "nan "])
                column.values[row] = None
    return found


def written(draw: random.Random, table: dict[str, Drawn], folder: Path) -> tuple[Path, bool]:
    """Write a table, and return its file, and whether that has a fault."""
    rows = len(next(iter(table.values())).cells)
    labels = [draw.choice("uv") for _ in range(rows)]
    if draw.random() < 0.2:
        texts = {name: column.cells for name, column in table.items()} | {"y": labels}
        lines = [{name: cells[row].strip() for name, cells in texts.items()} for row in range(rows)]
        missing = ("", "NA", "nan")
        kept = [{name: None if cell in missing else cell for name, cell in line.items()} for line in lines]
        path = folder / "rows.jsonl"
        path.write_text("".join(json.dumps(line) + "\n" for line in kept))
        return path, False
    delimiter, end = draw.choice(",;\t|"), draw.choice(["\n", "\n", "\r\n"])

    def quoted(cell: str) -> str:
        needed = any(character in cell for character in f'{delimiter}"\r\n') or draw.random() < 0.05
        return '"' + cell.replace('"', '""') + '"' if needed else cell

    columns = [[name, *column.cells] for name, column in table.items()] + [["y", *labels]]
    lines = [delimiter.join(map(quoted, row)) + end for row in zip(*columns, strict=True)]
    if draw.random() < 0.1:
        lines.insert(draw.randint(1, len(lines)), end * draw.randint(1, 3))
    content = "".join(lines).encode()
    if draw.random() < 0.1:
        content = b"\xef\xbb\xbf" + content
    if is_faulty := draw.random() < 0.3:
        for _ in range(draw.randint(1, 3)):
            at = draw.randrange(len(content))
            new = draw.choice([b'"', delimiter.encode(), b"\n", b"\r", b"\0", b"\xff", b"x", b"-", b"", b"0", b"."])
            content = content[:at] + new + content[at + draw.randint(0, 1) :]
    path = folder / "rows.csv"
    path.write_bytes(content)
    return path, is_faulty


def wrong_cells(table: dict[str, Drawn], found: Any) -> int:
    """Return how many cells of a table are not what was drawn."""
    wrong = 0
    columns = {column.name: (index, column) for index, column in enumerate(found.columns)}
    for name, drawn in table.items():
        if name not in columns:  # rare texts are ignored
            present = [value for value in drawn.values if value is not None]
            wrong += len(present) if drawn.kind not in ("ignore", "category") else 0
            continue
        index, column = columns[name]
        for value, cell in zip(drawn.values, found.X[:, index].tolist(), strict=True):
            if value is None or column.kind == "category":
                is_right = math.isnan(cell) == (value is None) and (value is None or column.kind == drawn.kind)
                is_right = is_right and (value is None or str(column.texts[int(cell)]) == value)
            else:
                is_right = drawn.kind == column.kind and math.isclose(value, cell, rel_tol=1e-15)
            wrong += not is_right
    return wrong


def outcome(path: Path) -> tuple[Any, str]:
    """Return the table in a file, None where that is refused, and all that is read, or the error, as a text."""
    try:
        found = load(path)
    except (DataError, FileError) as error:
        return None, "\n".join(render(each, "error") for each in getattr(error, "diagnostics", ())) or str(error)
    warnings = "\n".join(render(each, "warning") for each in found.warnings)
    kinds = {name: str(kind) for name, kind in found.kinds.items()}
    cells = hashlib.sha256(np.ascontiguousarray(found.X).tobytes() + repr(found.y.tolist()).encode()).hexdigest()
    texts = [None if column.texts is None else column.texts.tolist() for column in found.columns]
    return found, f"{kinds}\n{warnings}\n{cells}\n{texts}"


def read_files(count: int, seed: int, folder: Path) -> Iterator[tuple[int, bool, str]]:
    """Yield of each file how many cells are read wrongly, whether it is refused, and what is read as a text."""
    for index in range(count):
        draw = random.Random(f"{seed} {index}")
        table = drawn_table(draw)
        path, is_faulty = written(draw, table, folder)
        found, text = outcome(path)
        with by_duckdb():
            again, other = outcome(path)
        rows = len(next(iter(table.values())).cells)
        wrong = 0
        if (found is None) != (again is None) or (found is not None and text != other):
            wrong, text = 1, f"{text}\nby DuckDB:\n{other}"
        elif found is None:
            wrong += not is_faulty and len(table) > 1 and rows >= 40
        elif not is_faulty and rows >= 40:
            wrong += wrong_cells(table, found)
        yield wrong, found is None, text.replace(str(folder), "")


def main(count: int, seed: int) -> int:
    digest, wrong, refused = hashlib.sha256(), 0, 0
    with tempfile.TemporaryDirectory() as folder:
        for index, (mistakes, is_refused, text) in enumerate(read_files(count, seed, Path(folder))):
            digest.update(text.encode())
            refused += is_refused
            wrong += mistakes
            if mistakes:
                print(f"file {index}: {mistakes} wrong\n{text}", file=sys.stderr)
    print(f"{count} files, {refused} refused, {wrong} wrong cells\n{digest.hexdigest()[:16]}")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main(*(int(text) for text in [*sys.argv[1:], *["2350", "0"][len(sys.argv) - 1 :]])))
