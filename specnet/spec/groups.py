"""Preprocessing as a spec writes it: steps for all columns of numbers, and groups of columns with steps of their own."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler, SerializationInfo, ValidationInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from specnet.parts.fields import ColumnNames
from specnet.parts.kind import KIND_KEY
from specnet.parts.layers import Embedding as EmbeddingLayer
from specnet.parts.part import FieldProblem, Section, named_twice
from specnet.parts.preprocessing import Embedding, Preprocessing


class ColumnGroup(Section):
    """Columns with preprocessing steps of their own, which other steps then leave alone."""

    columns: ColumnNames = Field(description="names of the columns")
    steps: tuple[Preprocessing, ...] = Field(description="preprocessing steps, in order; none leaves numbers as they are")

    def problems(self) -> Iterator[FieldProblem]:
        yield from named_twice("columns", self.columns)


class _StepOrGroup:
    """Annotates ``Preprocessing | ColumnGroup``: a table with ``columns`` or ``steps`` is a group."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        def read(value: Any, handler: core_schema.ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
            is_table = isinstance(value, Mapping) and "type" not in value and not value.keys().isdisjoint(_GROUP_KEYS)
            return handler(value) if is_table or isinstance(value, ColumnGroup) else Preprocessing.read(value, info)

        def dump(value: Any, info: SerializationInfo) -> Any:
            if isinstance(value, Preprocessing):
                return Preprocessing.dump(value, info)
            return {"columns": list(value.columns), "steps": [Preprocessing.dump(step, info) for step in value.steps]}

        return core_schema.with_info_wrap_validator_function(
            read,
            handler.generate_schema(ColumnGroup),
            serialization=core_schema.plain_serializer_function_ser_schema(dump, info_arg=True),
        )

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"anyOf": [{KIND_KEY: Preprocessing.kind}, handler(schema)]}


_GROUP_KEYS = frozenset(ColumnGroup.model_fields)
StepOrGroup = Annotated[Preprocessing | ColumnGroup, _StepOrGroup()]
Written = Sequence[Preprocessing | ColumnGroup]


def prepared_size(written: Written, columns: int) -> int | None:
    """Return how many inputs preprocessing makes of so many raw columns; None where only the rows tell."""
    groups = [group for group in written if isinstance(group, ColumnGroup)]
    if not groups:
        return _made(tuple(step for step in written if isinstance(step, Preprocessing)), columns)
    sizes = [_made(group.steps, len(group.columns)) for group in groups]
    if len(groups) < len(written) or sum(len(group.columns) for group in groups) < columns or None in sizes:
        return None  # the other columns get steps by their kinds
    return sum(size or 0 for size in sizes)


def _made(steps: Sequence[Preprocessing], columns: int) -> int | None:
    size: int | None = columns
    for step in steps:
        size = None if size is None else step.output_size(size)
    return size


def with_embedding(written: Written) -> tuple[Written, EmbeddingLayer | None]:
    """Return preprocessing whose `embedding` steps are `ordinal`, and the layer that embeds their codes."""
    found: list[Preprocessing | ColumnGroup] = []
    places: list[int] = []
    categories: list[int] = []
    sizes: list[int] = []
    start = 0
    for group in written:
        if isinstance(group, ColumnGroup):
            size = _made(group.steps, len(group.columns))
            last = group.steps[-1] if group.steps else None
            if isinstance(last, Embedding) and size is not None:
                places += range(start, start + size)
                categories += [count + 1 for count in last.counts or ()]
                sizes += [last.size] * size
                group = group.model_copy(update={"steps": (*group.steps[:-1], last.as_ordinal())})
            start += size or 0
        found.append(group)
    if not places:
        return written, None
    layer = EmbeddingLayer(columns=tuple(places), categories=tuple(categories), size=tuple(sizes))
    return tuple(found), layer
