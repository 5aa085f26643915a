"""From a source to a spec that makes sense as far as it can be told without its data."""

from collections.abc import Iterable

from pydantic import ValidationError

from specnet.parts.part import Part
from specnet.parts.registry import Registry, installed_registry
from specnet.spec.diagnostics import Explanation
from specnet.spec.document import Origin, Spec
from specnet.spec.limits import Limits
from specnet.spec.reader import SpecSource, read
from specnet.spec.resolve import check
from specnet.spec.rules import broken_rules
from specnet.spec.text import Document


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
        A path, also of the folder of a run, a text with a line break (TOML, or JSON where it starts with ``{``), or
        plain data, also as a `Document` that has been read. A `Spec` is returned as it is, or read again from what it
        was read from if there is something to add.
    parts : iterable of part classes
        What the spec can name beside the built-in parts and those of installed plugins.
    overrides : iterable of str
        Settings ``KEY=VALUE``, as `specnet run --set` takes them.
    limits : Limits, optional
        Larger or smaller caps on the network.

    Raises
    ------
    SpecError
        With every mistake of the first stage that has any: the text, the document, the network.
    FileError
        If the file cannot be read.
    """
    parts, overrides = tuple(parts), tuple(overrides)
    if isinstance(source, Spec):
        if not parts and not overrides and limits is None:
            return source
        known, limits = source.registry, limits or source.origin.limits
        document = read(source.document, overrides)
    else:
        known, limits = installed_registry(), limits or Limits()
        document = read(source, overrides)
    registry = known.with_parts(parts) if parts else known
    spec = _validated(document, registry).with_origin(Origin(document, registry, limits))
    check(spec)
    return spec


def _validated(document: Document, registry: Registry) -> Spec:
    data = dict(document.data)
    problems, left_out = list(broken_rules(document)), 0
    if document.format != "toml" and isinstance(data.get("$schema"), str):
        del data["$schema"]
    try:
        spec = Spec.model_validate(data, context={"registry": registry})
    except ValidationError as error:
        told, left_out = Explanation(document, registry).of(error)
        problems += told
    if problems:
        raise document.error(problems, left_out)
    return spec
