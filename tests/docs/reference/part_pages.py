"""A page for each kind of parts: what each of them is and computes, its fields, an example, and a picture."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from typing import Any

from specnet.editor.catalogue import Catalogue, Entry, escaped
from tests.docs.reference.part_formulas import formula
from tests.docs.reference.part_pictures import picture
from tests.registry import REGISTRY, find

KINDS = {
    "activation": "activations",
    "averaging": "averaging",
    "data": "data",
    "initializer": "initializers",
    "layer": "layers",
    "loss": "losses",
    "metric": "metrics",
    "optimizer": "optimizers",
    "preprocessing": "preprocessing",
    "pruner": "pruners",
    "sampler": "samplers",
    "schedule": "schedules",
}
"""The page of each kind."""


def part_pages() -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each page, the index first."""
    catalogue = Catalogue(REGISTRY)
    lines = ["# Parts", "", "What a network and its training are made of. Each part has a name, and most have fields."]
    lines += ["`specnet parts NAME` prints the same in a terminal.", ""]
    for kind, name in KINDS.items():
        links = _links(catalogue.entries(kind), f"{name}.md")
        lines += [f"[{name.capitalize()}]({name}.md)", f": {_about(kind)}", f": {links}", ""]
    yield "parts/index", "\n".join([*lines, "```{toctree}", ":hidden:", *KINDS.values(), "```"]) + "\n"
    for kind, name in KINDS.items():
        yield f"parts/{name}", _page(kind, catalogue.entries(kind))


def _page(kind: str, entries: Sequence[Entry]) -> str:
    lines = [f"# {KINDS[kind].capitalize()}", "", _about(kind), "", _links(entries), ""]
    if kind == "data":
        lines += ["All of them also have the keys of [`[data.split]`](../sections/data_split.md).", ""]
    for entry in map(_own, entries):
        part = find(kind, entry.name)
        assert part is not None, "the catalogue is made of the registry"
        written = entry.markdown([*_shown(part)], of_kind=True)
        written[2:2] = _index(entry)  # right behind the heading: anchors get lost in front of pictures
        lines += [f"{{.fields}}\n{line}" if line.startswith("| field |") else line for line in written]
    return "\n".join(lines)


def _own(entry: Entry) -> Entry:
    """Return an entry without the fields of a table that has a page of its own."""
    return entry._replace(fields=tuple(field for field in entry.fields if not field.name.startswith("split.")))


def _about(kind: str) -> str:
    """Return what a part of a kind is, in the words of the kind's class."""
    part, *_ = REGISTRY.of_kind(kind)
    base = next(each for each in part.__mro__ if "kind" in vars(each))
    return escaped((inspect.getdoc(base) or "").partition("\n")[0])


def _links(entries: Sequence[Entry], page: str = "") -> str:
    return " · ".join(f"[`{entry.name}`]({page}#{entry.name})" for entry in entries)


def _shown(part: type[Any]) -> Iterator[str]:
    for html in (formula(part), picture(part)):
        yield from (html, "") if html else ()


def _index(entry: Entry) -> list[str]:
    """Return aliases and fields for the index, by which search finds them too; headings are found as they are."""
    names = [*entry.aliases, *(field.name for field in entry.fields)]
    return ["```{eval-rst}", ".. index::", *(f"   ! single: {name}" for name in names), "```", ""] if names else []
