"""The language server: what an editor asks about a spec that is being written, by the protocol LSP.

`serve` answers on standard input and output until the editor ends the connection.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

from lsprotocol import types
from pygls import uris
from pygls.lsp.server import LanguageServer
from pygls.protocol import LanguageServerProtocol, lsp_method

from specnet.editor.analysis import Analysis, Tables, analysis_of
from specnet.editor.candidates import Candidate, Completion
from specnet.editor.catalogue import Catalogue
from specnet.editor.meanings import Meanings
from specnet.editor.positions import line_and_units, replacement, units, utf16
from specnet.editor.schema_keys import Keys
from specnet.editor.sizes import remarks
from specnet.errors import Diagnostic, Position
from specnet.parts.registry import installed_registry
from specnet.run_files import paths_start
from specnet.spec.fixing import edited, mended
from specnet.spec.json_schema import json_schema
from specnet.spec.reading.source_document import Document, Format
from specnet.suggestions import Assigned, Edit, Moved, Removed, Replaced, Suggestion, quoted
from specnet.version import __version__

VERBS = {"run": "Train the model of this spec", "check": "Check the gradients of this spec", "show": "Show its layers"}
"""Verbs that are commands of the server, with their titles."""
_COMMAND = "from specnet.cli import main; main()"


class _Protocol(LanguageServerProtocol):
    """The protocol with positions in UTF-16 code units, which every editor supports."""

    @lsp_method(types.INITIALIZE)
    def lsp_initialize(self, params: types.InitializeParams) -> Generator[Any, Any, types.InitializeResult]:
        if params.capabilities.general is not None:
            params.capabilities.general.position_encodings = None
        return (yield from super().lsp_initialize(params))


class SpecServer(LanguageServer):
    """A server that retains the analysis of each open text."""

    def __init__(self) -> None:
        super().__init__("specnet", __version__, protocol_cls=_Protocol)
        registry = installed_registry()
        keys = Keys(json_schema(registry))
        self.completion, self.meanings = Completion(keys), Meanings(keys, Catalogue(registry))
        self.labels: dict[str, list[str]] = {}
        self.tables = Tables()
        self.analyses: dict[str, tuple[str, Analysis]] = {}

    def analysis(self, uri: str) -> Analysis:
        """Return what is known of an open text, as it is now."""
        content = self.workspace.get_text_document(uri).source
        known = self.analyses.get(uri)
        if known is None or known[0] != content:
            file = Path(uris.to_fs_path(uri) or "spec.toml")
            known = self.analyses[uri] = content, analysis_of(content, file, self.tables)
            data = known[1].data
            if data is not None and data.labels is not None:
                self.labels[uri] = [*map(str, data.labels.values)]
        return known[1]

    def completed(self, uri: str, position: types.Position) -> list[types.CompletionItem]:
        """Return what may be written at a position of an open text."""
        text = self.workspace.get_text_document(uri)
        content, index = text.source, text.offset_at_position(position)
        file = Path(uris.to_fs_path(uri) or "spec.toml")
        language: Format = "json" if file.suffix == ".json" or content.lstrip().startswith("{") else "toml"
        labels = self.labels.get(uri, ())
        start, found = self.completion.candidates(content, index, language, paths_start(str(file)), labels)
        where = types.Range(types.Position(*line_and_units(content, start)), position)
        return [_item(number, each, where) for number, each in enumerate(found)]

    def explained(self, uri: str, position: types.Position) -> types.Hover | None:
        """Return the meaning of the key or value at a position of an open text."""
        text = self.workspace.get_text_document(uri)
        index = text.offset_at_position(position)
        column = index - text.source.rfind("\n", 0, index)
        found = self.meanings.at(self.analysis(uri), position.line + 1, column)
        if found is None:
            return None
        where = shown_range(found[0], text.source.split("\n")[position.line])
        return types.Hover(types.MarkupContent(types.MarkupKind.Markdown, found[1]), where)

    def remarked(self, uri: str, chosen: types.Range) -> list[types.InlayHint]:
        """Return the remarks on the lines of a range of an open text."""
        lines = self.workspace.get_text_document(uri).source.split("\n")
        return [
            types.InlayHint(types.Position(row - 1, utf16(lines[row - 1].rstrip("\r"))), text, padding_left=True)
            for row, text in remarks(self.analysis(uri))
            if chosen.start.line <= row - 1 <= chosen.end.line
        ]

    def publish(self, uri: str) -> None:
        """Send the diagnostics of an open text."""
        found = self.analysis(uri)
        severities = types.DiagnosticSeverity.Error, types.DiagnosticSeverity.Warning
        diagnostics = [
            shown_diagnostic(each, uri, severity)
            for severity, each_kind in zip(severities, (found.mistakes, found.warnings), strict=True)
            for each in each_kind
        ]
        version = self.workspace.get_text_document(uri).version
        self.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, diagnostics, version))

    async def called(self, verb: str, uri: str) -> None:
        """Run a verb of the command line for a spec, and show its output."""
        file = Path(uris.to_fs_path(uri) or "")
        command = sys.executable, "-c", _COMMAND, verb, str(file)
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *command, cwd=file.parent, stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=asyncio.subprocess.STDOUT
        )
        output, _ = await process.communicate()
        text = output.decode(errors="replace")
        self.window_log_message(types.LogMessageParams(types.MessageType.Info, text))
        kind = types.MessageType.Info if process.returncode == 0 else types.MessageType.Error
        last = next((line for line in reversed(text.splitlines()) if line.strip()), "")
        self.window_show_message(types.ShowMessageParams(kind, f"specnet {verb}: {last}"))


def _item(number: int, each: Candidate, where: types.Range) -> types.CompletionItem:
    """Return a candidate as an item of the protocol; keys that a table must have come first."""
    header = each.label.startswith("[") and each.is_key
    kinds = types.CompletionItemKind
    return types.CompletionItem(
        each.label,
        kind=kinds.Module if header else kinds.Property if each.is_key else kinds.Value,
        detail="needed" if each.is_needed else None,
        documentation=each.meaning or None,
        sort_text=f"{int(not each.is_needed)}{number:05}",
        filter_text=each.text,
        text_edit=types.TextEdit(where, each.text),
    )


def shown_range(position: Position | None, line: str | None) -> types.Range:
    """Return a position of a diagnostic as a range of the protocol, in UTF-16 code units."""
    if position is None:
        return types.Range(types.Position(0, 0), types.Position(0, 0))
    start, end = units(position, line)
    row = position.line - 1
    return types.Range(types.Position(row, start), types.Position(row, end))


def shown_diagnostic(found: Diagnostic, uri: str, severity: types.DiagnosticSeverity) -> types.Diagnostic:
    """Return a mistake or a warning as a diagnostic of the protocol: its message, and its hint on another line."""
    notes = [
        types.DiagnosticRelatedInformation(
            types.Location(uri, shown_range(note.position, note.line_text)), note.message
        )
        for note in found.notes
    ]
    message = f"{found.message}\n{found.hint}" if found.hint else found.message
    return types.Diagnostic(
        shown_range(found.position, found.line_text),
        message,
        severity,
        found.code,
        source="specnet",
        related_information=notes or None,
    )


def title(edit: Edit) -> str:
    """Return what an edit does, in words."""
    match edit:
        case Replaced(value):
            return f"Write {quoted(value) if isinstance(value, str) else value}"
        case Moved(path, to) if path[:-1] == to[:-1]:
            return f"Rename {path[-1]} to {to[-1]}"
        case Moved(path, to):
            return f"Move {path[-1]} to {_key(to)}"
        case Assigned(path, value):
            return f"Set {_key(path)} = {quoted(value) if isinstance(value, str) else value}"
        case Removed(path):
            return "Remove it" if path is None else f"Remove {_key(path)}"


def _key(path: tuple[str | int, ...]) -> str:
    return ".".join(map(str, path))


def text_edit(before: str, after: str) -> types.TextEdit:
    """Return the shortest edit that turns a text into another."""
    start, end, text = replacement(before, after)
    first, last = (types.Position(*line_and_units(before, index)) for index in (start, end))
    return types.TextEdit(types.Range(first, last), text)


def _content(document: Document) -> str:
    assert document.text is not None, "it was read from a text"
    return document.text.content


def actions(found: Analysis, uri: str, chosen: types.Range) -> Iterator[types.CodeAction | types.Command]:
    """Yield the edits that mistakes in a range suggest, then one of all that are certain, and the commands."""
    document = found.document
    for mistake in (*found.mistakes, *found.warnings) if document is not None else ():
        where = shown_range(mistake.position, mistake.line_text)
        if document is None or not (where.start.line <= chosen.end.line and chosen.start.line <= where.end.line):
            continue
        hint, severity = mistake.hint, types.DiagnosticSeverity.Error
        for edit in hint.edits if isinstance(hint, Suggestion) else ():
            change = edited(document, mistake, edit)
            if change is not None:
                yield types.CodeAction(
                    title(edit),
                    types.CodeActionKind.QuickFix,
                    [shown_diagnostic(mistake, uri, severity)],
                    is_preferred=isinstance(hint, Suggestion) and hint.is_certain,
                    edit=types.WorkspaceEdit({uri: [text_edit(_content(document), change.content)]}),
                )
    if document is not None and (after := mended(document))[1]:
        edit_of_all = types.WorkspaceEdit({uri: [text_edit(_content(document), _content(after[0]))]})
        yield types.CodeAction("Fix what is certain", types.CodeActionKind.SourceFixAll, edit=edit_of_all)
    if found.spec is not None:
        for verb, words in VERBS.items():
            yield types.Command(words, f"specnet.{verb}", arguments=[uri])


def new_server() -> SpecServer:
    """Return a server with all its features."""
    server = SpecServer()

    @server.feature(types.TEXT_DOCUMENT_DID_OPEN)
    def opened(params: types.DidOpenTextDocumentParams) -> None:
        server.publish(params.text_document.uri)

    @server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
    def changed(params: types.DidChangeTextDocumentParams) -> None:
        server.publish(params.text_document.uri)

    @server.feature(types.TEXT_DOCUMENT_DID_SAVE)
    def saved(params: types.DidSaveTextDocumentParams) -> None:
        server.analyses.clear()  # files that a spec reads may have changed
        server.publish(params.text_document.uri)

    @server.feature(types.TEXT_DOCUMENT_DID_CLOSE)
    def closed(params: types.DidCloseTextDocumentParams) -> None:
        server.analyses.pop(params.text_document.uri, None)
        server.text_document_publish_diagnostics(types.PublishDiagnosticsParams(params.text_document.uri, []))

    kinds = [types.CodeActionKind.QuickFix, types.CodeActionKind.SourceFixAll]

    @server.feature(types.TEXT_DOCUMENT_CODE_ACTION, types.CodeActionOptions(kinds))
    def acted(params: types.CodeActionParams) -> list[types.CodeAction | types.Command]:
        uri, only = params.text_document.uri, params.context.only
        found = [*actions(server.analysis(uri), uri, params.range)]
        if only is None:
            return found
        edits = [each for each in found if isinstance(each, types.CodeAction)]
        return [each for each in edits if any(f"{_kind(each.kind)}.".startswith(f"{_kind(kind)}.") for kind in only)]

    triggers = ['"', "'", ".", "[", "{", "=", ",", " "]

    @server.feature(types.TEXT_DOCUMENT_COMPLETION, types.CompletionOptions(trigger_characters=triggers))
    def completed(params: types.CompletionParams) -> list[types.CompletionItem]:
        return server.completed(params.text_document.uri, params.position)

    @server.feature(types.TEXT_DOCUMENT_HOVER)
    def explained(params: types.HoverParams) -> types.Hover | None:
        return server.explained(params.text_document.uri, params.position)

    @server.feature(types.TEXT_DOCUMENT_INLAY_HINT)
    def remarked(params: types.InlayHintParams) -> list[types.InlayHint]:
        return server.remarked(params.text_document.uri, params.range)

    for verb in VERBS:
        _add_command(server, verb)
    return server


def _kind(kind: types.CodeActionKind | str | None) -> str:
    return kind.value if isinstance(kind, types.CodeActionKind) else kind or ""


def _add_command(server: SpecServer, verb: str) -> None:
    @server.command(f"specnet.{verb}")
    async def command(uri: str, *_: Any) -> None:
        await server.called(verb, uri)


def serve() -> None:
    """Answer an editor on standard input and output."""
    new_server().start_io()
