"""`specnet predict`: predictions as CSV, Parquet or NumPy arrays."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from specnet.cli.inputs import check_model_and_data, check_suffix, rows_file, rows_name
from specnet.cli.options import AnyModelArgument, DataArgument, ForceOption, FormatOption, OutputFormat, QuietOption
from specnet.cli.output import UsageError, reporting
from specnet.errors import Diagnostic
from specnet.report.figures import counted

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from specnet.data import RawColumns
    from specnet.model import Model
    from specnet.parts.data import Cells

_MOST_NAMES = 5
"""How many columns the warning about missing cells names."""


def predict(
    model: AnyModelArgument,
    data: DataArgument,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE",
            help="File to write: .csv, .parquet or .npy. Default: CSV to standard output.",
        ),
    ] = None,
    keep: Annotated[
        str | None,
        typer.Option("--keep", metavar="COLUMN,…", help="Columns of a table to copy beside the predictions."),
    ] = None,
    force: ForceOption = False,
    output_format: FormatOption = OutputFormat.TEXT,
    quiet: QuietOption = False,
) -> None:
    """Predict rows and write the results.

    A classifier gives the most probable label and the probability of each class; an ensemble of regressors also the
    standard deviation over its members (spread). Numbers are written with all digits, so they read back exactly; a .npy
    file has the predictions alone. A row is not predicted if a cell is missing in a column that had no missing cells in
    training. MODEL can also be an .onnx, .keras or .skops file written by export.

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
            check_suffix(out, tuple(_WRITERS), "the file of predictions")
            if keep is not None and out.suffix == ".npy":
                raise UsageError("a .npy file has the predictions alone", hint="write a .csv file", source="--keep")
            if out.exists() and data.exists() and out.samefile(data):
                raise UsageError("the output would overwrite the input data", source=str(out))
            if not force:
                refuse_taken(out)
        loaded = open_model(model)
        with reading_shown(sys.stderr if output.speaks else None), rows_file(data) as file:
            raw = read_inputs(file, loaded.network.resolved)
            kept = {} if keep is None else _kept(keep, file, loaded)
        gaps = loaded.untrained_gaps(raw)
        columns = _predicted(loaded, raw, gaps)
        if taken := [name for name in kept if name in columns]:
            raise UsageError(f'column "{taken[0]}" clashes with a column of the predictions', source="--keep")
        if out is not None:
            write_file(out, _WRITERS[out.suffix](kept, columns))
        if gaps.any():
            output.warning(_not_predicted(gaps, raw, rows_name(data)))
        output.data |= {"rows": len(raw)}
        if out is not None:
            output.data |= {"file": str(out)}
            output.remark(f"{out}   {counted(len(raw), 'row')}")
        elif output.as_json:
            output.data |= {"columns": {name: cells.texts for name, cells in kept.items()} | _exact(columns)}
        else:
            output.document(_csv(kept, columns).decode())


def _kept(names: str, file: Path, model: Model) -> dict[str, Cells]:
    """Return the columns of these names, separated by commas, as the file has them."""
    from specnet.data import read_cells
    from specnet.parts.data import table_file_type

    if table_file_type(file) is None:
        raise UsageError("--keep needs a table with named columns", source="--keep")
    return read_cells(file, model.network.resolved, next(csv.reader([names])))


def _predicted(model: Model, raw: RawColumns, gaps: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Return what is predicted of rows, by name of column: masked where a row has a gap."""
    import numpy as np

    complete = np.asarray(~gaps.any(axis=1))
    rows = raw if complete.all() else raw.part(complete)
    columns = _columns("prediction", model.predict(rows), None)
    if model.gives_probabilities:
        columns |= _columns("probability", model.predict_proba(rows), model.labels)
    elif model.network.task == "values" and len(model.members) > 1:
        columns |= _columns("spread", model.predict_spread(rows), None)
    return columns if complete.all() else {name: _masked(values, complete) for name, values in columns.items()}


def _columns(title: str, values: NDArray[Any], labels: NDArray[Any] | None) -> dict[str, NDArray[Any]]:
    """Return predictions (rows,) or (rows, outputs) as columns: ``title``, or ``title_<label>`` for each output."""
    if values.ndim == 1:
        return {title: values}
    names = range(values.shape[1]) if labels is None else labels.tolist()
    return {f"{title}_{name}": column for name, column in zip(names, values.T, strict=True)}


def _masked(values: NDArray[Any], complete: NDArray[Any]) -> NDArray[Any]:
    import numpy as np

    spread = np.zeros(len(complete), values.dtype)
    spread[complete] = values
    return np.ma.MaskedArray(spread, ~complete)


def _not_predicted(gaps: NDArray[Any], raw: RawColumns, source: str) -> Diagnostic:
    """Return the warning about rows without a prediction."""
    import numpy as np

    from specnet.parts.arrays import first_few

    count = int(gaps.any(axis=1).sum())
    names = [f'"{raw.kinds[place].name}"' for place in np.flatnonzero(gaps.any(axis=0))]
    message = (
        f"{count} of {counted(len(raw), 'row')} {'has' if count == 1 else 'have'} no prediction: missing cells in"
        f" {first_few(names, _MOST_NAMES)}, which had none in training"
    )
    return Diagnostic(
        "not-predicted", message, source=source, hint="fill them in, or train on rows that have such gaps"
    )


def _exact(columns: Mapping[str, NDArray[Any]]) -> dict[str, list[Any]]:
    """Return columns of Python's own values, floats with the digits of their own precision; None where masked."""
    return {name: _floats(values) if values.dtype.kind == "f" else values.tolist() for name, values in columns.items()}


def _floats(values: NDArray[Any]) -> list[float | None]:
    import numpy as np

    hidden = np.ma.getmaskarray(values)
    return [None if left else float(str(value)) for value, left in zip(np.ma.getdata(values), hidden, strict=True)]


def _csv(kept: Mapping[str, Cells], columns: Mapping[str, NDArray[Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    written = {name: cells.texts for name, cells in kept.items()} | _exact(columns)
    writer.writerow(written)
    writer.writerows(zip(*written.values(), strict=True))
    return text.getvalue().encode()


def _parquet(kept: Mapping[str, Cells], columns: Mapping[str, NDArray[Any]]) -> bytes:
    from specnet.parts.data import parquet_bytes

    return parquet_bytes({**kept, **_exact(columns)})


def _npy(kept: Mapping[str, Cells], columns: Mapping[str, NDArray[Any]]) -> bytes:
    """Return the predictions, (rows,) or (rows, outputs): NaN or an empty text where there is none."""
    import numpy as np

    found = [column for name, column in columns.items() if name.partition("_")[0] == "prediction"]
    array = np.ma.stack(found, axis=1) if "prediction" not in columns else found[0]
    if np.ma.is_masked(array):
        is_text = array.dtype.kind == "U"
        array = np.ma.filled(array, "") if is_text else np.ma.filled(array.astype(np.float64), np.nan)
    stream = io.BytesIO()
    np.save(stream, np.asarray(array), allow_pickle=False)
    return stream.getvalue()


_WRITERS = {".csv": _csv, ".parquet": _parquet, ".npy": _npy}
