"""Verbs that write, check and explain specs without training: `specnet new`, `validate`, `parts`, `schema`, `lsp`."""

from __future__ import annotations

import os
import time
from codecs import BOM_UTF8
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from difflib import unified_diff
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from specnet.cli.arguments import (
    SETTING,
    STANDARD_INPUT,
    STDIN_NAME,
    ForceOption,
    LimitOption,
    SetOption,
    argument,
    check_suffix,
    complete_runs_and_files,
    out_option,
    parse,
    word_option,
)
from specnet.cli.output import CatalogueFormat, MistakesFormat, Output, UsageError
from specnet.errors import DataError, Position, SpecnetError
from specnet.number_texts import counted

if TYPE_CHECKING:
    from specnet.editor.catalogue import Entry, KeyEntry
    from specnet.errors import Diagnostic
    from specnet.parts.data import Table, TableFile
    from specnet.spec import Limits, Spec, SpecSource
    from specnet.spec.reading.source_document import Document


SCHEMA_NAME = "specnet.schema.json"


class TemplateName(StrEnum):
    """Templates of specs that `new` writes without a table."""

    MOONS = "moons"
    CLASSIFICATION = "classification"
    REGRESSION = "regression"
    RESIDUAL = "residual"


def new(
    output: Output,
    file: Annotated[Path, argument("[FILE]", "Spec to write. Default: spec.toml.")] = Path("spec.toml"),
    data: Annotated[
        Path | None, typer.Option("--data", metavar="FILE", help="Table to learn from: .csv, .parquet or .jsonl.")
    ] = None,
    target: Annotated[
        list[str] | None, typer.Option("--target", metavar="NAME", help="Column to predict (repeatable).")
    ] = None,
    template: Annotated[
        TemplateName | None,
        word_option("--template", TemplateName, "Spec to write without a table. Default: classification."),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="One network, which trains in about a tenth of the time.")
    ] = False,
    sweep: Annotated[bool, typer.Option("--sweep", help="Add a search over settings, for specnet sweep.")] = False,
    increasing: Annotated[
        list[str] | None,
        typer.Option("--increasing", metavar="NAME", help="Column with which predictions never fall (repeatable)."),
    ] = None,
    decreasing: Annotated[
        list[str] | None,
        typer.Option("--decreasing", metavar="NAME", help="Column with which predictions never rise (repeatable)."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar=SETTING, help="How the table is read, such as data.skip=2 (repeatable)."),
    ] = None,
    force: ForceOption = False,
) -> None:
    """Write a commented spec to start from.

    The spec is ready to run. With --data it lists the kind of every column and
    has settings that suit the table, and says about how long a run will take
    on this machine; with --sweep also ranges around the settings, which
    `specnet sweep` searches. Writes specnet.schema.json beside it for the
    editor.

    Examples
    --------
    specnet new penguins.toml --data specs/data/penguins.csv --target species
    specnet new search.toml --data specs/data/penguins.csv --target species --sweep
    specnet new first.toml --data specs/data/penguins.csv --target species --quick
    specnet new mass.toml --data specs/data/penguins.csv --target body_mass_g --increasing flipper_length_mm
    specnet new residual.toml --template residual
    """
    from specnet.files import refuse_taken, write_files
    from specnet.parts.fields import spec_name
    from specnet.parts.registry import installed_registry
    from specnet.recipes import starting_spec
    from specnet.report.terminal.terminal_output import visible
    from specnet.spec.json_schema import schema_text

    check_suffix(file, (".toml",), "the name of the spec")
    monotone = dict.fromkeys(increasing or (), "increasing") | dict.fromkeys(decreasing or (), "decreasing")
    if len(monotone) < len(increasing or ()) + len(decreasing or ()):
        raise UsageError("a column has one direction", source="--increasing, --decreasing")
    directions = {"--increasing": increasing, "--decreasing": decreasing}
    _check_choice(data, target, template, {"--set": settings, "--quick": quick, "--sweep": sweep, **directions})
    schema_file = file.with_name(SCHEMA_NAME)
    schema = schema_text(installed_registry())
    is_current = schema_file.is_file() and schema_file.read_bytes() == schema.encode()
    if not force:
        refuse_taken(file, *([] if is_current else [schema_file]))
    name, shown = spec_name(file.stem), visible(str(file))
    content: Table | None = None
    reading_seconds = 0.0
    if data is not None and target:
        table = _table(data, _named_once(target), settings or ())
        text, content, reading_seconds = _for_table(
            output, file, table, name, shown, monotone, sweep=sweep, quick=quick
        )
    else:
        text = starting_spec(template or TemplateName.CLASSIFICATION, name=name, file=shown)
    write_files({file: text, **({} if is_current else {schema_file: schema})})
    written = [str(path) for path in (file, *([] if is_current else [schema_file]))]
    output.data["written"] = written
    output.line(", ".join(written))
    if content is not None and (output.speaks or output.as_json):
        _print_seconds(output, file, content, reading_seconds)


def _check_choice(
    data: Path | None, target: Sequence[str] | None, template: TemplateName | None, others: Mapping[str, object]
) -> None:
    """Raise UsageError for options that need other options or cannot be combined."""
    if data is not None and template is not None:
        raise UsageError("--data and --template exclude each other")
    given = [option for option, value in {"--target": target, **others}.items() if value]
    if data is None and given:
        raise UsageError(f"{given[-1]} needs a table", hint="add --data FILE")
    if data is not None and not target:
        raise UsageError("--data needs a column to predict", hint="add --target NAME")


def _for_table(
    output: Output,
    file: Path,
    table: TableFile,
    name: str,
    shown: str,
    monotone: Mapping[str, str],
    **options: bool,
) -> tuple[str, Table, float]:
    """Return the text of a spec for a table, the rows of the table, and the CPU time in seconds of reading these.

    The time includes imports by the search for structure in the rows: a run needs the same libraries for texts, for
    bins and for a split by groups or times. The warnings about the table are printed.
    """
    from specnet.imports import import_seconds
    from specnet.parts.data import settings_as_options
    from specnet.recipes import read_with_texts, recipe, table_facts

    path, begun = str(table.path), time.process_time()
    try:
        with settings_as_options("new"):
            content = read_with_texts(table, Path())
            reading_seconds = time.process_time() - begun
            with import_seconds() as seconds:
                facts = table_facts(table, Path(), content)
    except DataError as error:
        problems = (replace(each, source=each.source or path, path=()) for each in error.diagnostics)
        raise DataError(*problems) from None
    output.data["warnings"] = []
    output.warnings(*facts.warnings)
    if facts.structure.split is not None:
        key, column = facts.structure.split
        output.data["split"] = {key: column}
    if sentences := facts.structure.sentences():
        output.line(" ".join(sentences))
    text = recipe(
        facts,
        name=name,
        file=shown,
        data_type=table.type,
        path=Path(os.path.relpath(path, file.parent)).as_posix(),
        target=table.targets,
        reading={name: getattr(table, name) for name in _reading_keys(table) if name in table.model_fields_set},
        monotone=monotone,
        **options,
    )
    return text, content, reading_seconds + sum(seconds)


def _print_seconds(output: Output, file: Path, content: Table, reading_seconds: float) -> None:
    """Print the expected time of a run; print nothing if the spec is invalid for these rows, which `run` reports.

    `reading_seconds` is the CPU time that reading the table took; a run reads it too.
    """
    from specnet.parts.data import TableFile
    from specnet.running.data_rows import split_data
    from specnet.running.expected_time import run_seconds
    from specnet.spec import parse_spec
    from specnet.training.steps.engine_choice import about

    begun = time.process_time()
    with suppress(SpecnetError):
        spec = parse_spec(file)
        assert isinstance(spec.data, TableFile), "the spec is one for a table"
        rows = split_data(spec, spec.data.with_target(content, spec.target_kind, spec.folder))
        seconds = run_seconds(rows, reading_seconds + time.process_time() - begun)
        output.data["expected_seconds"] = seconds
        output.line(f"a run takes {about(seconds)}")


def _named_once(targets: Sequence[str]) -> str | tuple[str, ...]:
    """Return the columns to predict in the form of a spec; raise UsageError if a column is repeated."""
    if repeated := [name for index, name in enumerate(targets) if name in targets[:index]]:
        raise UsageError(f'duplicate name "{repeated[0]}"', source="--target")
    return targets[0] if len(targets) == 1 else tuple(targets)


def _table(data: Path, target: str | tuple[str, ...], settings: Sequence[str]) -> TableFile:
    """Return the data source of a spec for a table, with the settings of reading from ``--set``."""
    from specnet.parts.data import not_a_table, table_file_type
    from specnet.spec import parse_spec

    part = table_file_type(data)
    if part is None:
        message, hint = not_a_table(data)
        raise UsageError(message, hint=hint, source=str(data))
    table = part(path=str(data), target=target)
    known = [f"data.{name}" for name in _reading_keys(table)]
    for number, setting in enumerate(settings, 1):
        key, equals, _ = setting.partition("=")
        if not equals or not (key in known or key.startswith("data.columns.")):
            hint = f"choose from {', '.join([*known, 'data.columns.NAME'])}"
            message = f'"{key}" does not say how a {table.type} file is read'
            message = message if equals else f'expected KEY=VALUE, got "{key}"'
            raise UsageError(message, hint=hint, source=f"--set #{number}")
    if not settings:
        return table
    any_other = {"network": {"hidden_layer_sizes": [1]}, "training": {"loss": "mean_squared_error"}}
    read = {"type": table.type, "path": str(data), "target": target}
    spec = parse_spec({"data": read, **any_other}, overrides=settings)
    assert isinstance(spec.data, part), "its type is given"
    return spec.data


def _reading_keys(table: TableFile) -> list[str]:
    """Return the keys of a data source that are specific to its file type."""
    from specnet.parts.data import TableFile

    return [name for name in type(table).model_fields if name not in (*TableFile.model_fields, "type")]


def validate(
    output: Output,
    specs: Annotated[
        list[Path],
        argument("SPEC...", "Specs, TOML or JSON; folders of runs; or - for standard input.", complete_runs_and_files),
    ],
    fix: Annotated[
        bool, typer.Option("--fix", help="Follow hints that are certain in the files; comments and layout stay.")
    ] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Print what --fix would change, and write nothing.")] = False,
    unsafe_fixes: Annotated[
        bool, typer.Option("--unsafe-fixes", help="With --fix or --diff: follow hints that are not certain, too.")
    ] = False,
    data: Annotated[bool, typer.Option("--data", help="Read the data, and check the specs with them.")] = False,
    overrides: SetOption = None,
    limit: LimitOption = None,
) -> None:
    """Check specs and report every error.

    Reads no data without --data, does not train, and writes nothing without --fix. Also tries every value of [sweep] in
    its spec. With --fix, the exit status is that of the errors that are left.

    Examples
    --------
    specnet validate specs/moons.toml
    specnet validate --format json specs/moons.toml specs/iris.json
    specnet validate specs/moons.toml --set training.epochs=100
    specnet validate specs/moons.toml --diff
    specnet validate specs/moons.toml --fix
    specnet validate specs/penguins.toml --data
    """
    if specs.count(STANDARD_INPUT) > 1:
        raise UsageError("standard input can only be read once", source=str(STANDARD_INPUT))
    editing = "--fix" if fix else "--diff" if diff else None
    if fix and diff:
        raise UsageError("--fix and --diff cannot be combined")
    if unsafe_fixes and editing is None:
        raise UsageError("--unsafe-fixes needs --fix or --diff")
    if editing and overrides:
        raise UsageError(f"--set and {editing} cannot be combined", hint="edits are made in the file")
    for source in specs if editing else ():
        if source.is_dir() or (fix and source == STANDARD_INPUT):
            raise UsageError(f"{editing} needs a file", source=str(source))
    check = _Validation(output, editing, unsafe_fixes, data)
    for source in specs:
        try:
            parse(source, overrides, limit, partial(check.checked, source))
        except SpecnetError as error:
            check.refused(error)
        else:
            check.valid.append(STDIN_NAME if source == STANDARD_INPUT else str(source))
    check.close(len(specs))


_OF_CODE_HOSTS = (MistakesFormat.SARIF, MistakesFormat.GITHUB)


class _Validation:
    """The checks of `specnet validate`: of each spec, with its edits, and the printed summary."""

    def __init__(self, output: Output, editing: str | None, unsafe: bool, reads_data: bool) -> None:
        self.output, self.editing, self.unsafe, self.reads_data = output, editing, unsafe, reads_data
        self.valid: list[str] = []
        self.mistakes: list[Diagnostic] = []
        self.edits: list[Diagnostic] = []
        self.documents: dict[str, Document] = {}

    def checked(self, path: Path, source: SpecSource | Document, **options: Any) -> Spec:
        """Return a valid spec, after the edits that are requested; the parameters are those of `parse_whole`."""
        from specnet.spec.reading.reader import read
        from specnet.spec.searching import parse_whole

        document = read(source)
        assert document.text is not None, "it comes from a file"
        self.documents[document.text.name] = document
        if self.editing:
            document = self.documents[document.text.name] = self._edited(document, path, options["limits"])
        spec = parse_whole(document, **options)
        if self.reads_data:
            from specnet.running.data_rows import read_data

            self.output.warnings(*read_data(spec).warnings)
        return spec

    def _edited(self, document: Document, path: Path, limits: Limits | None) -> Document:
        from specnet.files import read_file, write_file
        from specnet.spec.fixing import mended
        from specnet.spec.reading.reader import MAX_BYTES

        edited, followed = mended(document, limits=limits, only_certain=not self.unsafe)
        assert document.text is not None and edited.text is not None
        self.edits += followed
        if followed and self.editing == "--diff":
            before, after = (each.content.splitlines(keepends=True) for each in (document.text, edited.text))
            lines = unified_diff(before, after, document.text.name, document.text.name)
            self.output.data["diff"] = self.output.data.get("diff", "") + (changes := "".join(lines))
            if self.output.format is MistakesFormat.TEXT:
                self.output.line(changes.rstrip("\n"))
        elif followed:
            mark = BOM_UTF8 if read_file(path, MAX_BYTES).startswith(BOM_UTF8) else b""
            write_file(path, mark + edited.text.content.encode())
        return edited

    def refused(self, error: SpecnetError) -> None:
        """Add the mistakes of a spec."""
        self.mistakes += error.diagnostics
        if self.output.format in _OF_CODE_HOSTS:
            self.output.status = 1
        else:
            self.output.mistakes(error)

    def close(self, count: int) -> None:
        """Print the mistakes in a format of code hosts, or the summary."""
        output = self.output
        output.data["valid"] = self.valid
        if self.editing:
            output.data["fixed" if self.editing == "--fix" else "fixable"] = [each.as_dict() for each in self.edits]
            output.status = max(output.status, int(bool(self.edits) and self.editing == "--diff"))
        if output.format in _OF_CODE_HOSTS:
            from specnet.editor.code_hosts import github, sarif

            is_sarif = output.format is MistakesFormat.SARIF
            output.document(sarif(self.mistakes, self.documents) if is_sarif else github(self.mistakes))
        elif self.editing == "--fix":
            for edit in self.edits:
                where = edit.position or Position(1, 1)
                output.parts(f"{edit.source}:{where.line}:{where.column}: {edit.message}", f"fixed: {edit.hint}")
        words = [counted(count, "spec")]
        if self.edits:
            words.append(f"{counted(len(self.edits), 'mistake')} {'' if self.editing == '--fix' else 'would be '}fixed")
        left = counted(len(self.mistakes), "mistake") if self.mistakes else "no mistakes"
        words.append(f"{left} left" if self.edits else left)
        say = output.remark if self.mistakes or output.format in _OF_CODE_HOSTS else output.line
        say(", ".join(words))
        if self.editing and not self.unsafe:
            self._remark_on_doubtful()

    def _remark_on_doubtful(self) -> None:
        from specnet.spec.fixing import is_doubtful

        if more := sum(map(is_doubtful, self.mistakes)):
            self.output.remark(f"--unsafe-fixes follows {counted(more, 'further hint')}, which may be wrong")


def _complete_names(incomplete: str) -> list[tuple[str, str]]:
    from specnet.cli.completion import names_of_parts

    return [*names_of_parts(with_keys=bool(incomplete))]


def parts(
    output: Output,
    name: Annotated[
        str | None,
        argument(
            "[NAME|KIND|SECTION]",
            "A part, a kind of parts, a section or a key: adam, loss, training, class_weight.",
            _complete_names,
        ),
    ] = None,
) -> None:
    """List and explain parts, sections and keys.

    Without a name, lists the names of each kind; for a kind, a line for each of its parts. Shows the keys of a part
    with their values, defaults and an example.

    Examples
    --------
    specnet parts
    specnet parts loss
    specnet parts adam
    specnet parts training
    specnet parts data.split
    specnet parts class_weight
    specnet parts loss --format markdown
    """
    from specnet.editor.catalogue import Catalogue, keys_page, parts_page
    from specnet.parts.registry import installed_registry

    catalogue = Catalogue(installed_registry())
    listed = catalogue.entries(name) if name is None or name in catalogue.kinds else []
    found = catalogue.find(name) if name is not None else []
    keys = catalogue.keys(name) if name is not None and not listed and not found else []
    if not listed and not found and not keys:
        raise UsageError(f'unknown part, kind, section or key "{name}"', hint=catalogue.hint(str(name)))
    if keys:
        output.data["keys"] = [entry.as_dict() for entry in keys]
    else:
        output.data["parts"] = [entry.as_dict() for entry in (*listed, *found)]
    if output.format is CatalogueFormat.MARKDOWN:
        output.document(keys_page(keys) if keys else parts_page((*listed, *found)))
    else:
        _show_parts(listed, found, keys, output)


def _show_parts(listed: list[Entry], found: list[Entry], keys: list[KeyEntry], output: Output) -> None:
    from specnet.editor.catalogue import keys_table, kinds_table, parts_table

    kinds = list(dict.fromkeys(entry.kind for entry in listed))
    if len(kinds) > 1:
        output.table(kinds_table(listed))
        output.remark("\n`specnet parts loss` lists a kind, `specnet parts adam` explains a part")
    elif listed:
        output.table(parts_table(kinds[0], listed))
    for number, entry in enumerate(found):
        if number or listed:
            output.line()
        output.prose("\n".join(entry.lines()))
        if entry.fields:
            output.line()
            output.table(entry.table())
    if keys:
        output.table(keys_table(keys))


def schema(
    output: Output,
    out: Annotated[Path | None, out_option("FILE.json", "File to write. Default: standard output.")] = None,
    force: ForceOption = False,
) -> None:
    """Print the JSON Schema of specs.

    Editors use it to complete and check specs. It includes the parts of installed plugins.

    Examples
    --------
    specnet schema > specnet.schema.json
    specnet schema -o specnet.schema.json --force
    """
    from specnet.files import refuse_taken, write_file
    from specnet.parts.registry import installed_registry
    from specnet.spec.json_schema import schema_text

    if out is not None:
        check_suffix(out, (".json",), "the name of the schema")
        if not force:
            refuse_taken(out)
    text = schema_text(installed_registry())
    if out is None:
        output.document(text)
        return
    write_file(out, text)
    output.data["file"] = str(out)
    output.written(out)


def lsp(output: Output) -> None:
    """Serve an editor while a spec is written.

    Shows mistakes with their edits, completion, meanings and sizes. Speaks the Language Server Protocol on standard
    input and output; an editor starts it.

    Examples
    --------
    specnet lsp
    """
    from specnet.extras import required

    required("pygls.lsp.server", "editor", SpecnetError)
    from specnet.editor.server import serve

    serve()
