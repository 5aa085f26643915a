"""Whether the search of the built site finds every name of the reference."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from specnet.editor.catalogue import Catalogue
from tests.docs.reference.api_pages import GROUPS
from tests.docs.reference.command_pages import verbs
from tests.docs.reference.diagnostic_codes import all_codes
from tests.registry import REGISTRY


def unfound(site: Path) -> list[str]:
    """Return the names that are neither a heading nor in the index, which search looks through first."""
    index = json.loads((site / "searchindex.js").read_text("utf-8").partition("(")[2].rpartition(")")[0])
    found = {*index["alltitles"], *index["indexentries"]}
    return sorted({name for name in names() if name not in found})


def names() -> Iterator[str]:
    """Yield the names of parts, fields, keys, verbs, options and codes, and the public ones."""
    for entry in Catalogue(REGISTRY).entries(None):
        if entry.kind != "section":
            yield from (entry.name, *entry.aliases)
        tables = {field.name.partition(".")[0] for field in entry.fields if "." in field.name}
        yield from (field.name for field in entry.fields if field.name.partition(".")[0] not in tables)
    for name, command in verbs().items():
        yield f"specnet {name}"
        yield from (each for option in command.params for each in option.opts if re.match("--", each))
    yield from all_codes()
    yield from (name for group in GROUPS.values() for name in group.names)
