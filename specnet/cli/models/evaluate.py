"""`specnet evaluate`: a model measured on rows."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from specnet.cli.inputs import check_model_and_data, load_any, rows_file, rows_name
from specnet.cli.options import AnyModelArgument, DataArgument, EncodingOption, LimitOption
from specnet.cli.output import Output
from specnet.errors import Diagnostic
from specnet.number_texts import count, counted

if TYPE_CHECKING:
    from specnet.data import RowSet


def evaluate(
    output: Output,
    model: AnyModelArgument,
    data: DataArgument,
    encoding: EncodingOption = None,
    limit: LimitOption = None,
) -> None:
    """Evaluate a model on rows.

    Prints the loss and the metrics of the spec of the model, and warns about rows of its training set if MODEL is the
    folder of a run or a file in it. MODEL can also be an .onnx, .keras or .skops file written by export.

    Examples
    --------
    specnet evaluate runs/moons_2_5_1/1 rows.npz
    specnet evaluate moons_2_5_1.onnx rows.npz
    """
    from specnet.data import RawColumns, large_cell_in, read_table
    from specnet.data.row_hashes import RowSet, row_hashes
    from specnet.errors import DataError
    from specnet.files.run_files import training_rows
    from specnet.model import unfamiliar_cells
    from specnet.parts.data import settings_as_options
    from specnet.report.terminal.bars import reading_shown
    from specnet.report.terminal.scores import scores_table

    check_model_and_data(model, data)
    loaded = load_any(model, limit)
    with reading_shown(sys.stderr if output.speaks else None), rows_file(data) as file:
        with settings_as_options("predict"):
            rows = read_table(file, loaded.network.resolved, loaded.labels, encoding)
        raw = RawColumns(rows.X, rows.columns)
        try:
            figures = loaded.evaluate(raw, rows.y, rows.sample_weight)
        except DataError:
            problem = large_cell_in(file, loaded.network.resolved, raw, loaded.preparations, encoding)
            if problem is not None:
                raise DataError(problem) from None
            raise
    output.warnings(*unfamiliar_cells(loaded.preparations, raw, rows_name(data)))
    output.data |= {"rows": len(raw), "metrics": figures}
    if known := RowSet.from_data(training_rows(model)):
        repeated = known.count(row_hashes(raw.X, raw.texts, rows.y))
        if repeated:
            output.warnings(_of_training(repeated, known, len(raw), rows_name(data)))
    output.table(scores_table({rows_name(data): figures}))


def _of_training(repeated: int, known: RowSet, rows: int, source: str) -> Diagnostic:
    """Return the warning about rows that the model was trained on."""
    about = "" if known.is_complete else "about "
    verb = "occurs" if repeated == 1 else "occur"
    message = f"{about}{count(repeated)} of {counted(rows, 'row')} also {verb} in the training set"
    return Diagnostic("training-rows", message, source=source, hint="evaluate on rows that were not used for training")
