"""`specnet init`: a spec to start from."""

from pathlib import Path
from string import Template
from typing import Annotated

import typer

from specnet.cli.inputs import check_suffix
from specnet.cli.options import ForceOption, FormatOption, OutputFormat, QuietOption
from specnet.cli.output import reporting

SCHEMA_NAME = "specnet.schema.json"

STARTER = Template("""\
#:schema ./specnet.schema.json
# A network in one file: data, layers and training.
#
#   specnet validate $file   check it
#   specnet show $file       show layers, sizes, parameters
#   specnet run $file        train, evaluate, save
#
# `specnet parts` lists everything that can be used here, `specnet parts adam` explains one part.

name = "$name"
seed = 0                                # the same seed gives the same model

[data]
type = "iris"                           # 150 flowers: four measurements, three species
split = { test_size = 0.2 }             # fraction of rows held out for testing

# To use your own table, replace the three lines above:
# [data]
# type = "csv"
# path = "table.csv"                    # relative to this file
# target = "species"                    # column to predict; all other columns are inputs
# split = { test_size = 0.2 }

[network]
hidden_layer_sizes = [16, 16]           # input and output sizes come from the data
activations = "relu"                    # of the hidden layers; the loss sets the output's
preprocessing = ["standardize"]         # fitted on the training set, stored in the model

[training]
loss = "categorical_crossentropy"       # two classes: binary_crossentropy; numbers: mean_squared_error
optimizer = { type = "adam", learning_rate = 0.01 }
epochs = 100
batch_size = 32
metrics = ["accuracy"]                  # numbers: r2, root_mean_squared_error, …
""")


def init(
    file: Annotated[
        Path, typer.Argument(metavar="[FILE]", show_default=False, help="Spec to write. Default: spec.toml.")
    ] = Path("spec.toml"),
    force: ForceOption = False,
    output_format: FormatOption = OutputFormat.TEXT,
    quiet: QuietOption = False,
) -> None:
    """Write a commented spec to start from.

    The spec is ready to run. Writes specnet.schema.json beside it for the editor.

    Examples
    --------
    specnet init flowers.toml
    specnet init flowers.toml --force
    """
    with reporting(output_format, quiet) as output:
        from specnet.files import refuse_taken, write_file
        from specnet.parts.fields import spec_name
        from specnet.parts.registry import installed_registry
        from specnet.report.terminal import visible
        from specnet.spec.schema import schema_text

        check_suffix(file, (".toml",), "the name of the starter spec")
        schema_file = file.with_name(SCHEMA_NAME)
        schema = schema_text(installed_registry())
        kept = schema_file.is_file() and schema_file.read_bytes() == schema.encode()
        if not force:
            refuse_taken(file, *([] if kept else [schema_file]))
        write_file(file, STARTER.substitute(name=spec_name(file.stem), file=visible(str(file))))
        written = [str(file)]
        if not kept:
            write_file(schema_file, schema)
            written.append(str(schema_file))
        output.data["written"] = written
        output.line(", ".join(written))
