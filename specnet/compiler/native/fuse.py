"""Calls in groups: what goes through the same rows and columns is one loop, and a value is made where it is read.

Calls are taken in order. An element joins the last loop if that goes through the same space, and if all of its operands
are there already, or in earlier groups; a reduction's result can be read only after its loop. Then elements sink into
the one later loop that reads them: what never leaves a loop needs no memory.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from specnet.compiler.native.c_plan import ONE, CPlan, Space

LONGEST = 50
"""Calls that are one function of a long program, unless they are one loop that cannot be cut."""


@dataclass(slots=True)
class CallGroup:
    """Calls that are written together.

    Attributes
    ----------
    is_loop
        A loop over elements and reductions; else a single call.
    space
        What a loop goes through.
    for_outputs_only
        Is it left out where only commits are wanted?
    calls
        Numbers, in order.
    """

    is_loop: bool
    space: Space
    for_outputs_only: bool
    calls: list[int] = field(default_factory=list)


def fuse(program: CPlan) -> list[CallGroup]:
    """Return the groups of a program in order."""
    groups: list[CallGroup] = []
    home: dict[int, int] = {}
    for n, call in enumerate(program.calls):
        role = program.role(n)
        if role in ("leaf", "view"):
            continue
        is_loop, only = role != "call", n in program.for_outputs_only
        space = program.loop_space(n) if is_loop else program.space(n)
        earliest = max((_earliest(program, home, n, a, space) for a in call.arguments), default=0)
        last = len(groups) - 1
        joins = is_loop and groups and earliest <= last and groups[last].is_loop
        if not joins or (groups[last].space, groups[last].for_outputs_only) != (space, only):
            groups.append(CallGroup(is_loop, space, only))
        groups[-1].calls.append(n)
        home[n] = len(groups) - 1
    _sink(program, groups, home)
    if program.is_long:
        groups = [piece for group in groups for piece in _pieces(program, group)]
    return [group for group in groups if group.calls]


def _pieces(program: CPlan, group: CallGroup) -> list[CallGroup]:
    """Cut a loop of many calls between those that read nothing of each other, as they are never rounded in one."""
    if len(group.calls) <= LONGEST:
        return [group]
    related: dict[int, list[int]] = {}
    for n in group.calls:
        related[n] = [n]
        for a in program.calls[n].arguments:
            if a in related and related[a] is not related[n]:
                related[a] += related[n]
                related |= dict.fromkeys(related[n], related[a])
    pieces = [replace(group, calls=[])]
    for calls in {id(calls): calls for calls in related.values()}.values():
        if pieces[-1].calls and len(pieces[-1].calls) + len(calls) > LONGEST:
            pieces.append(replace(group, calls=[]))
        pieces[-1].calls = sorted([*pieces[-1].calls, *calls])
    return pieces


def _earliest(program: CPlan, home: dict[int, int], n: int, argument: int, space: Space) -> int:
    """The first group in which a call can read its operand in a loop over a space."""
    root = program.roots[argument]
    if root not in home:
        return 0
    is_element = root == argument and program.role(root) == "element" and program.space(root) == space
    return home[root] + (not is_element or program.weighs_rows(n))


def _sink(program: CPlan, groups: list[CallGroup], home: dict[int, int]) -> None:
    written = {state for state, _ in program.commits}
    for n in reversed(range(len(program.calls))):
        if n not in home or program.role(n) != "element" or n in program.kept or program.space(n) == ONE:
            continue
        homes = {home.get(user, -1) for user in program.users[n]}
        if len(homes) != 1:
            continue
        (target,) = homes
        if any(map(program.weighs_rows, program.users[n])):
            continue
        stays = target in (-1, home[n]) or not groups[target].is_loop or groups[target].space != program.space(n)
        if stays or any(program.roots[a] in written for a in program.calls[n].arguments):
            continue
        groups[home[n]].calls.remove(n)
        groups[target].calls = sorted([*groups[target].calls, n])
        home[n] = target
