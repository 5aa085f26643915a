"""An activation in several forms, for the units of a network with monotone columns."""

from collections.abc import Sequence
from itertools import groupby
from typing import Literal

from specnet.compiler import Value, concatenate, maximum, minimum, rows
from specnet.parts.activations import Activation
from specnet.parts.orders import Orders

FREE, OWN, MIRRORED, BOUNDED = range(4)


class Mirrored(Activation):
    """ρ(x) for some units, −ρ(−x) or ρ(1 + min(0, x)) − ρ(1 − max(x, 0)) for others (Runje, Shankaranarayana 2023).

    Sums of one convex activation with weights that are not negative are convex. Its mirror image is concave, and the
    third form bends both upwards and downwards; none of them falls if ρ does not. Free units have an activation that
    may fall, with parameters for all units.
    """

    elementwise = False
    type: Literal["mirrored"] = "mirrored"
    activation: Activation
    free: Activation
    forms: tuple[int, ...]

    def value(self, x: Value, own: Sequence[Value]) -> Value:
        made, start = [], 0
        for form, run in groupby(self.forms):
            stop = start + len([*run])
            made.append(self._formed(rows(x, start, stop), form, [rows(each, start, stop) for each in own]))
            start = stop
        return concatenate(*made)

    def _formed(self, x: Value, form: int, own: Sequence[Value]) -> Value:
        apply = self.activation.apply
        if form == FREE:
            return self.free.apply(x, own)
        if form == MIRRORED:
            return -apply(-x)
        return apply(x) if form == OWN else apply(1 + minimum(0.0, x)) - apply(1 - maximum(x, 0.0))


def forms_of(orders: Orders, *, mirrors: bool) -> tuple[int, ...]:
    """Return the form for each unit: free, or if `mirrors` each of the three others for a third of the others."""
    count, seen, found = sum(map(abs, orders)), 0, []
    for order in orders:
        found.append(FREE if not order else OWN + mirrors * (3 * seen // count))
        seen += abs(order)
    return tuple(found)
