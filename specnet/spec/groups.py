"""Preprocessing as a spec writes it: steps for all columns of numbers, and groups of columns with their own."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, SerializationInfo, ValidationInfo, ValidatorFunctionWrapHandler

from specnet.parts.fields import ColumnNames
from specnet.parts.part import FieldProblem, Section, named_twice
from specnet.parts.preprocessing import Preprocessing, prepared_size, raw_size
from specnet.parts.registry import KIND_KEY
from specnet.spec.forms import WrittenForm

if TYPE_CHECKING:
    from specnet.parts.layers import Embedding


class ColumnGroup(Section):
    """Columns with preprocessing steps of their own, which other steps then leave alone."""

    columns: ColumnNames = Field(description="names of the columns")
    steps: tuple[Preprocessing, ...] = Field(
        description="preprocessing steps, in order; none leaves numbers as they are"
    )

    def problems(self) -> Iterator[FieldProblem]:
        yield from named_twice("columns", self.columns)


def _read(value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
    is_table = isinstance(value, Mapping) and "type" not in value and not value.keys().isdisjoint(_GROUP_KEYS)
    return handler(value) if is_table or isinstance(value, ColumnGroup) else Preprocessing.read(value, info)


def _dumped(value: Any, info: SerializationInfo) -> Any:
    if isinstance(value, Preprocessing):
        return Preprocessing.dump(value, info)
    return {"columns": list(value.columns), "steps": [Preprocessing.dump(step, info) for step in value.steps]}


_GROUP_KEYS = frozenset(ColumnGroup.model_fields)
StepOrGroup = Annotated[
    Preprocessing | ColumnGroup,
    WrittenForm(ColumnGroup, _read, lambda group: {"anyOf": [{KIND_KEY: Preprocessing.kind}, group]}, _dumped),
]
"""A table with ``columns`` or ``steps`` is a group."""
Written = Sequence[Preprocessing | ColumnGroup]


def prepared_columns(written: Written, columns: int) -> int | None:
    """Return how many inputs preprocessing makes of so many raw columns; None where only the rows tell."""
    groups = [group for group in written if isinstance(group, ColumnGroup)]
    if not groups:
        return prepared_size((step for step in written if isinstance(step, Preprocessing)), columns)
    sizes = [prepared_size(group.steps, len(group.columns)) for group in groups]
    known = [size for size in sizes if size is not None]
    is_whole = len(known) == len(written) and sum(len(group.columns) for group in groups) >= columns
    return sum(known) if is_whole else None  # other columns get steps by their kinds


def raw_columns(written: Written, inputs: int) -> int | None:
    """Return of how many raw columns preprocessing makes so many inputs; None where names or rows have to tell."""
    steps = [step for step in written if isinstance(step, Preprocessing)]
    return raw_size(steps, inputs) if len(steps) == len(written) else None


def with_ordinals(written: Written) -> tuple[Written, "Embedding | None"]:
    """Return preprocessing whose `embedding` steps are `ordinal`, and the layer that embeds their codes."""
    found: list[Preprocessing | ColumnGroup] = []
    fields: list[dict[str, Any]] = []
    start = 0
    for group in written:
        if isinstance(group, ColumnGroup):
            from specnet.parts.preprocessing import CategoryEmbedding

            last = group.steps[-1] if group.steps else None
            if isinstance(last, CategoryEmbedding) and last.counts is not None:
                fields.append(last.layer(last.counts, start))
                group = group.model_copy(update={"steps": (*group.steps[:-1], last.ordinal())})
            start += prepared_size(group.steps, len(group.columns)) or 0
        found.append(group)
    if not fields:
        return written, None
    from specnet.parts.layers import Embedding

    columns = tuple(column for layer in fields for column in layer["columns"])
    categories = tuple(count for layer in fields for count in layer["categories"])
    sizes = tuple(size for layer in fields for size in layer["size"] * len(layer["columns"]))
    return tuple(found), Embedding(columns=columns, categories=categories, size=sizes)
