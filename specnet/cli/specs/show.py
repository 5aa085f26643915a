"""`specnet show`: a spec's or a model's plan, long form, calls and learning rate.

With `--explain` it prints where each value comes from.
"""

from __future__ import annotations

import math
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from specnet.cli.inputs import check_suffix, is_model, kept_spec, load, parse, read_limits
from specnet.cli.options import ForceOption, LimitOption, SetOption, argument, word_option
from specnet.cli.output import Output, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from specnet.model import Model
    from specnet.network import Network
    from specnet.spec import Spec


def show_explanation(
    target: Path, overrides: Sequence[str] | None, limit: Sequence[str] | None, output: Output
) -> None:
    """Print every resolved value of what an argument names with its origin, and the equations in force."""
    from specnet.spec.explanation import equations, explain, explanation_data, explanation_rows

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


class Engine(StrEnum):
    """What runs programs."""

    NUMPY = "numpy"
    COMPILED = "compiled"


def show(
    output: Output,
    target: Annotated[
        Path,
        argument(
            "SPEC|MODEL", "Spec, TOML or JSON; .safetensors file; folder of a run; or - for a spec from standard input."
        ),
    ],
    resolved: Annotated[bool, typer.Option("--resolved", help="Show the spec with every default filled in.")] = False,
    code: Annotated[bool, typer.Option("--code", help="Show the program's calls in order.")] = False,
    schedule: Annotated[bool, typer.Option("--schedule", help="Show the learning rate over the run.")] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show where each value comes from, and the equations in force.")
    ] = False,
    diagram: Annotated[
        Path | None,
        typer.Option("--diagram", metavar="FILE", show_default=False, help="Draw the network as an SVG file."),
    ] = None,
    engine: Annotated[
        Engine | None,
        word_option("--engine", Engine, "With --code: the calls of NumPy, or the steps in C. Default: numpy."),
    ] = None,
    overrides: SetOption = None,
    limit: LimitOption = None,
    force: ForceOption = False,
) -> None:
    """Show the layers and sizes of a spec or model.

    Lists inputs, size, parameters and initializer of each layer, the totals, and the engine that a run would use. Reads
    the data only if the sizes depend on it, and for --schedule. Of a team it lists each network, with its share.

    Examples
    --------
    specnet show specs/moons.toml
    specnet show specs/moons.toml --code
    specnet show specs/moons.toml --code --engine compiled
    specnet show specs/digits.toml --schedule --set training.epochs=20
    specnet show specs/moons.toml --explain --set training.epochs=100
    specnet show runs/moons_2_5_1/1 --resolved
    specnet show runs/moons_2_5_1/1 --diagram moons.svg
    """
    options = {
        "--resolved": resolved,
        "--code": code,
        "--schedule": schedule,
        "--explain": explain,
        "--diagram": diagram is not None,
    }
    asked = [option for option, given in options.items() if given]
    if len(asked) > 1:
        raise UsageError(f"{' and '.join(asked)} cannot be combined")
    if engine is not None and not code:
        raise UsageError("--engine needs --code")
    if force and diagram is None:
        raise UsageError("--force needs --diagram")
    if target.name == str(target) == "parts" and not target.exists():
        raise UsageError('expected a spec or a model, got "parts"', hint="use `specnet parts`")
    model = load(target, limit) if is_model(target) and not overrides else None
    if model is not None and len(model.networks) > 1:
        if asked:
            hint = "name one of its trials, a folder of trials/ beside it"
            raise UsageError(f"{asked[0]} needs a single network, got a team", hint=hint, source=str(target))
        _show_networks(model, output)
        return
    if schedule:
        _show_schedule(_spec(target, overrides, limit), output)
        return
    if explain:
        show_explanation(target, overrides, limit, output)
        return
    network = _network(target, overrides, limit) if model is None else model.network
    if diagram is not None:
        _write_diagram(network, model, diagram, force, output)
    elif resolved:
        output.document(network.spec.to_json())
    elif code and engine is Engine.COMPILED:
        _show_compiled(network, output)
    elif code:
        _show_code(network, output)
    else:
        output.data |= _show_plan(network, output)


def _network(target: Path, overrides: list[str] | None, limit: list[str] | None) -> Network:
    from specnet.network import Network
    from specnet.running.resolved_specs import resolved_with_data

    return Network(resolved_with_data(_spec(target, overrides, limit)))


def _spec(target: Path, overrides: list[str] | None, limit: list[str] | None) -> Spec:
    """Return the spec that was named, or that a model keeps."""
    read = kept_spec if is_model(target) and not target.is_dir() else parse
    return read(target, overrides, limit)


def _show_networks(model: Model, output: Output) -> None:
    """Show each of several networks in turn, with its share."""
    models, total = [], sum(model.shares)
    for number, (each, share) in enumerate(zip(model.networks, model.shares, strict=True), 1):
        if number > 1:
            output.line()
        output.parts(f"network {number} of {len(model.networks)}", f"share {100 * share / total:.0f} %")
        models.append({"share": share, **_show_plan(each.network, output)})
    output.data |= {"models": models}


def _show_plan(network: Network, output: Output) -> dict[str, Any]:
    """Show a network, and return that as plain data."""
    from specnet.report.overview import Overview

    plan = Overview(network.resolved)
    head = [plan.spec.name, plan.summary(), plan.totals(), plan.spec.network.dtype]
    output.parts(*(part or "" for part in head))
    output.parts(plan.training())
    engine = _engine(network)
    output.parts(f"engine: {engine['engine']} ({engine['engine_reason']})")
    output.line()
    output.table(plan.table())
    return plan.as_dict() | engine


def _engine(network: Network) -> dict[str, str]:
    """Return the engine that a run would use, and why, or why it cannot be used here."""
    from specnet.errors import SpecError
    from specnet.training.steps.engine_choice import Choice, choose, undecided

    training, data = network.spec.training, network.spec.data
    rows = None if data is None else data.row_count
    if rows is None and training.engine == "auto":
        return undecided().facts()
    held_out = 0.0 if data is None else data.split.held_out_fraction
    try:
        return choose(network, round((rows or 0) * (1 - held_out)), training.epochs).facts()
    except SpecError as error:
        return Choice("compiled", error.diagnostics[0].message).facts()


def _write_diagram(network: Network, model: Model | None, file: Path, force: bool, output: Output) -> None:
    """Draw a network: with its weights if it is trained, of an ensemble those of the first member."""
    from specnet.files import refuse_taken, write_file
    from specnet.report.diagram.network_diagram import diagram_of

    check_suffix(file, (".svg",), "the name of the diagram")
    if not force:
        refuse_taken(file)
    write_file(file, diagram_of(network, model).file())
    output.data["diagram"] = str(file)
    output.written(file)


def _show_compiled(network: Network, output: Output) -> None:
    from specnet.training.steps.compiled_steps import steps_text
    from specnet.training.steps.engine_choice import LIKELY_ROWS

    if network.spec.training.optimizer.stepping is None:
        raise UsageError(f"{network.spec.training.optimizer.part_name()} has no steps that are compiled together")
    size = network.resolved.batch_size
    output.document(steps_text(network, LIKELY_ROWS if size == "full" else size))


def _show_code(network: Network, output: Output) -> None:
    network = network.run_by("numpy")
    programs = {"prediction": network.plan("predict"), "gradient, while training": network.plan("step")}
    if network.spec.training.optimizer.stepping is not None:
        programs["update"] = network.blueprint.update.plan
    calls = {title: program.listing() for title, program in programs.items()}
    output.data["programs"] = [{"title": title, "calls": lines} for title, lines in calls.items()]
    for number, (title, lines) in enumerate(calls.items()):
        if number:
            output.line()
        output.line(f"{title}:")
        for line in lines:
            output.line(f"    {line}")


def _show_schedule(spec: Spec, output: Output) -> None:
    from specnet.report.terminal.rate_curve import RateCurve
    from specnet.running.data_rows import read_data

    training, optimizer = spec.training, spec.training.optimizer.stepping
    if optimizer is None:
        raise UsageError(f"{training.optimizer.part_name()} has no learning-rate schedule")
    data = read_data(spec)
    rows, batch_size = len(data.splits["train"]), data.resolved.batch_size
    steps = 1 if batch_size == "full" else math.ceil(rows / batch_size)
    curve = RateCurve(optimizer, training.epochs, steps)
    output.data |= {"name": spec.name, **curve.as_dict()}
    output.parts(spec.name or "", curve.summary())
    output.line()
    for line in curve.lines():
        output.line(line)
