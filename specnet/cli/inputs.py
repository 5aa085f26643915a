"""What the arguments of verbs name: specs, models and rows, in files, in runs' folders and on standard input."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from specnet.cli.output import UsageError

if TYPE_CHECKING:
    from specnet.model import Model
    from specnet.spec import Limits, Spec, SpecSource
    from specnet.spec.reading.source_document import Document

STANDARD_INPUT = Path("-")
STDIN_NAME = "<stdin>"
"""How errors call it."""

_SPEC, _MODEL, _EXPORTS = (".toml", ".json"), (".safetensors",), (".onnx", ".keras", ".skops")
_DATA = (".csv", ".tsv", ".parquet", ".pq", ".jsonl", ".ndjson", ".gz", ".npz")
_PROGRAMS = (".py", ".c", ".h", ".js", ".mjs", ".mts", ".pt", ".pth")


def check_spec_name(path: Path) -> None:
    """Refuse a file whose name says that it is something else than a spec.

    Raises
    ------
    UsageError
    """
    suffix = path.suffix.lower()
    if suffix in (".yaml", ".yml"):
        raise _wrong(path, "YAML is not supported", "write the spec as TOML or JSON")
    if suffix in (*_DATA, *_MODEL, *_EXPORTS, *_PROGRAMS) and not path.is_dir():
        hint = "import it first with `specnet import`" if suffix in _EXPORTS else None
        raise _wrong(path, "expected a spec (.toml or .json) or the folder of a run", hint)


def check_model(path: Path, others: Sequence[str] = ()) -> None:
    """Refuse what cannot be a model by its name; `others` are suffixes that are accepted too.

    Raises
    ------
    UsageError
    """
    if path == STANDARD_INPUT:
        raise _wrong(path, "reading a model from standard input is not supported")
    suffix = path.suffix.lower()
    if suffix in (*_SPEC, *_DATA, *_EXPORTS, *_PROGRAMS, ".txt") and suffix not in others and not path.is_dir():
        raise _wrong(path, f"expected a model ({_either((*_MODEL, *others))}) or the folder of a run")


def check_model_and_data(model: Path, data: Path) -> None:
    """Refuse a model and rows that cannot be such by their names.

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
    """Refuse a file to write or to import whose name does not end as it has to.

    Raises
    ------
    UsageError
    """
    if path.suffix not in suffixes:
        raise _wrong(path, f"{what} must end in {_either(suffixes)}")


def check_page(path: Path, *, force: bool) -> None:
    """Refuse a place for a page.

    Raises
    ------
    UsageError, FileError, TakenError
    """
    from specnet.files import check_place, refuse_taken

    check_suffix(path, (".html", ".htm"), "the file name of a page")
    if not force:
        refuse_taken(path)
    check_place(path)


def is_model(path: Path) -> bool:
    """Return whether what names a spec or a model names a model, as the folder of a run does that has one."""
    from specnet.files.run_files import MODEL, RUN, TEAM_OF_SWEEP, kind_of

    holds_model = kind_of(path) in (RUN, TEAM_OF_SWEEP) and (path / MODEL).is_file()
    return holds_model or path.suffix.lower() in _MODEL


def parse(
    path: Path, settings: Sequence[str] | None, limits: Sequence[str] | None, parser: Callable[..., Spec] | None = None
) -> Spec:
    """Return the spec that an argument names, with what ``--set`` and ``--limit`` say.

    It is read by `parse_spec`, or by another parser that takes the same.

    Raises
    ------
    UsageError
        If the name is not a spec's, or an option is not written as it has to be.
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
    """Return the spec that an argument names, as `parse` does, or as the rows of its target need it to be."""
    from specnet.data import load_table
    from specnet.data.target_errors import parsed_for_target
    from specnet.spec import parse_spec

    return parse(
        path, settings, limits, partial(parsed_for_target, check_target=load_table, parse=parser or parse_spec)
    )


def kept_spec(path: Path, overrides: Sequence[str] | None, limits: Sequence[str] | None) -> Spec:
    """Return the spec that a model keeps.

    Raises
    ------
    UsageError
        If settings would change it.
    """
    if overrides:
        raise UsageError("--set needs a spec or the folder of a run, got a model", source=str(path))
    return load(path, limits).spec


def load(path: Path, limits: Sequence[str] | None = None) -> Model:
    """Return the model that an argument names.

    Raises
    ------
    UsageError
        If the name is not a model's.
    """
    from specnet.model import load_model

    check_model(path)
    return load_model(path, limits=read_limits(limits))


def load_any(path: Path, limits: Sequence[str] | None) -> Model:
    """Return the model that an argument names, which may be a file that export has written."""
    if path.suffix.lower() in _EXPORTS:
        from specnet.importing import open_model

        return open_model(path, read_limits(limits))
    from specnet.model import load_model

    return load_model(path, limits=read_limits(limits))


@contextmanager
def rows_file(path: Path) -> Iterator[Path]:
    """Give the file of rows that an argument names: standard input as a CSV file that is there for a while."""
    if path != STANDARD_INPUT:
        yield path
        return
    import tempfile

    from specnet.errors import DataError
    from specnet.files.large import room_needed

    with tempfile.TemporaryDirectory(prefix="specnet-") as folder:
        file = Path(folder) / "rows.csv"
        with room_needed(), file.open("wb") as stream:
            shutil.copyfileobj(_standard_input(), stream)
        try:
            yield file
        except DataError as error:
            name = str(file)
            told = []
            for problem in error.diagnostics:
                source = STDIN_NAME if problem.source == name else problem.source
                told.append(replace(problem, message=problem.message.replace(name, STDIN_NAME), source=source))
            raise DataError(*told) from error


def rows_name(path: Path) -> str:
    """Return how a table of figures calls the rows that an argument names."""
    return STDIN_NAME if path == STANDARD_INPUT else path.name


def read_limits(settings: Sequence[str] | None) -> Limits:
    """Return the caps on a network, with those that the command line sets in place of the usual ones.

    Raises
    ------
    UsageError
        If a setting is no ``NAME=NUMBER``, or the name is no cap's.
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

    # One byte more than is allowed, so that what is too large is refused and not cut.
    return document_of(_standard_input().read(MAX_BYTES + 1), STDIN_NAME)


def _standard_input() -> BinaryIO:
    if sys.stdin is None:
        raise UsageError("standard input is closed", source=STDIN_NAME)
    return sys.stdin.buffer


def _either(suffixes: Sequence[str]) -> str:
    *others, last = suffixes
    return f"{', '.join(others)} or {last}" if others else last


def _wrong(path: Path, message: str, hint: str | None = None) -> UsageError:
    return UsageError(message, hint=hint, source=str(path))
