"""Where each value of a spec or a model comes from, as `specnet show --explain` prints it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from specnet.cli.inputs import is_model, kept_spec, parse, read_limits
from specnet.cli.output import Output

if TYPE_CHECKING:
    from collections.abc import Sequence

    from specnet.spec import Spec


def show_explanation(
    target: Path, overrides: Sequence[str] | None, limit: Sequence[str] | None, output: Output
) -> None:
    """Print every resolved value of what an argument names with its origin, and the equations in force."""
    from specnet.spec.meaning.equations import equations
    from specnet.spec.meaning.explanation import explanation_data, explanation_rows
    from specnet.spec.resolving.origins import explain

    spec, resolved = _specs(target, overrides, limit)
    values, found = explain(spec, resolved), equations(resolved)
    output.data |= {"name": resolved.name, **explanation_data(values, found)}
    output.rows(explanation_rows(values))
    for equation in found:
        output.line()
        for line in equation.lines():
            output.line(line)


def _specs(target: Path, overrides: Sequence[str] | None, limit: Sequence[str] | None) -> tuple[Spec, Spec]:
    """Return a spec as it was given, and resolved; a model's spec is both."""
    from specnet.running.resolved_specs import resolved_with_data
    from specnet.saved.saved_run import SavedRun

    if target.is_dir():
        run = SavedRun(target, limits=read_limits(limit))
        given = run.given_with(overrides or ())
        if given is not None:
            return given, resolved_with_data(given).spec if overrides else run.spec
    elif is_model(target):
        model = kept_spec(target, overrides, limit)
        return model, model
    spec = parse(target, overrides, limit)
    return spec, resolved_with_data(spec).spec
