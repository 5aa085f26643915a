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
        "thousands or fractions": Strange(thousands, {"c": "ignore"}, new=("other-notation",)),
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
        "constant and twice": Strange(
            rows.text(c=[7] * ROWS, twin=x), warnings=("constant", "duplicate-column"), findings=("constant-column",)
        ),
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


TABLES = _notations() | _columns() | _targets()
