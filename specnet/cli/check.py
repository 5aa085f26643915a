"""`specnet check`: a network's gradient proved, and how the network stands before the first step."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from specnet.cli.inputs import parse
from specnet.cli.options import FormatOption, LimitOption, OutputFormat, QuietOption, SetOption, SpecArgument
from specnet.cli.output import Output, reporting

if TYPE_CHECKING:
    from specnet.checking import GradientCheck
    from specnet.errors import SpecnetError


def check(
    spec: SpecArgument,
    overrides: SetOption = None,
    limit: LimitOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
    quiet: QuietOption = False,
) -> None:
    """Prove a network's gradient.

    The gradient by each tensor of parameters, as training takes it, and by the input is compared with central
    differences, in float64, at the initial parameters: on 16 training rows of the spec's own, or on made rows where it
    has no data. Of each tensor up to 200 coordinates are moved, drawn by the spec's seed. Those that are moved across
    a kink, where some maximum or comparison changes sides, are left out and counted. Where an error is larger than
    1e-7 of the tensor's largest gradient, each layer is compared by itself to find the wrong one.

    The first table shows each layer before the first step: units that are dead (slope 0 in every row) or saturated
    (slope below 0.001 in every row), its outputs' mean and deviation, and the size of the gradient by its parameters
    (root mean square).

    Examples
    --------
    specnet check specs/moons.toml
    specnet check specs/digits.toml --set network.dtype=float64 --format json
    """
    with reporting(output_format, quiet) as output:
        from specnet.checking import check_spec
        from specnet.report.counting import CountProgress

        parsed = parse(spec, overrides, limit)
        with CountProgress(sys.stderr if output.speaks else None, "coordinates compared") as progress:
            found = check_spec(parsed, progress.show)
        output.data |= found.as_dict()
        _show(found, output)
        if not found.agrees:
            output.mistakes(_fault(found))


def _show(found: GradientCheck, output: Output) -> None:
    from specnet.checking import STEP, TOLERANCE
    from specnet.checking.tables import comparison_table, start_table
    from specnet.report.figures import count, counted, figure
    from specnet.report.overview import Overview

    plan = Overview(found.network.resolved)
    head = [plan.spec.name, plan.summary(), counted(plan.parameter_count, "parameter"), found.source]
    output.line("   ".join(part for part in head if part))
    output.line()
    output.table(start_table(found))
    output.line()
    output.table(comparison_table(found))
    output.line()
    compared = sum(comparison.compared for comparison in found.comparisons)
    left_out = sum(comparison.left_out for comparison in found.comparisons)
    output.line(
        f"central differences with step {STEP:g} in float64 at a loss of {figure(found.loss)}: "
        f"{counted(compared, 'coordinate')} compared, {count(left_out)} left out at kinks"
    )
    if found.agrees:
        worst = found.worst
        output.line(
            f"the gradient is right: the worst error is {worst.share:.1e} of the largest gradient in {worst.name}, "
            f"and {TOLERANCE:g} is allowed"
        )


def _fault(found: GradientCheck) -> SpecnetError:
    from specnet.errors import Diagnostic, SpecnetError

    tensors = [
        Diagnostic("wrong-gradient", f"the gradient by {wrong.name} is off by {wrong.share:.1e} of its largest entry")
        for wrong in found.wrong
    ]
    layers = [
        Diagnostic(
            "wrong-derivative",
            f"{wrong.key} ({wrong.described}): its derivative by {wrong.worst.name} is off by {wrong.worst.share:.1e}",
        )
        for wrong in found.wrong_layers
    ]
    return SpecnetError(*tensors, *layers)
