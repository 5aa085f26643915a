"""A long program is several functions, which share what is alike; nothing but the time of compiling shows it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import specnet
from specnet import compiler as c
from specnet.compiler.native import c_plan
from specnet.compiler.native.c_text import emit_function
from specnet.training.steps.compiled_steps import steps_text
from tests.benchmarks.steps.compiling import deep_network
from tests.compiler.native.together import NATIVE, Programs
from tests.compiler.networks import random_program
from tests.compiling import AVX2, compiles
from tests.training.steps.engines import make_all, random_training, steppers

OPERATIONS = re.compile(r"\b(?:v\d+ =|part_s\d+ \+=) (?!\*)[^\[\];]*;")
"""What is computed; other variables are read from memory."""
CALLS = re.compile(r"^ +\w+\(.*\);$|memcpy", re.MULTILINE)


def functions_of(text: str) -> dict[str, str]:
    """The bodies of the functions that are made of a program, by their names, without comments."""
    found = re.findall(r"^OUTLINE void ((?:gradient|loops)_\d+)\(.*?\) \{$(.*?)^\}$", text, re.MULTILINE | re.DOTALL)
    return {name: re.sub(r"/\*.*?\*/", "", body) for name, body in found}


@compiles
@pytest.mark.parametrize("units", [[8], [8, 9, 10]], ids=str)
def test_functions_are_short_and_layers_that_are_alike_share_them(units: list[int]):
    sizes = []
    for layers in (12, 24, 48):
        text = steps_text(specnet.build(deep_network(layers, *units)), 32)
        functions = functions_of(text)
        assert max(len(OPERATIONS.findall(body)) for body in functions.values()) <= c_plan.LONGEST
        assert max(len(CALLS.findall(body)) for body in functions.values()) <= c_plan.LONGEST
        loops = [body for name, body in functions.items() if name.startswith("loops")]
        sizes.append((len(loops), sum(map(len, loops)), len(functions) - len(loops)))
    few, more, many = sizes
    assert few[0] > 3
    assert abs(many[0] - few[0]) <= 2, "the last ones of a layer are cut elsewhere"
    assert many[1] < 1.3 * few[1]
    assert many[2] == pytest.approx(2 * more[2], abs=1)


def test_a_short_program_is_one_function():
    x = c.input_value("x", (8, "batch"))
    source = emit_function.CText(np.dtype(np.float64), AVX2, {"batch": 64})
    source.add(c.plan([c.tanh(c.affine(c.state_value("block", (9, 8)), x))]), "program")
    assert not source.shared.definitions.keys() & {"loops_1", "loops_2"}
    assert "program_0" not in source.text()


def chain(length: int, count: int) -> c_plan.CPlan:
    """Chains of elements, none of which reads another's."""
    commits = []
    for k in range(count):
        value = state = c.state_value(f"state {k}", (8, 1))
        for _ in range(length):
            value = c.tanh(value)
        commits.append((state, value))
    plan = c.plan([], commits, expansions=NATIVE.expansions)
    return c_plan.CPlan(plan.calls, plan.outputs, plan.commits)


@pytest.mark.parametrize(("length", "count"), [(3, 100), (7, 40), (49, 5), (50, 5), (60, 4), (300, 1), (2, 3)])
def test_a_loop_is_cut_only_between_what_is_computed_apart(length: int, count: int):
    plan = chain(length, count)
    groups = c_plan.fuse(plan)
    assert sorted(n for group in groups for n in group.calls) == sorted(
        n for n, call in enumerate(plan.calls) if call.operation.role == "call"
    )
    together = max(c_plan.LONGEST // length, 1) if length * count > c_plan.LONG_PROGRAM else count
    assert [len(group.calls) for group in groups] == [
        length * len(range(first, min(first + together, count))) for first in range(0, count, together)
    ]
    for group in groups:
        assert group.calls == sorted(group.calls)
        inside = set(group.calls)
        assert all(a in inside or plan.role(a) == "leaf" for n in group.calls for a in plan.calls[n].arguments)


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    def set_to(above: int, longest: int) -> None:
        for module, name, limit in (
            (c_plan, "LONG_PROGRAM", above),
            (c_plan, "LONGEST", longest),
            (emit_function, "LONGEST", longest),
        ):
            monkeypatch.setattr(module, name, limit)

    return set_to


@compiles
@pytest.mark.slow
@pytest.mark.usefixtures("compiled_quickly")
@pytest.mark.parametrize("block", range(2))
def test_parts_of_random_networks_give_the_bits_of_the_whole(block: int, limits: Any):
    for seed in range(block * 3, block * 3 + 3):
        spec, X, y, weight = random_training(seed)
        spec["network"]["dtype"] = ("float64", "float32")[seed % 2]
        found, cut = set(), []
        for above, longest in ((2**30, 50), (0, (1, 3, 50)[seed % 3])):
            limits(above, longest)
            stepper = steppers(spec, X, y, weight)[1]
            with np.errstate(all="ignore"):
                losses, _ = make_all(stepper, list(stepper._feed.batches(0)), True)
            tensors = stepper.tensors() | {"gradient": stepper.gradient, "losses": np.array(losses)}
            found.add(b"".join(array.tobytes() for array in tensors.values()))
            cut.append("gradient_0(" in stepper._compiled.text)
        assert len(found) == 1, seed
        assert cut == [False, True]


@compiles
@pytest.mark.slow
@pytest.mark.usefixtures("compiled_quickly")
def test_parts_of_random_programs_give_the_bits_of_the_whole(limits: Any):
    written, made = Programs(np.float64), []
    for seed in range(8):
        outputs, commits, start = random_program(seed)
        made.append((start, [c.plan(outputs, commits, expansions=NATIVE.expansions) for _ in range(2)]))
        for (above, longest), plan in zip(((2**30, 50), (0, 1 + seed % 3)), made[-1][1], strict=True):
            limits(above, longest)
            written.add(plan)
    written.compile()
    for seed, (start, plans) in enumerate(made):
        found = set()
        for plan in plans:
            states = {name: np.array(array, np.float64) for name, array in start.items()}
            bound = NATIVE.bind(plan, np.float64, {"batch": 1}, states)
            bound.run()
            bound.run_commits()
            arrays = [*bound.outputs, *(array for _, array in sorted({**states, **bound.states}.items()))]
            found.add(b"".join(np.array(array).tobytes() for array in arrays))
        assert len(found) == 1, seed
