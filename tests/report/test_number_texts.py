"""Numbers as a person reads them."""

import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from specnet import number_texts as texts

TABLE = tomllib.loads(Path(__file__).with_name("number_texts.toml").read_text("utf-8"))
ROWS = [(getattr(texts, name)(*given), text) for name in TABLE for *given, text in TABLE[name]]


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        *ROWS,
        (texts.metric("r2", None), "–"),
        (texts.metric_spread("loss", None, None), "–"),
    ],
)
def test_numbers_read_well(shown: str, text: str) -> None:
    assert shown == text


@pytest.mark.parametrize(
    ("written", "values", "expected"),
    [
        (texts.tick_texts, [-0.5, 0, 0.25], "−0.50 | 0 | 0.25"),
        (texts.tick_texts, [5000, 10000], "5 000 | 10 000"),
        (texts.tick_texts, [5e-5, 1e-4], "0.5·10⁻⁴ | 1.0·10⁻⁴"),
        (texts.tick_texts, [1e9, 1e9 + 2], "1.000000000·10⁹ | 1.000000002·10⁹"),
        (texts.tick_texts, [], ""),
        (texts.day_texts, [7305, 18262], "1990 | 2020"),
        (texts.day_texts, [7305, 18263], "1990-01-01 | 2020-01-02"),
        (texts.day_texts, [7305.25, 18262], "1990-01-01 | 2020-01-01"),
        (texts.power_texts, [-3, 0, 4], "0.001 | 1 | 10 000"),
        (texts.power_texts, [-6, 0, 3], "10⁻⁶ | 1 | 10³"),
    ],
)
def test_ticks_of_an_axis_and_powers_of_ten_are_written_alike(
    written: Callable[[list[float]], list[str]], values: list[float], expected: str
) -> None:
    assert " | ".join(written(values)) == expected
