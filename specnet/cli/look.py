"""Verbs that show specs, models and runs: `specnet show`, `report`, `runs`, `compare` and `diff`."""

from __future__ import annotations

import math
import shlex
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from specnet.cli.arguments import (
    STANDARD_INPUT,
    ForceOption,
    LimitOption,
    OpenOption,
    RunsArgument,
    SetOption,
    argument,
    check_page,
    check_suffix,
    complete_runs,
    complete_runs_and_files,
    is_model,
    load,
    out_option,
    parse,
    read_limits,
    spec_of_model,
    word_option,
)
from specnet.cli.output import Output, UsageError
from specnet.errors import FileError, SpecError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from specnet.model import Model
    from specnet.network import Network
    from specnet.saved.saved_run import SavedRun
    from specnet.spec import Spec


def _show_origins(target: Path, overrides: Sequence[str] | None, limit: Sequence[str] | None, output: Output) -> None:
    """Print every resolved value of a spec with its origin, and the equations that apply."""
    from specnet.spec.origins import equations, origin_data, origin_rows, origins_of

    spec, resolved = _specs(target, overrides, limit)
    values, found = origins_of(spec, resolved), equations(resolved)
    output.data |= {"name": resolved.name, **origin_data(values, found)}
    output.rows(origin_rows(values))
    for equation in found:
        output.line()
        for line in equation.lines():
            output.line(line)


def _specs(target: Path, overrides: Sequence[str] | None, limit: Sequence[str] | None) -> tuple[Spec, Spec]:
    """Return the given and the resolved spec of a target; for a model, its spec twice."""
    from specnet.running.data_rows import resolved_with_data
    from specnet.saved.saved_run import SavedRun

    if target.is_dir():
        run = SavedRun(target, limits=read_limits(limit))
        given = run.given_with(overrides or ())
        if given is not None:
            return given, resolved_with_data(given).spec if overrides else run.spec
    elif is_model(target):
        model = spec_of_model(target, overrides, limit)
        return model, model
    spec = parse(target, overrides, limit)
    return spec, resolved_with_data(spec).spec


class Engine(StrEnum):
    """The engines that run programs."""

    NUMPY = "numpy"
    COMPILED = "compiled"


def show(
    output: Output,
    target: Annotated[
        Path,
        argument(
            "SPEC|MODEL",
            "Spec, TOML or JSON; .safetensors file; folder of a run; or - for a spec from standard input.",
            complete_runs_and_files,
        ),
    ],
    resolved: Annotated[bool, typer.Option("--resolved", help="Show the spec with every default filled in.")] = False,
    code: Annotated[bool, typer.Option("--code", help="Show the program's calls in order.")] = False,
    schedule: Annotated[bool, typer.Option("--schedule", help="Show the learning rate over the run.")] = False,
    origins: Annotated[
        bool, typer.Option("--origins", help="Show where each value comes from, and the equations in force.")
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
    specnet show specs/moons.toml --origins --set training.epochs=100
    specnet show runs/moons_2_5_1/1 --resolved
    specnet show runs/moons_2_5_1/1 --diagram moons.svg
    """
    options = {
        "--resolved": resolved,
        "--code": code,
        "--schedule": schedule,
        "--origins": origins,
        "--diagram": diagram is not None,
    }
    requested = [option for option, is_given in options.items() if is_given]
    if len(requested) > 1:
        raise UsageError(f"{' and '.join(requested)} cannot be combined")
    if engine is not None and not code:
        raise UsageError("--engine needs --code")
    if force and diagram is None:
        raise UsageError("--force needs --diagram")
    if target.name == str(target) == "parts" and not target.exists():
        raise UsageError('expected a spec or a model, got "parts"', hint="use `specnet parts`")
    from specnet.run_files import TRIALS

    model = load(target, limit) if is_model(target) and not overrides else None
    if model is not None and len(model.networks) > 1:
        if requested:
            trials = sorted((target.parent / TRIALS).glob("[0-9]*"))
            command = shlex.join(["specnet", "show", *map(str, trials[:1]), *requested])
            hint = f"use one of its trials: `{command}`" if trials else None
            raise UsageError(f"{requested[0]} needs a single network, got a team", hint=hint, source=str(target))
        _show_networks(model, output)
        return
    if schedule:
        _show_schedule(_spec(target, overrides, limit), output)
        return
    if origins:
        _show_origins(target, overrides, limit, output)
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
    from specnet.running.data_rows import resolved_with_data

    return Network(resolved_with_data(_spec(target, overrides, limit)))


def _spec(target: Path, overrides: list[str] | None, limit: list[str] | None) -> Spec:
    """Return the spec that an argument names, or the spec of the model file that it names."""
    read = spec_of_model if is_model(target) and not target.is_dir() else parse
    return read(target, overrides, limit)


def _show_networks(model: Model, output: Output) -> None:
    """Print the layers and the share of each network of a team."""
    from specnet.number_texts import percent

    models, total = [], sum(model.shares)
    for number, (each, share) in enumerate(zip(model.networks, model.shares, strict=True), 1):
        if number > 1:
            output.line()
        output.parts(f"network {number} of {len(model.networks)}", f"share {percent(share / total)}")
        models.append({"share": share, **_show_plan(each.network, output)})
    output.data |= {"models": models}


def _show_plan(network: Network, output: Output) -> dict[str, Any]:
    """Print the layers and totals of a network, and return them as plain data."""
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
    """Return the engine that a run would use, and the reason; or the reason why it cannot be used on this machine."""
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
    """Write the diagram of a network as an SVG file, with the weights of a model if given."""
    from specnet.files import refuse_taken, write_file
    from specnet.report.network_diagram import diagram_of

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
    from specnet.number_texts import short
    from specnet.parts.part import described
    from specnet.report.terminal.rate_curve import RateCurve
    from specnet.running.data_rows import read_data
    from specnet.spec.origins import further_schedules

    training, optimizer = spec.training, spec.training.optimizer.stepping
    if optimizer is None:
        raise UsageError(f"{training.optimizer.part_name()} has no learning-rate schedule")
    data = read_data(spec)
    rows, batch_size = len(data.splits["train"]), data.resolved.batch_size
    steps = 1 if batch_size == "full" else math.ceil(rows / batch_size)
    curve = RateCurve(optimizer, training.epochs, steps)
    further = [(key, each, curve.factors_of(each)) for key, each in further_schedules(data.resolved.spec)]
    output.data |= {"name": spec.name, **curve.as_dict()}
    output.data["further_schedules"] = {key: {"type": each.type, "factors": found} for key, each, found in further}
    output.parts(spec.name or "", curve.summary())
    output.line()
    for line in curve.lines():
        output.line(line)
    for key, each, found in further:
        first, middle, last = map(short, found)
        output.line(
            f"{key} {described(each)}: factor {first} at the first step, {middle} in the middle, {last} at the last"
        )


def report(
    output: Output,
    run: RunsArgument,
    no_rows: Annotated[bool, typer.Option("--no-rows", help="Show no rows one by one.")] = False,
    open_page: OpenOption = False,
    limit: LimitOption = None,
) -> None:
    """Write the report of a run or a sweep again.

    The rows of a run are read again from its spec. If they are gone or have changed, report.html is written without the
    charts that need them.

    Examples
    --------
    specnet report runs/moons_2_5_1/1
    specnet report runs/moons_2_5_1/1 --no-rows
    specnet report sweeps/sweep_digits/1
    """
    from specnet.report.terminal.bars import pages_shown
    from specnet.running.folder_pages import page_again

    with pages_shown(sys.stderr if output.speaks else None):
        written = page_again(run, limits=read_limits(limit), with_rows=not no_rows)
    output.data["report"] = str(written)
    output.page(written, is_opened=open_page)


def runs(
    output: Output,
    folder: Annotated[Path, argument("[FOLDER]", "Folder to search. Default: runs.")] = Path("runs"),
    sort: Annotated[
        str | None,
        typer.Option(
            "--sort", metavar="COLUMN", help="Sort all runs by a column; in descending order after -, as in -loss."
        ),
    ] = None,
    html: Annotated[bool, typer.Option("--html", help="Write a page that leads to those of the runs.")] = False,
    out: Annotated[Path | None, out_option("FILE", "File to write with --html. Default: runs.html.")] = None,
    force: ForceOption = False,
    open_page: OpenOption = False,
) -> None:
    """List the runs in a folder with their scores.

    Shows the main metric and the loss of the test set (without one those out of fold, of the validation or of the
    training set), the time of the training and the codes of the findings, and which runs were interrupted, have not
    finished, or cannot be read. Runs that were tested on the same rows are in one table, the best run first; before
    them is a table of those that have not finished. A sweep is one row, with the run of its best trial; folds and seeds
    are one, with means and standard deviations: name their folder to list its runs. Searches the folder and three
    levels below. With --html the tables are an HTML file that needs nothing else, in which the name of each row leads
    to its report.

    Examples
    --------
    specnet runs
    specnet runs runs/moons_2_5_1 --sort -accuracy
    specnet runs sweeps
    specnet runs --sort time --format json
    specnet runs --html --sort -accuracy -o best.html
    """
    if (out is not None or open_page) and not html:
        raise UsageError(f"{'--open' if out is None else '--out'} needs --html")
    page = out or Path("runs.html")
    if html:
        check_page(page, force=force)
    from specnet.report.terminal.ranked_runs import ranked
    from specnet.report.terminal.scores import RunTable
    from specnet.saved.saved_series import find_runs, saved_in

    found = find_runs(folder)
    names = [str(run.relative_to(folder)) if run != folder else str(run) for run in found]
    records = [saved_in(run, name) for run, name in zip(found, names, strict=True)]
    if sort is None:
        tables = ranked(records)
    else:
        try:
            tables = [RunTable(records).sorted_by(sort)]
        except KeyError as error:
            raise UsageError(f'unknown column "{sort}"', hint=error.args[0], source="--sort") from None
    output.data["runs"] = [record.row() for table in tables for record in table.records]
    if html:
        from specnet.files import write_file
        from specnet.report.pages.comparison_page import runs_page

        sorting = [] if sort is None else ["--sort", sort]
        command = shlex.join(["specnet", "runs", str(folder), "--html", *sorting, "--out", str(page)])
        write_file(page, runs_page(tables, command, page.parent))
        output.data["file"] = str(page)
        output.page(page, is_opened=open_page)
    elif records:
        for index, table in enumerate(tables):
            if index:
                output.line()
            if len(tables) > 1:
                order = f", best {table.ranked_by} first" if table.ranked_by else ""
                output.line(f"{table.title}{order}")
            output.table(table.table())
    else:
        output.line(f"no runs in {folder}")


def compare(
    output: Output,
    runs: Annotated[list[Path], argument("RUN...", "Folders of runs, of folds or seeds, or of sweeps.", complete_runs)],
    out: Annotated[Path, out_option("FILE", "File to write. Default: compare.html.")] = Path("compare.html"),
    force: ForceOption = False,
    open_page: OpenOption = False,
    limit: LimitOption = None,
) -> None:
    """Compare runs in one page.

    Says which run is best, and whether chance may explain its gain over the others on the test rows, which are
    predicted again. Writes this, the scores, the curves laid over each other, and the settings that differ into one
    HTML file that needs nothing else. A folder of folds or seeds stands for its runs, a sweep for the run of its best
    trial.

    Examples
    --------
    specnet compare runs/moons_2_5_1/1 moons
    specnet compare runs/moons_2_5_1/1 moons -o moons.html
    specnet compare runs/digits/1 sweeps/sweep_digits/1 -o digits.html
    """
    from specnet.saved.saved_series import runs_for, saved_in

    found = [run for folder in runs for run in runs_for(folder)]
    if len(found) < 2:
        hint = f"use `specnet report {shlex.quote(str(runs[0]))}`"
        raise UsageError("expected at least two runs, got one", hint=hint)
    check_page(out, force=force)
    from specnet.files import write_file
    from specnet.report.pages.comparison_page import comparison_page, comparison_verdict, reason_apart, short_names
    from specnet.report.terminal.bars import CountProgress
    from specnet.run_files import NESTED, SERIES, check_run, kind_of
    from specnet.running.evaluation.run_comparison import compared_runs
    from specnet.saved.saved_run import SavedRun

    words = ["specnet", "compare", *map(str, runs), "-o", str(out)]
    saved = [
        SavedRun(run, name, limits=read_limits(limit)) for run, name in zip(found, short_names(found), strict=True)
    ]
    for run in saved:
        check_run(run.path)
        run.check()
        if not run.history:
            raise FileError("the history of the run is empty", source=str(run.path))
    compared: dict[str, dict[str, Any]] | str = reason_apart(saved)
    if not compared:
        with CountProgress(sys.stderr if output.speaks else None, "runs compared") as progress:
            compared = compared_runs(saved, progress.show)
    series = [saved_in(folder) for folder in runs if kind_of(folder) in (SERIES, NESTED)]
    output.data["verdict"] = comparison_verdict(saved, compared, series)
    write_file(out, comparison_page(saved, compared, output.data["verdict"], shlex.join(words), out.parent))
    output.line(output.data["verdict"])
    output.data["file"] = str(out)
    output.page(out, is_opened=open_page)


def _complete_runs_series_and_files(incomplete: str) -> list[tuple[str, str]]:
    from specnet.cli.completion import runs_below

    return runs_below(incomplete, with_files=True, with_series=True)


_HELP = "Spec, TOML or JSON; folder of a run or a sweep; .safetensors file; or - for a spec from standard input."


def diff(
    output: Output,
    first: Annotated[Path, argument("A", _HELP, _complete_runs_series_and_files)],
    second: Annotated[Path, argument("B", _HELP, _complete_runs_series_and_files)],
    limit: LimitOption = None,
) -> None:
    """Compare two specs or runs by their meaning.

    Compares the resolved specs: layout, order, and defaults written out make no difference. Layers are matched, so that
    an inserted one is one difference. What two specs search by [sweep] is compared too, and teams network by network,
    with their shares. The scores of two runs follow, and whether their data differ. Reads the data of a spec if
    the comparison depends on it. The exit status is 0 whether or not there are differences.

    Examples
    --------
    specnet diff specs/moons.toml specs/logistic.toml
    specnet diff runs/moons_2_5_1/1 moons
    """
    from specnet.report.spec_differences import difference_row, joined_rows, network_differences
    from specnet.report.terminal.scores import score_rows, score_text
    from specnet.running.data_rows import comparable_specs
    from specnet.saved.saved_folder import have_one_loss
    from specnet.saved.saved_run import SavedRun

    if first == second == STANDARD_INPUT:
        raise UsageError("standard input can only be read once", source=str(STANDARD_INPUT))
    both = _run_or_model_or_spec(first, limit), _run_or_model_or_spec(second, limit)
    specs = comparable_specs(*both)
    found = network_differences(*(_resolved_networks(*each) for each in zip(both, specs, strict=True)))
    rows = [difference_row(each) for each in found]
    mine, theirs = (each.data_sha256 if isinstance(each, SavedRun) else None for each in both)
    has_other_data = mine is not None and theirs is not None and mine != theirs
    if has_other_data and specs[0].data == specs[1].data:
        rows.append(("data (SHA-256)", f"{mine:.8}…", f"{theirs:.8}…"))
    runs = [each for each in both if isinstance(each, SavedRun)]
    scores = score_rows(*runs) if len(runs) == 2 else []
    output.data |= {
        "equal": not found and not has_other_data,
        "differences": [{"key": key, "before": before, "after": after} for key, before, after in found],
        "data": [mine, theirs],
        "scores": [{"score": title, "before": before, "after": after} for title, before, after in scores],
    }
    if not rows:
        output.line("no differences")
    shown = [(title, score_text(title, before), score_text(title, after)) for title, before, after in scores]
    are_apart = len(runs) == 2 and not have_one_loss(run.loss for run in runs)
    output.rows([*joined_rows([*rows, *shown]), *([("loss", "not compared: in other units")] if are_apart else [])])


def _resolved_networks(compared: Spec | SavedRun | Model, spec: Spec) -> list[tuple[Spec, int]]:
    """Return the resolved spec and share of each network of a model; for a run or spec, its spec with share 1."""
    from specnet.model import Model

    if not isinstance(compared, Model):
        return [(spec, 1)]
    return [(each.spec, share) for each, share in zip(compared.networks, compared.shares, strict=True)]


def _run_or_model_or_spec(path: Path, limit: list[str] | None) -> Spec | SavedRun | Model:
    """Return the run, model or spec that a path names; for a sweep, its best run."""
    from specnet.model import load_model
    from specnet.run_files import BEST, RUN, SWEEP, kind_of
    from specnet.saved.saved_run import SavedRun

    kind, limits = kind_of(path), read_limits(limit)
    if kind is RUN or kind is SWEEP:
        run = SavedRun(path / BEST if kind is SWEEP else path, limits=limits)
        run.check()
        return run
    return load_model(path, limits=limits) if is_model(path) else parse(path, None, limit)
