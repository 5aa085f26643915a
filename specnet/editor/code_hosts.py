"""Formats of mistakes for code hosts: SARIF 2.1.0, and the commands of GitHub's workflows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from specnet.editor.positions import line_and_units, replacement, units
from specnet.errors import Diagnostic
from specnet.spec.fixing import edited
from specnet.spec.reading.source_document import Document
from specnet.suggestions import Suggestion
from specnet.version import __version__

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def sarif(mistakes: Iterable[Diagnostic], documents: Mapping[str, Document]) -> str:
    """Return a log in the format SARIF 2.1.0 of OASIS, with columns in UTF-16 code units.

    Parameters
    ----------
    mistakes : iterable of Diagnostic
    documents : mapping of str to Document
        The documents by name, for the edits of suggestions.
    """
    mistakes = [*mistakes]
    codes = [*dict.fromkeys(each.code for each in mistakes)]
    driver = {"name": "specnet", "version": __version__, "rules": [{"id": code} for code in codes]}
    results = [_result(each, codes.index(each.code), documents.get(str(each.source))) for each in mistakes]
    run = {"tool": {"driver": driver}, "columnKind": "utf16CodeUnits", "results": results}
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, ensure_ascii=False, indent=2) + "\n"


def _result(mistake: Diagnostic, rule: int, document: Document | None) -> dict[str, Any]:
    found: dict[str, Any] = {
        "ruleId": mistake.code,
        "ruleIndex": rule,
        "level": "error",
        "message": {"text": _words(mistake)},
        "locations": [_location(mistake)] if mistake.source else [],
    }
    if mistake.notes:
        found["relatedLocations"] = [
            {"id": number, **_location(note), "message": {"text": note.message}}
            for number, note in enumerate(mistake.notes, 1)
            if note.source
        ]
    if document is not None and (fixes := [*_fixes(mistake, document)]):
        found["fixes"] = fixes
    return found


def _words(mistake: Diagnostic) -> str:
    return f"{mistake.message}: {mistake.hint}" if mistake.hint else mistake.message


def _location(found: Diagnostic) -> dict[str, Any]:
    physical: dict[str, Any] = {"artifactLocation": {"uri": _uri(str(found.source))}}
    if found.position is not None:
        start, end = units(found.position, found.line_text)
        line = found.position.line
        physical["region"] = {"startLine": line, "startColumn": start + 1, "endLine": line, "endColumn": end + 1}
    return {"physicalLocation": physical}


def _uri(name: str) -> str:
    path = PurePath(name)
    return path.as_uri() if path.is_absolute() else quote(path.as_posix())


def _fixes(mistake: Diagnostic, document: Document) -> Iterator[dict[str, Any]]:
    """Yield each edit that a mistake suggests as a replacement of a part of the text."""
    assert document.text is not None, "it has a name"
    hint, before = mistake.hint, document.text.content
    for edit in hint.edits if isinstance(hint, Suggestion) else ():
        change = edited(document, mistake, edit)
        if change is not None:
            start, end, text = replacement(before, change.content)
            (line, column), (last, stop) = line_and_units(before, start), line_and_units(before, end)
            region = {"startLine": line + 1, "startColumn": column + 1, "endLine": last + 1, "endColumn": stop + 1}
            replaced = {"deletedRegion": region, "insertedContent": {"text": text}}
            artifact = {"artifactLocation": {"uri": _uri(document.text.name)}, "replacements": [replaced]}
            yield {"description": {"text": str(hint)}, "artifactChanges": [artifact]}


def github(mistakes: Iterable[Diagnostic]) -> str:
    """Return a command of GitHub's workflows for each mistake, with which it is shown beside its line."""
    return "".join(f"::error {','.join(_properties(each))}::{_escaped(_words(each))}\n" for each in mistakes)


def _properties(mistake: Diagnostic) -> Iterator[str]:
    values: dict[str, Any] = {"title": mistake.code, "file": mistake.source}
    if position := mistake.position:
        end = position.column + position.length
        values |= {"line": position.line, "endLine": position.line, "col": position.column, "endColumn": end}
    for name, value in values.items():
        if value is not None:
            yield f"{name}={_escaped(str(value)).replace(':', '%3A').replace(',', '%2C')}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
