"""Numbers as a person reads them."""

import math

import pytest

from specnet.number_texts import (
    cell_text,
    count,
    counted,
    day_text,
    duration,
    figure,
    interval,
    metric,
    metric_spread,
    page_metric,
    percent,
    points,
    power_texts,
    rounded,
    size,
    tick_texts,
)

FIGURES = [
    (0.29931016, "0.2993"),
    (0.0, "0.0000"),
    (0.001, "0.0010"),
    (0.00012345, "1.234e-04"),
    (-3.25, "-3.2500"),
    (12.34567, "12.346"),
    (2964.2, "2964.2"),
    (29642.7, "29643"),
    (1.5e7, "1.500e+07"),
    (math.inf, "inf"),
    (math.nan, "nan"),
]
TIMES = [
    (2.5e-8, "25 ns"),
    (9.1e-6, "9.1 µs"),
    (9e-5, "90 µs"),
    (9.96e-5, "0.1 ms"),
    (4.62e-4, "0.46 ms"),
    (0.09, "90 ms"),
    (0.213, "0.2 s"),
    (99.94, "99.9 s"),
    (99.96, "1 min 40 s"),
    (200.4, "3 min 20 s"),
    (7500, "2 h 05 min"),
]
INTERVALS = [
    ("accuracy", 0.7389, 0.9190, "74–92 %"),
    ("accuracy", 0.9712, 0.9871, "97.1–98.7 %"),
    ("balanced_accuracy", 0.0, 1.0, "0–100 %"),
    ("loss", 0.2134, 0.3379, "0.21–0.34"),
    ("r2", -0.1234, 0.3, "-0.12 to 0.30"),
    ("r2", -0.13, -0.001, "-0.13 to 0.00"),
    ("mean_absolute_error", 36.8, 52.9, "37–53"),
    ("mean_absolute_error", 0.0, 2.5e7, "0.0000–2.500e+07"),
    ("accuracy", 1.0, 1.0, "100.0 %"),
    ("loss", 1e-6, 3e-6, "1.000e-06–3.000e-06"),
]
WITHIN = [
    ("r2", 0.812345, 0.7, 0.9, "0.81"),
    ("r2", -4.026e-06, 0.7, 0.9, "0.00"),
    ("r2", 0.812345, 0.811, 0.813, "0.8123"),
    ("r2", 0.812345, 0.812, 0.8125, "0.8123"),
    ("root_mean_squared_error", 2345.6, 2000.0, 2500.0, "2346"),
    ("accuracy", 0.947, 0.89, 0.98, "94.7 %"),
    ("loss", 2.5e-6, 1e-6, 3e-6, "2.500e-06"),
]
ROUNDED = [
    (0.0, "0"),
    (0.065, "0.065"),
    (-1.4, "−1.4"),
    (0.99999, "1"),
    (100.0, "100"),
    (123_456, "123 456"),
    (999_999, "1·10⁶"),
    (1_234_567, "1.23·10⁶"),
    (0.00012, "0.00012"),
    (-3.2e-7, "−3.2·10⁻⁷"),
    (math.nan, "–"),
    (math.inf, "–"),
]
CELLS = [
    (0.0, "0"),
    (-0.0, "0"),
    (-1.5, "−1.5"),
    (4096.0, "4096"),
    (1234.5, "1234"),
    (-0.4321e-5, "−4.321·10⁻⁶"),
    (-1_992_419_784_174.5, "−1.992·10¹²"),
    (123_456_789.0, "123456789"),
    (1_700_000_000_001.0, "1700000000001"),
    (1.5e16, "1.5·10¹⁶"),
]
SIZES = [(0, "0 B"), (168, "168 B"), (4242, "4.24 kB"), (1_300_000, "1.3 MB"), (2 * 10**9, "2 GB"), (999_700, "1 MB")]


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        *[(count(number), text) for number, text in {0: "0", 999: "999", 1000: "1 000", 10**8: "100 000 000"}.items()],
        *[(counted(number, "parameter"), f"{number} parameter{'s' * (number != 1)}") for number in (0, 1, 21)],
        (counted(2, "loss", "losses"), "2 losses"),
        (metric("accuracy", 205 / 240), "85.4 %"),
        (metric("balanced_accuracy", 1.0), "100.0 %"),
        (metric("roc_auc", 0.9371), "0.9371"),
        (metric("r2", None), "–"),
        (metric("loss", math.nan), "–"),
        (page_metric("r2", -0.5), "−0.5000"),
        (metric_spread("accuracy", 0.972, 0.008), "97.2 % ± 0.8"),
        (metric_spread("loss", None, None), "–"),
        *[(figure(value), text) for value, text in FIGURES],
        *[(duration(seconds), text) for seconds, text in TIMES],
        *[(size(amount), text) for amount, text in SIZES],
        *[(interval(name, low, high), text) for name, low, high, text in INTERVALS],
        *[(rounded(value), text) for value, text in ROUNDED],
        (day_text(18_321.99), "2020-02-29"),
        (day_text(-0.5), "1969-12-31"),
        *[(cell_text(value), text) for value, text in CELLS],
    ],
)
def test_numbers_read_well(shown: str, text: str) -> None:
    assert shown == text


def test_ticks_of_an_axis_have_the_same_decimals() -> None:
    assert tick_texts([-0.5, 0, 0.25]) == ["−0.50", "0", "0.25"]
    assert tick_texts([5000, 10000]) == ["5 000", "10 000"]
    assert tick_texts([5e-5, 1e-4]) == ["0.5·10⁻⁴", "1.0·10⁻⁴"]
    assert tick_texts([1e9, 1e9 + 2]) == ["1.000000000·10⁹", "1.000000002·10⁹"]
    assert tick_texts([]) == []


def test_powers_of_ten_are_written_alike() -> None:
    assert power_texts([-3, 0, 4]) == ["0.001", "1", "10 000"]
    assert power_texts([-6, 0, 3]) == ["10⁻⁶", "1", "10³"]


@pytest.mark.parametrize(("name", "value", "low", "high", "text"), WITHIN)
def test_metrics_have_the_digits_that_an_interval_leaves(name: str, value: float, low: float, high: float, text: str):
    assert metric(name, value, {"low": low, "high": high}) == text
    assert metric(name, None, {"low": low, "high": high}) == "–"


def test_an_interval_without_ends_leaves_all_digits():
    assert metric("r2", 0.812345, {"low": None, "high": None}) == metric("r2", 0.812345) == "0.8123"


def test_there_is_no_minus_zero():
    assert points(-0.0004) == "0.0"
    assert points(-0.0006) == "-0.1"
    assert percent(-1e-9) == "0.0 %"
