"""What a check found, as tables."""

from __future__ import annotations

from specnet.checking.gradient_check import GradientCheck
from specnet.number_texts import count, figure
from specnet.report.terminal.text_tables import TextTable


def start_table(check: GradientCheck) -> TextTable:
    """Return a row for each layer: what it gives and how large its gradient is before the first step."""
    header = ("layer", "units", "dead", "saturated", "mean", "std", "gradient")
    rows = [
        (
            f"{start.key} {start.layer}",
            count(start.units),
            _counted(start.dead),
            _counted(start.saturated),
            figure(start.mean),
            figure(start.deviation),
            "" if start.gradient is None else f"{start.gradient:.1e}",
        )
        for start in check.start
    ]
    return TextTable(header, rows, right=frozenset(range(1, 7)), folded=frozenset({0}))


def comparison_table(check: GradientCheck) -> TextTable:
    """Return a row for each tensor: how many coordinates were compared, and how well they agree.

    The error is a fraction of the tensor's largest gradient.
    """
    header = ("tensor", "compared", "error", "verdict")
    rows = [
        (
            comparison.name,
            f"{count(comparison.compared)} of {count(comparison.compared + comparison.left_out)}",
            f"{comparison.share:.0e}" if comparison.largest else "",
            comparison.verdict,
        )
        for comparison in check.comparisons
    ]
    return TextTable(header, rows, right=frozenset({1, 2}))


def _counted(number: int | None) -> str:
    return "" if number is None else count(number)
