"""A table as people have them: texts, gaps, dates, booleans, and names that would end a script."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from tests.texts.calling import called

CLUMSY = """</script><script>alert(1)</script><!--<img src=x onerror=alert(2)>&"']]>"""
ROWS = 240


def table() -> pd.DataFrame:
    """Rows with texts, gaps, dates, booleans, and a column whose name and texts would end a script."""
    generator = np.random.default_rng(0)
    number, day = generator.normal(50, 20, ROWS), generator.integers(0, 900, ROWS)
    colour = generator.choice(["red", "green", CLUMSY], ROWS)
    made = pd.DataFrame(
        {
            "number": np.where(generator.random(ROWS) < 0.1, np.nan, number),
            CLUMSY: generator.integers(0, 5, ROWS),
            "since": pd.to_datetime("2020-01-01") + pd.to_timedelta(day, "D"),
            "colour": np.where(generator.random(ROWS) < 0.1, None, colour),
            "open": generator.random(ROWS) < 0.4,
        }
    )
    value = np.nan_to_num(made["number"], nan=30) + 5 * made[CLUMSY] + 20 * (made["colour"] == "red") + day / 50
    made["price"] = value.round(2)
    made["kind"] = np.where(value < 55, "low", np.where(value < 80, "middle", CLUMSY))
    made["sold"] = np.where(value + 10 * made["open"] > 70, "yes", "no")
    return made


def recipe_for(folder: Path, target: str) -> Path:
    """Return the spec that ``specnet new`` writes for the table, beside it."""
    table().drop(columns={"price", "kind", "sold"} - {target}).to_csv(folder / "table.csv", index=False)
    spec, data = folder / "table.toml", folder / "table.csv"
    called("new", spec, "--data", data, "--target", target).ok()
    return spec
