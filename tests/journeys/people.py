"""A table as people have them: texts, a date, yes and no, gaps in all of these, and three classes to predict."""

from __future__ import annotations

from pathlib import Path

import numpy as np

ROWS = 160


def write_people(path: Path) -> None:
    """Write the table; what is to be predicted follows from city, age, income and membership, with little noise."""
    rng = np.random.default_rng(0)
    city = rng.choice(["rome", "oslo", "bonn", "lima"], ROWS, p=[0.4, 0.3, 0.2, 0.1])
    age = rng.integers(18, 80, ROWS)
    income = rng.lognormal(7, 0.5, ROWS).round(2)
    signed = np.datetime64("2021-01-01") + rng.integers(0, 900, ROWS)
    member = rng.choice(["yes", "no"], ROWS)
    score = 1.5 * (city == "rome") + (age - 50) / 15 + 2 * (np.log(income) - 7) + (member == "yes")
    plan = np.select([score < 0, score < 1.5], ["basic", "plus"], "pro")
    lines = ["city,age,income,signed,member,plan"]
    for row in range(ROWS):
        cells = [city[row], age[row], income[row], signed[row], member[row]]
        gaps = rng.random(len(cells)) < [0.1, 0.0, 0.15, 0.1, 0.1]
        lines.append(",".join(["" if gap else str(cell) for cell, gap in zip(cells, gaps, strict=True)] + [plan[row]]))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


NEW = """\
plan,member,signed,income,city,age
basic,,2022-05-06,1000.5,rome,
pro,yes,,,oslo,33
plus,no,2021-01-02,900,paris,71
basic,no,2023-04-05,1500,,20
"""
"""Rows of another file: columns in another order, a gap where training had none, a city that it has not seen."""
