"""The origin of each value of a resolved spec, and the equations of its parts, for users.

The origin of a value is the file, a setting, the data, the model or a default.
"""

from __future__ import annotations

import inspect
import json
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from specnet.errors import Path
from specnet.files.plain_data import leaves, value_at
from specnet.parts.activations import Activation
from specnet.parts.layers import Layer
from specnet.parts.part import Part, Section
from specnet.parts.schedules import Schedule
from specnet.spec.document import Origin, Spec
from specnet.spec.reading.hints import shown
from specnet.spec.reading.source_document import Location, Override, locate
from specnet.spec.resolving.agreement import Claim, Given, input_claims, last_layer_claim, output_claims
from specnet.spec.resolving.graph import LAYERS
from specnet.spec.resolving.resolve import partly_resolved

INPUT_SIZE: Path = ("network", "input_size")
OUTPUT_SIZE: Path = ("network", "output_size")
_LAST_SIZE: Path = ("network", "hidden_layer_sizes")
"""The path for the size of a stack's last layer, which comes from the data and is not in the list."""
_SHORT = {"type": str, "members": int}
"""Keys with the type of their value, which a spec may write instead of the whole table."""


@dataclass(frozen=True)
class ResolvedValue:
    """A value of a resolved spec, with its origin.

    Attributes
    ----------
    path : tuple of str and int
        Path within the resolved spec.
    value : plain data
        A text, a number, a boolean, a list without tables and lists, or an empty table.
    origin : "file", "setting", "data", "model" or "default"
    location : Location or None
        Location in the file or the setting that specifies the value.
    setting : Override or None
        The setting that specifies the value, or that removed the value of the file.
    replaced : Location or None
        Location in the file of the value that the setting replaced or removed.
    """

    path: Path
    value: Any
    origin: Literal["file", "setting", "data", "model", "default"]
    location: Location | None = None
    setting: Override | None = None
    replaced: Location | None = None

    @property
    def key(self) -> str:
        """The dotted path."""
        return ".".join(map(str, self.path))


def origins_of(spec: Spec, known: Spec) -> list[ResolvedValue]:
    """Return every value of a resolved spec with its origin, in the spec's order.

    Parameters
    ----------
    spec : Spec
        The spec as it was read; the spec of a model has no text.
    known : Spec
        The same spec, resolved.
    """
    if spec.document.text is None:
        short = known.short()
        return [_of_model(path, value, short) for path, value in leaves(_plain(known), whole_lists=True)]
    return list(_Origins(spec, known))


class _Origins:
    def __init__(self, spec: Spec, known: Spec) -> None:
        self.spec, self.known, self.document = spec, known, spec.document
        partly = partly_resolved(spec, Given(outputs=known.network.output_size))
        # Preprocessing may have added a first layer once the data were known.
        self.shift = len(known.network.layers or ()) - len(partly.spec.network.layers or ())
        self.origin: Origin = partly.spec.origin
        self.without_data = dict(leaves(_plain(partly.spec), whole_lists=True))
        assert self.document.text is not None
        assert self.document.format is not None
        self.in_file = locate(self.document.text, self.document.format).locations
        self.sizes = {INPUT_SIZE: self._claimed(input_claims), OUTPUT_SIZE: self._claimed(output_claims)}
        last = last_layer_claim(partly.nodes) if spec.network.hidden_layer_sizes is None else None
        if last is not None:
            self.sizes[OUTPUT_SIZE] = last.path

    def __iter__(self) -> Iterator[ResolvedValue]:
        for path, value in leaves(_plain(self.known), whole_lists=True):
            own = self._unshifted(path)
            yield ResolvedValue(path, value, "data") if own is None else self._explained(path, own, value)

    def _explained(self, path: Path, own: Path, value: Any) -> ResolvedValue:
        source = self.origin.path_of(own)
        if source == _LAST_SIZE:
            source = OUTPUT_SIZE
        if source in self.sizes and source not in self.document.locations:
            claimed = self.sizes[source]
            if claimed is None or claimed == ("data",):
                return ResolvedValue(path, value, "data")
            source = self.origin.path_of(claimed)
        location = self._location(source)
        if location is not None:
            setting = next((item for item in self.document.overrides if item.text is location.text), None)
            if setting is None:
                return ResolvedValue(path, value, "file", location)
            return ResolvedValue(path, value, "setting", location, setting, self._in_file(source, setting))
        if own not in self.without_data or self.without_data[own] != value:
            return ResolvedValue(path, value, "data")
        remover = next(
            (item for item in self.document.overrides if item.removed and source[: len(item.path)] == item.path), None
        )
        replaced = self._in_file(source, remover) if remover else None
        return ResolvedValue(path, value, "default", None, remover if replaced else None, replaced)

    def _unshifted(self, path: Path) -> Path | None:
        """Return the path of a value before the first layer was added; None for a value of the added layer."""
        if not self.shift or path[:2] != LAYERS or len(path) < 3 or not isinstance(path[2], int):
            return path
        return (*LAYERS, path[2] - self.shift, *path[3:]) if path[2] >= self.shift else None

    def _location(self, path: Path) -> Location | None:
        """Return the location of a value, or of the word or number written instead of its table; None if unwritten."""
        locations = self.document.locations
        if path in locations:
            return locations[path]
        table, location = value_at(self.document.data, path[:-1]), locations.get(path[:-1])
        is_short = path[-1] in _SHORT and type(table) is _SHORT[str(path[-1])]
        if path[-1] == "type" and isinstance(table, Mapping) and location is not None:
            # A setting of one field has turned the name into a table.
            is_short = location.text is self.document.text
        return location if is_short else None

    def _in_file(self, path: Path, setting: Override) -> Location | None:
        """Return the location in the file of the value that a setting replaced, or of the short form of its table."""
        table = path[:-1]
        if path in self.in_file or len(setting.path) <= len(table):
            return self.in_file.get(path, self.in_file.get(table))
        has_keys = any(known[: len(table)] == table and known != table for known in self.in_file)
        return None if has_keys else self.in_file.get(table)

    def _claimed(self, claims: Callable[[Spec, Given], Iterator[Claim]]) -> Path | None:
        """Return the path of the first claim about a size, or None."""
        return next((claim.path for claim in claims(self.spec, Given())), None)


def _of_model(path: Path, value: Any, short: Any) -> ResolvedValue:
    """Return a value of a model's spec, with the origin "model" if the spec's short form has it, else "default"."""
    names_part = path[-1] == "type" and isinstance(value_at(short, path[:-1]), str | Mapping)
    return ResolvedValue(path, value, "model" if names_part or value_at(short, path) is not None else "default")


def _plain(spec: Spec) -> Any:
    return spec.model_dump(mode="json", exclude_none=True)


LONGEST = 48


def value_text(value: Any, longest: int = LONGEST) -> str:
    """Return plain data in one line: texts without quotes, other values as JSON, shortened to `longest` characters."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = text.replace("\n", "⏎")
    return text if len(text) <= longest else text[: longest - 1] + "…"


_CITATION = re.compile(r"\s\([^()]*\b(?:19|20)\d\d\b[^()]*\)")
_SYMBOL = re.compile(r"(\w{1,2}), ")
_RATE = "lr"
WIDTH = 76
MAX_KEYS = 3


@dataclass(frozen=True)
class Equation:
    """The equation that a part computes.

    Attributes
    ----------
    keys : tuple of str
        Dotted keys of the part in the resolved spec.
    part : str
        Name of the part.
    text : str
        The equation, or a sentence if the part is not described by one equation.
    values : dict
        Values of the symbols in the text.
    """

    keys: tuple[str, ...]
    part: str
    text: str
    values: dict[str, Any]

    def lines(self) -> list[str]:
        """Return a heading and the equation below it."""
        more = len(self.keys) - MAX_KEYS
        keys = ", ".join(self.keys[:MAX_KEYS]) + (f" and {more} more" if more > 0 else "")
        lines = [self.text, ", ".join(f"{name} = {shown(value)}" for name, value in self.values.items())]
        wrapped = [textwrap.wrap(line, WIDTH, break_long_words=False, break_on_hyphens=False) for line in lines]
        return [f"{keys}: {self.part}", *(f"    {line}" for each in wrapped for line in each)]

    def as_dict(self) -> dict[str, Any]:
        """Return the equation as plain data for ``--format json``."""
        return {"keys": list(self.keys), "part": self.part, "equation": self.text, "values": self.values}


def equations(spec: Spec) -> list[Equation]:
    """Return the equations of a resolved spec's parts (activations, loss, optimizer and so on), each part once."""
    found: dict[Part, list[str]] = {}
    for key, part in _parts(spec):
        found.setdefault(part, []).append(key)
    return [_equation(part, keys) for part, keys in found.items()]


def _parts(spec: Spec) -> Iterator[tuple[str, Part]]:
    layers = _within(spec.network.layers or (), "network.layers")
    yield from ((key, part) for key, part in layers if isinstance(part, Activation) and not part.is_identity)
    training, stepping = spec.training, spec.training.optimizer.stepping
    yield "training.loss", training.loss
    yield "training.optimizer", training.optimizer
    if stepping is not None and not stepping.schedule.is_constant:
        yield "training.optimizer.schedule", stepping.schedule
    yield from further_schedules(spec)
    if training.average_weights is not None:
        yield "training.average_weights", training.average_weights


def further_schedules(spec: Spec) -> Iterator[tuple[str, Schedule]]:
    """Yield the dotted key and the schedule for all schedules but that of the learning rate, unless it is constant."""
    optimizer = spec.training.optimizer
    found = {f"training.optimizer.{name}": getattr(optimizer, name) for name in type(optimizer).model_fields}
    for key, part in _within(spec.network.layers or (), "network.layers"):
        if isinstance(part, Layer):
            found |= {f"{key}.{name}": schedule for name, schedule in part.schedules.items()}
    for key, value in found.items():
        if key != "training.optimizer.schedule" and isinstance(value, Schedule) and not value.is_constant:
            yield key, value


def _within(value: Any, key: str) -> Iterator[tuple[str, Part]]:
    """Yield the dotted key and the part for all parts nested in a value."""
    if isinstance(value, Part):
        yield key, value
    if isinstance(value, Section):
        for name in type(value).model_fields:
            yield from _within(getattr(value, name), f"{key}.{name}")
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from _within(item, f"{key}.{index}")


def _equation(part: Part, keys: Iterable[str]) -> Equation:
    text = _sentence(part)
    values = {}
    for name, field in type(part).model_fields.items():
        symbol = _SYMBOL.match(field.description or "")
        names = [symbol[1] if symbol else "", _RATE if name == "learning_rate" else "", name]
        # A letter before a combining circumflex is another symbol.
        used = [each for each in names if each and re.search(rf"(?<![\w'’]){re.escape(each)}(?![\w\u0302])", text)]
        value = getattr(part, name)
        if used and isinstance(value, bool | int | float):
            values[used[0]] = value
    return Equation(tuple(keys), part.type, text, values)


def _sentence(part: Part) -> str:
    """Return the first sentence of a part's docstring, without citations."""
    paragraph = " ".join((inspect.getdoc(type(part)) or "").split("\n\n")[0].split())
    sentence = _CITATION.sub("", paragraph.replace("``", "").replace("`", "")).split(". ")[0]
    return sentence.removesuffix(".")


LONGEST_REPLACED = 30


def origin_rows(values: Sequence[ResolvedValue]) -> list[tuple[str, str, str]]:
    """Return a table row for each value: the key, the value and its origin."""
    return [(value.key, value_text(value.value), origin_text(value)) for value in values]


def origin_data(values: Sequence[ResolvedValue], equations: Sequence[Equation]) -> dict[str, Any]:
    """Return the values and equations as plain data for ``--format json``."""
    return {
        "values": [_value_data(value) for value in values],
        "equations": [equation.as_dict() for equation in equations],
    }


def origin_text(value: ResolvedValue) -> str:
    """Return the origin of a value as text: ``file line 21``, ``--set #1 (file line 21: 100)``, ``from data``."""
    replaced = f"{_line(value.replaced)}: {_written(value.replaced)}" if value.replaced else ""
    if value.setting is not None and value.setting.removed:
        return f"default ({value.setting.text.name} removed {replaced})"
    if value.setting is not None:
        return value.setting.text.name + f" ({replaced})" * bool(replaced)
    if value.location is not None:
        return _line(value.location)
    return "from data" if value.origin == "data" else value.origin


def _value_data(value: ResolvedValue) -> dict[str, Any]:
    data: dict[str, Any] = {"key": value.key, "value": value.value, "origin": value.origin}
    if value.origin == "file" and value.location is not None:
        data |= {"source": value.location.text.name, "line": value.location.value.line}
    if value.setting is not None:
        data |= {"setting": value.setting.text.name, "written": value.setting.text.content}
    if value.replaced is not None:
        data["replaced"] = {
            "source": value.replaced.text.name,
            "line": value.replaced.value.line,
            "text": _written(value.replaced, longest=None),
        }
    return data


def _line(location: Location) -> str:
    return f"{'stdin' if location.text.name == '<stdin>' else 'file'} line {location.value.line}"


def _written(location: Location, longest: int | None = LONGEST_REPLACED) -> str:
    """Return the text at a location; only the first line of a table that has several."""
    position = location.value
    text = location.text.lines[position.line - 1][position.column - 1 :][: position.length]
    return text if longest is None else value_text(text, longest)
