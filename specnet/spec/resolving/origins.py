"""Where each value of a resolved spec comes from: the file, a setting, the data, the model, or a default."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from specnet.errors import Path
from specnet.files.plain_data import leaves
from specnet.spec.document import Origin, Spec
from specnet.spec.reading.source_document import Location, Override, locate
from specnet.spec.resolving.long_form import LAYERS
from specnet.spec.resolving.resolve import partly_resolved
from specnet.spec.resolving.sizes import Given, input_claims, last_layer_claim, output_claims

INPUT_SIZE: Path = ("network", "input_size")
OUTPUT_SIZE: Path = ("network", "output_size")
_LAST_SIZE: Path = ("network", "hidden_layer_sizes")
"""What a stack's last size is filed under, which the data say and no entry of the list."""
_SHORT = {"type": str, "members": int}
"""The keys of tables that a spec may write as one word or number."""


@dataclass(frozen=True)
class ResolvedValue:
    """A value of a resolved spec, and where it comes from.

    Attributes
    ----------
    path : tuple of str and int
        In the resolved spec.
    value : plain data
        A text, a number, true or false, or a list or table that holds no others.
    origin : "file", "setting", "data", "model" or "default"
    place : Location or None
        Where the file or the setting says it.
    setting : Override or None
        The setting that says it, or that removed what the file says.
    replaced : Location or None
        What the setting replaced or removed.
    """

    path: Path
    value: Any
    origin: Literal["file", "setting", "data", "model", "default"]
    place: Location | None = None
    setting: Override | None = None
    replaced: Location | None = None

    @property
    def key(self) -> str:
        """The dotted path."""
        return ".".join(map(str, self.path))


def explain(spec: Spec, known: Spec) -> list[ResolvedValue]:
    """Return every value of a resolved spec with its origin, in the spec's order.

    Parameters
    ----------
    spec : Spec
        As it was read; the spec of a model counts as one without a file.
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
        # Preprocessing may have put a layer in front, once the data were known.
        self.shift = len(known.network.layers or ()) - len(partly.spec.network.layers or ())
        self.origin: Origin = partly.spec.origin
        self.without_data = dict(leaves(_plain(partly.spec), whole_lists=True))
        assert self.document.text is not None
        assert self.document.format is not None
        self.in_file = locate(self.document.text, self.document.format).places
        self.sizes = {INPUT_SIZE: self._input_size(), OUTPUT_SIZE: self._output_size(partly.nodes)}

    def __iter__(self) -> Iterator[ResolvedValue]:
        for path, value in leaves(_plain(self.known), whole_lists=True):
            own = self._unshifted(path)
            yield ResolvedValue(path, value, "data") if own is None else self._explained(path, own, value)

    def _explained(self, path: Path, own: Path, value: Any) -> ResolvedValue:
        source = self.origin.path_of(own)
        if source == _LAST_SIZE:
            source = OUTPUT_SIZE
        if source in self.sizes and source not in self.document.places:
            said = self.sizes[source]
            if said is None or said == ("data",):
                return ResolvedValue(path, value, "data")
            source = self.origin.path_of(said)
        place = self._place(source)
        if place is not None:
            setting = self._setting(place)
            if setting is None:
                return ResolvedValue(path, value, "file", place)
            return ResolvedValue(path, value, "setting", place, setting, self._in_file(source, setting))
        if own not in self.without_data or self.without_data[own] != value:
            return ResolvedValue(path, value, "data")
        remover = next(
            (item for item in self.document.overrides if item.removed and _is_below(source, item.path)), None
        )
        replaced = self._in_file(source, remover) if remover else None
        return ResolvedValue(path, value, "default", None, remover if replaced else None, replaced)

    def _unshifted(self, path: Path) -> Path | None:
        """Return the path of a value before a layer was put in front; None for a value of that layer."""
        if not self.shift or path[:2] != LAYERS or len(path) < 3 or not isinstance(path[2], int):
            return path
        return (*LAYERS, path[2] - self.shift, *path[3:]) if path[2] >= self.shift else None

    def _place(self, path: Path) -> Location | None:
        """Return where a value is written: at its path, or where one word or number stands for its table."""
        places = self.document.places
        if path in places:
            return places[path]
        said, place = _at(self.document.data, path[:-1]), places.get(path[:-1])
        stands_for_table = path[-1] in _SHORT and type(said) is _SHORT[str(path[-1])]
        if path[-1] == "type" and isinstance(said, Mapping) and place is not None:
            # A setting of one of its fields has made a table of the name.
            stands_for_table = place.text is self.document.text
        return place if stands_for_table else None

    def _in_file(self, path: Path, setting: Override) -> Location | None:
        """Return where the file itself says what a setting replaced: at a path, or in place of the table around it."""
        table = path[:-1]
        if path in self.in_file or len(setting.path) <= len(table):
            return self.in_file.get(path, self.in_file.get(table))
        has_keys = any(known[: len(table)] == table and known != table for known in self.in_file)
        return None if has_keys else self.in_file.get(table)

    def _setting(self, place: Location) -> Override | None:
        return next((item for item in self.document.overrides if item.text is place.text), None)

    def _input_size(self) -> Path | None:
        return next((claim.path for claim in input_claims(self.spec, Given())), None)

    def _output_size(self, nodes: Any) -> Path | None:
        claim = last_layer_claim(nodes) if self.spec.network.hidden_layer_sizes is None else None
        return claim.path if claim else next((claim.path for claim in output_claims(self.spec, Given())), None)


def _of_model(path: Path, value: Any, short: Any) -> ResolvedValue:
    """Return a value of a model's spec: its own if a document in the fewest words says it, else a default."""
    names_part = path[-1] == "type" and isinstance(_at(short, path[:-1]), str | Mapping)
    return ResolvedValue(path, value, "model" if names_part or _at(short, path) is not None else "default")


def _plain(spec: Spec) -> Any:
    return spec.model_dump(mode="json", exclude_none=True)


def _at(data: Any, path: Path) -> Any:
    """Return what plain data says at a path, None if it says nothing there."""
    for step in path:
        if isinstance(data, Mapping):
            data = data.get(str(step))
        elif isinstance(data, list | tuple) and isinstance(step, int) and step < len(data):
            data = data[step]
        else:
            return None
    return data


def _is_below(path: Path, other: Path) -> bool:
    return path[: len(other)] == other
