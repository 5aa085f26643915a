"""What a document means, for people: its equations, and each of its values with the reason for it."""

from __future__ import annotations

import inspect
import json
import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from specnet.parts.activations import Activation
from specnet.parts.part import Part, Section
from specnet.spec import Spec
from specnet.spec.reading.source_document import Location
from specnet.spec.reading.words import shown
from specnet.spec.resolving.origins import ResolvedValue

LONGEST = 48


def value_text(value: Any, longest: int = LONGEST) -> str:
    """Return plain data as a line: texts without quotes, all else as JSON, cut where it is long."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = text.replace("\n", "⏎")
    return text if len(text) <= longest else text[: longest - 1] + "…"


_CITATION = re.compile(r"\s\([^()]*\b(?:19|20)\d\d\b[^()]*\)")
_SYMBOL = re.compile(r"(\w{1,2}), ")
_RATE = "lr"
WIDTH = 76
MOST_KEYS = 3


@dataclass(frozen=True)
class Equation:
    """What a part computes.

    Attributes
    ----------
    keys : tuple of str
        Where in the resolved spec the part stands.
    part : str
        Its name.
    text : str
        Its equation, or a sentence for a part that is more than an equation.
    values : dict
        What the symbols in the text are.
    """

    keys: tuple[str, ...]
    part: str
    text: str
    values: dict[str, Any]

    def lines(self) -> list[str]:
        """Return a heading and the equation below it."""
        more = len(self.keys) - MOST_KEYS
        keys = ", ".join(self.keys[:MOST_KEYS]) + (f" and {more} more" if more > 0 else "")
        lines = [self.text, ", ".join(f"{name} = {shown(value)}" for name, value in self.values.items())]
        wrapped = [textwrap.wrap(line, WIDTH, break_long_words=False, break_on_hyphens=False) for line in lines]
        return [f"{keys}: {self.part}", *(f"    {line}" for each in wrapped for line in each)]

    def as_dict(self) -> dict[str, Any]:
        """Return the equation as plain data for ``--format json``."""
        return {"keys": list(self.keys), "part": self.part, "equation": self.text, "values": self.values}


def equations(spec: Spec) -> list[Equation]:
    """Return the equations of a resolved spec: of its activations, its loss and its optimizer; equal ones once."""
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
    if training.average_weights is not None:
        yield "training.average_weights", training.average_weights


def _within(value: Any, key: str) -> Iterator[tuple[str, Part]]:
    """Yield the parts in lists and tables, however deep, by their dotted keys."""
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
        used = [each for each in names if each and re.search(rf"(?<![\w'’]){re.escape(each)}(?![\ŵ])", text)]
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


def explanation_rows(values: Sequence[ResolvedValue]) -> list[tuple[str, str, str]]:
    """Return a row for each value: its key, the value, and where it comes from."""
    return [(value.key, value_text(value.value), origin_text(value)) for value in values]


def explanation_data(values: Sequence[ResolvedValue], equations: Sequence[Equation]) -> dict[str, Any]:
    """Return the same as plain data for ``--format json``."""
    return {
        "values": [_value_data(value) for value in values],
        "equations": [equation.as_dict() for equation in equations],
    }


def origin_text(value: ResolvedValue) -> str:
    """Return where a value comes from: ``file line 21``, ``--set #1 (file line 21: 100)``, ``from data``."""
    replaced = f"{_line(value.replaced)}: {_written(value.replaced)}" if value.replaced else ""
    if value.setting is not None and value.setting.removed:
        return f"default ({value.setting.text.name} removed {replaced})"
    if value.setting is not None:
        return value.setting.text.name + f" ({replaced})" * bool(replaced)
    if value.place is not None:
        return _line(value.place)
    return "from data" if value.origin == "data" else value.origin


def _value_data(value: ResolvedValue) -> dict[str, Any]:
    data: dict[str, Any] = {"key": value.key, "value": value.value, "origin": value.origin}
    if value.origin == "file" and value.place is not None:
        data |= {"source": value.place.text.name, "line": value.place.value.line}
    if value.setting is not None:
        data |= {"setting": value.setting.text.name, "written": value.setting.text.content}
    if value.replaced is not None:
        data["replaced"] = {
            "source": value.replaced.text.name,
            "line": value.replaced.value.line,
            "text": _written(value.replaced, longest=None),
        }
    return data


def _line(place: Location) -> str:
    return f"{'stdin' if place.text.name == '<stdin>' else 'file'} line {place.value.line}"


def _written(place: Location, longest: int | None = LONGEST_REPLACED) -> str:
    """Return what a text says at a place, of a table over several lines the first."""
    start = place.value.column - 1
    text = place.text.lines[place.value.line - 1][start : start + place.value.length]
    return text if longest is None else value_text(text, longest)
