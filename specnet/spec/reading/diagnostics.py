"""Conversion of pydantic's errors to diagnostics for users: a code, one sentence, the location and a hint."""

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from specnet.errors import Diagnostic, Path
from specnet.number_texts import counted
from specnet.parts.fields import NAME_RULES
from specnet.parts.layers import Layer
from specnet.parts.part import Part, Section
from specnet.parts.registry import Registry
from specnet.spec.document import NetworkSpec, Spec, TrainingSpec
from specnet.spec.reading.hints import (
    OtherTable,
    either,
    key_hint,
    kind_name,
    kind_noun,
    layer_hint,
    metric_hint,
    monitor_hint,
    name_hint,
    part_hint,
    shown,
    type_hint,
)
from specnet.spec.reading.source_document import MAX_REPORTED, Document
from specnet.spec.sweep_section import is_unquoted
from specnet.suggestions import Moved, Suggestion, close_match, did_you_mean

_NEEDED = {
    "int_type": "an integer",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "a string",
    "tuple_type": "a list",
    "model_type": "a table",
    "model_attributes_type": "a table",
    "dict_type": "a table",
}
_BOUNDS = {
    "greater_than": ("a number greater than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("a number less than", "lt"),
    "less_than_equal": ("at most", "le"),
}
_LENGTHS = {
    "too_short": ("min_length", "at least", "entry", "entries"),
    "too_long": ("max_length", "at most", "entry", "entries"),
    "string_too_short": ("min_length", "at least", "character", None),
    "string_too_long": ("max_length", "at most", "character", None),
}

_TOP = "the top level"
"""The name of the outermost table in messages."""

_MOST_QUOTED = 3
"""Maximum number of keys that a hint names."""

_WORD = re.compile(r'"(\w+)"')
"""A choice in the words for what a key may have."""

_AROUND_LAYERS = (Spec, NetworkSpec, TrainingSpec, Layer)


def diagnostics_of(error: ValidationError, document: Document, registry: Registry) -> tuple[list[Diagnostic], int]:
    """Return diagnostics for the first `MAX_REPORTED` mistakes of a validation, and the number of further mistakes."""
    explanation, found = _Explanation(document, registry), error.errors(include_url=False)
    if len(found) > MAX_REPORTED:
        found.sort(key=lambda details: document.rank(details["loc"]))
    explained = [explanation.diagnostic(each) for each in found[:MAX_REPORTED] if not explanation.follows(each)]
    return explained, max(0, len(found) - MAX_REPORTED)


class _Explanation:
    """Conversion of pydantic's errors for one document."""

    def __init__(self, document: Document, registry: Registry) -> None:
        self.document, self.registry = document, registry

    def follows(self, details: ErrorDetails) -> bool:
        """Return whether a list is only too short because some of its entries are invalid and reported themselves."""
        return details["type"] == "too_short" and len(self._at(details["loc"])) >= details["ctx"]["min_length"]

    def diagnostic(self, details: ErrorDetails) -> Diagnostic:
        code, path, value, context = details["type"], details["loc"], details["input"], details.get("ctx", {})
        if code == "space-key":
            return self.document.diagnostic(code, context["message"], path[:-1], at_key=True, hint=context["hint"])
        if path[-1:] == ("[key]",) and not isinstance(self._at(path[:-1]), Mapping):  # so pydantic marks invalid keys
            return self.document.diagnostic("name", f"invalid name {shown(value)}", path[:-1], at_key=True)
        match code:
            case "extra_forbidden":
                return self._unknown_key(path)
            case "missing" if isinstance(path[-1], int):  # an entry of a list of fixed length
                needed = counted(path[-1] + 1, "entry", "entries")
                return self._say("length", f"expected at least {needed}, got {len(self._at(path[:-1]))}", path[:-1])
            case "missing":
                section, owner = self._section(path[:-1])
                hint = section.model_fields[str(path[-1])].description
                return self._say("missing-key", f'missing key "{path[-1]}"{_of(owner)}', path, hint)
            case "missing-key":
                return self._missing_type(path, context["kind"])
            case "unknown-part":
                return self._unknown_part(path, context["kind"], context["name"])
            case "wrong-type":
                message = f"expected {kind_noun(context['kind'])} (a name, or a table with type), got {shown(value)}"
                return self._say("wrong-type", message, path)
            case "literal_error":
                choices = self._choices(path)
                hint = did_you_mean(value, choices) if isinstance(value, str) else None
                return self._say("unknown-value", f"expected {either(choices)}, got {shown(value)}", path, hint)
            case "unknown-value":
                hint = did_you_mean(value, _WORD.findall(context["words"])) if isinstance(value, str) else None
                return self._say(code, f"expected {context['words']}, got {shown(value)}", path, hint)
            case "unknown-monitor":
                message = f"expected a metric to monitor, got {shown(value)}"
                return self._say("unknown-value", message, path, monitor_hint(value, self.registry))
            case "unknown-metric":
                message = f"expected validation_loss or a metric, got {shown(value)}"
                return self._say("unknown-value", message, path, metric_hint(value, self.registry))
            case "unquoted-key":
                message = "keys of the space must be in quotes"
                keys = [*islice(_unquoted(path[2:], value), _MOST_QUOTED)]
                words = "write " + " and ".join(f'"{_key(key)}" = …' for key in keys)
                hint = Suggestion(words, Moved((*path[:2], *keys[0]), (*path[:2], _key(keys[0]))), is_certain=True)
                return self.document.diagnostic("space-key", message, path, at_key=True, hint=hint)
            case "string_pattern_mismatch":
                hint = name_hint(value, path, NAME_RULES.get(context["pattern"]))
                return self._say("name", f"invalid name {shown(value)}", path, hint)
        if code in _NEEDED:
            message = f"expected {_NEEDED[code]}, got {shown(value)}"
            return self._say("wrong-type", message, path, type_hint(code.removesuffix("_type"), value))
        if code in _BOUNDS:
            words, key = _BOUNDS[code]
            return self._say("out-of-bounds", f"expected {words} {_bound(context[key])}, got {shown(value)}", path)
        if code in _LENGTHS:
            key, words, singular, plural = _LENGTHS[code]
            needed = counted(context[key], singular, plural)
            return self._say("length", f"expected {words} {needed}, got {len(self._at(path))}", path)
        return self._say(code.replace("_", "-"), details["msg"].removeprefix("Value error, "), path)

    def _say(self, code: str, message: str, path: Path, hint: str | None = None) -> Diagnostic:
        return self.document.diagnostic(code, message, path, hint=hint)

    def _unknown_key(self, path: Path) -> Diagnostic:
        section, owner = self._section(path[:-1])
        key = str(path[-1])
        hint = layer_hint(key, self._at(path)) if issubclass(section, _AROUND_LAYERS) else None
        hint = hint or key_hint(path, section.model_fields, self._other_tables(section))
        message = f"unknown key {shown(path[-1])}{_of(owner)}"
        return self.document.diagnostic("unknown-key", message, path, at_key=True, hint=hint)

    def _missing_type(self, path: Path, kind: str) -> Diagnostic:
        close = close_match("type", self._at(path))
        hint: str = f"for example {', '.join(part.part_name() for part in self.registry.of_kind(kind)[:5])}"
        if close:
            moved = Moved((*path, close), (*path, "type"))
            hint = Suggestion(f'rename {shown(close)} to "type"', moved, is_certain=True)
        return self._say("missing-key", f'missing key "type" for {kind_noun(kind)}', (*path, "type"), hint)

    def _unknown_part(self, path: Path, kind: str, name: Any) -> Diagnostic:
        if isinstance(self._at(path), Mapping):
            path = (*path, "type")
        if not isinstance(name, str):
            return self._say("wrong-type", f"expected a string, got {shown(name)}", path)
        if name in self.registry.broken:
            return self._say(
                "broken-plugin", f"cannot load the plugin {shown(name)}: {self.registry.broken[name]}", path
            )
        hint = part_hint(name, kind, self.registry)
        return self._say("unknown-part", f"unknown {kind_name(kind)} {shown(name)}", path, hint)

    def _other_tables(self, section: type[Section]) -> dict[str, OtherTable]:
        """Return the other tables to which a misplaced key of this section may belong, by their names."""
        training = {"training": OtherTable(TrainingSpec.model_fields, ("training",))}
        if issubclass(section, Part):
            alike = {part.part_name(): OtherTable(part.model_fields) for part in self.registry.of_kind(section.kind)}
            return alike | training
        optimizers = {key for part in self.registry.of_kind("optimizer") for key in part.model_fields}
        return {
            _TOP: OtherTable(Spec.model_fields, ()),
            "network": OtherTable(NetworkSpec.model_fields, ("network",)),
            **training,
            "the optimizer": OtherTable(optimizers, ("training", "optimizer")),
        }

    def _at(self, path: Path) -> Any:
        value: Any = self.document.data
        for step in path:
            value = value[step]
        return value

    def _choices(self, path: Path) -> list[str]:
        while not isinstance(path[-1], str):  # an item of a list
            path = path[:-1]
        section, _ = self._section(path[:-1])
        return list(_words_in(section.model_fields[path[-1]].annotation))

    def _section(self, path: Path) -> tuple[type[Section], str]:
        """Return the class of the section or part at a path, and its name in messages."""
        section: type[Section] = Spec
        sections, owner, is_free = [section], _TOP, False
        value: Any = self.document.data
        for step in path:
            value = value[step]
            if isinstance(step, str) and step in section.model_fields and not is_free:
                annotation = section.model_fields[step].annotation
                sections, owner = list(_sections_in(annotation)) or [Section], step
                is_free = any(get_origin(each) is dict for each in (annotation, *get_args(annotation)))
            elif isinstance(step, str):  # a key of a table with arbitrary keys
                owner, is_free = "", False
            section = next((each for each in sections if _is_of(value, each)), sections[0])
            owner = owner or section.__name__.lower()
            if "kind" in section.__dict__ and not isinstance(value, list | tuple):
                name = value["type"] if isinstance(value, Mapping) else value
                part = self.registry.find(section.__dict__["kind"], name)
                assert part is not None  # its fields were read, so its name was known
                section, owner = part, part.part_name()
        return section, owner


def _unquoted(path: Path, value: Any) -> Iterator[Path]:
    """Yield the paths within a space of the entries whose keys have no quotes."""
    if is_unquoted(value):
        for key, item in value.items():
            yield from _unquoted((*path, key), item)
    else:
        yield path


def _key(path: Path) -> str:
    return ".".join(map(str, path))


def _of(owner: str) -> str:
    return f" at {owner}" if owner == _TOP else f" for {owner}"


def _bound(number: float) -> str:
    return shown(int(number) if number == int(number) else number)


def _words_in(annotation: Any) -> Iterator[str]:
    """Yield the texts that an annotation allows as literals, also inside unions."""
    for argument in get_args(annotation):
        if isinstance(argument, str):
            yield argument
        else:
            yield from _words_in(argument)


def _sections_in(annotation: Any) -> Iterator[type[Section]]:
    """Yield the section classes in an annotation, also inside lists and unions."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        yield annotation
    for argument in get_args(annotation):
        yield from _sections_in(argument)


def _is_of(value: Any, section: type[Section]) -> bool:
    """Return whether a table's ``type`` is that of a class; both may be without a type."""
    field = section.model_fields.get("type")
    types = (None,) if field is None else tuple(_words_in(field.annotation))
    return isinstance(value, Mapping) and value.get("type") in types
