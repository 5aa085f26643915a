"""Numbers as a person reads them."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from specnet import number_texts as texts

ONE_NUMBER = {
    "count": "0 = 0 | 999 = 999 | 1000 = 1 000 | 100000000 = 100 000 000",
    "figure": "0.29931016 = 0.2993 | 0.0 = 0.0000 | 0.001 = 0.0010 | 0.00012345 = 1.234e-04 | -3.25 = -3.2500 | "
    "12.34567 = 12.346 | 2964.2 = 2964.2 | 29642.7 = 29643 | 1.5e7 = 1.500e+07 | inf = inf | nan = nan",
    "duration": "2.5e-8 = 25 ns | 9.1e-6 = 9.1 µs | 9e-5 = 90 µs | 9.96e-5 = 0.1 ms | 4.62e-4 = 0.46 ms | "
    "0.09 = 90 ms | 0.213 = 0.2 s | 99.94 = 99.9 s | 99.96 = 1 min 40 s | 200.4 = 3 min 20 s | 7500 = 2 h 05 min",
    "size": "0 = 0 B | 168 = 168 B | 4242 = 4.24 kB | 1300000 = 1.3 MB | 2000000000 = 2 GB | 999700 = 1 MB",
    "rounded": "0.0 = 0 | 0.065 = 0.065 | -1.4 = −1.4 | 0.99999 = 1 | 100.0 = 100 | 123456 = 123 456 | "
    "999999 = 1·10⁶ | 1234567 = 1.23·10⁶ | 0.00012 = 0.00012 | -3.2e-7 = −3.2·10⁻⁷ | nan = – | inf = –",
    "cell_text": "0.0 = 0 | -0.0 = 0 | -1.5 = −1.5 | 4096.0 = 4096 | 1234.5 = 1234 | -0.4321e-5 = −4.321·10⁻⁶ | "
    "-1992419784174.5 = −1.992·10¹² | 123456789.0 = 123456789 | 1700000000001.0 = 1700000000001 | 1.5e16 = 1.5·10¹⁶",
    "day_text": "18321.99 = 2020-02-29 | -0.5 = 1969-12-31",
    "points": "-0.0004 = 0.0 | -0.0006 = -0.1",
    "percent": "-1e-9 = 0.0 %",
}
"""Functions, and what is shown of which number."""
INTERVALS = (
    "accuracy 0.7389 0.9190 = 74–92 % | accuracy 0.9712 0.9871 = 97.1–98.7 % | balanced_accuracy 0.0 1.0 = 0–100 % | "
    "loss 0.2134 0.3379 = 0.21–0.34 | r2 -0.1234 0.3 = -0.12 to 0.30 | r2 -0.13 -0.001 = -0.13 to 0.00 | "
    "mean_absolute_error 36.8 52.9 = 37–53 | mean_absolute_error 0.0 2.5e7 = 0.0000–2.500e+07 | "
    "accuracy 1.0 1.0 = 100.0 % | loss 1e-6 3e-6 = 1.000e-06–3.000e-06"
)
"""Metrics, and both ends of an interval."""
WITHIN = (
    "r2 0.812345 0.7 0.9 = 0.81 | r2 -4.026e-06 0.7 0.9 = 0.00 | r2 0.812345 0.811 0.813 = 0.8123 | "
    "r2 0.812345 0.812 0.8125 = 0.8123 | root_mean_squared_error 2345.6 2000.0 2500.0 = 2346 | "
    "accuracy 0.947 0.89 0.98 = 94.7 % | loss 2.5e-6 1e-6 3e-6 = 2.500e-06"
)
"""Metrics, values, and both ends of their intervals, which leave so many digits."""


def cells(table: str) -> Iterator[tuple[list[Any], str]]:
    """Yield the words in front of each equals sign, of which numbers are such, and the text behind it."""
    for cell in table.split(" | "):
        words, text = cell.split(" = ")
        yield (
            [word if word[:1].isalpha() and word not in ("inf", "nan") else number(word) for word in words.split()],
            text,
        )


def number(word: str) -> float:
    return int(word) if word.isdigit() else float(word)


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        *[(getattr(texts, name)(*given), text) for name, table in ONE_NUMBER.items() for given, text in cells(table)],
        *[(texts.interval(*given), text) for given, text in cells(INTERVALS)],
        *[(texts.metric(name, value, {"low": a, "high": b}), text) for (name, value, a, b), text in cells(WITHIN)],
        *[(texts.counted(number, "parameter"), f"{number} parameter{'s' * (number != 1)}") for number in (0, 1, 21)],
        (texts.counted(2, "loss", "losses"), "2 losses"),
        (texts.metric("accuracy", 205 / 240), "85.4 %"),
        (texts.metric("balanced_accuracy", 1.0), "100.0 %"),
        (texts.metric("roc_auc", 0.9371), "0.9371"),
        (texts.metric("r2", None), "–"),
        (texts.metric("r2", None, {"low": 0.7, "high": 0.9}), "–"),
        (texts.metric("r2", 0.812345, {"low": None, "high": None}), "0.8123"),
        (texts.metric("loss", math.nan), "–"),
        (texts.page_metric("r2", -0.5), "−0.5000"),
        (texts.metric_spread("accuracy", 0.972, 0.008), "97.2 % ± 0.8"),
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
        (texts.power_texts, [-3, 0, 4], "0.001 | 1 | 10 000"),
        (texts.power_texts, [-6, 0, 3], "10⁻⁶ | 1 | 10³"),
    ],
)
def test_ticks_of_an_axis_and_powers_of_ten_are_written_alike(
    written: Callable[[list[float]], list[str]], values: list[float], expected: str
) -> None:
    assert " | ".join(written(values)) == expected
