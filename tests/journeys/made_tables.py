"""Small tables as people have them, each made to be something that is known.

A table is data: cells as its file has them, and what every reading of it must be: kinds, numbers, warnings. The same
columns can be made into data frames: `MadeColumn.values` are what the cells are.
"""

import csv
import datetime
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

ROWS = 120
RNG = np.random.default_rng(0)


@dataclass(frozen=True)
class MadeColumn:
    """A column.

    Attributes
    ----------
    cells : sequence of str
        As the file has them.
    kind : str
        What `new` writes, as TOML.
    values : sequence, optional
        What the cells are, where the column is used: numbers, texts, booleans, datetimes in UTC; None where a cell is
        missing.
    """

    cells: Sequence[str]
    kind: str
    values: Sequence[Any] | None = None


@dataclass(frozen=True)
class MadeTable:
    """A table.

    Attributes
    ----------
    columns : mapping of str to MadeColumn
        By name, in the file's order.
    target : str
    refused : tuple of str
        Texts in the error of `new`, without the options that it names: what is wrong, and what to write.
    options : tuple of str
        Of `new`.
    remarks : tuple of (str, str)
        The codes of the warnings of `new`, in their order, and a text in each.
    settings : tuple of str
        Of the run, such as a column of weights.
    warnings : tuple of str
        Codes of what the run says.
    findings : tuple of str
        Codes of what a short run finds.
    delimiter, encoding : str
    header : bool
        Whether the file has one.
    before : str
        What stands before the header.
    """

    columns: Mapping[str, MadeColumn]
    target: str = "y"
    refused: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    remarks: tuple[tuple[str, str], ...] = ()
    settings: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
    delimiter: str = ","
    encoding: str = "utf-8"
    header: bool = True
    before: str = ""

    @property
    def content(self):
        """The file."""
        table = io.StringIO()
        writer = csv.writer(table, delimiter=self.delimiter, lineterminator="\n")
        writer.writerows([self.columns] * self.header)
        writer.writerows(zip(*(column.cells for column in self.columns.values()), strict=True))
        return (self.before + table.getvalue()).encode(self.encoding)


def _numbers(values, form="{}", kind='"numeric"', *, german=False):
    """Return a column of numbers in a format; German numbers have a comma before the fraction, and points."""
    listed = [float(value) for value in values]
    cells = [form.format(value) for value in listed]
    swapped = [cell.translate(str.maketrans(",.", ".,")) for cell in cells] if german else cells
    return MadeColumn(swapped, kind, listed)


def _marked(column, marker, every, kind):
    """Return a column in which some cells are a marker of missing values."""
    is_missing = [row % every == 1 for row in range(len(column.cells))]
    cells = [marker if gap else cell for gap, cell in zip(is_missing, column.cells, strict=True)]
    values = [None if gap else value for gap, value in zip(is_missing, column.values, strict=True)]
    return MadeColumn(cells, kind, values)


def _texts(values, kind='"category"'):
    cells = [str(value) for value in values]
    return MadeColumn(cells, kind, [cell or None for cell in cells] if kind == '"category"' else None)


def _ignored(values):
    return _texts(values, '"ignore"')


def _flags(words):
    values = [None if row % 11 == 3 else bool(flag) for row, flag in enumerate(RNG.random(ROWS) < 0.4)]
    return MadeColumn(["" if flag is None else words[not flag] for flag in values], '"boolean"', values)


def _moments(first=2015, last=2023, *, hours=False, latest=28):
    ranges = ((first, last + 1), (1, 13), (1, latest + 1))
    parts = [RNG.integers(*each, ROWS).tolist() for each in ranges]
    parts.append(RNG.integers(0, 24, ROWS).tolist() if hours else [0] * ROWS)
    return [datetime.datetime(*each) for each in zip(*parts, strict=True)]


def _dates(moments, form, kind=None):
    kind = kind or f'{{ type = "datetime", format = "{form}" }}'
    return MadeColumn([f"{moment:{form}}" for moment in moments], kind, moments)


def _x(rows=ROWS):
    return _numbers(RNG.normal(size=rows).round(6))


def _y(x):
    """Return two classes that follow from a column of numbers but for a tenth of the rows."""
    numbers = np.array(x.values)
    classes = np.where((numbers > np.median(numbers)) ^ (RNG.random(len(x.cells)) < 0.1), "up", "down")
    return _texts(classes.tolist())


def _table(*, y=None, x=None, **columns):
    """Return a table of columns between a number and two classes; fields of the table begin with ``_``."""
    fields = {name.removeprefix("_"): columns.pop(name) for name in [*columns] if name.startswith("_")}
    x = x or _x()
    return MadeTable({"x": x, **columns, "y": y or _y(x)}, **fields)


def _kind(**fields):
    """Return a kind of numbers as TOML."""
    pairs = {"type": "numeric", **fields}.items()
    return f"{{ {', '.join(f'{name} = {json.dumps(value, ensure_ascii=False)}' for name, value in pairs)} }}"


_COMMA, _POINT = _kind(decimal=","), _kind(decimal=".")
_WHOLE = RNG.integers(1_000, 9_999, ROWS)
_PRICES = RNG.uniform(1, 90_000, ROWS).round(2)
_ZONED = [f"{moment.isoformat()}{'Z' if row % 3 else ''}" for row, moment in enumerate(_moments(hours=True))]


def _clocks(minutes):
    listed = [int(each) for each in minutes]
    kind = _kind(duration="minutes")
    return MadeColumn([f"{each // 60}:{each % 60:02}" for each in listed], kind, [float(each) for each in listed])


def _reseed(seed):
    """Begin the draws of a group of tables, so that a table more changes no other group."""
    RNG.bit_generator.state = np.random.default_rng(seed).bit_generator.state


def _numbers_written_otherwise():
    _reseed(1)
    remarks = (("assumed-notation", 'column "Menge": "'),)
    german = {
        "Menge": _numbers(_WHOLE, "{:,.0f}", _COMMA, german=True),
        "Preis": _numbers(_PRICES, "{:,.2f}", _COMMA, german=True),
        "Filiale": _numbers(RNG.integers(1, 60, ROWS), "{:.0f}", _COMMA),
    }
    target = {"Ziel": _numbers((_PRICES * _WHOLE).round(2), "{:,.2f}", _COMMA, german=True)}
    both = _table(
        x=_numbers(RNG.integers(0, 99_999, ROWS), "{:.0f}"), c=_numbers(_WHOLE, "{:,.0f}", '"ignore"', german=True)
    )
    both = replace(both, remarks=(("other-notation", 'column "c" is ignored: "'),))
    columns = dict(both.columns)
    settled = columns | {"c": _numbers(_WHOLE, "{:,.0f}", _COMMA, german=True)}
    amounts = RNG.uniform(-2_000, 90_000, ROWS).round(2)
    return {
        "german numbers": MadeTable({**german, **target}, "Ziel", remarks=remarks, delimiter=";"),
        "german thousands as the target": MadeTable(
            {"Preis": german["Preis"], "Menge": german["Menge"]},
            "Menge",
            remarks=remarks,
            findings=("no-signal",),
            delimiter=";",
        ),
        "thousands or fractions": both,
        "thousands or fractions, settled for the file": replace(
            both, columns=settled, remarks=(), options=("--set", "data.decimal=,"), delimiter=";"
        ),
        "english thousands": _table(
            c=_numbers(_WHOLE, "{:,.0f}", _POINT), _remarks=(("assumed-notation", 'as in column "x"'),)
        ),
        "money and per cent": _table(
            price=_numbers(amounts, "${:,.2f}", _kind(decimal=".", unit="$")),
            share=_numbers(RNG.integers(0, 100, ROWS), "{:.0f} %", _kind(decimal=".", unit="%")),
        ),
        "durations": _table(
            clock=_clocks(RNG.integers(0, 3_000, ROWS)),
            words=MadeColumn(
                [f"{minutes // 60}h {minutes % 60}m" for minutes in _WHOLE.tolist()],
                _kind(duration="minutes"),
                _WHOLE.astype(float).tolist(),
            ),
            _remarks=(("assumed-notation", 'column "clock": "'),),
        ),
        "too many digits": _table(
            code=_ignored([2**60 + 3 * row for row in range(ROWS)]), _remarks=(("ignored-column", "beyond 2⁵³"),)
        ),
    }


def _gaps():
    _reseed(2)
    markers = {"n/a": 5, "#N/A": 3, "None": 7, "-": 2, ".": 9, "?": 30}
    known = {
        f"m{number}": _marked(_x(), marker, every, _kind(decimal=".", missing_values=[marker]))
        for number, (marker, every) in enumerate(markers.items())
    }
    x, ends = _x(), RNG.integers(1, 60, ROWS)
    unknown = _marked(_x(), "k.A.", 8, '"ignore"')
    mended = _kind(decimal=".", missing_values=["k.A."])
    few = MadeColumn([*x.cells[:-2], "?", "n/k"], '"numeric"')
    ends = np.where(np.arange(ROWS) % 9 == 4, -999, ends)
    return {
        "usual markers": _table(**known, note=_texts(["-", "red", "blue"][row % 3] for row in range(ROWS))),
        "an unknown marker": _table(
            c=unknown, _remarks=(("other-notation", 'but for "k.A." in 15 rows'),), _options=()
        ),
        "an unknown marker, named": _table(
            c=replace(unknown, kind=mended), _options=("--set", f"data.columns.c={mended}")
        ),
        "two bad cells": _table(c=few, _refused=('got "?" in row 119', "data.missing_values", "data.columns.c")),
        "a number that means missing": _table(
            c=_numbers(ends, "{:.0f}"), _remarks=(("perhaps-missing", 'column "c": -999 in 13 rows'),)
        ),
        "gaps in flags": _table(
            a=_flags(("yes", "no")), b=_flags(("TRUE", "FALSE")), c=_flags(("t", "f")), d=_flags(("Y", "N"))
        ),
        "nothing at all": _table(c=_ignored([""] * ROWS)),
        "gaps in the target": (
            lambda table: replace(
                table, columns={**table.columns, "y": _texts(["", "", *table.columns["y"].cells[2:]])}
            )
        )(_table()),
    }


def _dates_and_times():
    _reseed(3)
    moments, born = _moments(hours=True), _moments(1951, 2004)
    kind = '{ type = "datetime", format = "%d.%m.%y", last_year = '
    zone = datetime.timedelta(hours=2)
    same = [datetime.datetime(2021, 1 + row % 12, 1 + row % 12) for row in range(ROWS)]
    return {
        "dates of all kinds": _table(
            iso=_dates(_moments(), "%Y-%m-%d", '"datetime"'),
            time=MadeColumn([moment.isoformat(" ") for moment in moments], '"datetime"', moments),
            zone=MadeColumn(
                [f"{moment.isoformat()}+02:00" for moment in moments], '"datetime"', [m - zone for m in moments]
            ),
            slashes=_dates(_moments(), "%Y/%m/%d"),
            days=_dates(_moments(), "%d/%m/%Y"),
            german=_dates(_moments(hours=True), "%d.%m.%Y %H:%M"),
            short=_dates(_moments(), "%m/%d/%y"),
            words=_dates(_moments(), "%d %b %Y"),
        ),
        "days or months": _table(
            c=_dates(_moments(latest=12), "%d/%m/%Y", '"ignore"'),
            _remarks=(("other-notation", 'column "c" is ignored: "'),),
        ),
        "the day is the month": _table(
            c=_dates(same, "%d/%m/%Y"),
            d=_dates(_moments(), "%d.%m.%Y"),
            _remarks=(("assumed-notation", 'as in column "d"'),),
        ),
        "years of two digits": _table(
            born=_dates(born, "%d.%m.%y", kind), _remarks=(("assumed-notation", 'column "born": "'),)
        ),
        "times with and without a zone": _table(
            t=MadeColumn(_ZONED, '"datetime"', [datetime.datetime.fromisoformat(cell.strip("Z")) for cell in _ZONED]),
            _remarks=(("assumed-notation", "40 of 120 times have no zone, and are read as UTC"),),
        ),
    }


def _headers_and_bytes():
    _reseed(4)
    x = _x()
    plain = _table(x=x)
    flags = MadeColumn(
        [["No", "Yes"][row % 2] for row in range(ROWS)], '"boolean"', [bool(row % 2) for row in range(ROWS)]
    )
    rows = [flags, _x(), _numbers(_PRICES, "{:.2f}")]
    headless = {cell: column for column in rows for cell in (column.cells[0],)}
    cut = {
        name: MadeColumn(column.cells[1:], column.kind, (column.values or [None])[1:])
        for name, column in headless.items()
    }
    price = _numbers(RNG.uniform(1, 900, ROWS).round(2), "{:.2f} €", _kind(decimal=",", unit="€"), german=True)
    names = {f'größe "{name}", 日本': _x() for name in ("a", "b")}
    return {
        "no header": replace(plain, header=False, refused=('no column "y"', "--set data.header=false")),
        "no header, and numbers in the first row": MadeTable(
            cut,
            rows[2].cells[0],
            remarks=(("missing-header", "the first line is perhaps no header"),),
            findings=("no-signal",),
        ),
        "windows": _table(
            x=price,
            town=_texts(["Köln", "Genf"][row % 2] for row in range(ROWS)),
            _delimiter=";",
            _encoding="cp1252",
            _refused=("--set data.encoding=cp1252", "€"),
        ),
        "windows, with its encoding": _table(
            x=price,
            town=_texts(["Köln", "Genf"][row % 2] for row in range(ROWS)),
            _delimiter=";",
            _encoding="cp1252",
            _options=("--set", "data.encoding=cp1252"),
        ),
        "names in other letters": replace(_table(**names), before="\N{BYTE ORDER MARK}"),
        "a title above": replace(plain, before="Report\n", refused=('no column "y"', "--set data.skip=1")),
        "tabs": replace(plain, delimiter="\t"),
        "quotes and blanks": _table(
            **{'a, "b"': _texts(['one, "two"', ' x "y" ', "plain"][row % 3].strip() for row in range(ROWS))}
        ),
    }


def _columns():
    _reseed(5)
    towns = np.append(RNG.choice(["rome", "oslo", "bonn", "lima", "nice"], 80), [f"village {k}" for k in range(40)])
    x, small, wide = _x(), _x(14), _x(60)
    twin = _table(constant=_ignored([7] * ROWS), x=x)
    return {
        "a long tail": _table(town=_texts(towns.tolist())),
        "an index": MadeTable(
            {"": replace(_numbers(range(ROWS), "{:.0f}"), kind='"ignore"', values=None), **_table().columns}
        ),
        "identifiers": _table(
            number=_numbers(range(1_000, 1_000 + 3 * ROWS, 3), "{:.0f}"),
            key=_ignored([f"key-{row * 7919 % 1009}" for row in range(ROWS)]),
            _remarks=(("ignored-column", 'column "key" is ignored'),),
            _warnings=("identifier",),
        ),
        "long texts": _table(
            note=_ignored([f"It was row {row}, " * 40 for row in range(ROWS)]),
            _remarks=(("ignored-column", "text that no 5 rows share"),),
        ),
        "constant and twice": replace(twin, columns={"twin": x, **twin.columns}, warnings=("duplicate-column",)),
        "wide": _table(x=wide, **{f"n{k}": _numbers(RNG.normal(size=60).round(2)) for k in range(120)}),
        "tiny": _table(x=small, c=_texts(["a", "b"] * 7)),
        "a column twice": _table(_refused=('duplicate column name "x"', "data.header=false"), **{" x": _x()}),
        "weights": _table(w=_numbers(RNG.integers(1, 5, ROWS), "{:.0f}"), _settings=("data.sample_weight=w",)),
        "groups": _table(
            person=_texts([f"p{row // 6}" for row in range(ROWS)]),
            _settings=('data.split={group="person", test_size=0.2, validation_size=0.1}',),
        ),
    }


def _targets():
    _reseed(6)
    x = _x()
    y, rows = np.array(_y(x).cells), np.arange(ROWS)
    copies = {
        name: MadeColumn([*column.cells[:60]] * 2, column.kind, [*(column.values or [])[:60]] * 2)
        for name, column in _table(**{f"n{k}": _x() for k in range(5)}).columns.items()
    }
    return {
        "given away": _table(
            x=x,
            y=_texts(y),
            code=_numbers(np.where(y == "up", 3, 4), "{:.0f}"),
            _warnings=("gives-target-away",),
            _findings=("leakage",),
        ),
        "noise": _table(y=_texts(RNG.permutation(y)), _findings=("no-signal",)),
        "a class of one row": _table(x=x, y=_texts(np.where(rows == 50, "sideways", y)), _warnings=("single-row",)),
        "a rare class": _table(
            x=x, y=_texts(np.where(rows % 30 == 7, "rare", "usual")), _findings=("class-imbalance",)
        ),
        "values with outliers": _table(
            x=x, y=_numbers(np.where(rows % 60 == 9, 40, 3 * np.array(x.values) + RNG.normal(size=ROWS)).round(2))
        ),
        "duplicate rows": MadeTable(copies, warnings=("rows-in-both",), findings=("shared-rows",)),
    }


def _leaks():
    """Tables whose columns say what the target is, and one of which they do not."""
    _reseed(7)
    net, price = RNG.lognormal(3, 1, (2, ROWS)).round(2)
    tax = (net * RNG.choice([0, 0.5], ROWS)).round(2)
    parts = RNG.lognormal(size=(5, ROWS)).round(3)
    numbers = _numbers(range(1, ROWS + 1), "{:.0f}")
    # Networks that have learned the column are found to be too good; after two epochs they are not.
    leak = {"_warnings": ("gives-target-away",), "_findings": ("leakage",), "_settings": ("training.epochs=128",)}
    return {
        "net and tax": _table(net=_numbers(net), tax=_numbers(tax), y=_numbers((net + tax).round(2)), **leak),
        "parts of a sum": _table(
            **{f"part{number}": _numbers(part) for number, part in enumerate(parts)},
            y=_numbers(parts.sum(axis=0).round(3)),
            **leak,
        ),
        "the logarithm of a price": _table(c=_numbers(np.log(price).round(3)), y=_numbers(price), **leak),
        "numbers of sorted rows": _table(Id=numbers, y=_texts(sorted(_y(_x()).cells)), **leak),
        "numbers of rows": _table(Id=numbers, _warnings=("identifier",)),
    }


TABLES = {
    **_numbers_written_otherwise(),
    **_gaps(),
    **_dates_and_times(),
    **_headers_and_bytes(),
    **_columns(),
    **_targets(),
    **_leaks(),
}
