"""Arguments and options that verbs share, and functions that read the specs, models and rows that they name."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from specnet.cli.output import UsageError
from specnet.errors import DataError

if TYPE_CHECKING:
    from specnet.model import Model
    from specnet.spec import Limits, Spec, SpecSource
    from specnet.spec.reading.source_document import Document

COUNT, SETTING = "N", "KEY=VALUE"
"""Metavars of options that take an integer, and of options that change a value of a spec."""


def complete_settings(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Return completions of a setting ``KEY=VALUE`` for the spec that the command line names."""
    from specnet.cli.completion import settings_for

    return settings_for(ctx.args, incomplete)


def complete_runs(incomplete: str) -> list[tuple[str, str]]:
    """Return completions of a path: folders of runs, of folds and seeds, and of sweeps, and other folders."""
    from specnet.cli.completion import runs_below

    return runs_below(incomplete, with_series=True)


def complete_runs_and_files(incomplete: str) -> list[tuple[str, str]]:
    """Return completions of a path: folders of runs, and other folders and files."""
    from specnet.cli.completion import runs_below

    return runs_below(incomplete, with_files=True)


def argument(metavar: str, description: str, completion: Callable[..., Any] | None = None) -> Any:
    """Return an argument whose help shows no default; `completion` is a function that returns its completions."""
    return typer.Argument(metavar=metavar, show_default=False, help=description, autocompletion=completion)


def out_option(metavar: str, description: str) -> Any:
    """Return the option that names the file or folder to write."""
    return typer.Option("--out", "-o", metavar=metavar, show_default=False, help=description)


def count_option(name: str, description: str, minimum: int = 1) -> Any:
    """Return an option that takes an integer of at least `minimum`."""
    return typer.Option(name, metavar=COUNT, min=minimum, help=description)


def level_option(name: str, description: str) -> Any:
    """Return an option that takes an integer percentage from 1 to 99."""
    return typer.Option(name, metavar="PERCENT", min=1, callback=_below_100, show_default=False, help=description)


def _below_100(percent: int | None) -> int | None:
    # If the option had a `max`, its help would show the range as a formula.
    if percent is not None and percent >= 100:
        raise typer.BadParameter(f"{percent} is not below 100.")
    return percent


def word_option(name: str, choices: type[StrEnum], description: str) -> Any:
    """Return an option that takes one of several words."""
    return typer.Option(name, metavar="|".join(choices), show_default=False, help=description)


def format_option(choices: type[StrEnum]) -> Any:
    """Return the annotation of the option ``--format``."""
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
SpecArgument = Annotated[
    Path,
    argument("SPEC", "Spec, TOML or JSON; folder of a run; or - for standard input.", complete_runs_and_files),
]
RunsArgument = Annotated[Path, argument("RUN", "Folder of a run, of folds or seeds, or of a sweep.", complete_runs)]
ModelArgument = Annotated[Path, argument("MODEL", "Folder of a run, or a .safetensors file.", complete_runs_and_files)]
AnyModelArgument = Annotated[
    Path,
    argument(
        "MODEL",
        "Folder of a run, a .safetensors file, or an .onnx, .keras or .skops file written by export.",
        complete_runs_and_files,
    ),
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
    typer.Option(
        "--set",
        metavar=SETTING,
        help="Override a spec value (repeatable); KEY= removes it.",
        autocompletion=complete_settings,
    ),
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


STANDARD_INPUT = Path("-")
STDIN_NAME = "<stdin>"
"""Name of standard input in errors."""

_SPEC, _MODEL, _EXPORTS = (".toml", ".json"), (".safetensors",), (".onnx", ".keras", ".skops")
_TABLES = (".csv", ".tsv", ".parquet", ".pq", ".jsonl", ".ndjson", ".gz")
_DATA = (*_TABLES, ".npz")
_PROGRAMS = (".py", ".c", ".h", ".js", ".mjs", ".mts", ".pt", ".pth")


def check_spec_name(path: Path) -> None:
    """Raise UsageError for a file whose suffix is not the suffix of a spec.

    Raises
    ------
    UsageError
    """
    suffix = path.suffix.lower()
    if suffix in (".yaml", ".yml"):
        raise _wrong(path, "YAML is not supported", "write the spec as TOML or JSON")
    if suffix in (*_DATA, *_MODEL, *_EXPORTS, *_PROGRAMS) and not path.is_dir():
        hint = _import_first(path) if suffix in _EXPORTS else None
        if suffix in _TABLES:
            hint = f"write a spec for it: `{_command('new', 'spec.toml', '--data', path, '--target', 'NAME')}`"
        raise _wrong(path, "expected a spec (.toml or .json) or the folder of a run", hint)


def check_model(path: Path, others: Sequence[str] = ()) -> None:
    """Raise UsageError for a file whose suffix is neither the suffix of a model nor among `others`.

    Raises
    ------
    UsageError
    """
    if path == STANDARD_INPUT:
        raise _wrong(path, "reading a model from standard input is not supported")
    suffix = path.suffix.lower()
    if suffix in (*_SPEC, *_DATA, *_EXPORTS, *_PROGRAMS, ".txt") and suffix not in others and not path.is_dir():
        hint = f"train it first: `{_command('run', path)}`" if suffix in _SPEC else None
        hint = _import_first(path) if suffix in _EXPORTS else hint
        raise _wrong(path, f"expected a model ({_either((*_MODEL, *others))}) or the folder of a run", hint)


def check_model_and_data(model: Path, data: Path) -> None:
    """Raise UsageError if the suffixes of two files are not those of a model and of rows.

    Raises
    ------
    UsageError
    """
    is_data = model.suffix.lower() in _DATA or model == STANDARD_INPUT
    if is_data and (data.suffix.lower() in (*_MODEL, *_EXPORTS) or data.is_dir()):
        raise UsageError("MODEL and DATA are swapped", hint=f"give the model first: {data} {model}")
    check_model(model, _EXPORTS)
    if data != STANDARD_INPUT and data.suffix.lower() not in _DATA:
        from specnet.parts.data import not_a_table

        raise _wrong(data, *not_a_table(data, ".npz, or - for CSV from standard input"))


def check_suffix(path: Path, suffixes: Sequence[str], what: str) -> None:
    """Raise UsageError for a file to write or to import whose suffix is not among `suffixes`.

    Raises
    ------
    UsageError
    """
    if path.suffix not in suffixes:
        raise _wrong(path, f"{what} must end in {_either(suffixes)}")


def check_page(path: Path, *, force: bool) -> None:
    """Raise an error for a path to which a page cannot be written.

    Raises
    ------
    UsageError, FileError, TakenError
    """
    from specnet.files import check_path, refuse_taken

    check_suffix(path, (".html", ".htm"), "the file name of a page")
    if not force:
        refuse_taken(path)
    check_path(path)


def is_model(path: Path) -> bool:
    """Return whether a path is a model file, or the folder of a run or team with a model."""
    from specnet.run_files import MODEL, RUN, TEAM_OF_SWEEP, kind_of

    holds_model = kind_of(path) in (RUN, TEAM_OF_SWEEP) and (path / MODEL).is_file()
    return holds_model or path.suffix.lower() in _MODEL


def parse(
    path: Path, settings: Sequence[str] | None, limits: Sequence[str] | None, parser: Callable[..., Spec] | None = None
) -> Spec:
    """Return the spec that an argument names, with the values of ``--set`` and ``--limit``.

    `parser` reads the spec; by default `parse_spec`. It needs the same parameters.

    Raises
    ------
    UsageError
        If the suffix is not the suffix of a spec, or an option is malformed.
    """
    from specnet.spec import parse_spec

    check_spec_name(path)
    for number, setting in enumerate(settings or (), 1):
        if "=" not in setting:
            hint = "write it as in --set training.epochs=100"
            raise UsageError(f'expected KEY=VALUE, got "{setting}"', hint=hint, source=f"--set #{number}")
    caps = read_limits(limits)
    return (parser or parse_spec)(_source(path), overrides=tuple(settings or ()), limits=caps)


def parse_for_target(
    path: Path, settings: Sequence[str] | None, limits: Sequence[str] | None, parser: Callable[..., Spec] | None = None
) -> Spec:
    """Return the spec that an argument names, as from `parse`, with the changes that the target's rows require."""
    from specnet.data import load_table
    from specnet.data.target_errors import parsed_for_target
    from specnet.spec import parse_spec

    return parse(
        path, settings, limits, partial(parsed_for_target, check_target=load_table, parse=parser or parse_spec)
    )


def spec_of_model(path: Path, overrides: Sequence[str] | None, limits: Sequence[str] | None) -> Spec:
    """Return the spec that is saved in a model.

    Raises
    ------
    UsageError
        If overrides are given, since the spec of a model cannot be changed.
    """
    if overrides:
        message, hint = "--set needs a spec or the folder of a run, got a model", "give the folder of its run"
        raise UsageError(message, hint=hint, source=str(path))
    return load(path, limits).spec


def load(path: Path, limits: Sequence[str] | None = None) -> Model:
    """Return the model that an argument names.

    Raises
    ------
    UsageError
        If the suffix is not the suffix of a model.
    """
    from specnet.model import load_model

    check_model(path)
    return load_model(path, limits=read_limits(limits))


def load_any(path: Path, limits: Sequence[str] | None) -> Model:
    """Return the model that an argument names; unlike `load`, accept files written by export."""
    if path.suffix.lower() in _EXPORTS:
        from specnet.importing import open_model

        return open_model(path, read_limits(limits))
    from specnet.model import load_model

    return load_model(path, limits=read_limits(limits))


@contextmanager
def rows_file(path: Path) -> Iterator[Path]:
    """Yield the file of rows that an argument names; standard input is copied to a temporary CSV file."""
    if path != STANDARD_INPUT:
        yield path
        return
    import tempfile

    from specnet.files.large import space_needed

    with tempfile.TemporaryDirectory(prefix="specnet-") as folder:
        file = Path(folder) / "rows.csv"
        with space_needed(), file.open("wb") as stream:
            shutil.copyfileobj(_standard_input(), stream)
        try:
            yield file
        except DataError as error:
            name = str(file)
            renamed = []
            for problem in error.diagnostics:
                source = STDIN_NAME if problem.source == name else problem.source
                renamed.append(replace(problem, message=problem.message.replace(name, STDIN_NAME), source=source))
            raise DataError(*renamed) from error


def rows_name(path: Path) -> str:
    """Return the name of a file of rows for tables and messages."""
    return STDIN_NAME if path == STANDARD_INPUT else path.name


def read_limits(settings: Sequence[str] | None) -> Limits:
    """Return the limits on the size of a network: the defaults, changed by ``--limit``.

    Raises
    ------
    UsageError
        If a setting is not ``NAME=NUMBER``, or the limit is unknown.
    """
    from dataclasses import fields

    from specnet.spec import Limits

    limits = Limits()
    names = [field.name for field in fields(Limits)]
    for setting in settings or ():
        name, _, number = setting.partition("=")
        if name not in names or not number.isdecimal():
            hint = f"write it as in --limit {names[0]}=5000; choose from {', '.join(names)}"
            raise UsageError(f'expected NAME=NUMBER, got "{setting}"', hint=hint, source="--limit")
        limits = replace(limits, **{name: int(number)})
    return limits


def _source(path: Path) -> SpecSource | Document:
    if path != STANDARD_INPUT:
        return path
    from specnet.spec.reading.reader import MAX_BYTES, document_of

    # Read one byte more than the maximum, so that a larger text is an error and not cut off.
    return document_of(_standard_input().read(MAX_BYTES + 1), STDIN_NAME)


def _standard_input() -> BinaryIO:
    if sys.stdin is None:
        raise UsageError("standard input is closed", source=STDIN_NAME)
    return sys.stdin.buffer


def _either(suffixes: Sequence[str]) -> str:
    *others, last = suffixes
    return f"{', '.join(others)} or {last}" if others else last


def _command(*words: str | Path) -> str:
    return shlex.join(["specnet", *map(str, words)])


def _import_first(path: Path) -> str:
    return f"import it first: `{_command('import', path, '-o', path.with_suffix('.toml'))}`"


def _wrong(path: Path, message: str, hint: str | None = None) -> UsageError:
    return UsageError(message, hint=hint, source=str(path))
