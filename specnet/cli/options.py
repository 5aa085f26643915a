"""What several verbs understand in the same way."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

COUNT, SETTING = "N", "KEY=VALUE"
"""The metavars of options that take an integer, of at least 1 mostly, and that change a value of a spec."""


class OutputFormat(StrEnum):
    """How results and mistakes are printed."""

    TEXT = "text"
    JSON = "json"


class CatalogueFormat(StrEnum):
    """How `parts` prints."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"


def argument(metavar: str, description: str) -> Any:
    """Return an argument that shows no default beside its description."""
    return typer.Argument(metavar=metavar, show_default=False, help=description)


def out_option(metavar: str, description: str) -> Any:
    """Return the option for what is written."""
    return typer.Option("--out", "-o", metavar=metavar, show_default=False, help=description)


def count_option(name: str, description: str, least: int = 1) -> Any:
    """Return an option that takes an integer, at least so large."""
    return typer.Option(name, metavar=COUNT, min=least, help=description)


def level_option(name: str, description: str) -> Any:
    """Return an option that takes a whole percentage, below 100."""
    return typer.Option(name, metavar="PERCENT", min=1, callback=_below_100, show_default=False, help=description)


def _below_100(percent: int | None) -> int | None:
    # With a `max` of its own, help would show the range as a formula.
    if percent is not None and percent >= 100:
        raise typer.BadParameter(f"{percent} is not below 100.")
    return percent


def word_option(name: str, choices: type[StrEnum], description: str) -> Any:
    """Return an option that takes one of a few words."""
    return typer.Option(name, metavar="|".join(choices), show_default=False, help=description)


def format_option(choices: type[StrEnum]) -> Any:
    """Return the type of the option for how a verb prints."""
    words = "Output format; json prints one document, with mistakes under errors. Default: text."
    return Annotated[choices, word_option("--format", choices, words)]


QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Print only errors and requested output.")]
ForceOption = Annotated[bool, typer.Option("--force", help="Overwrite existing files.")]
NoReportOption = Annotated[bool, typer.Option("--no-report", help="Do not write report.html.")]
NoRowsOption = Annotated[
    bool,
    typer.Option("--no-rows", help="Store no rows, neither one by one in report.html nor as hashes."),
]
OpenOption = Annotated[bool, typer.Option("--open", help="Open the page in a browser.")]
JobsOption = Annotated[
    int | None,
    count_option(
        "--jobs",
        "Number of runs, trials or ensemble members to train at once. Default: as many as there are cores, if it pays.",
    ),
]
SpecArgument = Annotated[Path, argument("SPEC", "Spec, TOML or JSON; folder of a run; or - for standard input.")]
RunsArgument = Annotated[Path, argument("RUN", "Folder of a run, of folds or seeds, or of a sweep.")]
ModelArgument = Annotated[Path, argument("MODEL", "Folder of a run, or a .safetensors file.")]
AnyModelArgument = Annotated[
    Path,
    argument("MODEL", "Folder of a run, a .safetensors file, or an .onnx, .keras or .skops file written by export."),
]
DataArgument = Annotated[
    Path,
    argument(
        "DATA",
        ".csv file with the model's columns, .npz file with X (and y, sample_weight), or - for CSV from standard "
        "input.",
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar=SETTING, help="Override a spec value (repeatable); KEY= removes it."),
]
DaskOption = Annotated[
    str | None, typer.Option("--dask", metavar="ADDRESS", help="Scheduler of a dask cluster that computes the runs.")
]
LimitOption = Annotated[
    list[str] | None,
    typer.Option(
        "--limit",
        metavar="NAME=NUMBER",
        help="Allow a larger network: layers, parameters, or bytes of memory (repeatable).",
    ),
]


def _known_encoding(name: str | None) -> str | None:
    from specnet.parts.data import is_text_encoding

    if name is not None and not is_text_encoding(name):
        raise typer.BadParameter(f'unknown encoding "{name}".')
    return name


EncodingOption = Annotated[
    str | None,
    typer.Option(
        "--encoding",
        metavar="NAME",
        callback=_known_encoding,
        show_default=False,
        help="Encoding of a CSV file, such as cp1252. Default: that of the training file.",
    ),
]
