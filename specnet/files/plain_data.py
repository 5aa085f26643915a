"""Plain data from files, checked against types: numbers are finite, and nothing is missing or unknown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from specnet.errors import FileError
from specnet.files.tensors import shown

LARGEST_COUNT = 2**53
Count = Annotated[int, Field(ge=0, le=LARGEST_COUNT)]
NotNegative = Annotated[float, Field(ge=0)]

_Checked = TypeVar("_Checked")


class Plain(BaseModel):
    """An object whose fields are all there is."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False, defer_build=True)


def checked(validate: Callable[[Any], _Checked], data: Any, what: str) -> _Checked:
    """Return what a method of pydantic makes of data from a file, which is called `what` with its verb.

    Raises
    ------
    FileError
        If they are not of its type.
    """
    try:
        return validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where, message = ".".join(map(str, first["loc"])), first["msg"].partition(" or instance of")[0]
        at = f" at {shown(where)}" if where else ""
        raise FileError(f"{what} damaged{at}: {message[0].lower()}{message[1:]}") from error
