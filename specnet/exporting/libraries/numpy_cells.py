"""How the NumPy export takes rows: cells of numbers, texts, booleans and dates, by place or by name."""

from __future__ import annotations

import textwrap

from specnet.exporting.libraries.array_functions import WIDTH, filled
from specnet.exporting.model_program import Program
from specnet.parts.data import ColumnKind, Kind
from specnet.parts.data.notations import DatetimeFormat, NumberFormat
from specnet.parts.data.tables.cells import PAIRS, SPACE

CELL_NAMES = frozenset(
    {
        *("CODES", "OPTIONAL", "BOOLEANS", "WORDS", "DATES", "datetime", "timedelta", "timezone"),
        *("array_of", "text_of", "number_of", "numbers_of", "numbered", "days_of"),
    }
)
"""What the file calls what takes cells."""


def takes_cells(program: Program) -> bool:
    """Return whether rows may be more than arrays of numbers that are all there: tables, whose columns have names."""
    return program.has_cells or bool(program.model.feature_names)


def about_cells(program: Program) -> list[str]:
    """Return the lines of the file's docstring on what the cells are."""
    lines = []
    if program.model.feature_names:
        lines.append("X holds rows, or columns by name, as data frames do.")
    if program.has_cells:
        lines.append("None, NaN and an empty text say that a cell is missing.")
    if program.texts:
        lines.append("Texts are compared as they are, space around them included; those without a code are all alike.")
    if places_of(program, "boolean"):
        lines.append("Booleans are true and false, yes and no, or 1 and 0.")
    if places_of(program, "datetime"):
        lines.append("Datetimes are texts as in the training rows, NumPy's, or days since 1970-01-01 UTC.")
    return ["", *lines] if lines else []


def cells_constants(program: Program) -> list[str]:
    """Return the lines that say which columns hold what, by their places."""
    lines = []
    if program.texts:
        lines += ["# For each column of texts, by its place, their codes; a missing cell has that of '', all others 0."]
        lines += ["CODES = {"]
    for place, column in enumerate(program.columns):
        if column.codes is not None:
            items = [f"{text!r}: {code}" for text, code in column.codes.items()]
            line = f"    {place}: {{{', '.join(items)}}},"
            lines += [line] if len(line) <= WIDTH else [f"    {place}: {{", *filled(items, " " * 8), "    },"]
    lines += ["}"] if program.texts else []
    if program.has_cells:
        lines.append(f"OPTIONAL = {program.gaps}  # columns of numbers that may be missing")
    if booleans := places_of(program, "boolean"):
        lines.append(f"BOOLEANS = {booleans}  # columns of true and false, in these words")
        lines.append(
            f"WORDS = {{{', '.join(f'{word!r}: {float(word == pair[0])}' for pair in PAIRS for word in pair)}}}"
        )
    if dates := places_of(program, "datetime"):
        said = {place: _notation(program, place) for place in dates}
        forms = {place: kind.format if isinstance(kind, DatetimeFormat) else None for place, kind in said.items()}
        lines.append(f"DATES = {forms}  # columns of dates with their format; None is ISO's")
    if formats := number_formats(program):
        lines += ["# For columns of numbers that are written otherwise: how, what to leave out, and the unit."]
        lines += ["NUMBERS = {"]
        for place, each in formats.items():
            parts = (each.pattern, each.separators, each.unit or "")
            lines += [f"    {place}: (", *(f"        {part!r}," for part in parts), "    ),"]
        lines += ["}"]
    return lines


def cells_texts(program: Program) -> list[str]:
    """Return the functions that make numbers of cells."""
    if not takes_cells(program):
        return []
    booleans, dates = (bool(places_of(program, kind)) for kind in ("boolean", "datetime"))
    expected = "'a date' if place in DATES else " * dates + "'true or false' if place in BOOLEANS else " * booleans
    converted = "numbers_of(column, place)"
    if program.texts:
        converted = f"[CODES[place].get(text_of(cell), 0) for cell in column] if place in CODES else {converted}"
    needed = "not np.isfinite(x).all()"
    if program.gaps or program.texts:
        needed = "np.isinf(x).any() or np.isnan(np.delete(x, OPTIONAL, axis=1)).any()"
    numbers = bool(number_formats(program))
    text = _CELLS.format(
        numbers=_NUMBERS * numbers,
        inputs=program.inputs,
        space=SPACE,
        columns=(_TABLES if program.model.feature_names else _ROWS).format(inputs=program.inputs).strip("\n"),
        converted=converted,
        needed=needed,
        moments=_MOMENTS * dates,
        booleans=_BOOLEANS * booleans,
        dates=_DATES * dates,
        expected=f"{expected}'a number'",
    )
    return [*([_DAYS] if dates else []), text]


def _notation(program: Program, place: int) -> ColumnKind | None:
    """Return the kind of a column as a spec has it."""
    return (program.model.spec.feature_kinds or {}).get(program.columns[place].name)


def number_formats(program: Program) -> dict[int, NumberFormat]:
    """Return how numbers are written in columns, by their places, where that is not the plain way."""
    said = {place: _notation(program, place) for place in range(len(program.columns))}
    return {place: kind for place, kind in said.items() if isinstance(kind, NumberFormat)}


def cells_imports(program: Program) -> list[str]:
    """Return the lines that import what the functions need."""
    return ["from datetime import datetime, timedelta, timezone"] if places_of(program, "datetime") else []


def places_of(program: Program, kind: Kind) -> list[int]:
    """Return which columns are of a kind."""
    return [place for place, column in enumerate(program.columns) if column.kind == kind]


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
    if place in DATES and column.dtype.kind == "M":
        return (column.astype("M8[us]") - np.datetime64(0, "us")) / np.timedelta64(1, "D")"""
_BOOLEANS = """
    if place in BOOLEANS and text.lower() in WORDS:
        return WORDS[text.lower()]"""
_DATES = """
    if place in DATES:
        days = days_of(text, DATES[place] if isinstance(cell, str) else None)
        if days is not None:
            return days"""
_NUMBERS = """
    if place in NUMBERS and isinstance(cell, str):
        pattern, separators, unit = NUMBERS[place]
        if re.fullmatch(pattern, text):
            plain = text.replace(unit, "") if unit else text
            return float("".join(sign for sign in plain if sign not in separators).replace(",", "."))"""
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


def number_of(cell, place):
    """Return a cell that is there as a number."""
    text = text_of(cell).strip({space!r}){booleans}{dates}{numbers}
    if isinstance(cell, str) and not is_number(text):
        expected = {expected}
        raise ValueError(f"expected {{expected}}, got {{cell!r}}")
    return float(cell)


def numbers_of(column, place):
    """Return the cells of a column as numbers, NaN where one is missing."""{moments}
    if column.dtype.kind in "mM":
        raise ValueError("X has times where numbers are expected")
    if column.dtype.kind in "biuf":
        return column
    return [number_of(cell, place) if text_of(cell) else np.nan for cell in column]


def numbered(X):
    """Return raw columns as numbers, (rows, {inputs}), NaN where one is missing, and codes in place of texts."""
{columns}
    x = [
        {converted}
        for place, column in enumerate(columns)
    ]
    x = np.stack([np.asarray(column, np.float64) for column in x], axis=1)
    if {needed}:
        raise ValueError("X has a number that is missing or not finite")
    return x
'''
