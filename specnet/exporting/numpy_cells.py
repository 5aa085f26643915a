"""How the NumPy export takes rows: cells of numbers and texts, data frames, and CSV."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from specnet.exporting.program import Program
from specnet.exporting.rows import WIDTH, filled
from specnet.parts.data import Csv

CELL_NAMES = frozenset({"CODES", "OPTIONAL", "MISSING", "array_of", "text_of", "numbers_of", "numbered"})
"""What the file calls what takes cells."""


def about_cells(program: Program) -> list[str]:
    """Return the lines of the file's docstring on what the cells are."""
    if not program.has_cells:
        return []
    lines = ["", "None, NaN and an empty text say that a cell is missing."]
    if program.model.feature_names:
        lines[1] = "X holds rows, or columns by name, as data frames do. " + lines[1]
    if program.texts:
        lines += ["Texts are compared as they are, space around them included; those without a code are all alike."]
    kinds = {column.kind for column in program.columns}
    words = {"boolean": "Booleans are 0 and 1.", "datetime": "Datetimes are days since 1970-01-01 UTC, or NumPy's."}
    return [*lines, *(text for kind, text in words.items() if kind in kinds)]


def cells_constants(program: Program) -> list[str]:
    """Return the lines that say which columns hold texts, with their codes, and which may miss numbers."""
    if not program.has_cells:
        return []
    lines = ["# For each column of texts, by its place, their codes; a missing cell has that of '', all others 0."]
    lines += ["CODES = {"]
    for place, column in enumerate(program.columns):
        if column.codes is not None:
            items = [f"{text!r}: {code}" for text, code in column.codes.items()]
            line = f"    {place}: {{{', '.join(items)}}},"
            lines += [line] if len(line) <= WIDTH else [f"    {place}: {{", *filled(items, " " * 8), "    },"]
    lines = [*lines, "}"] if program.texts else ["CODES = {}"]
    return [*lines, f"OPTIONAL = {program.gaps}  # columns of numbers that may be missing"]


def cells_texts(program: Program) -> list[str]:
    """Return the functions that make numbers of cells."""
    if not program.has_cells:
        return []
    columns = (_TABLES if program.model.feature_names else _ROWS).format(inputs=program.inputs).strip("\n")
    dates = _DATES * any(column.kind == "datetime" for column in program.columns) + _NO_DATES
    return [_CELLS.format(inputs=program.inputs, columns=columns, dates=dates.strip("\n"))]


def csv_text(program: Program, columns: Sequence[str]) -> str:
    """Return the functions that read CSV, and print the answers in the columns that these lines make."""
    inputs, named, mixed = program.inputs, bool(program.model.feature_names), program.has_cells
    are_numbers, has_number = (f"{word}(map(is_number, rows[0][1]))" for word in ("all", "any"))
    if mixed:
        are_numbers = "all(cell in MISSING or is_number(cell) for cell in rows[0][1])"
        has_number = f"({has_number} or set(rows[0][1]) <= set(MISSING))"
    first, header = ("that is no numbers", _NAMED) if named else ("without any number", _UNNAMED)
    header = header.format(inputs=inputs, are_numbers=are_numbers, has_number=has_number)
    width = "len(names)" if named else f"{inputs}"
    needed = "{len(names)} cells" if named else "1 number" if inputs == 1 else f"{inputs} numbers"
    return _MAIN.format(
        missing=f"MISSING = {_missing_cells(program)}\n\n\n" if mixed else "",
        inputs=inputs,
        first=first,
        header=header.strip("\n"),
        read=(_READ_CELLS if mixed else _READ_NUMBERS).format(width=width, needed=needed).strip("\n"),
        columns="\n    ".join(columns),
    )


def _missing_cells(program: Program) -> tuple[str, ...]:
    """Return which cells of CSV say that a value is missing: those of the training rows, or the usual ones."""
    data, usual = program.model.spec.data, Csv.model_fields["missing_values"].default
    return tuple(dict.fromkeys(["", *(data.missing_values if isinstance(data, Csv) else usual)]))


_ROWS = """
    X = array_of(X)
    if X.ndim != 2 or X.shape[1] != {inputs}:
        raise ValueError(f"X has shape {{X.shape}}; expected (rows, {inputs})")
    columns = X.T
"""
_TABLES = f"""
    if hasattr(X, "keys") or hasattr(X, "columns"):
        columns = [array_of(X[name]) for name in FEATURES]
    else:{textwrap.indent(_ROWS, "    ")}"""
_DATES = """
    if column.dtype.kind == "M":
        return (column.astype("M8[us]") - np.datetime64(0, "us")) / np.timedelta64(1, "D")"""
_NO_DATES = """
    if column.dtype.kind in "mM":
        raise ValueError("X has times where numbers are expected")
"""
_CELLS = '''
def array_of(cells):
    """Return cells as an array, in which numbers beside texts stay numbers."""
    return np.asarray(cells, None if hasattr(cells, "dtype") else object)


def text_of(cell):
    """Return a cell as a text, an empty one where it is missing."""
    if isinstance(cell, str):
        return cell
    text = str(cell)
    if text in ("None", "nan", "NaT", "<NA>"):
        return ""
    return text.lower() if isinstance(cell, (bool, np.bool_)) else text.removesuffix(".0")


def numbers_of(column):
    """Return the cells of a column as numbers, NaN where one is missing."""
{dates}
    return column if column.dtype.kind in "biuf" else [float(cell) if text_of(cell) else np.nan for cell in column]


def numbered(X):
    """Return raw columns as numbers (rows, {inputs}): codes in place of texts, and NaN where a number is missing."""
{columns}
    x = [
        [CODES[place].get(text_of(cell), 0) for cell in column] if place in CODES else numbers_of(column)
        for place, column in enumerate(columns)
    ]
    x = np.stack([np.asarray(column, np.float64) for column in x], axis=1)
    if np.isinf(x).any() or np.isnan(np.delete(x, OPTIONAL, axis=1)).any():
        raise ValueError("X has a number that is missing or not finite")
    return x
'''
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
_READ_CELLS = """
    found = []
    for line, row in rows:
        if len(row) != {width}:
            raise ValueError(f"line {{line}}: expected {needed}, got {{len(row)}}")
        cells = [row[place].strip(" \\t\\n\\r\\v\\f") for place in places]
        found.append(["" if cell in MISSING else re.sub(r"^([+-]?[0-9]+)\\.0$", r"\\1", cell) for cell in cells])
        for place, cell in enumerate(found[-1]):
            if place not in CODES and not is_number(cell) and (cell or place not in OPTIONAL):
                raise ValueError(f"line {{line}}: expected a number, got {{cells[place]!r}}")
    return found
"""
_MAIN = '''
{missing}def is_number(cell):
    """Whether a cell of a CSV file is a number, and not an infinite one."""
    try:
        return cell.isascii() and "_" not in cell and abs(float(cell)) < float("inf")
    except ValueError:
        return False


def read_rows(lines):
    """Return the columns of CSV lines, (rows, {inputs}); a first line {first} names them."""
    reader = csv.reader(lines)
    rows = [(reader.line_num, row) for row in reader if row]
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
        with open(source, encoding="utf-8-sig", newline="") as file:
            print_answers(read_rows(file))
    except (OSError, ValueError, csv.Error) as error:
        sys.exit(str(error))
'''
