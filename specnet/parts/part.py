"""The base classes of all parts and of the sections of a document."""

import re
from collections.abc import Iterable, Iterator, Mapping, Set
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, SerializationInfo, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError, PydanticSerializationError

OnnxOperator = tuple[str, dict[str, str]]
"""An operator's name, and for each of its attributes the field with its value. Its inputs are the inputs of the part,
then the learned arrays of the part and then its states, in order."""


class Names(NamedTuple):
    """The names of a part in other tools, for exporters and importers.

    Attributes
    ----------
    keras : str
        Function of `keras.activations` that is equivalent to the part with default fields.
    keras_layer : tuple of str
        Class of `keras.layers`, empty if there is none, and its arguments, which have the names of the part's fields.
    torch : tuple of str
        Module of `torch.nn`; call that computes an activation or makes a layer, empty if there is none; names of the
        module's arrays, in the part's order. The call contains ``{x}`` for the input, ``{size}`` for the number of
        features, ``{dtype}`` for their type, and fields by name.
    sklearn : str
        Activation of scikit-learn's networks.
    keras_flags : mapping
        Arguments that determine whether Keras's layer has an array, by the array's name.
    """

    keras: str = ""
    keras_layer: tuple[str, ...] = ("",)
    torch: tuple[str, ...] = ("", "")
    sklearn: str = ""
    keras_flags: Mapping[str, str] = MappingProxyType({})

    def torch_arguments(self) -> dict[str, str]:
        """Map each argument of the PyTorch call to the field with its value."""
        return dict(re.findall(r'(\w+)="?{(\w+)}', self.torch[1]))


class FieldProblem(NamedTuple):
    """An error about fields that are valid one by one but not together, with the path of the field to change."""

    path: tuple[str | int, ...]
    message: str
    code: str = "field-clash"


class Section(BaseModel):
    """A table of a document: fields are immutable; unknown keys and silent conversions are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, defer_build=True)

    def __hash__(self) -> int:
        return hash(_hashable(self.__dict__))

    def model_dump(self, **options: Any) -> dict[str, Any]:
        """Return the section as plain data; re-raise a KeyboardInterrupt that pydantic turned into an error."""
        try:
            return super().model_dump(**options)
        except PydanticSerializationError as error:
            if isinstance(error.__cause__, KeyboardInterrupt):
                raise error.__cause__ from None
            raise

    def problems(self) -> Iterator[FieldProblem]:
        """Yield errors about fields that are valid one by one but not together."""
        yield from ()

    def short(self) -> Any:
        """Return the section in its shortest form for a document, without defaults."""
        return self._short_fields()

    def _short_fields(self) -> dict[str, Any]:
        return {name: short(value) for name, value in self.changed_fields().items() if value is not None}

    def changed_fields(self) -> dict[str, Any]:
        """Return the fields that differ from their defaults, except the name of a part."""
        defaults = {
            name: field.get_default(call_default_factory=True) for name, field in type(self).model_fields.items()
        }
        own = {name: getattr(self, name) for name in defaults if name != "type"}
        return {name: value for name, value in own.items() if value != defaults[name]}

    @model_validator(mode="after")
    def _has_no_problems(self) -> Self:
        details = [
            InitErrorDetails(type=PydanticCustomError(problem.code, problem.message), loc=problem.path, input=None)
            for problem in self.problems()
        ]
        if details:
            raise ValidationError.from_exception_data(type(self).__name__, details)
        return self


def short(value: Any) -> Any:
    """Return a value of a spec in its shortest form for a document."""
    if isinstance(value, Section):
        return value.short()
    if isinstance(value, list | tuple):
        return [short(each) for each in value]
    return {key: short(each) for key, each in value.items()} if isinstance(value, Mapping) else value


def _hashable(value: Any) -> Any:
    """Return a hashable value that is equal for equal values."""
    if isinstance(value, Mapping):
        return frozenset((key, _hashable(inner)) for key, inner in value.items())
    return tuple(map(_hashable, value)) if isinstance(value, list | tuple) else value


def named_twice(field: str, names: Iterable[str]) -> Iterator[FieldProblem]:
    """Yield an error for each name that occurs twice in a field of names."""
    seen: set[str] = set()
    for index, name in enumerate(names):
        if name in seen:
            yield FieldProblem((field, index), f'duplicate name "{name}"')
        seen.add(name)


def written(section: Section, *fields: str) -> str:
    """Return the name of the first of these fields that the document sets, for the location of an error.

    If the document sets none of them, return the first name.
    """
    return next((name for name in fields if name in section.model_fields_set), fields[0])


class Part(Section):
    """A component of a network or a run, with fields that a spec may set.

    Each part is a subclass of a `PartKind`. Its field ``type`` is a literal whose default is the part's name.
    """

    kind: ClassVar[str]
    aliases: ClassVar[tuple[str, ...]] = ()
    names: ClassVar[Names] = Names()
    example: ClassVar[str] = ""
    """Fields for an example in a spec, including all required ones: ``units = 16, activation = "relu"``."""

    type: str

    @classmethod
    def part_name(cls) -> str:
        """Return the name of this part in a spec."""
        return str(cls.model_fields["type"].default)

    def short(self) -> Any:
        """Return the part's name, or a table if fields differ from their defaults."""
        fields = self._short_fields()
        return {"type": self.type, **fields} if fields else self.type

    @staticmethod
    def dump(part: "Part", info: SerializationInfo | None = None) -> dict[str, Any]:
        """Return a part as a table without nulls; with all defaults unless `info` excludes unset fields."""
        unset = info is not None and info.exclude_unset
        return {"type": part.type, **part.model_dump(mode="json", exclude_none=True, exclude_unset=unset)}


def parts_within(section: Any) -> Iterator[Part]:
    """Yield the parts in a section of a spec, or in a list of sections, at any depth."""
    if isinstance(section, Part):
        yield section
    if isinstance(section, BaseModel):
        for name in type(section).model_fields:
            yield from parts_within(getattr(section, name))
    elif isinstance(section, list | tuple):
        for item in section:
            yield from parts_within(item)


def class_name(part_name: str) -> str:
    """Return the usual class name of a part: ``MeanSquaredError`` for ``mean_squared_error``."""
    return "".join(map(str.capitalize, part_name.split("_")))


def described(part: Part | None, without: Set[str | None] = frozenset()) -> str:
    """Return a text with a part's name and its fields that differ from their defaults: ``elu(alpha=0.5)``."""
    if part is None:
        return ""
    fields = [f"{name}={_shown(value)}" for name, value in part.changed_fields().items() if name not in without]
    return f"{part.type}({', '.join(fields)})" if fields else part.type


def _shown(value: Any) -> str:
    if isinstance(value, Part):
        return described(value)
    return str(value).lower() if isinstance(value, bool) else str(value)
