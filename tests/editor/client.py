"""An editor: a client that starts the server as a process and talks to it over its standard streams."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

from lsprotocol import types
from pygls.lsp.client import LanguageClient

Answer = TypeVar("Answer")
SECONDS = 30
"""After how long an answer is missing."""
COMMAND = [sys.executable, "-c", "from specnet.cli import main; main()", "lsp"]


class Editor:
    """An editor with one text."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.version = folder, 0
        self.uri = (folder / "spec.toml").as_uri()
        self.text = ""
        self.loop = asyncio.new_event_loop()
        self.client = LanguageClient("test", "1")
        self.published: asyncio.Queue[types.PublishDiagnosticsParams] = asyncio.Queue()
        self.messages: list[str] = []

        @self.client.feature(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)
        def publish(params: types.PublishDiagnosticsParams) -> None:
            self.published.put_nowait(params)

        @self.client.feature(types.WINDOW_SHOW_MESSAGE)
        def show(params: types.ShowMessageParams) -> None:
            self.messages.append(params.message)

        @self.client.feature(types.WINDOW_LOG_MESSAGE)
        def log(params: types.LogMessageParams) -> None:
            pass

        self.wait(self._start())

    def wait(self, asked: Coroutine[Any, Any, Answer]) -> Answer:
        return self.loop.run_until_complete(asyncio.wait_for(asked, SECONDS))

    async def _start(self) -> None:
        await self.client.start_io(*COMMAND)
        root = self.folder.as_uri()
        kinds = types.PositionEncodingKind
        general = types.GeneralClientCapabilities(position_encodings=[kinds.Utf8, kinds.Utf16])
        asked = types.ClientCapabilities(general=general)
        answer = await self.client.initialize_async(types.InitializeParams(asked, root_uri=root))
        self.capabilities = answer.capabilities
        self.client.initialized(types.InitializedParams())

    def close(self) -> None:
        async def stop() -> None:
            await self.client.shutdown_async(None)
            self.client.exit(None)
            await self.client.stop()

        self.wait(stop())
        self.loop.close()

    def opens(self, text: str, name: str = "spec.toml") -> list[types.Diagnostic]:
        """Open a text, as of a file that is not saved, and return its diagnostics."""
        self.uri, self.text = (self.folder / name).as_uri(), text
        language = "json" if name.endswith(".json") else "toml"
        item = types.TextDocumentItem(self.uri, language, self.version, text)
        self.client.text_document_did_open(types.DidOpenTextDocumentParams(item))
        return self.diagnostics()

    def writes(self, text: str) -> list[types.Diagnostic]:
        """Replace the text, and return its diagnostics."""
        self.text, self.version = text, self.version + 1
        whole = types.TextDocumentContentChangeWholeDocument(text)
        identifier = types.VersionedTextDocumentIdentifier(self.version, self.uri)
        self.client.text_document_did_change(types.DidChangeTextDocumentParams(identifier, [whole]))
        return self.diagnostics()

    def diagnostics(self) -> list[types.Diagnostic]:
        """Return the diagnostics that come next."""
        params = self.wait(self.published.get())
        assert params.uri == self.uri
        return [*params.diagnostics]

    @property
    def identifier(self) -> types.TextDocumentIdentifier:
        return types.TextDocumentIdentifier(self.uri)

    def actions(self) -> dict[str, types.CodeAction]:
        """Return the edits that are offered for the whole text, by title."""
        return {title: each for title, each in self._offered().items() if isinstance(each, types.CodeAction)}

    def commands(self) -> dict[str, types.Command]:
        """Return the commands that are offered, by title."""
        return {title: each for title, each in self._offered().items() if isinstance(each, types.Command)}

    def _offered(self) -> dict[str, types.CodeAction | types.Command]:
        whole = types.Range(types.Position(0, 0), types.Position(self.text.count("\n") + 1, 0))
        params = types.CodeActionParams(self.identifier, whole, types.CodeActionContext([]))
        found = self.wait(self.client.text_document_code_action_async(params)) or []
        return {each.title: each for each in found}

    def offers(self) -> dict[str, types.CompletionItem]:
        """Return the completions at the end of the text, by label."""
        params = types.CompletionParams(self.identifier, self.end)
        found = self.wait(self.client.text_document_completion_async(params))
        assert isinstance(found, list)
        return {each.label: each for each in found}

    def accepts(self, label: str) -> list[types.Diagnostic]:
        """Accept a completion at the end of the text, and return the diagnostics of the text."""
        item = self.offers()[label]
        assert isinstance(item.text_edit, types.TextEdit)
        typed = self.text[len(spliced(self.text, item.text_edit.range, "")) :]
        assert (item.filter_text or "").startswith(typed.lstrip("["))
        return self.writes(spliced(self.text, item.text_edit.range, item.text_edit.new_text))

    @property
    def end(self) -> types.Position:
        lines = self.text.split("\n")
        return types.Position(len(lines) - 1, len(lines[-1].encode("utf-16-le")) // 2)

    def explains(self, words: str) -> str:
        """Return what is shown about the first character of some words of the text."""
        before = self.text[: self.text.index(words)].split("\n")
        where = types.Position(len(before) - 1, len(before[-1].encode("utf-16-le")) // 2)
        hover = self.wait(self.client.text_document_hover_async(types.HoverParams(self.identifier, where)))
        assert hover is not None
        assert isinstance(hover.contents, types.MarkupContent)
        return hover.contents.value

    def remarks(self) -> list[tuple[int, str]]:
        """Return the texts behind lines, with the numbers of the lines from 0."""
        whole = types.Range(types.Position(0, 0), self.end)
        found = self.wait(self.client.text_document_inlay_hint_async(types.InlayHintParams(self.identifier, whole)))
        return [(each.position.line, str(each.label)) for each in found or ()]

    def applies(self, edit: types.WorkspaceEdit | None) -> list[types.Diagnostic]:
        """Make an edit, whose positions are in UTF-16 code units, and return the diagnostics of the text."""
        assert edit is not None
        assert edit.changes is not None
        (change,) = edit.changes[self.uri]
        return self.writes(spliced(self.text, change.range, change.new_text))


def spliced(text: str, where: types.Range, content: str) -> str:
    """Return a text with a range replaced."""
    lines = text.split("\n")
    start, end = (
        sum(len(line) + 1 for line in lines[: each.line])
        + len(lines[each.line].encode("utf-16-le")[: 2 * each.character].decode("utf-16-le"))
        for each in (where.start, where.end)
    )
    return text[:start] + content + text[end:]
