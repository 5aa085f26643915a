"""`specnet parts`: the catalogue of parts, sections and keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from specnet.cli.options import CatalogueFormat, argument
from specnet.cli.output import Output, UsageError

if TYPE_CHECKING:
    from specnet.cli.specs.catalogue import Entry, KeyEntry


def parts(
    output: Output,
    name: Annotated[
        str | None,
        argument(
            "[NAME|KIND|SECTION]", "A part, a kind of parts, a section or a key: adam, loss, training, class_weight."
        ),
    ] = None,
) -> None:
    """List and explain parts, sections and keys.

    Shows the keys of a part with their values, defaults and an example.

    Examples
    --------
    specnet parts
    specnet parts adam
    specnet parts training
    specnet parts data.split
    specnet parts class_weight
    specnet parts loss --format markdown
    """
    from specnet.cli.specs.catalogue import Catalogue, keys_page, parts_page
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
        _show(listed, found, keys, output)


def _show(listed: list[Entry], found: list[Entry], keys: list[KeyEntry], output: Output) -> None:
    from specnet.cli.specs.catalogue import keys_table, parts_table

    if listed:
        output.table(parts_table(listed))
    for number, entry in enumerate(found):
        if number or listed:
            output.line()
        output.prose("\n".join(entry.lines()))
        if entry.fields:
            output.line()
            output.table(entry.table())
    if keys:
        output.table(keys_table(keys))
