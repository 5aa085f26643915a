"""Numbers as a person reads them: grouped digits, units, percent."""

from __future__ import annotations

import math


def count(number: int) -> str:
    """Return a whole number with its digits in groups of three: ``20 000``."""
    return f"{number:,}".replace(",", " ")


def counted(number: int, singular: str, plural: str | None = None) -> str:
    """Return a number of things: ``1 parameter``, ``21 parameters``."""
    return f"{count(number)} {singular if number == 1 else plural or singular + 's'}"


def figure(value: float) -> str:
    """Return a loss or a metric: four decimals, fewer behind more digits, an exponent where those show nothing."""
    if not math.isfinite(value) or value == 0:
        return f"{value:.4f}"
    magnitude = math.floor(math.log10(abs(value)))
    return f"{value:.{4 - max(magnitude, 0)}f}" if -3 <= magnitude <= 4 else f"{value:.3e}"


def metric(name: str, value: float) -> str:
    """Return a metric's value: shares of right answers in percent, all others as `figure` does."""
    return percent(value) if name.endswith("accuracy") else figure(value)


def percent(value: float) -> str:
    """Return a fraction in percent: ``85.4 %``."""
    return f"{100 * value:.1f} %"


def short(value: float) -> str:
    """Return a number to three digits: ``12.3``, ``4.1e-05``."""
    return f"{value:.3g}"


def interval(name: str, low: float, high: float) -> str:
    """Return the bounds of a metric with the digits that its width leaves: ``74–92 %``, ``0.87–0.93``."""
    if metric(name, low) == metric(name, high):
        return metric(name, low)
    scale, unit = (100, " %") if name.endswith("accuracy") else (1, "")
    low, high = scale * low, scale * high
    joint = "–" if low >= 0 else " to "
    if not 1e-3 <= high - low < 1e5:
        return f"{figure(low)}{joint}{figure(high)}{unit}"
    decimals = max(1 - math.floor(math.log10(high - low)), 0)
    return f"{low:.{decimals}f}{joint}{high:.{decimals}f}{unit}"


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
    """Return an amount of memory: ``168 B``, ``4.2 kB``, ``1.3 MB``."""
    amount = float(number_of_bytes)
    for unit in ("B", "kB", "MB"):
        if amount < 999.5:
            return f"{amount:.3g} {unit}"
        amount /= 1000
    return f"{amount:.3g} GB"
