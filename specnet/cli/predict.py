"""`specnet predict`: predictions as CSV."""

from __future__ import annotations

import csv
import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from specnet.cli.inputs import check_model_and_data, check_suffix, rows_file
from specnet.cli.options import AnyModelArgument, DataArgument, ForceOption, FormatOption, OutputFormat, QuietOption
from specnet.cli.output import UsageError, reporting
from specnet.report.figures import counted

if TYPE_CHECKING:
    from numpy.typing import NDArray


def predict(
    model: AnyModelArgument,
    data: DataArgument,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE.csv", help="CSV file to write. Default: standard output."),
    ] = None,
    keep: Annotated[
        str | None,
        typer.Option("--keep", metavar="COLUMN,…", help="Columns of a CSV file to copy beside the predictions."),
    ] = None,
    force: ForceOption = False,
    output_format: FormatOption = OutputFormat.TEXT,
    quiet: QuietOption = False,
) -> None:
    """Predict rows and write the results as CSV.

    A classifier gives the most probable label and the probability of each class. Numbers are written with all digits,
    so they read back exactly. MODEL can also be an .onnx, .keras or .skops file written by export.

    Examples
    --------
    specnet predict runs/moons_2_5_1/1 rows.npz
    specnet predict runs/wine_csv/1 specs/data/wine.csv --keep alcohol,cultivar -o predictions.csv
    """
    with reporting(output_format, quiet) as output:
        from specnet.data import read_inputs
        from specnet.files import refuse_taken, write_file
        from specnet.importing import open_model
        from specnet.report.counting import reading_shown

        check_model_and_data(model, data)
        if out is not None:
            check_suffix(out, (".csv",), "the file of predictions")
            if out.exists() and data.exists() and out.samefile(data):
                raise UsageError("the output would overwrite the input data", source=str(out))
            if not force:
                refuse_taken(out)
        loaded = open_model(model)
        with reading_shown(sys.stderr if output.speaks else None), rows_file(data) as file:
            X = read_inputs(file, loaded.network.resolved)
            kept = {} if keep is None else _kept(keep, file)
        columns = _columns("prediction", loaded.predict(X), None)
        if loaded.gives_probabilities:
            columns |= _columns("probability", loaded.predict_proba(X), loaded.labels)
        if taken := [name for name in kept if name in columns]:
            raise UsageError(f'column "{taken[0]}" clashes with a column of the predictions', source="--keep")
        columns = kept | columns
        output.data |= {"rows": len(X), "columns": columns}
        if out is not None:
            write_file(out, _csv(columns))
            output.data = {"rows": len(X), "file": str(out)}
            output.remark(f"{out}   {counted(len(X), 'row')}")
        elif not output.as_json:
            output.document(_csv(columns))


def _kept(names: str, file: Path) -> dict[str, list[Any]]:
    """Return the columns of these names, separated by commas, as the file has them."""
    from specnet.parts.data import read_cells

    if file.suffix.lower() != ".csv":
        raise UsageError("--keep needs a CSV file with named columns", source="--keep")
    return read_cells(file, next(csv.reader([names])))


def _columns(title: str, values: NDArray[Any], labels: NDArray[Any] | None) -> dict[str, list[Any]]:
    """Return predictions (rows,) or (rows, outputs) as columns: ``title``, or ``title_<label>`` for each output."""
    if values.ndim == 1:
        return {title: _exact(values)}
    names = range(values.shape[1]) if labels is None else labels.tolist()
    return {f"{title}_{name}": _exact(column) for name, column in zip(names, values.T, strict=True)}


def _exact(values: NDArray[Any]) -> list[Any]:
    """Return values as Python's own, floats with the digits of their own precision."""
    return [float(str(value)) for value in values] if values.dtype.kind == "f" else values.tolist()


def _csv(columns: dict[str, list[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return text.getvalue()
