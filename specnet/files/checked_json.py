"""What is read of JSON that specnet has written, held against the type of what it wrote."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from specnet.errors import FileError

Checked = TypeVar("Checked")


def checked(kind: TypeAdapter[Checked], value: Any, what: str) -> Checked:
    """Return plain data as what it is of.

    Parameters
    ----------
    kind : TypeAdapter
    value : plain data
    what : str
        What it should be: ``record of a trial``.

    Raises
    ------
    FileError
        If it is none.
    """
    try:
        return kind.validate_python(value)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise FileError(f"not a valid {what}: {where}: {first['msg']}") from error
