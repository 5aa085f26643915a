"""Functions that statements call, one for all statements that are alike.

Compilers look at a function as a whole, and take more than twice as long for one of twice the length. So the loops of a
long program are functions of their own; and since layers are alike, most of its loops share a few.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from specnet.compiler.native.c_text.emit_loop import block

_NAME = re.compile(r"(\(workspace \+ [^()]*\)|\(\(real \*\)p\[\d+\]\)|\btemporary\b)|\b(part_s|[abrsvw])(\d+)")
"""A place, or a name that begins with what it is for and has the number of a value behind."""


class SharedFunctions:
    """The functions of a text.

    Attributes
    ----------
    definitions
        By name, each behind those that it calls.
    """

    def __init__(self) -> None:
        self.definitions: dict[str, str] = {}
        self._names: dict[str, str] = {}

    def named(self, kind: str, parameters: str, body: Sequence[str]) -> str:
        """Return the name of the function with this body."""
        text = "\n".join(block(f"OUTLINE void NAME({parameters})", body))
        if text not in self._names:
            name = self._names[text] = f"{kind}_{len(self._names) + 1}"
            self.definitions[name] = text.replace("NAME", name, 1)
        return self._names[text]

    def call(self, statements: Sequence[str], lengths: Sequence[str]) -> str:
        """Return a call that does what statements do, wherever their values lie and whatever their numbers are.

        Parameters
        ----------
        statements
        lengths
            The declarations of the lengths of named axes, from `sizes`.
        """
        places: dict[str, str] = {}
        numbers: dict[str, int] = {}

        def own(found: re.Match[str]) -> str:
            place, use, number = found.groups()
            if place:
                return places.setdefault(place, f"q{len(places)}")
            return f"{use}{numbers.setdefault(number, len(numbers))}"

        body = [_NAME.sub(own, line) for line in statements]
        parameters = ", ".join(["const index64 *sizes", *(f"real *{name}" for name in places.values())])
        name = self.named("loops", parameters, [*lengths, *body])
        return f"{name}({', '.join(['sizes', *places])});"
