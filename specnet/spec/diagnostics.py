"""From what pydantic found to what a user reads: a code, one sentence, the place, and what to write instead."""

from collections.abc import Iterator, Mapping
from typing import Any, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from specnet.errors import Diagnostic, Path
from specnet.parts.part import Part, Section
from specnet.parts.registry import Registry
from specnet.spec.hints import close_match, key_hint, part_hint
from specnet.spec.text import Document
from specnet.spec.words import either, kind_noun, shown

_NEEDED = {
    "int_type": "an integer",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "a text",
    "tuple_type": "a list",
    "model_type": "a table",
    "model_attributes_type": "a table",
    "dict_type": "a table",
}
_BOUNDS = {
    "greater_than": ("more than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("less than", "lt"),
    "less_than_equal": ("at most", "le"),
}
_LENGTHS = {"too_short": ("at least", "min_length"), "too_long": ("at most", "max_length")}


class Explanation:
    """Tells the mistakes of one validation."""

    def __init__(self, document: Document, registry: Registry, root: type[Section]) -> None:
        self.document, self.registry, self.root = document, registry, root

    def of(self, error: ValidationError) -> Iterator[Diagnostic]:
        """Yield a diagnostic for each mistake."""
        for details in error.errors(include_url=False):
            yield self._diagnostic(details)

    def _diagnostic(self, details: ErrorDetails) -> Diagnostic:
        code, path, value, context = details["type"], details["loc"], details["input"], details.get("ctx", {})
        say = self.document.diagnostic
        if code == "extra_forbidden":
            section, owner = self._section(path[:-1])
            hint = key_hint(str(path[-1]), section.model_fields)
            return say("unknown-key", f"{shown(path[-1])} is not a key of {owner}", path, at_key=True, hint=hint)
        if code == "missing":
            section, owner = self._section(path[:-1])
            field = section.model_fields[str(path[-1])]
            return say("missing-key", f'{owner} needs "{path[-1]}"', path, hint=field.description)
        if code == "missing-key":
            known = ", ".join(part.part_name() for part in self.registry.of_kind(context["kind"])[:5])
            message = f'{kind_noun(context["kind"])} given as a table needs "type"'
            return say("missing-key", message, (*path, "type"), hint=f"for instance {known}")
        if code == "unknown-part":
            return self._unknown_part(path, context["kind"], context["name"])
        if code == "literal_error":
            choices = self._choices(path)
            close = close_match(value, choices) if isinstance(value, str) else None
            hint = f'did you mean "{close}"?' if close else None
            return say("unknown-value", f"{shown(value)} is not {either(choices)}", path, hint=hint)
        if code in _NEEDED:
            return say("wrong-type", f"{_NEEDED[code]} is needed, and this is {shown(value)}", path)
        if code in _BOUNDS:
            words, key = _BOUNDS[code]
            return say("out-of-bounds", f"{shown(value)} is not {words} {shown(context[key])}", path)
        if code in _LENGTHS:
            words, key = _LENGTHS[code]
            return say("length", f"{context['actual_length']} entries are not {words} {context[key]}", path)
        if code == "string_pattern_mismatch":
            return say("name", f"{shown(value)} is no name", path, hint=f"a name matches {context['pattern']}")
        return say(code.replace("_", "-"), details["msg"].removeprefix("Value error, "), path)

    def _unknown_part(self, path: Path, kind: str, name: Any) -> Diagnostic:
        if isinstance(self._at(path), Mapping):
            path = (*path, "type")
        if not isinstance(name, str):
            return self.document.diagnostic("wrong-type", f"a text is needed, and this is {shown(name)}", path)
        if name in self.registry.broken:
            message = f"{shown(name)} cannot be used: {self.registry.broken[name]}"
            return self.document.diagnostic("broken-plugin", message, path)
        hint = part_hint(name, kind, self.registry)
        return self.document.diagnostic("unknown-part", f"{shown(name)} is not {kind_noun(kind)}", path, hint=hint)

    def _at(self, path: Path) -> Any:
        value: Any = self.document.data
        for step in path:
            value = value[step]
        return value

    def _choices(self, path: Path) -> list[str]:
        section, _ = self._section(path[:-1])
        return [str(choice) for choice in get_args(section.model_fields[str(path[-1])].annotation)]

    def _section(self, path: Path) -> tuple[type[Section], str]:
        """Return the class that reads the table at a path, and how messages call it."""
        section, owner = self.root, "a spec"
        value: Any = self.document.data
        for step in path:
            value = value[step]
            if isinstance(step, str):
                inside = _sections_in(section.model_fields[step].annotation)
                owner = step
            section = inside
            if "kind" in section.__dict__ and not isinstance(value, list | tuple):
                name = value["type"] if isinstance(value, Mapping) else value
                part = self.registry.find(section.__dict__["kind"], name)
                assert part is not None  # its fields were read, so its name was known
                section, owner = part, part.part_name()
        return section, owner


def _sections_in(annotation: Any) -> type[Section]:
    """Return the one class of tables that an annotation speaks of, through lists and options."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    for argument in get_args(annotation):
        if argument is not Ellipsis and (found := _sections_in(argument)) is not Section:
            return found
    return Section
