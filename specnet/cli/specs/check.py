"""`specnet check`: a network's gradient proved, and how the network stands before the first step."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from specnet.cli.inputs import parse
from specnet.cli.options import LimitOption, SetOption, SpecArgument
from specnet.cli.output import Output

if TYPE_CHECKING:
    from specnet.checking import GradientCheck
    from specnet.errors import SpecnetError
    from specnet.report.terminal.text_tables import TextTable


def check(output: Output, spec: SpecArgument, overrides: SetOption = None, limit: LimitOption = None) -> None:
    """Check the gradient of a network numerically.

    Compares the gradient with respect to each parameter tensor and the input with central differences, in float64, at
    the initial parameters. It uses 16 training rows, or random rows for a spec without data, and up to 200 coordinates
    per tensor. Coordinates that cross a kink are excluded and counted. If an error exceeds 1e-7 of the largest
    gradient of the tensor, each layer is checked separately to find the wrong one.

    The first table shows each layer before training: dead units (slope 0 in every row), saturated units (slope below
    0.001 in every row), mean and standard deviation of the outputs, and the root mean square of the gradient.

    Examples
    --------
    specnet check specs/moons.toml
    specnet check specs/digits.toml --set network.dtype=float64 --format json
    """
    from specnet.checking import check_spec
    from specnet.report.terminal.bars import CountProgress

    parsed = parse(spec, overrides, limit)
    with CountProgress(sys.stderr if output.speaks else None, "coordinates compared") as progress:
        found = check_spec(parsed, progress.show)
    output.data |= found.as_dict()
    _show(found, output)
    if not found.agrees:
        output.mistakes(_fault(found))


def _show(found: GradientCheck, output: Output) -> None:
    from specnet.checking import STEP, TOLERANCE
    from specnet.number_texts import count, counted, figure
    from specnet.report.overview import Overview

    plan = Overview(found.network.resolved)
    head = [plan.spec.name, plan.summary(), counted(plan.parameter_count, "parameter"), found.source]
    output.parts(*(part or "" for part in head))
    output.line()
    output.table(_start_table(found))
    output.line()
    output.table(_comparison_table(found))
    output.line()
    compared = sum(comparison.compared for comparison in found.comparisons)
    left_out = sum(comparison.left_out for comparison in found.comparisons)
    output.parts(
        f"central differences with step {STEP:g} in float64, loss {figure(found.loss)}: "
        f"{counted(compared, 'coordinate')} compared, {count(left_out)} excluded at kinks"
    )
    if found.agrees:
        worst = found.worst
        output.parts(
            f"gradient check passed: max error {worst.share:.1e} relative to the largest gradient of {worst.name} "
            f"(tolerance {TOLERANCE:g})"
        )


def _fault(found: GradientCheck) -> SpecnetError:
    from specnet.checking import TOLERANCE
    from specnet.errors import Diagnostic, SpecnetError

    tensors = [
        Diagnostic(
            "wrong-gradient",
            f"wrong gradient of {wrong.name}: error {wrong.share:.1e} of its largest entry (tolerance {TOLERANCE:g})",
        )
        for wrong in found.wrong
    ]
    layers = [
        Diagnostic(
            "wrong-derivative",
            f"{wrong.key} ({wrong.described}): wrong derivative of {wrong.worst.name}, error {wrong.worst.share:.1e}",
        )
        for wrong in found.wrong_layers
    ]
    return SpecnetError(*tensors, *layers)


def _start_table(found: GradientCheck) -> TextTable:
    """Return a row for each layer: its outputs, and how large its gradient is before the first step."""
    from specnet.number_texts import count, figure
    from specnet.report.terminal.text_tables import TextTable

    header = ("layer", "units", "dead", "saturated", "mean", "std", "gradient")
    rows = [
        (
            f"{start.key} {start.layer}",
            count(start.units),
            *("" if number is None else count(number) for number in (start.dead, start.saturated)),
            figure(start.mean),
            figure(start.deviation),
            "" if start.gradient is None else f"{start.gradient:.1e}",
        )
        for start in found.start
    ]
    return TextTable(header, rows, right=frozenset(range(1, 7)), folded=frozenset({0}))


def _comparison_table(found: GradientCheck) -> TextTable:
    """Return a row for each tensor: how many coordinates were compared, and how well they agree.

    The error is a fraction of the tensor's largest gradient.
    """
    from specnet.number_texts import count
    from specnet.report.terminal.text_tables import TextTable

    rows = [
        (
            comparison.name,
            f"{count(comparison.compared)} of {count(comparison.compared + comparison.left_out)}",
            f"{comparison.share:.0e}" if comparison.largest else "",
            comparison.verdict,
        )
        for comparison in found.comparisons
    ]
    return TextTable(("tensor", "compared", "error", "verdict"), rows, right=frozenset({1, 2}))
