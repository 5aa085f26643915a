"""How the NumPy export takes rows: arrays, tables, cells of every kind, and CSV as specnet reads it."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from typing import Any

from specnet.exporting.array_functions import WIDTH, filled
from specnet.exporting.model_program import Program
from specnet.parts.data import Csv
from specnet.parts.data.notations import SECONDS, DatetimeFormat, DurationFormat, Notation, NumberFormat
from specnet.parts.data.tables.cells import PAIRS, SPACE

CELL_NAMES = frozenset(
    {
        *("CODES", "OPTIONAL", "BOOLEANS", "WORDS", "DATES", "SHORT_YEARS", "NUMBERS", "DURATIONS", "MARKERS"),
        *("datetime", "timedelta", "timezone"),
        *("array_of", "text_of", "numbers_as_written", "number_of", "numbers_of", "numbered", "days_of"),
    }
)
"""Names in the file of what reads cells."""
CSV_NAMES = frozenset({"MISSING", "is_number", "read_cell", "read_rows", "print_answers", "source", "file", "error"})
"""Names in the file of what reads CSV."""


class Cells:
    """The text of a file that converts the cells of raw columns to numbers.

    Parameters
    ----------
    program : Program

    Attributes
    ----------
    dates, booleans : list of int
        The indices of the columns of these kinds.
    notations : dict of int to Notation
        For columns with another notation than the plain one, by their indices, that notation.
    are_taken : bool
        Whether rows may be more than arrays of numbers that are all there: tables, whose columns have names.
    csv : Csv or None
        How the training file was read, if it was CSV.
    use_patterns : bool
        Whether the file needs regular expressions.
    """

    def __init__(self, program: Program) -> None:
        self.program, self.names = program, program.model.feature_names
        self.are_taken = program.has_cells or bool(self.names)
        kinds = [column.kind for column in program.columns]
        self.dates, self.booleans = (
            [index for index, kind in enumerate(kinds) if kind == each] for each in ("datetime", "boolean")
        )
        specified = program.model.spec.feature_kinds or {}
        notations = {index: specified.get(column.name) for index, column in enumerate(program.columns)}
        self.notations = {index: kind for index, kind in notations.items() if isinstance(kind, Notation)}
        self.csv = program.model.spec.data if isinstance(program.model.spec.data, Csv) else None
        finds_delimiter = self.csv is not None and self.csv.delimiter is None
        self.use_patterns = bool(program.texts or self.dates or self.notations) or finds_delimiter

    @property
    def about(self) -> list[str]:
        """The lines of the file's docstring about cells."""
        lines = {
            "X holds rows, or columns by name, as data frames do.": self.names,
            "None, NaN and an empty text say that a cell is missing.": self.program.has_cells,
            "Texts are compared as they are, space around them included; those without a code are all alike.": (
                self.program.texts
            ),
            "Booleans are true and false, yes and no, or 1 and 0.": self.booleans,
            "Datetimes are texts as in the training rows, NumPy's, or days since 1970-01-01 UTC.": self.dates,
        }
        true = [line for line, is_true in lines.items() if is_true]
        return ["", *true] if true else []

    @property
    def constants(self) -> list[str]:
        """The lines that set the constants: codes of texts, and which columns have which kind and notation."""
        program, lines = self.program, []
        for index, column in enumerate(program.columns):
            if column.codes is not None:
                items = [f"{text!r}: {code}" for text, code in column.codes.items()]
                line = f"    {index}: {{{', '.join(items)}}},"
                lines += [line] if len(line) <= WIDTH else [f"    {index}: {{", *filled(items, " " * 8), "    },"]
        if program.texts:
            about = (
                "# For each column of texts, by its index, their codes; a missing cell has that of '', all others 0."
            )
            lines = [about, "CODES = {", *lines, "}"]
        if program.has_cells:
            lines.append(f"OPTIONAL = {program.missing}  # columns of numbers that may be missing")
        if self.booleans:
            lines.append(f"BOOLEANS = {self.booleans}  # columns of true and false, in these words")
            words = [f"{word!r}: {float(word == pair[0])}" for pair in PAIRS for word in pair]
            lines.append(f"WORDS = {{{', '.join(words)}}}")
        if self.dates:
            forms = {index: self._date_format(index) for index in self.dates}
            lines.append(f"DATES = {forms}  # columns of dates with their format; None is ISO's")
        for name, (about, entries) in self._tables.items():
            if entries:
                lines += [f"# {about}", f"{name} = {{"]
                for index, parts in entries.items():
                    lines += [f"    {index}: (", *(f"        {part!r}," for part in parts), "    ),"]
                lines += ["}"]
        return lines

    def _date_format(self, index: int) -> str | None:
        """Return the format of a column of dates, in which years have four digits where they are completed."""
        notation = self.notations.get(index)
        if not isinstance(notation, DatetimeFormat):
            return None
        return notation.format if notation.last_year is None else notation.with_whole_years[0]

    @property
    def _tables(self) -> dict[str, tuple[str, dict[int, tuple[Any, ...]]]]:
        """The constants of notations by their names: a comment, and the entries by the indices of columns."""
        numbers: dict[int, tuple[Any, ...]] = {}
        durations: dict[int, tuple[Any, ...]] = {}
        years: dict[int, tuple[Any, ...]] = {}
        markers: dict[int, tuple[Any, ...]] = {}
        for index, each in self.notations.items():
            if isinstance(each, NumberFormat):
                numbers[index] = (each.pattern, each.separators, each.around if each.unit else "")
            elif isinstance(each, DurationFormat):
                forms = [(pattern, [SECONDS[unit] for unit in units]) for pattern, units in each.forms]
                durations[index] = (forms, SECONDS[each.duration])
            elif isinstance(each, DatetimeFormat) and each.last_year is not None:
                years[index] = (each.with_whole_years[1], each.last_year)
            if each.missing_values:
                markers[index] = (each.missing_values, each.missing_numbers)
        return {
            "NUMBERS": (
                "For columns of numbers that are written otherwise: how, what to leave out, and the unit around them.",
                numbers,
            ),
            "DURATIONS": (
                "For columns of durations: forms, the seconds of their parts and of the unit.",
                durations,
            ),
            "SHORT_YEARS": ("For columns of dates with years of two digits: where, and the last year.", years),
            "MARKERS": ("For columns in which some texts and numbers mean that a value is missing: these.", markers),
        }

    @property
    def functions(self) -> list[str]:
        """The functions that convert cells to numbers."""
        if not self.are_taken:
            return []
        program, booleans, dates, tables = self.program, bool(self.booleans), bool(self.dates), self._tables
        expected = "'a date' if index in DATES else " * dates + "'true or false' if index in BOOLEANS else " * booleans
        converted, needed = "numbers_of(column, index)", "not np.isfinite(x).all()"
        if program.texts:
            converted = f"[CODES[index].get(text_of(cell), 0) for cell in column] if index in CODES else {converted}"
        if program.has_cells:
            needed = "np.isinf(x).any() or np.isnan(np.delete(x, OPTIONAL, axis=1)).any()"
        text = _CELLS.format(
            markers=_MARKERS * bool(tables["MARKERS"][1]),
            marked=_MARKED * bool(tables["MARKERS"][1]),
            years=_SHORT_YEARS * bool(tables["SHORT_YEARS"][1]),
            numbers=_NUMBERS * bool(tables["NUMBERS"][1]),
            durations=_DURATIONS * bool(tables["DURATIONS"][1]),
            inputs=program.inputs,
            space=SPACE,
            columns=(_TABLES if self.names else _ROWS).format(inputs=program.inputs).strip("\n"),
            converted=converted,
            needed=needed,
            moments=_MOMENTS * dates,
            booleans=_BOOLEANS * booleans,
            dates=_DATES * dates,
            expected=f"{expected}'a number'",
        )
        return [*([_DAYS] if dates else []), text]


_ROWS = """
    X = array_of(X)
    if X.ndim != 2 or X.shape[1] != {inputs}:
        raise ValueError(f"X has shape {{X.shape}}; expected (rows, {inputs})")
    columns = X.T
"""
_TABLES = f"""
    if hasattr(X, "keys") or hasattr(X, "columns"):
        known = list(X.keys() if hasattr(X, "keys") else X.columns)
        missing = [name for name in FEATURES if name not in known]
        if missing:
            raise ValueError(f"X has no column {{{{', '.join(missing)}}}}")
        columns = [array_of(X[name]) for name in FEATURES]
    else:{textwrap.indent(_ROWS, "    ")}"""
_MOMENTS = """
    if index in DATES and column.dtype.kind == "M":
        return (column.astype("M8[us]") - np.datetime64(0, "us")) / np.timedelta64(1, "D")"""
_BOOLEANS = """
    if index in BOOLEANS and text.lower() in WORDS:
        return WORDS[text.lower()]"""
_DATES = """
    if index in DATES:
        days = days_of(text, DATES[index] if isinstance(cell, str) else None)
        if days is not None:
            return days"""
_NUMBERS = """
    if index in NUMBERS and isinstance(cell, str):
        pattern, separators, around = NUMBERS[index]
        if re.fullmatch(pattern, text):
            plain = re.sub(around, r"\\1\\2", text) if around else text
            return float("".join(char for char in plain if char not in separators).replace(",", "."))"""
_DURATIONS = """
    if index in DURATIONS and isinstance(cell, str):
        forms, unit = DURATIONS[index]
        for pattern, factors in forms:
            match = re.fullmatch(pattern, text)
            if match:
                parts = [float((part or "0").replace(",", ".")) for part in match.groups()]
                seconds = sum(factor * part for factor, part in zip(factors, parts))
                return (-seconds if text.startswith("-") else seconds) / unit"""
_SHORT_YEARS = """
    if index in SHORT_YEARS and isinstance(cell, str):
        pattern, last = SHORT_YEARS[index]
        text = re.sub(pattern, lambda match: f"{match[1]}{last - (last - int(match[2])) % 100}{match[3]}", text)"""
_MARKERS = """
    if index in MARKERS and text in MARKERS[index][0]:
        return np.nan"""
_MARKED = """
    if index in MARKERS:
        column = numbers_as_written(column, index)
        return np.where(np.isin(column, MARKERS[index][1]), np.nan, column)
    return numbers_as_written(column, index)


def numbers_as_written(column, index):
    \"\"\"Return the cells of a column as numbers, NaN where one is missing.\"\"\""""
_DAYS = """
def days_of(text, form):
    \"\"\"Return the days since 1970-01-01 UTC of a date in a format, in ISO's if that is None; None for no date.\"\"\"
    iso = re.fullmatch(
        "([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[T ]([0-9]{2}:[0-9]{2}(?::[0-9]{2})?)([.][0-9]{1,9})?"
        "(?: ?(Z|[+-][0-9]{2}(?::?[0-9]{2})?))?)?",
        text,
    )
    try:
        if form is not None:
            moment = datetime.strptime(text, form)
        elif iso is None:
            return None
        else:
            date, clock, fraction, offset = (group or "" for group in iso.groups())
            moment = datetime.fromisoformat(f"{date}T{clock or '00:00'}+00:00")
            moment += timedelta(microseconds=int(fraction[1:7].ljust(6, "0")))
            minutes = int(offset[1:3]) * 60 + int(offset[3:].strip(":") or 0) if offset.strip("Z") else 0
            moment += timedelta(minutes=minutes if offset[:1] == "-" else -minutes)
    except ValueError:
        return None
    zone = moment.tzinfo or timezone.utc
    return (moment.replace(tzinfo=zone) - datetime(1970, 1, 1, tzinfo=timezone.utc)) / timedelta(days=1)
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


def number_of(cell, index):
    """Return a cell that is there as a number."""
    text = text_of(cell).strip({space!r}){markers}{booleans}{years}{dates}{numbers}{durations}
    if isinstance(cell, str) and not is_number(text):
        expected = {expected}
        raise ValueError(f"expected {{expected}}, got {{cell!r}}")
    return float(cell)


def numbers_of(column, index):
    """Return the cells of a column as numbers, NaN where one is missing."""{marked}{moments}
    if column.dtype.kind in "mM":
        raise ValueError("X has times where numbers are expected")
    if column.dtype.kind in "biuf":
        return column
    return [number_of(cell, index) if text_of(cell) else np.nan for cell in column]


def numbered(X):
    """Return raw columns as numbers, (rows, {inputs}), NaN where one is missing, and codes instead of texts."""
{columns}
    x = [
        {converted}
        for index, column in enumerate(columns)
    ]
    x = np.stack([np.asarray(column, np.float64) for column in x], axis=1)
    if {needed}:
        raise ValueError("X has a number that is missing or not finite")
    return x
'''


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
        number = 'cell.replace(",", ".")' + f" if index not in {others} else cell" * bool(others)
    texts, gaps = _TEXTS * bool(cells.program.texts), _GAPS * bool(cells.program.missing)
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
    indices = range({inputs})
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
    indices = [names.index(name) for name in FEATURES]
"""
_READ_NUMBERS = """
    for line, row in rows:
        if len(row) != {width}:
            raise ValueError(f"line {{line}}: expected {needed}, got {{len(row)}}")
        for index in indices:
            if not is_number(row[index]):
                raise ValueError(f"line {{line}}: expected a number, got {{row[index]!r}}")
    return np.array([[float(row[index]) for index in indices] for _, row in rows])
"""
_NUMBERED = """
    names = [f"column_{{number + 1}}" for number in range(len(rows[0][1]) if rows else 0)]
    missing = [name for name in FEATURES if name not in names]
    if rows and missing:
        raise ValueError(f"line {{rows[0][0]}}: missing column {{', '.join(missing)}}")
    indices = [names.index(name) for name in FEATURES if rows]
"""
_READ_CELLS = """
    found = []
    for line, row in rows:
        if len(row) != {width}:
            raise ValueError(f"line {{line}}: expected {needed}, got {{len(row)}}")
        cells = [row[index].strip({space!r}) for index in indices]
        try:
            found.append([read_cell(cell, index) for index, cell in enumerate(cells)])
        except ValueError as error:
            raise ValueError(f"line {{line}}: {{error}}") from None
    return found
"""
_READ_CELL = """
def read_cell(cell, index):
    \"\"\"Return a cell of a CSV file: a text, or a number, NaN where it is missing.\"\"\"{texts}{gaps}
    return number_of({number}, index)


"""
_TEXTS = """
    if index in CODES:
        return "" if cell in MISSING else re.sub(r"^([+-]?[0-9]+)\\.0$", r"\\1", cell)"""
_GAPS = """
    if index in OPTIONAL and cell in MISSING:
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
