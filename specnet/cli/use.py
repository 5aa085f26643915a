"""Verbs that use models: `specnet predict`, `export` and `import`."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from specnet.cli.arguments import (
    AnyModelArgument,
    DataArgument,
    EncodingOption,
    ForceOption,
    LimitOption,
    ModelArgument,
    argument,
    check_model_and_data,
    check_suffix,
    level_option,
    load,
    load_any,
    out_option,
    read_limits,
    rows_file,
    rows_name,
)
from specnet.cli.output import Output, UsageError
from specnet.number_texts import counted

if TYPE_CHECKING:
    from specnet.model import Model
    from specnet.parts.data import ColumnCells


def predict(
    output: Output,
    model: AnyModelArgument,
    data: DataArgument,
    out: Annotated[
        Path | None, out_option("FILE", "File to write: .csv, .parquet or .npy. Default: CSV to standard output.")
    ] = None,
    keep: Annotated[
        str | None,
        typer.Option("--keep", metavar="COLUMN,…", help="Columns of a table to copy beside the predictions."),
    ] = None,
    interval: Annotated[
        int | None, level_option("--interval", "Add lower and upper ends that cover this percentage of true values.")
    ] = None,
    classes: Annotated[
        int | None, level_option("--confidence-set", "Add sets of classes that cover this percentage of true classes.")
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Predict no rows with gaps in columns that had none.")
    ] = False,
    escape_formulas: Annotated[
        bool,
        typer.Option("--escape-formulas", help="Write an apostrophe before texts that spreadsheets would compute."),
    ] = False,
    encoding: EncodingOption = None,
    force: ForceOption = False,
    limit: LimitOption = None,
) -> None:
    """Predict rows and write the results.

    A classifier gives the most probable label and the probability of each class, or of several targets the more
    probable word of each and the probability that it is true; an ensemble of regressors also the
    standard deviation over its members (spread). --interval adds the columns lower and upper, --confidence-set a column
    with the labels of likely classes, such as red|blue; both hold for rows like the training rows, on average and not
    for each group. Numbers are written with all digits, so they read back exactly; a .npy file has the predictions
    alone. Missing cells are filled as in training. Gaps in columns that had none in training and unseen categories
    are predicted too, and counted in warnings; with --strict the rows of such gaps have no prediction. MODEL can also
    be an .onnx, .keras or .skops file written by export.

    Examples
    --------
    specnet predict runs/moons_2_5_1/1 rows.npz
    specnet predict runs/wine_csv/1 specs/data/wine.csv --keep alcohol,cultivar -o predictions.csv
    specnet predict runs/prices/1 houses.csv --interval 90
    specnet predict runs/species/1 birds.csv --confidence-set 95
    """
    from specnet.cli.prediction_files import ROWS_AT_ONCE, WRITERS, Formulas, Predictions, csv_bytes, exact
    from specnet.data import large_cell_in, read_inputs
    from specnet.files import refuse_taken, write_file
    from specnet.parts.data import settings_as_options
    from specnet.report.terminal.bars import CountProgress, reading_shown

    check_model_and_data(model, data)
    if out is not None:
        check_suffix(out, tuple(WRITERS), "the file of predictions")
        beside = {"--keep": keep, "--interval": interval, "--confidence-set": classes}
        if out.suffix == ".npy" and (given := [name for name, value in beside.items() if value is not None]):
            raise UsageError("a .npy file has the predictions alone", hint="write a .csv file", source=given[0])
        if out.exists() and data.exists() and out.samefile(data):
            raise UsageError("the output would overwrite the input data", source=str(out))
        if not force:
            refuse_taken(out)
    if escape_formulas and (output.as_json if out is None else out.suffix != ".csv"):
        raise UsageError("only CSV has formulas to escape", source="--escape-formulas")
    loaded, shown = load_any(model, limit), sys.stderr if output.speaks else None
    with rows_file(data) as file, CountProgress(shown, "rows predicted") as progress:
        with reading_shown(shown), settings_as_options("predict"):
            raw = read_inputs(file, loaded.network.resolved, encoding)
        copied = None if keep is None else _copied_columns(keep, file, loaded, ROWS_AT_ONCE, encoding)
        formulas = Formulas(escape_formulas)
        locate = partial(large_cell_in, file, loaded.network.resolved, raw, loaded.preparations, encoding)
        levels = {"interval": interval and interval / 100, "classes": classes and classes / 100}
        predictions = Predictions(loaded, raw, rows_name(data), copied, progress.show, locate, strict=strict, **levels)
        if out is not None:
            write_file(out, WRITERS[out.suffix](predictions, formulas))
        elif output.as_json:
            columns: dict[str, list[Any]] = {}
            for part in predictions:
                for name, cells in exact(part).items():
                    columns.setdefault(name, []).extend(cells.texts)
            output.data |= {"columns": columns}
        else:
            output.data_stream().writelines(csv_bytes(predictions, formulas))
    output.warnings(*predictions.warnings(), *formulas.warnings("<stdout>" if out is None else str(out)))
    output.data |= {"rows": len(raw)}
    if out is not None:
        output.data |= {"file": str(out)}
        output.remark(f"{out}   {counted(len(raw), 'row')}")


def _copied_columns(
    names: str, file: Path, model: Model, rows: int, encoding: str | None
) -> Iterator[dict[str, ColumnCells]]:
    """Return an iterator of the cells of columns (names separated by commas) in a file, in chunks of `rows` rows."""
    from specnet.data import read_cells
    from specnet.parts.data import table_file_type

    if table_file_type(file) is None:
        raise UsageError("--keep needs a table with named columns", source="--keep")
    return read_cells(file, model.network.resolved, next(csv.reader([names])), rows, encoding)


@cache
def _targets() -> list[str]:
    """Return the names of the export formats, without importing their modules."""
    import pkgutil

    return sorted(
        module.name for module in pkgutil.iter_modules([str(Path(__file__).parents[1] / "exporting/targets")])
    )


def export(
    output: Output,
    model: ModelArgument,
    target: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="FORMAT",
            show_default=False,
            help=f"Format of the export: {', '.join(_targets())}.",
            autocompletion=_targets,
        ),
    ],
    out: Annotated[
        Path | None, out_option("FILE", "File to write. Default: the network's name in the working directory.")
    ] = None,
    float32: Annotated[
        bool, typer.Option("--float32", help="Store a float64 model as float32, if the format supports it.")
    ] = False,
    interval: Annotated[
        int | None,
        level_option(
            "--interval", "Add intervals that cover this percentage of true values, if the format supports it."
        ),
    ] = None,
    force: ForceOption = False,
    limit: LimitOption = None,
) -> None:
    """Export a model to another format.

    The export takes raw columns and returns labels or values. It is run on 256 rows and compared with the model first,
    if the tool to run it is installed; an export that differs is not written.

    Examples
    --------
    specnet export runs/moons_2_5_1/1 --to onnx
    specnet export runs/moons_2_5_1/1/model.safetensors --to c -o moons.c
    specnet export runs/prices/1 --to javascript --interval 90
    """
    from specnet.exporting import export as export_model
    from specnet.exporting import find_target

    if target not in _targets():
        from difflib import get_close_matches

        close = get_close_matches(target, _targets(), n=1)
        hint = f'did you mean "{close[0]}"?' if close else None
        raise UsageError(f'unknown format "{target}"; choose from {", ".join(_targets())}', hint=hint, source="--to")
    if out is not None:
        kind = find_target(target)
        check_suffix(out, (kind.suffix, *kind.other_suffixes), f"the file name of a {target} export")
    level = interval and interval / 100
    written = export_model(load(model, limit), target, out, float32=float32, interval=level, overwrite=force)
    names = ", ".join(map(str, written.files))
    output.data |= {
        "files": [str(file) for file in written.files],
        "dtype": written.dtype,
        "rows": written.proof.rows,
        "difference": written.proof.difference,
        "note": written.note or None,
    }
    output.parts(names, written.note or written.dtype, str(written.proof))


def import_(
    output: Output,
    file: Annotated[Path, argument("FILE", "An .onnx, .keras or .skops file.")],
    out: Annotated[
        Path, out_option("NAME.toml", "Spec to write; the model is written beside it, as NAME.safetensors.")
    ],
    force: ForceOption = False,
    limit: LimitOption = None,
    chosen: Annotated[
        str | None, typer.Option("--output", metavar="NAME", help="Output to import, of an ONNX file with several.")
    ] = None,
) -> None:
    """Import a model from another tool.

    An ONNX file is run on random rows and compared with the imported model if onnxruntime is installed. No code in the
    file is executed. If anything is not supported, it is reported and nothing is written.

    Examples
    --------
    specnet import network.onnx -o network.toml
    specnet import policy.onnx -o policy.toml --output action
    """
    from specnet.importing import read_network, weights_path, write_network
    from specnet.report.overview import Overview

    check_suffix(file, (".onnx", ".keras", ".skops"), "the name of the file to import")
    check_suffix(out, (".toml",), "the name of the spec")
    imported = read_network(file, limits=read_limits(limit), output=chosen)
    write_network(imported, out, overwrite=force)
    network = imported.model.network
    plan = Overview(network.resolved)
    files = [str(out), str(weights_path(out))]
    output.warnings(*imported.warnings)
    output.data |= {"written": files, "proof": imported.proof or None, **plan.as_dict()}
    output.parts(str(network.spec.name), plan.summary(), plan.totals(), network.spec.network.dtype)
    output.parts(f"{out}, {weights_path(out)}", imported.proof or "")
