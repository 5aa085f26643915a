"""Parsing: from a source to a spec, validated as far as possible without its data.

Rules that concern several keys are checked on the document itself.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from pydantic import ValidationError

from specnet.errors import Diagnostic, SpecError
from specnet.files.plain_data import json_text
from specnet.parts.part import Part
from specnet.parts.registry import Registry, installed_registry
from specnet.spec.document import FORMS, OF_STACKS, Limits, Origin, Spec
from specnet.spec.expectations import expectation_rules
from specnet.spec.reading.reader import SpecSource, read, settings_of
from specnet.spec.reading.source_document import Document, Format
from specnet.spec.resolving.resolve import check
from specnet.spec.sweep_section import is_unquoted, may_be_searched


def _network_rules(document: Document) -> Iterator[Diagnostic]:
    """Yield the mistakes of a document whose network does not have exactly one form, or has keys of another form."""
    network = document.data.get("network")
    if not isinstance(network, Mapping):
        return
    forms = [key for key in FORMS if key in network]
    if not forms:
        hint = "set layer_sizes = [2, 5, 1], hidden_layer_sizes = [64] or [[network.layers]]"
        yield document.diagnostic("network-form", "the network has no layers", ("network",), hint=hint)
    for key in forms[1:]:
        first = document.diagnostic("note", f'"{forms[0]}" is set here', ("network", forms[0]), at_key=True)
        message = f'"{key}" cannot be combined with "{forms[0]}"'
        yield document.diagnostic("network-form", message, ("network", key), at_key=True, notes=[first])
    if forms == ["layers"]:
        for key in OF_STACKS:
            if key in network:
                message = f'"{key}" is only supported with layer_sizes and hidden_layer_sizes'
                hint = f'set "{key.removesuffix("s")}" in each layer'
                yield document.diagnostic("misplaced-key", message, ("network", key), at_key=True, hint=hint)


def _sweep_rules(document: Document) -> Iterator[Diagnostic]:
    """Yield a mistake for each searched key that lies inside another searched key."""
    sweep = document.data.get("sweep")
    space = sweep.get("space") if isinstance(sweep, Mapping) else None
    if not isinstance(space, Mapping):
        return
    for key in space:
        steps = key.split(".")
        around = (".".join(steps[:depth]) for depth in range(1, len(steps)))
        outer = next((each for each in around if each in space and not is_unquoted(space[each])), None)
        if outer is not None and may_be_searched(key):
            note = document.diagnostic("note", f'"{outer}" is searched here', ("sweep", "space", outer), at_key=True)
            message = f'"{key}" lies inside "{outer}", which is searched too'
            hint = f'set it in the tables of the list of "{outer}"'
            path = ("sweep", "space", key)
            yield document.diagnostic("space-key", message, path, at_key=True, hint=hint, notes=[note])


def parse_spec(
    source: SpecSource | Document | Spec,
    *,
    parts: Iterable[type[Part]] = (),
    overrides: Iterable[str] = (),
    limits: Limits | None = None,
) -> Spec:
    """Read a spec and check it.

    Parameters
    ----------
    source : str, path-like, mapping, Document or Spec
        A path of a file or of the folder of a run, a text with a line break (TOML, or JSON if it starts with ``{``), or
        plain data, also as a `Document`. A `Spec` is returned unchanged, or with the parts and overrides added; its
        changes made in Python remain.
    parts : iterable of part classes
        Custom parts that the spec may use in addition to built-in parts and installed plugins.
    overrides : iterable of str
        Settings ``KEY=VALUE``, as for `specnet run --set`.
    limits : Limits, optional
        Limits on the size of the network.

    Returns
    -------
    Spec
        The validated spec, with defaults for omitted keys.

    Raises
    ------
    SpecError
        With all mistakes of the first stage that finds any: text, document, network.
    FileError
        If the file cannot be read.
    """
    parts = parts if isinstance(parts, Registry) else tuple(parts)
    overrides = settings_of(overrides)
    if isinstance(source, Spec):
        if not parts and not overrides and limits is None:
            return source
        origin = source.origin
        registry, limits = origin.registry.with_parts(parts), limits or origin.limits
        if not overrides:
            spec = source.with_origin(replace(origin, registry=registry, limits=limits))
            check(spec)
            return spec
        document = read(document_saying(source), overrides)
    else:
        registry, limits = installed_registry().with_parts(parts), limits or Limits()
        document = read(source, overrides)
    return checked(document, registry, limits)


def with_engine(overrides: Iterable[str], engine: str | None) -> Iterable[str]:
    """Return overrides with a setting of ``training.engine`` added, if an engine is given."""
    return overrides if engine is None else [*settings_of(overrides), f"training.engine={engine}"]


def document_saying(spec: Spec) -> Document:
    """Return the document from which a spec was read, or a new document if the spec was changed in Python since.

    The original document has the locations for mistakes.
    """
    try:
        if validated(spec.document, spec.registry) == spec:
            return spec.document
    except SpecError:  # a spec made in Python has no document
        pass
    # Only explicit values: defaults stay defaults, and a network has one form.
    data = spec.model_dump(exclude_unset=True, exclude_none=True, warnings=False)
    return Document(data, folder=spec.document.folder)


def text_saying(spec: Spec) -> tuple[Format, str]:
    """Return the format and the text of a spec: its original text, or else JSON of the explicit values.

    Defaults are omitted, because some would be refused as settings without effect.
    """
    document = document_saying(spec)
    return document.format or "json", json_text(document.data) if document.text is None else document.text.content


def checked(document: Document, registry: Registry, limits: Limits) -> Spec:
    """Return the spec of a document, fully validated; raise a `SpecError` as `parse_spec` does."""
    spec = validated(document, registry).with_origin(Origin(document, registry, limits))
    check(spec)
    return spec


def validated(document: Document, registry: Registry) -> Spec:
    """Return the spec of a document; raise a `SpecError` with all mistakes found without analyzing the layers."""
    data = dict(document.data)
    problems, left_out = [*_network_rules(document), *_sweep_rules(document), *expectation_rules(document)], 0
    if document.format != "toml" and isinstance(data.get("$schema"), str):
        del data["$schema"]
    try:
        spec = Spec.model_validate(data, context={"registry": registry})
    except ValidationError as error:
        from specnet.spec.reading.diagnostics import diagnostics_of

        found, left_out = diagnostics_of(error, document, registry)
        problems += found
    if problems:
        raise document.error(problems, left_out)
    return spec
