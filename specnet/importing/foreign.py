"""A layer as another tool describes it, and the parts that say themselves what they are called there."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from specnet.errors import FileError
from specnet.files.tensors import Shape, shown
from specnet.importing.draft import Draft, layer_of
from specnet.parts.arrays import Array
from specnet.parts.part import Names, Part
from specnet.parts.registry import built_in_registry

_ABSENT = {"scale": np.ones(()), "shift": np.zeros(())}
"""What stands for arrays that a layer does not have."""
_CLIPS = {"hard_tanh": (-1, 1), "relu6": (0, 6)}


@dataclass(frozen=True)
class ForeignLayer(ABC):
    """A layer of another tool, which reads layers of a draft and becomes one or several more."""

    draft: Draft
    inputs: Sequence[int]

    @property
    @abstractmethod
    def axis(self) -> Any:
        """The axis along which it works; -1 where it has none."""

    @abstractmethod
    def fields(self, names: Names) -> dict[str, Any]:
        """Return the fields of the part that has these names."""

    @abstractmethod
    def arrays(self, names: Names, shapes: Mapping[str, Shape]) -> dict[str, Array | None]:
        """Return the arrays of that part, of these shapes by their names; None for one that the layer does not have."""

    @property
    def source(self) -> int:
        """The one layer that it reads."""
        if len(self.inputs) != 1:
            raise FileError(f"it reads {len(self.inputs)} layers, expected one")
        return self.inputs[0]

    @property
    def size(self) -> int:
        """The number of features that it reads."""
        return self.draft.size(self.source)

    def along_features(self) -> None:
        """Refuse a layer that works along another axis than the features."""
        if self.axis not in (1, -1, [1], [-1]):
            raise FileError(f"it works along the axis {shown(str(self.axis))[1:-1]}, which is not that of the features")

    def add(self, part: type[Part], **fields: Any) -> int:
        """Add the part that the layer is, with fields and arrays by their names; some fields may be given."""
        self.along_features()
        said = {"type": part.part_name()} | self.fields(part.names) | fields
        layer = layer_of({"type": "activation", "activation": said} if part.kind == "activation" else said)
        shapes = layer.tensor_shapes(tuple(map(self.draft.size, self.inputs)))
        arrays = self.arrays(part.names, shapes).items()
        return self.draft.add(layer, self.inputs, {name: _ABSENT[name] if a is None else a for name, a in arrays})

    def clip(self, minimum: Any, maximum: Any) -> int:
        """Add a clip, or the activation that is one with these bounds."""
        named = [name for name, bounds in _CLIPS.items() if bounds == (minimum, maximum)]
        clip = {"type": "clip", "minimum": minimum, "maximum": maximum}
        return self.draft.activation(self.source, named[0] if named else clip)


def same(layer: ForeignLayer) -> int:
    """Return what a layer reads, which it hands on as it is."""
    return layer.source


def named_parts(name_of: Callable[[Names], str]) -> dict[str, type[Part]]:
    """Return layers and activations by the name that they have elsewhere."""
    kinds = map(built_in_registry().of_kind, ("layer", "activation"))
    return {name: part for parts in kinds for part in parts if (name := name_of(part.names))}


@contextmanager
def errors_at(where: str, but: type[FileError] | tuple[()] = ()) -> Iterator[None]:
    """Say of an error where it occurred, unless it is one that says so itself."""
    try:
        yield
    except but:
        raise
    except FileError as error:
        (problem, *_) = error.diagnostics
        raise FileError(f"{where}: {problem.message}", hint=problem.hint) from error
