"""DuckDB's types of columns, sorted by what they hold."""

_WHOLE = frozenset(f"{sign}{size}INT" for sign in ("", "U") for size in ("TINY", "SMALL", "BIG", "HUGE")) | {
    "INTEGER",
    "UINTEGER",
}
FRACTIONAL = frozenset({"FLOAT", "DOUBLE"})
_NESTED = ("STRUCT", "MAP", "UNION", "BLOB", "BIT", "INTERVAL", "GEOMETRY", "VARIANT")


def is_number_type(of: str) -> bool:
    """Return whether a type is one of numbers."""
    return of in _WHOLE or of in FRACTIONAL or of.startswith("DECIMAL")


def is_whole_type(of: str) -> bool:
    """Return whether a type is one of whole numbers."""
    return of in _WHOLE or (of.startswith("DECIMAL") and of.endswith(",0)"))


def is_nested(of: str) -> bool:
    """Return whether a type holds something that is no single number or text."""
    return of.endswith("]") or of.startswith(_NESTED)
