"""Numbers as readable texts: grouped digits, units, percent."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from datetime import date, timedelta

ABSENT = "–"
"""Text for a missing value."""
_EPOCH = date(1970, 1, 1)
NEW_YEAR = "-01-01"
_ERROR = re.compile("loss|error|deviance|prediction")
_EXPONENT = re.compile(r"(?<=\d)e([+-]\d+)")


def count(number: int) -> str:
    """Return an integer with its digits in groups of three: ``20 000``."""
    return f"{number:,}".replace(",", " ")


def grouped(text: str) -> str:
    """Return a text whose whole numbers have their digits in groups of three."""
    return re.sub(r"\d+", lambda found: count(int(found[0])), text)


def counted(number: int, singular: str, plural: str | None = None) -> str:
    """Return a number with its noun in the singular or plural: ``1 parameter``, ``21 parameters``."""
    return f"{count(number)} {singular if number == 1 else plural or singular + 's'}"


def figure(value: float, *beside: float) -> str:
    """Return a loss or an error with four digits, at most four decimals, or with an exponent if it is tiny or huge.

    With numbers `beside` it, such as the ends of its interval, it has the decimals of the largest of all.
    """
    return _with_decimals(value, beside, 4, least=1e-3)


def is_percentage(name: str) -> bool:
    """Return whether a metric is shown in percent: an accuracy, a coverage or a probability."""
    return name.endswith("accuracy") or name in ("coverage", "probability")


def metric(name: str, value: float | None, *beside: float) -> str:
    """Return the value of a metric, a dash for a missing one.

    Percentages have one decimal; losses, errors and predictions are as `figure` writes them; all other metrics, most of
    which are at most 1, have three decimals, fewer from 10 on.
    """
    if value is None or not math.isfinite(value):
        return ABSENT
    if is_percentage(name):
        return percent(value)
    return figure(value, *beside) if _ERROR.search(name) else _with_decimals(value, beside, 3)


def difference(name: str, value: float, *beside: float) -> str:
    """Return a difference of two values of a metric: of percentages in percentage points, without the unit."""
    return points(value) if is_percentage(name) else metric(name, value, *beside)


def _with_decimals(value: float, beside: Sequence[float], most: int, least: float = 0.0) -> str:
    """Return a number with four digits before and after its point, at most `most` after it.

    Numbers that are all smaller than `least`, or of which one is 100 000 or more, have an exponent.
    """
    largest = max((abs(each) for each in (value, *beside) if math.isfinite(each)), default=0.0)
    if largest and not least <= largest < 1e5:
        return f"{value:.3e}"
    return f"{value:z.{max(most if largest < 1 else min(3 - math.floor(math.log10(largest)), most), 0)}f}"


def percent(value: float, decimals: int = 1) -> str:
    """Return a fraction in percent: ``85.4 %``."""
    return f"{points(value, decimals)} %"


def points(value: float, decimals: int = 1) -> str:
    """Return a difference of fractions in percentage points: ``3.5``."""
    return f"{100 * value:z.{decimals}f}"


def signed(text: str) -> str:
    """Return the text of a difference with its sign."""
    return text if text.startswith(("−", "-")) else f"+{text}"


def step_decimals(largest: float, least: int | None = None) -> int | None:
    """Return the decimals of all numbers in a picture of steps: two digits of the largest one, and at least `least`.

    It is `least` if the steps are so small or large that the numbers have no common decimals.
    """
    power = int(f"{largest:.1e}".split("e")[1]) if largest else 9
    return max(1 - power, least or 0) if -5 <= power < 9 else least


def fixed(value: float, decimals: int | None) -> str:
    """Return a number for HTML pages with so many decimals, or as `cell_text` does if they are None."""
    return cell_text(value) if decimals is None else true_minus(f"{value:z.{decimals}f}")


def short(value: float) -> str:
    """Return a number to three digits: ``12.3``, ``4.1e-05``."""
    return f"{value:.3g}"


def interval(name: str, low: float, high: float) -> str:
    """Return an interval of a metric, with the decimals of the metric: ``74.1–91.9 %``, ``0.870–0.931``."""
    if metric(name, low) == metric(name, high):
        return metric(name, low)
    joint = "–" if low >= 0 else " to "
    if is_percentage(name):
        return f"{points(low)}{joint}{percent(high)}"
    return f"{metric(name, low, high)}{joint}{metric(name, high, low)}"


def page_metric(name: str, value: float | None, *beside: float) -> str:
    """Return the value of a metric for HTML pages: as `metric` does, with a true minus and powers of ten."""
    return on_page(metric(name, value, *beside))


def page_figure(value: float, *beside: float) -> str:
    """Return a loss, an error or a prediction for HTML pages: as `figure` does, with a true minus and powers of ten."""
    return on_page(figure(value, *beside))


def metric_spread(name: str, mean: float | None, std: float | None) -> str:
    """Return a mean with its standard deviation, which is None for a single value: ``97.2 % ± 0.8``."""
    if mean is None or std is None:
        return metric(name, mean)
    return f"{metric(name, mean, std)} ± {difference(name, std, mean)}"


def duration(seconds: float) -> str:
    """Return a time with the unit that suits its size: ``9 µs``, ``0.2 s``, ``3 min 20 s``, ``2 h 05 min``."""
    for unit, scale in (("ns", 1e-9), ("µs", 1e-6), ("ms", 1e-3)):
        if seconds < 99.5 * scale:
            return f"{seconds / scale:.2g} {unit}"
    if seconds < 99.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min"


def size(number_of_bytes: int) -> str:
    """Return a number of bytes with a unit: ``168 B``, ``4.2 kB``, ``1.3 MB``."""
    amount = float(number_of_bytes)
    for unit in ("B", "kB", "MB"):
        if amount < 999.5:
            return f"{amount:.3g} {unit}"
        amount /= 1000
    return f"{amount:.3g} GB"


def rounded(value: float) -> str:
    """Return a value for a chart or caption: three digits, or all before the point; a power of ten for many zeros."""
    if not math.isfinite(value):
        return ABSENT
    if value == 0:
        return "0"
    digits, exponent = f"{value:.2e}".split("e")
    power = int(exponent)
    if not -4 <= power <= 5:
        return _scientific(float(digits), power)
    # The digits are rounded first: 0.99999 becomes 1.00, which has another power.
    decimals, shown = max(2 - power, 0), value if power > 2 else float(f"{digits}e{exponent}")
    text = f"{shown:,.{decimals}f}".replace(",", " ")
    return true_minus(text.rstrip("0").rstrip(".") if decimals else text)


def cell_text(value: float) -> str:
    """Return a cell's number for HTML pages: four digits, or all before the point; a power of ten for many zeros.

    Integers, such as customer numbers, have all their digits.
    """
    if value and not 1e-4 <= abs(value) < (1e15 if value == round(value) else 1e9):
        digits, exponent = f"{value:.3e}".split("e")
        return _scientific(float(digits), int(exponent))
    return true_minus(f"{value:z.0f}" if value == round(value) or abs(value) >= 1e3 else f"{value:.4g}")


def rounded_up(value: float) -> str:
    """Return a bound that is not negative, rounded up to two digits: ``0.0035``; 0 has no digits."""
    if value <= 0:
        return "0"
    power = math.floor(math.log10(value)) - 1
    return f"{math.ceil(value / 10.0**power) * 10.0**power:.{max(-power, 0)}f}"


def day_text(days: float) -> str:
    """Return the date of a number of days since 1970, which may have a fraction: ``2020-02-29``."""
    return (_EPOCH + timedelta(days=math.floor(days))).isoformat()


def day_texts(days: Sequence[float]) -> list[str]:
    """Return dates, or years if all of them are January 1."""
    suffix = NEW_YEAR if are_years(days) else ""
    return [day_text(day).removesuffix(suffix) for day in days]


def are_years(days: Iterable[float]) -> bool:
    """Return whether all days since 1970 are January 1, without a time of day."""
    return all(day == math.floor(day) and day_text(day).endswith(NEW_YEAR) for day in days)


def tick_texts(values: Sequence[float]) -> list[str]:
    """Return the texts of equally spaced axis ticks, all with as many decimals as are needed to distinguish them."""
    largest = max(map(abs, values), default=0.0)
    if largest >= 1e6 or 0 < largest < 1e-3:
        power = math.floor(math.log10(largest))
        digits = [float(f"{value:.15e}".split("e")[0]) * 10.0 ** (_power(value) - power) for value in values]
        decimals = _decimals(digits)
        return [_scientific(digit, power, decimals) if digit else "0" for digit in digits]
    decimals = _decimals(values)
    return [true_minus(f"{value:,.{decimals}f}".replace(",", " ")) if value else "0" for value in values]


def power_texts(exponents: Sequence[int]) -> list[str]:
    """Return the texts of ticks of a logarithmic axis: in full if none has many zeros, otherwise as powers (10⁻⁵)."""
    if all(-4 <= exponent <= 5 for exponent in exponents):
        return [count(10**exponent) if exponent >= 0 else f"{10.0**exponent:.{-exponent}f}" for exponent in exponents]
    return ["1" if exponent == 0 else f"10{_superscript(exponent)}" for exponent in exponents]


def _power(value: float) -> int:
    return int(f"{value:.15e}".split("e")[1])


def _decimals(values: Sequence[float]) -> int:
    """Return the number of decimals that writes all values exactly, at most 12."""
    return next((n for n in range(12) if all(abs(value - round(value, n)) <= 1e-12 for value in values)), 12)


def _scientific(digits: float, power: int, decimals: int | None = None) -> str:
    text = f"{digits:g}" if decimals is None else f"{digits:.{decimals}f}"
    return true_minus(f"{text}·10{_superscript(power)}")


def _superscript(exponent: int) -> str:
    return str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def true_minus(text: str) -> str:
    """Return a text with true minus characters instead of hyphens, for pages and charts."""
    return text.replace("-", "−")


def on_page(text: str) -> str:
    """Return the text of a metric for pages and charts: with a true minus, and with a power of ten as exponent."""
    return true_minus(_EXPONENT.sub(lambda found: f"·10{_superscript(int(found[1]))}", text))
