"""DuckDB's types of columns, sorted by what they hold."""

WHOLE = frozenset(f"{sign}{size}INT" for sign in ("", "U") for size in ("TINY", "SMALL", "BIG", "HUGE")) | {
    "INTEGER",
    "UINTEGER",
}
FRACTIONAL = frozenset({"FLOAT", "DOUBLE"})
_NESTED = ("STRUCT", "MAP", "UNION", "BLOB", "BIT", "INTERVAL", "GEOMETRY", "VARIANT")


def is_number_type(of: str) -> bool:
    """Return whether a type is one of numbers."""
    return of in WHOLE or of in FRACTIONAL or of.startswith("DECIMAL")


def is_nested(of: str) -> bool:
    """Return whether a type holds something that is no single number or text."""
    return of.endswith("]") or of.startswith(_NESTED)
