"""Tables as people have them, each strange in one way that is known, and what is to be said of it: no more, no less."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

ROWS = 120


@dataclass(frozen=True)
class Strange:
    """A table, and what it was made to be.

    Attributes
    ----------
    text : str
        The file.
    kinds : mapping
        Kinds of columns that are to be told.
    new : tuple of str
        Codes of what `new` says.
    refused : tuple of str
        Texts in its error: what is wrong, and what to write.
    options : tuple of str
        What that says to write, by which it works.
    warnings, findings : tuple of str
        Codes of what a run says.
    """

    text: str
    kinds: Mapping[str, str] = field(default_factory=dict)
    new: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()


def _text(columns: Mapping[str, Iterable[object]], delimiter: str = ",") -> str:
    rows = zip(*columns.values(), strict=True)
    return "".join(delimiter.join(map(str, row)) + "\n" for row in [tuple(columns), *rows])


class _Rows:
    """A column of numbers, two classes that follow from it but for a tenth of the rows, and draws for other columns."""

    def __init__(self, rows: int = ROWS) -> None:
        self.rng = np.random.default_rng(0)
        self.rows = rows
        self.x = self.rng.normal(size=rows).round(3)
        self.y = np.where((self.x > 0) ^ (self.rng.random(rows) < 0.1), "up", "down")

    def text(self, delimiter: str = ",", **columns: Iterable[object]) -> str:
        """Return the table with columns between x and y, or in place of these."""
        return _text({"x": self.x, **columns, "y": columns.get("y", self.y)}, delimiter)

    def days(self, form: str, latest: int = 28) -> list[str]:
        days, months = self.rng.integers(1, latest + 1, self.rows), self.rng.integers(1, 13, self.rows)
        years = self.rng.integers(2015, 2024, self.rows)
        return [form.format(d=d, m=m, y=y, s=y % 100) for d, m, y in zip(days, months, years, strict=True)]

    def amounts(self, form: str, quote: str = '"') -> list[str]:
        return [f"{quote}{form.format(value)}{quote}" for value in self.rng.uniform(1000, 90000, self.rows)]


def _european(text: str) -> str:
    return text.translate(str.maketrans(",.", ".,"))


def _notations() -> dict[str, Strange]:
    rows = _Rows()
    thousands = rows.text(c=rows.amounts("{:,.0f}"))
    return {
        "dates with slashes": Strange(rows.text(c=rows.days("{y}/{m:02}/{d:02}")), {"c": "%Y/%m/%d"}),
        "days before months": Strange(rows.text(c=rows.days("{d:02}/{m:02}/{y}")), {"c": "%d/%m/%Y"}),
        "short years": Strange(rows.text(c=rows.days("{m}/{d}/{s:02}")), {"c": "%m/%d/%y"}),
        "times with a zone": Strange(rows.text(c=rows.days("{y}-{m:02}-{d:02}T06:30:00+02:00")), {"c": "datetime"}),
        "days or months": Strange(
            rows.text(c=rows.days("{d:02}/{m:02}/{y}", latest=12)), {"c": "ignore"}, new=("other-notation",)
        ),
        "money": Strange(rows.text(c=rows.amounts("${:,.2f}")), {"c": 'unit = "$"'}),
        "per cent": Strange(rows.text(c=[f"{cell}%" for cell in rows.rng.integers(0, 100, ROWS)]), {"c": 'unit = "%"'}),
        "thousands as points elsewhere say": Strange(thousands, {"c": 'decimal = "."'}, new=("assumed-notation",)),
        "thousands": Strange(
            thousands, {"c": "numeric"}, options=("--set", 'data.columns.c={ type = "numeric", decimal = "." }')
        ),
        "commas for points": Strange(
            rows.text(";", c=[_european(cell) for cell in rows.amounts("{:.2f}", "")]), {"c": 'decimal = ","'}
        ),
    }


def _columns() -> dict[str, Strange]:
    rows = _Rows()
    rng, x, y = rows.rng, rows.x, rows.y
    towns = np.append(rng.choice(["rome", "oslo", "bonn", "lima", "nice"], 80), [f"village {k}" for k in range(40)])
    wide = _Rows(60)
    return {
        "a long tail": Strange(rows.text(town=towns), {"town": "category"}),
        "an index": Strange(_text({"": range(ROWS), "x": x, "y": y}), {"column_1": "ignore"}),
        "gaps in flags": Strange(
            rows.text(c=np.where(rng.random(ROWS) < 0.2, "", rng.choice(["yes", "no"], ROWS))), {"c": "boolean"}
        ),
        "notes": Strange(rows.text(c=[f"note {k}" for k in range(ROWS)]), {"c": "ignore"}, new=("ignored-column",)),
        "nothing at all": Strange(rows.text(c=[""] * ROWS), {"c": "ignore"}),
        "constant and twice": Strange(rows.text(c=[7] * ROWS, twin=x), {"c": "ignore"}, warnings=("duplicate-column",)),
        "quotes and blanks": Strange(
            "\ufeff" + rows.text(**{'"a, ""b"""': ['"one, two"', ' "x ""y"""', "plain"] * 40}),
            {'"a, \\"b\\""': "category"},
        ),
        "wide": Strange(
            wide.text(**{f"n{k}": wide.rng.normal(size=60).round(2) for k in range(120)}), findings=("overfitting",)
        ),
        "no header": Strange(
            rows.text().partition("\n")[2], refused=('no column "y"', "--set data.header=false"), options=()
        ),
        "two bad cells": Strange(
            rows.text(c=[*x[:-2], "?", "n/k"]), refused=('got "?" in row 119', "data.missing_values", "data.columns.c")
        ),
        "a column twice": Strange(
            rows.text(c=x).replace("x,c,y", "x,x,y"), refused=('duplicate column name "x"', "data.header=false")
        ),
    }


def _targets() -> dict[str, Strange]:
    rows = _Rows()
    rng, x, y, places = rows.rng, rows.x, rows.y, np.arange(ROWS)
    return {
        "given away": Strange(
            rows.text(code=np.where(y == "up", 3, 4)), warnings=("gives-target-away",), findings=("leakage",)
        ),
        "noise": Strange(rows.text(y=rng.permutation(y)), findings=("no-signal",)),
        "a class of one row": Strange(rows.text(y=np.where(places == 50, "sideways", y)), warnings=("single-row",)),
        "a rare class": Strange(
            rows.text(y=np.where(places % 30 == 7, "rare", "usual")), findings=("class-imbalance",)
        ),
        "few rows": Strange(_Rows(14).text(), findings=("overfitting",)),
        "gaps in the target": Strange(rows.text(y=["", "", *y[2:]])),
        "values with outliers": Strange(
            rows.text(y=np.where(places % 60 == 9, 40, 3 * x + rng.normal(size=ROWS)).round(2))
        ),
    }


def _leaks() -> dict[str, Strange]:
    """Tables whose columns say what the target is."""
    rows = _Rows()
    rng = rows.rng
    net, price = rng.lognormal(3, 1, ROWS).round(2), rng.lognormal(3, 1, ROWS).round(2)
    tax = (net * rng.choice([0, 0.5], ROWS)).round(2)
    parts = rng.lognormal(size=(5, ROWS)).round(3)
    named = {f"part{place}": part for place, part in enumerate(parts)}
    leak = {"warnings": ("gives-target-away",), "findings": ("leakage",)}
    return {
        "net and tax": Strange(rows.text(net=net, tax=tax, y=(net + tax).round(2)), **leak),
        "parts of a sum": Strange(rows.text(**named, y=parts.sum(axis=0).round(3)), **leak),
        "the logarithm of a price": Strange(rows.text(c=np.log(price).round(3), y=price), **leak),
        "numbers of sorted rows": Strange(rows.text(Id=range(1, ROWS + 1), y=np.sort(rows.y)), **leak),
        "numbers of rows": Strange(rows.text(Id=range(1, ROWS + 1)), warnings=("identifier",)),
    }


def _dependences() -> dict[str, Strange]:
    """Tables whose rows depend on each other, or only seem to."""
    rows = _Rows(480)
    rng, count = rows.rng, rows.rows
    load = np.zeros(count)
    for hour in range(1, count):
        load[hour] = 0.9 * load[hour - 1] + rng.normal()
    hours = [f"2024-03-{hour // 24 + 1:02} {hour % 24:02}:00" for hour in range(count)]
    who = rng.permutation(np.repeat(np.arange(80), 6))
    names, heights, levels = rng.permutation(9000)[:80], rng.integers(150, 200, 80), rng.normal(size=80)
    visits = {"number": names[who], "height": heights[who], "y": (levels[who] + rows.x).round(2)}
    born = [f"19{day // 365 + 50}-{day % 12 + 1:02}-{day % 28 + 1:02}" for day in rng.integers(0, 18000, count)]
    charges = rows.x + np.array([2000 - float(text[:4]) for text in born]) / 10 + rng.normal(size=count)
    whole = rng.integers(0, 10, (2, count))
    again = rows.text(c=rng.normal(size=count).round(3))
    split = ("random-split",)
    return {
        "hours": Strange(rows.text(time=hours, y=load.round(2)), {"time": "datetime"}, warnings=split),
        "visits": Strange(rows.text(**visits), warnings=split),
        "dates of birth": Strange(
            rows.text(born=born, y=charges.round(2)),
            {"born": "datetime"},
        ),
        "two whole numbers": Strange(
            _text({"a": whole[0], "b": whole[1], "y": (whole[0] + rng.normal(size=count)).round(3)})
        ),
        "rows twice": Strange(again + again.partition("\n")[2], warnings=("rows-in-both",), findings=("shared-rows",)),
    }


TABLES = _notations() | _columns() | _targets() | _leaks() | _dependences()
