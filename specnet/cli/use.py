"""Verbs that use models: `specnet predict`, `explain`, `export` and `import`."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from functools import cache, partial
from itertools import islice
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
    count_option,
    level_option,
    load,
    load_any,
    out_option,
    read_limits,
    rows_file,
    rows_name,
    word_option,
)
from specnet.cli.output import Output, UsageError, show_expectations
from specnet.errors import DataError, FileError
from specnet.number_texts import counted
from specnet.suggestions import did_you_mean

if TYPE_CHECKING:
    from specnet.data import RawColumns
    from specnet.exporting.export_proof import Run
    from specnet.model import Background, Model
    from specnet.parts.data import ColumnCells
    from specnet.saved.expectations_file import JudgedExpectation


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
        levels: dict[str, Any] = {"interval": interval and interval / 100, "classes": classes and classes / 100}
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


def explain(
    output: Output,
    model: ModelArgument,
    data: DataArgument,
    out: Annotated[Path | None, out_option("FILE", "Table to write: .csv or .parquet. Default: CSV to output.")] = None,
    row: Annotated[int | None, count_option("--row", "Show this row as bars; the first is 1.")] = None,
    encoding: EncodingOption = None,
    force: ForceOption = False,
    limit: LimitOption = None,
) -> None:
    """Show how much each column contributes to a prediction.

    Compares a row with 100 training rows that stand for all. The base is their mean prediction, and the contributions
    of the columns (Shapley values) add up to the prediction minus the base. The rows are in the folder of a run, and in
    the model's file only with run --with-rows. Contributions are exact for up to 8 columns; otherwise they are means
    over random orders of the columns, and --row shows their standard errors. Without --row, writes a table with the
    predictions and contributions of all rows.

    Examples
    --------
    specnet explain runs/moons_2_5_1/1 rows.npz --row 1
    specnet explain runs/wine_csv/1 specs/data/wine.csv -o contributions.csv
    """
    from specnet.cli.prediction_files import ROWS_AT_ONCE, WRITERS, Formulas, Predictions, csv_bytes, exact
    from specnet.data import large_cell_in, read_inputs
    from specnet.files import refuse_taken, write_file
    from specnet.parts.data import settings_as_options
    from specnet.report.terminal.bars import CountProgress, reading_shown

    check_model_and_data(model, data)
    if out is not None:
        check_suffix(out, (".csv", ".parquet"), "the table of contributions")
        if row is not None:
            raise UsageError("--row and --out cannot be combined")
        if out.exists() and data.exists() and out.samefile(data):
            raise UsageError("the output would overwrite the input data", source=str(out))
        if not force:
            refuse_taken(out)
    loaded, shown = load(model, limit), sys.stderr if output.speaks else None
    if loaded.background is None:
        loaded.background = _background_again(model, limit)
    with rows_file(data) as file, CountProgress(shown, "predictions compared") as progress:
        with reading_shown(shown), settings_as_options("predict"):
            raw = read_inputs(file, loaded.network.resolved, encoding)
        if row is not None:
            if row > len(raw):
                raise UsageError(f"{rows_name(data)} has {counted(len(raw), 'row')}, got {row}", source="--row")
            raw = raw.part(slice(row - 1, row))
        locate = partial(large_cell_in, file, loaded.network.resolved, raw, loaded.preparations, encoding)
        found = Predictions(
            loaded, raw, rows_name(data), None, progress.show, locate, strict=False, is_explained=row is None
        )
        if row is not None:
            if found.missing:
                raise DataError(*found.warnings())
            words = _words_of_row(row, file, loaded, raw, ROWS_AT_ONCE, encoding)
            _show_row(output, loaded, raw, row, words, progress.show)
        elif out is not None:
            write_file(out, WRITERS[out.suffix](found, Formulas(escape=False)))
        elif output.as_json:
            columns: dict[str, list[Any]] = {}
            for part in found:
                for name, cells in exact(part).items():
                    columns.setdefault(name, []).extend(cells.texts)
            output.data |= {"columns": columns}
        else:
            output.data_stream().writelines(csv_bytes(found, Formulas(escape=False)))
    output.warnings(*found.warnings())
    output.data |= {"rows": len(raw)}
    if out is not None:
        output.data |= {"file": str(out)}
        output.remark(f"{out}   {counted(len(raw), 'row')}")


def _background_again(model: Path, limit: list[str] | None) -> Background:
    """Return the background rows of a run that has not saved them, from its data.

    Raises
    ------
    DataError
        If the rows cannot be read again.
    """
    from specnet.run_files import RUN, kind_of
    from specnet.running.folder_pages import rows_again
    from specnet.saved.saved_run import SavedRun

    hint = "use the folder of a run whose data can be read: `specnet explain RUN DATA`"
    if kind_of(model) is not RUN:
        if not model.is_dir():
            hint = "use the folder of its run, or a file of `specnet run SPEC --with-rows`"
        raise DataError("no training rows to compare to", hint=hint, source=str(model))
    data = rows_again(SavedRun(model, limits=read_limits(limit)))
    if isinstance(data, str):
        raise DataError(f"no training rows to compare to: {data[:1].lower()}{data[1:-1]}", hint=hint, source=str(model))
    return data.splits["train"].background()


MAX_BARS = 12
"""The maximum number of columns with a bar; the others are summed."""


def _words_of_row(
    row: int, file: Path, model: Model, raw: RawColumns, rows: int, encoding: str | None
) -> dict[str, str]:
    """Return the words of a table for the booleans and dates of a row (from 1), by column; `rows` are read at once."""
    from specnet.data import read_cells
    from specnet.parts.data import table_file_type

    names = [column.name for column in raw.kinds if column.kind in ("boolean", "datetime")]
    if not names or table_file_type(file) is None:
        return {}
    part, number = divmod(row - 1, rows)
    cells = next(islice(read_cells(file, model.network.resolved, names, rows, encoding), part, None))
    return {name: str(column.texts[number]).strip() for name, column in cells.items()}


def _show_row(
    output: Output,
    model: Model,
    raw: RawColumns,
    row: int,
    words: Mapping[str, str],
    progress: Callable[[int, int], None],
) -> None:
    """Print the contributions to the prediction of the only row, the largest first; `words` are of `_words_of_row`."""
    import numpy as np

    from specnet.cli.prediction_files import explained_names
    from specnet.number_texts import fixed, signed, step_decimals
    from specnet.report.terminal.bars import signed_bar

    values, base, errors = model.contributions(raw, progress=progress)
    total = base + values[0].sum(axis=0)
    chances = model.gives_probabilities
    names = [] if model.labels is None else [*map(str, model.labels.tolist())] if chances else []
    names = names or [*model.target_names]
    which = 0
    if chances and model.labels is not None:  # a decision threshold may predict the less probable class
        which = model.labels.tolist().index(model.predict(raw)[0].item())
    own, name = values[0, :, which], names[which] if len(names) == len(base) else "prediction"
    wrong = None if errors is None else errors[0, :, which]

    scale, unit, of_steps = (100, " %", " points") if chances else (1, "", "")
    decimals = step_decimals(scale * float(np.abs(own).max()), 1 if chances else None)

    def size(value: float) -> str:
        return fixed(scale * value, decimals)

    cells = [_cell(raw, index, words) for index in range(raw.X.shape[1])]
    columns = explained_names(model)
    order = np.argsort(-np.abs(own), kind="stable").tolist()
    output.data |= {
        "row": row,
        "output": name,
        "prediction": float(total[which]),
        "base": float(base[which]),
        "contributions": [
            {
                "column": columns[index],
                "cell": cells[index],
                "value": float(own[index]),
                "error": None if wrong is None else float(wrong[index]),
            }
            for index in order
        ],
    }
    output.parts(f"row {row}: {name} {size(total[which])}{unit}", f"typical: {size(base[which])}{unit}")
    output.line()
    largest = float(np.abs(own).max()) or 1.0
    lines = [
        (
            columns[index],
            cells[index],
            signed(size(own[index])) + ("" if wrong is None else f" ± {size(wrong[index])}") + of_steps,
            signed_bar(sys.stdout, own[index] / largest, 10),
        )
        for index in order[:MAX_BARS]
    ]
    if rest := order[MAX_BARS:]:
        lines.append((counted(len(rest), "other"), "", signed(size(own[rest].sum())) + of_steps, ""))
    output.rows(lines)


def _cell(raw: RawColumns, index: int, words: Mapping[str, str]) -> str:
    """Return the text of a cell of the only row, given those that are written as in its file."""
    from specnet.findings.slices import cell_in_words

    cell = float(raw.X[0, index])
    if raw.kinds and cell == cell and (word := words.get(raw.kinds[index].name)):
        return word
    return cell_in_words(raw.kinds[index] if raw.kinds else None, cell)


@cache
def _targets() -> list[str]:
    """Return the names of the export formats, without importing their modules."""
    import pkgutil

    return sorted(
        module.name for module in pkgutil.iter_modules([str(Path(__file__).parents[1] / "exporting/targets")])
    )


class DialectName(StrEnum):
    """Databases for which SQL is exported."""

    DUCKDB = "duckdb"
    SQLITE = "sqlite"
    POSTGRES = "postgres"


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
    derivatives: Annotated[
        bool, typer.Option("--derivatives", help="Add derivatives by columns, if the format supports it.")
    ] = False,
    learn: Annotated[bool, typer.Option("--learn", help="Add the training step, if the format supports it.")] = False,
    fixed: Annotated[
        str | None,
        typer.Option(
            "--fixed",
            metavar="int8|int16",
            show_default=False,
            help="C with such integers alone, and a proved bound on the difference; needs the folder of a run.",
        ),
    ] = None,
    dialect: Annotated[
        DialectName | None, word_option("--dialect", DialectName, "Database of an SQL export. Default: duckdb.")
    ] = None,
    table: Annotated[
        str | None,
        typer.Option("--table", metavar="NAME", help="Table that an SQL export reads. Default: data."),
    ] = None,
    view: Annotated[
        str | None, typer.Option("--view", metavar="NAME", help="View to define by an SQL export. Default: a query.")
    ] = None,
    keep: Annotated[
        str | None,
        typer.Option("--keep", metavar="COLUMN,…", help="Columns of the table to copy beside the predictions in SQL."),
    ] = None,
    force: ForceOption = False,
    limit: LimitOption = None,
) -> None:
    """Export a model to another format.

    The export takes raw columns and returns labels or values. It is run on 256 rows and compared with the model first,
    if the tool to run it is installed; an export that differs is not written. If MODEL is the folder of a run or a file
    in it, the run's expectations about rows, directions and exchanged cells are judged on the export too; the exit
    status is 3 if one is broken.

    Examples
    --------
    specnet export runs/moons_2_5_1/1 --to onnx
    specnet export runs/moons_2_5_1/1/model.safetensors --to c -o moons.c
    specnet export runs/prices/1 --to javascript --interval 90
    specnet export runs/prices/1 --to c -o prices.c --derivatives
    specnet export runs/moons_2_5_1/1 --to javascript -o moons.mjs --learn
    specnet export runs/moons_2_5_1/1 --to c -o fixed.c --fixed int16
    specnet export runs/prices/1 --to sql --dialect sqlite --table houses --keep id --interval 90
    """
    from specnet.exporting import export as export_model
    from specnet.exporting import find_target
    from specnet.run_files import folder_of
    from specnet.running.expectations.judging import expectations_of, judge_export

    if target not in _targets():
        message = f'unknown format "{target}"; choose from {", ".join(_targets())}'
        raise UsageError(message, hint=did_you_mean(target, _targets()), source="--to")
    if out is not None:
        kind = find_target(target)
        check_suffix(out, (kind.suffix, *kind.other_suffixes), f"the file name of a {target} export")
    level = interval and interval / 100
    options: dict[str, Any] = {"float32": float32, "interval": level, "derivatives": derivatives, "learn": learn}
    options["overwrite"] = force
    if fixed is not None:
        options |= {"fixed": fixed, "rows": _training_rows(model)}
    columns = next(csv.reader([keep])) if keep else ()
    options |= {"dialect": dialect and dialect.value, "table": table, "view": view, "keep": columns}
    loaded = load(model, limit)
    expectations = expectations_of(loaded, folder_of(model))
    judged: list[JudgedExpectation] = []

    def examine(run: Run, rows: RawColumns) -> None:
        known = loaded.background
        named = (rows, "row of the proof") if known is None else (known.rows, "saved row")
        judged.extend(judge_export(expectations, loaded, *named, run))

    written = export_model(loaded, target, out, examine=examine if expectations else None, **options)
    names = ", ".join(map(str, written.files))
    output.data |= {
        "files": [str(file) for file in written.files],
        "dtype": written.dtype,
        "rows": written.proof.rows,
        "difference": written.proof.difference,
        **({"derivatives": written.proof.derivatives} if derivatives else {}),
        **({"gradient": written.proof.gradient} if learn else {}),
        **({"bound": written.proof.bound} if fixed else {}),
        "note": written.note or None,
    }
    output.parts(names, written.note or written.dtype, str(written.proof))
    show_expectations(judged, output, "exported program")


def _training_rows(model: Path) -> Any:
    """Return the raw training rows (rows, columns) of the run that a model is from."""
    from specnet.run_files import folder_of
    from specnet.running.folder_pages import rows_again
    from specnet.saved.saved_run import SavedRun

    try:
        data = rows_again(SavedRun(folder_of(model)))
    except FileError as error:
        message = f"needs the folder of a run, whose training rows it reads: {error.diagnostics[0].message}"
        raise UsageError(message, source="--fixed") from error
    if isinstance(data, str):
        raise UsageError(data.rstrip("."), source="--fixed")
    return data.splits["train"].raw.X


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
