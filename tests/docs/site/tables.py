"""The tables of examples that nobody measured: ``python -m tests.docs.site.tables`` writes them into ``specs/data``."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import numpy as np

DATA = Path(__file__).parents[3] / "specs" / "data"
ID_COLUMN = "species_id"


def main() -> None:
    """Write each table as a CSV file."""
    for name, rows in tables():
        with (DATA / name).open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(rows)


def tables() -> Iterator[tuple[str, list[list[object]]]]:
    """Yield the name of each file, and its rows below their header."""
    yield "payments.csv", list(payments())
    yield "cafe.csv", list(cafe())
    yield "coins.csv", list(coins())
    yield "survey.csv", list(survey())
    yield "new_penguins.csv", [row[1:-1] for number, row in enumerate(survey()) if number % 60 == 0]


def payments() -> Iterator[list[object]]:
    """Yield 1 200 invoices, about one in sixteen of which is paid late."""
    yield ["invoice", "amount", "days_allowed", "customer_since", "orders", "country", "late"]
    random = np.random.default_rng(7)
    for number in range(1200):
        amount = random.lognormal(6, 0.8)
        days, since = random.choice([14, 30, 60]), random.integers(2005, 2026)
        orders, country = random.poisson(1 + 0.8 * (2026 - since)), random.choice(["AT", "CH", "DE", "FR"])
        logit = -2.5 + 0.9 * np.log(amount / 400) - 0.09 * orders + 1.1 * (days == 60) + 0.9 * (country == "FR")
        late = random.random() < 1 / (1 + np.exp(-1.3 * logit))
        yield [f"R{1000 + number}", f"{amount:.2f}", days, since, orders, country, "yes" if late else "no"]


def cafe() -> Iterator[list[object]]:
    """Yield two years of the days of a café; it sells more in summer, when it is warm, and on weekends."""
    yield ["date", "temperature", "rain_mm", "holiday", "cups"]
    random = np.random.default_rng(3)
    for number in range(730):
        day = date(2023, 1, 1) + timedelta(number)
        season = -np.cos(2 * np.pi * (number % 365) / 365)
        temperature = 11 + 10 * season + random.normal(0, 3)
        rain = max(0.0, random.gamma(0.5, 6) - 1)
        holiday = (day.month, day.day) in {(1, 1), (5, 1), (10, 3), (12, 25), (12, 26)}
        cups = 120 + 30 * season + 2 * temperature - 2.5 * rain + (45 if day.weekday() > 4 else 0) - 90 * holiday
        sold = round(max(5, cups * (1 + number / 3000) + random.normal(0, 12)))
        yield [day.isoformat(), f"{temperature:.1f}", f"{rain:.1f}", "yes" if holiday else "no", sold]


def coins() -> Iterator[list[object]]:
    """Yield 300 tosses of a coin, with what was measured beside it and has nothing to do with it."""
    yield ["temperature", "pressure", "hour", "hand", "side"]
    random = np.random.default_rng(1)
    for _ in range(300):
        measured = f"{random.normal(20, 2):.1f}", f"{random.normal(1013, 8):.0f}", random.integers(8, 20)
        yield [*measured, random.choice(["left", "right"]), random.choice(["heads", "tails"])]


def survey() -> Iterator[list[str]]:
    """Yield the penguins with a column that gives their species away."""
    with (DATA / "penguins.csv").open(encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    yield [*header, ID_COLUMN]
    names = [*dict.fromkeys(row[0] for row in rows)]
    yield from ([*row, str(11 + names.index(row[0]))] for row in rows)


if __name__ == "__main__":
    main()
