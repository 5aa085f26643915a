"""Caps on a text, checked before any parser sees it, in one pass over its tokens."""

import re

from specnet.errors import Position
from specnet.spec.reading.source_document import SourceText

LARGEST_TEXT = 1_000_000
"""Bytes."""
DEEPEST = 64
"""Levels of tables and lists, whether brackets or the dots of keys make them."""
MOST_TOKENS = 50_000
"""Keys, values, lists and tables, and lines: parsers spend their time on these."""

_TOKEN = re.compile(
    r"""
      \#[^\n]*
    | \"{3} [^"\\]*+ (?: (?: \\. | "(?!"") ) [^"\\]*+ )*+ (?: \"{3} | \Z )
    | '{3} .*? (?: '{3} | \Z )
    | (?P<word> " (?: \\. | [^"\\\n] )*+ "? | ' [^'\n]*+ '? | [\w+-]++ )
    | (?P<sign> [\[\]{}] | =++ | \.++ | \n\s*+ )
    """,
    re.VERBOSE | re.DOTALL,
)


class TextCapError(Exception):
    """A text goes beyond a cap; says which, and where."""

    def __init__(self, code: str, message: str, position: Position | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.position = code, message, position


def check_caps(text: SourceText) -> None:
    """Refuse what would be too large, too deep or too much for a parser.

    Parameters
    ----------
    text : SourceText
        TOML or JSON, valid or not. Where it is not valid the pass may lose its way, but only after the place at which
        a parser stops.

    Raises
    ------
    TextCapError
        At the first place beyond a cap.
    """
    size = len(text.content.encode())
    if size > LARGEST_TEXT:
        raise TextCapError("too-large", f"the spec has {size} bytes; the limit is {LARGEST_TEXT}")
    if len(text.lines) > MOST_TOKENS:
        raise TextCapError("too-large", f"more than {MOST_TOKENS} lines", Position(MOST_TOKENS + 1, 1))
    tokens = 0
    header = 0  # levels of the table whose header was last seen
    open_levels: list[int] = []  # what each open bracket adds: the steps of the key before it, or one for an entry
    depth = 0  # what they add together
    steps = 0  # of the key or value that was read last
    before: str | None = "\n"  # the sign that was read last, None after a word
    in_header = False
    for match in _TOKEN.finditer(text.content):
        sign = match["sign"] and match["sign"][0]
        if sign is None and match["word"] is None:
            continue
        tokens += sign is None or sign in "[{"
        if sign is None:
            steps = steps + 1 if before == "." else 1
        elif sign in "[{":
            first = not open_levels and before == "\n"  # of a header, or of JSON's outermost table
            if first:
                in_header, header = sign == "[", 0
            open_levels.append(0 if first else max(steps, 1))
            depth += open_levels[-1]
            steps = 0
        elif sign in "]}":
            if in_header and before != sign:
                header = depth + steps
            if open_levels:
                depth -= open_levels.pop()
            in_header = in_header and bool(open_levels)
            steps = 0
        if header + depth + steps > DEEPEST:
            raise TextCapError("too-deep", f"more than {DEEPEST} levels of nesting", text.position(match.start()))
        if tokens > MOST_TOKENS:
            message = f"more than {MOST_TOKENS} keys, values, lists and tables"
            raise TextCapError("too-large", message, text.position(match.start()))
        before = sign
