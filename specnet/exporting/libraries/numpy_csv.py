"""How the NumPy export reads CSV: as specnet reads the files that its model was trained on."""

from __future__ import annotations

import re
from collections.abc import Sequence

from specnet.exporting.libraries.numpy_cells import Cells
from specnet.parts.data import Csv
from specnet.parts.data.tables.cells import SPACE

CSV_NAMES = frozenset({"MISSING", "is_number", "read_cell", "read_rows", "print_answers", "source", "file", "error"})
"""What the file calls what reads CSV."""


def csv_text(cells: Cells, columns: Sequence[str]) -> str:
    """Return the functions that read CSV, and print the answers in the columns that these lines make."""
    inputs, named, data = cells.program.inputs, bool(cells.names), cells.csv
    are_numbers, has_number = (f"{word}(map(is_number, rows[0][1]))" for word in ("all", "any"))
    if cells.are_taken:
        are_numbers = "all(cell in MISSING or is_number(cell) for cell in rows[0][1])"
        has_number = f"({has_number} or set(rows[0][1]) <= set(MISSING))"
    first, header = ("that is no numbers names them", _NAMED) if named else ("without any number names them", _UNNAMED)
    if named and data is not None and not data.header:
        first, header = "is a row as all others", _NUMBERED
    read = _READ_CELLS if cells.are_taken else _READ_NUMBERS
    width = "len(names)" if named else f"{inputs}"
    needed = "{len(names)} cells" if named else "1 number" if inputs == 1 else f"{inputs} numbers"
    return _MAIN.format(
        missing=f"MISSING = {_missing_cells(data)}\n\n\n" if cells.are_taken else "",
        inputs=inputs,
        first=first,
        read_cell=_read_cell(cells) if cells.are_taken else "",
        reader=_reader(data),
        header=header.format(inputs=inputs, are_numbers=are_numbers, has_number=has_number).strip("\n"),
        read=read.format(width=width, needed=needed, space=SPACE).strip("\n"),
        columns="\n    ".join(columns),
        encoding="utf-8-sig" if data is None or data.encoding in ("utf-8", "utf8") else data.encoding,
    )


def _missing_cells(data: Csv | None) -> tuple[str, ...]:
    """Return which cells of CSV say that a value is missing: those of the training rows, or the usual ones."""
    usual = Csv.model_fields["missing_values"].default
    return tuple(dict.fromkeys(["", *(usual if data is None else data.missing_values)]))


def _read_cell(cells: Cells) -> str:
    """Return the function that reads a cell."""
    number = "cell"
    if cells.csv is not None and cells.csv.decimal == ",":
        others = sorted({*cells.dates, *cells.notations})
        number = 'cell.replace(",", ".")' + f" if place not in {others} else cell" * bool(others)
    texts, gaps = _TEXTS * bool(cells.program.texts), _GAPS * bool(cells.program.gaps)
    return _READ_CELL.format(texts=texts, gaps=gaps, number=number).lstrip("\n")


def _reader(data: Csv | None) -> str:
    """Return the lines that split a file into records."""
    delimiter, quote, skipped, lines = "", "", "", []
    if data is not None:
        lines.append(f"lines = list(lines)[{data.skip}:]" if data.skip else "lines = list(lines)")
        skipped = f" + {data.skip}" if data.skip else ""
        quote = f", quotechar={data.quote!r}" if data.quote != '"' else ""
        delimiter = f", delimiter={data.delimiter!r}"
        if data.delimiter is None:
            mark = re.escape(data.quote)
            quoted = f"{mark}[^{mark}]*{mark}"
            lines.append(f"first = re.sub({quoted!r}, '', next(filter(str.strip, lines), ''))")
            delimiter = ', delimiter=max(",;\\t|", key=first.count)'
    lines.append(f"reader = csv.reader(lines{delimiter}{quote})")
    lines.append(f"rows = [(reader.line_num{skipped}, row) for row in reader if row]")
    return "\n".join(f"    {line}" for line in lines)


_UNNAMED = """
    places = range({inputs})
    if rows and not {has_number}:
        rows.pop(0)
"""
_NAMED = """
    names = FEATURES
    if rows and (set(FEATURES) <= set(rows[0][1]) or not {are_numbers}):
        line, names = rows.pop(0)
        missing = [name for name in FEATURES if name not in names]
        if missing:
            raise ValueError(f"line {{line}}: missing column {{', '.join(missing)}}")
        repeated = [name for name in FEATURES if names.count(name) > 1]
        if repeated:
            raise ValueError(f"line {{line}}: duplicate column {{', '.join(repeated)}}")
    places = [names.index(name) for name in FEATURES]
"""
_READ_NUMBERS = """
    for line, row in rows:
        if len(row) != {width}:
            raise ValueError(f"line {{line}}: expected {needed}, got {{len(row)}}")
        for place in places:
            if not is_number(row[place]):
                raise ValueError(f"line {{line}}: expected a number, got {{row[place]!r}}")
    return np.array([[float(row[place]) for place in places] for _, row in rows])
"""
_NUMBERED = """
    names = [f"column_{{number + 1}}" for number in range(len(rows[0][1]) if rows else 0)]
    missing = [name for name in FEATURES if name not in names]
    if rows and missing:
        raise ValueError(f"line {{rows[0][0]}}: missing column {{', '.join(missing)}}")
    places = [names.index(name) for name in FEATURES if rows]
"""
_READ_CELLS = """
    found = []
    for line, row in rows:
        if len(row) != {width}:
            raise ValueError(f"line {{line}}: expected {needed}, got {{len(row)}}")
        cells = [row[place].strip({space!r}) for place in places]
        try:
            found.append([read_cell(cell, place) for place, cell in enumerate(cells)])
        except ValueError as error:
            raise ValueError(f"line {{line}}: {{error}}") from None
    return found
"""
_READ_CELL = """
def read_cell(cell, place):
    \"\"\"Return a cell of a CSV file: a text, or a number, NaN where it is missing.\"\"\"{texts}{gaps}
    return number_of({number}, place)


"""
_TEXTS = """
    if place in CODES:
        return "" if cell in MISSING else re.sub(r"^([+-]?[0-9]+)\\.0$", r"\\1", cell)"""
_GAPS = """
    if place in OPTIONAL and cell in MISSING:
        return np.nan"""
_MAIN = '''
{missing}def is_number(cell):
    """Whether a cell of a CSV file is a number, and not an infinite one."""
    try:
        return cell.isascii() and "_" not in cell and abs(float(cell)) < float("inf")
    except ValueError:
        return False


{read_cell}def read_rows(lines):
    """Return the columns of CSV lines, (rows, {inputs}); a first line {first}."""
{reader}
{header}
    if not rows:
        raise ValueError("no rows")
{read}


def print_answers(X):
    """Print what is predicted for raw columns, as CSV."""
    {columns}
    writer = csv.writer(sys.stdout, lineterminator="\\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values()))


if __name__ == "__main__":
    source = sys.argv[1] if len(sys.argv) > 1 else 0  # standard input
    try:
        with open(source, encoding={encoding!r}, newline="") as file:
            print_answers(read_rows(file))
    except (OSError, ValueError, csv.Error) as error:
        sys.exit(str(error))
'''
