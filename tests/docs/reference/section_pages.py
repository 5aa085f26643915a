"""A page for each section of a spec: its keys, what they may hold, and what holds where a spec says nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import chain

from specnet.editor.catalogue import NEEDED, Catalogue, Entry, FieldEntry, escaped
from specnet.editor.schema_keys import ROOT
from tests.docs.reference.part_pages import KINDS
from tests.registry import REGISTRY

KIND = re.compile(rf"\b({'|'.join(KINDS)})\b")


def section_pages() -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each page, the index first."""
    sections = Catalogue(REGISTRY).entries("section")
    pages = {section.name: _file(section) for section in sections}
    told = [(f"[{_title(each)}]({_file(each)}.md)", escaped(each.summary)) for each in sections]
    told.insert(1, ("[`[data]`](../parts/data.md)", "Data to train and evaluate on, in one of many forms."))
    lines = [
        "# Sections and keys of a spec",
        "",
        "A spec is a TOML or JSON file. `specnet parts KEY` prints a key's entry.",
    ]
    lines += ["", *chain.from_iterable([name, f": {summary}", ""] for name, summary in told)]
    yield "sections/index", "\n".join([*lines, "```{toctree}", ":hidden:", *pages.values(), "```"]) + "\n"
    for section in sections:
        yield f"sections/{_file(section)}", _page(section, pages)


def _file(section: Entry) -> str:
    return section.name.removesuffix(".N").replace(".", "_")


def _title(section: Entry) -> str:
    if section.name == ROOT:
        return "Top level"
    return f"`[[{section.name.removesuffix('.N')}]]`" if section.name.endswith(".N") else f"`[{section.name}]`"


def _page(section: Entry, pages: dict[str, str]) -> str:
    lines = [f"# {_title(section)}", "", escaped(section.description), ""]
    for field in section.fields:
        inner = f"{section.name}.{field.name.partition('.')[0]}"
        if "." not in field.name or {inner, f"{inner}.N"}.isdisjoint(pages):
            path = field.name if section.name == ROOT else f"{section.name}.{field.name}"
            page = pages.get(path) or pages.get(f"{path}.N")
            lines += _key(field, page)
    return "\n".join(lines)


def _key(field: FieldEntry, page: str | None) -> Sequence[str]:
    """Return a key as a section of a page, with a link to the page of the table that it may hold."""
    said = re.sub(r"\b\w+_metric\b", "name of a metric", field.values)
    values = KIND.sub(lambda found: f"[{found[1]}](../parts/{KINDS[found[1]]}.md)", escaped(said))
    values = re.sub(r"\btable\b", f"[table]({page}.md)", values, count=1) if page else values
    default = "required" if field.default == NEEDED else f"default: `{field.default}`" if field.default else "optional"
    return [f"## `{field.name}`", "", f"{values} · {default}", "", escaped(field.description), ""]
