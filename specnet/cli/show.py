"""`specnet show`: a spec's or a model's plan, long form, calls and learning rate; the catalogue of parts."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from specnet.cli.options import CatalogueFormat, CatalogueFormatOption, OutputFormat, QuietOption
from specnet.cli.output import Output, UsageError, reporting

if TYPE_CHECKING:
    from specnet.network import Network
    from specnet.spec import Spec


def show(
    target: Annotated[
        str,
        typer.Argument(
            metavar="SPEC|MODEL|parts",
            show_default=False,
            help="A spec, a model.safetensors file, or the word parts for the catalogue of what a spec can name.",
        ),
    ],
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[KIND|NAME]", show_default=False, help="After parts: a part, or a kind such as activation."
        ),
    ] = None,
    resolved: Annotated[bool, typer.Option("--resolved", help="The spec with every default filled in.")] = False,
    code: Annotated[bool, typer.Option("--code", help="The closures' calls in order, forward and backward.")] = False,
    schedule: Annotated[bool, typer.Option("--schedule", help="The learning rate over the run, as a curve.")] = False,
    output_format: CatalogueFormatOption = CatalogueFormat.TEXT,
    quiet: QuietOption = False,
) -> None:
    """Show a plan, or the catalogue of parts.

    The plan of a spec or of a model has each layer's inputs, size, parameters and initializer, and their totals. The
    data are read where the spec alone does not tell the sizes, and for the schedule, whose steps depend on the rows.

    Examples
    --------
    specnet show specs/moons.toml
    specnet show specs/moons.toml --code
    specnet show specs/digits.toml --schedule
    specnet show runs/moons_2_5_1/1/model.safetensors --resolved
    specnet show parts
    specnet show parts adam
    specnet show parts loss --format markdown
    """
    as_markdown = output_format is CatalogueFormat.MARKDOWN
    with reporting(OutputFormat.TEXT if as_markdown else OutputFormat(output_format), quiet) as output:
        options = {"--resolved": resolved, "--code": code, "--schedule": schedule}
        asked = [option for option, given in options.items() if given]
        if target == "parts":
            if asked:
                raise UsageError(f"{asked[0]} is for a spec or a model, not for parts")
            _show_parts(name, output, as_markdown=as_markdown)
            return
        if as_markdown:
            raise UsageError("--format markdown is for parts, not for a spec or a model")
        if name is not None:
            raise UsageError(f'"{name}" has no meaning here', hint="only `specnet show parts` takes a name")
        if len(asked) > 1:
            raise UsageError(f"{' and '.join(asked)} show different things; ask for one of them")
        if schedule:
            _show_schedule(target, output)
            return
        network = _network(target)
        if resolved:
            output.document(network.spec.to_json())
        elif code:
            _show_code(network, output)
        else:
            _show_plan(network, output)


def _network(target: str) -> Network:
    if target.endswith(".safetensors"):
        from specnet.model import load_model

        return load_model(target).network
    from specnet.errors import SpecError
    from specnet.network import build
    from specnet.spec import parse_spec

    spec = parse_spec(Path(target))
    try:
        return build(spec)
    except SpecError as error:
        if spec.data is None or any(diagnostic.code != "unknown-size" for diagnostic in error.diagnostics):
            raise
    return build(_with_sizes_of_data(spec))


def _with_sizes_of_data(spec: Spec) -> Spec:
    from specnet.data import load_table
    from specnet.fitting import read_target
    from specnet.spec import resolve

    table = load_table(spec)
    _, outputs = read_target(spec, table.y)
    data = spec.data and spec.data.with_columns(table)
    return resolve(spec, inputs=table.X.shape[1], outputs=outputs, data=data)


def _show_plan(network: Network, output: Output) -> None:
    from specnet.report.plan import Plan

    plan = Plan(network.spec, network.nodes)
    output.data |= plan.as_dict()
    head = [plan.spec.name, plan.summary(), plan.totals(), plan.spec.network.dtype]
    output.line("   ".join(part for part in head if part))
    output.line(plan.training())
    output.line()
    output.table(plan.table())


def _show_code(network: Network, output: Output) -> None:
    programs = network.listing()
    output.data["programs"] = [{"title": title, "calls": calls} for title, calls in programs]
    for number, (title, calls) in enumerate(programs):
        if number:
            output.line()
        output.line(f"{title}:")
        for call in calls:
            output.line(f"    {call}")


def _show_schedule(target: str, output: Output) -> None:
    from specnet.fitting import read_data
    from specnet.model import load_model
    from specnet.parts.optimizers import SteppingOptimizer
    from specnet.report.schedule import RateCurve
    from specnet.spec import parse_spec

    spec = load_model(target).spec if target.endswith(".safetensors") else parse_spec(Path(target))
    training = spec.training
    if not isinstance(training.optimizer, SteppingOptimizer):
        raise UsageError(f"{training.optimizer.part_name()} finds the lengths of its steps itself: it has no schedule")
    data = read_data(spec)
    rows, batch_size = len(data.splits["train"]), data.spec.training.batch_size
    steps = 1 if batch_size == "full" else math.ceil(rows / int(batch_size or rows))
    curve = RateCurve(training.optimizer, training.epochs, steps)
    output.data |= {"name": spec.name, **curve.as_dict()}
    output.line("   ".join(filter(None, [spec.name, curve.summary()])))
    output.line()
    for line in curve.lines():
        output.line(line)


def _show_parts(name: str | None, output: Output, *, as_markdown: bool) -> None:
    from specnet.parts.registry import installed_registry
    from specnet.report.catalogue import Catalogue, parts_page, parts_table

    catalogue = Catalogue(installed_registry())
    listed = catalogue.entries(name) if name is None or name in catalogue.kinds else []
    found = catalogue.find(name) if name is not None else []
    if not listed and not found:
        raise UsageError(f'"{name}" is no part and no kind of parts', hint=catalogue.hint(str(name)))
    output.data["parts"] = [entry.as_dict() for entry in (*listed, *found)]
    if as_markdown:
        output.document(parts_page((*listed, *found)))
        return
    if listed:
        output.table(parts_table(listed))
    for number, entry in enumerate(found):
        if number or listed:
            output.line()
        for line in entry.lines():
            output.line(line)
        if entry.fields:
            output.line()
            output.table(entry.table())
