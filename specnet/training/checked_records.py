"""Checks of data from the files of a training: the facts of a checkpoint, the history and the layer records."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any

from pydantic import Field, Strict, TypeAdapter

from specnet.errors import FileError
from specnet.files.plain_data import Count, NotNegative, Plain, checked
from specnet.network.bound import Engine


class _Memory(Plain):
    best: float | None
    waited: Count
    rate_factor: NotNegative
    ends: bool


class _Measured(Plain):
    epoch: Count
    sizes: dict[str, Annotated[tuple[float | None, float | None], Strict(False)]]


class _Finished(Plain):
    epochs: Count
    steps: Count
    seconds: NotNegative
    end: str


class _Facts(Plain):
    engine: Engine
    epochs: Count
    steps: Count
    updates: Count
    so_far: Annotated[tuple[Count, float, float], Strict(False)]
    measured: _Measured | None
    seconds: NotNegative
    watchers: dict[str, _Memory]
    members: tuple[_Finished, ...] = Field((), strict=False)


class _HistoryLine(Plain, extra="allow"):
    epoch: Annotated[Count, Field(ge=1)]
    member: Count = 0
    __pydantic_extra__: dict[str, float]


class _Layer(Plain, extra="allow"):
    layer: str
    weight: float | None
    gradient: float | None
    step: float | None
    dead: float | None
    saturated: float | None
    __pydantic_extra__: dict[str, float | None]


class _LayerRecord(Plain):
    epoch: Count
    layers: list[_Layer]


_HISTORY, _LAYER_RECORDS = TypeAdapter(list[_HistoryLine]), TypeAdapter(list[_LayerRecord])


def check_facts(facts: Any) -> None:
    """Check the facts of a checkpoint.

    Raises
    ------
    FileError
        If they are not valid.
    """
    if checked(_Facts.model_validate, facts, "the checkpoint is").updates > facts["steps"]:
        raise FileError("the checkpoint is damaged: it has more updates than steps")


def checked_history(records: Any) -> list[dict[str, Any]]:
    """Check and return the history of a run: one record per logged epoch, of each ensemble member in order.

    Raises
    ------
    FileError
        If it is not a valid history.
    """
    lines = checked(_HISTORY.validate_python, records, "the history is")
    for before, now in pairwise([(0, 0), *((line.member, line.epoch) for line in lines)]):
        if now <= before or now[0] > before[0] + 1:
            raise FileError(f"the history is damaged after epoch {before[1]}: the next record must have a later epoch")
    return list(records)


def checked_layer_records(records: Any) -> list[dict[str, Any]]:
    """Check and return the layer records of a run.

    Raises
    ------
    FileError
        If they are not valid layer records.
    """
    lines = checked(_LAYER_RECORDS.validate_python, records, "the layer records are")
    for before, now in pairwise(lines):
        if now.epoch <= before.epoch:
            raise FileError(f"the layer records are damaged after epoch {before.epoch}: expected a later epoch")
    return list(records)
