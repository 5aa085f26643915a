"""`specnet evaluate`: a model measured on rows."""

import sys

from specnet.cli.inputs import check_model_and_data, rows_file, rows_name
from specnet.cli.options import AnyModelArgument, DataArgument, FormatOption, OutputFormat, QuietOption
from specnet.cli.output import reporting


def evaluate(
    model: AnyModelArgument,
    data: DataArgument,
    output_format: FormatOption = OutputFormat.TEXT,
    quiet: QuietOption = False,
) -> None:
    """Evaluate a model on rows.

    Prints the loss and the metrics of the spec of the model. MODEL can also be an .onnx, .keras or .skops file written
    by export.

    Examples
    --------
    specnet evaluate runs/moons_2_5_1/1 rows.npz
    specnet evaluate moons_2_5_1.onnx rows.npz
    """
    with reporting(output_format, quiet) as output:
        from specnet.data import RawColumns, read_table
        from specnet.importing import open_model
        from specnet.report.counting import reading_shown
        from specnet.report.scores import scores_table

        check_model_and_data(model, data)
        loaded = open_model(model)
        with reading_shown(sys.stderr if output.speaks else None), rows_file(data) as file:
            rows = read_table(file, loaded.network.resolved, loaded.labels)
        figures = loaded.evaluate(RawColumns(rows.X, rows.columns), rows.y, rows.sample_weight)
        output.data |= {"rows": len(rows.X), "metrics": figures}
        output.table(scores_table({rows_name(data): figures}))
