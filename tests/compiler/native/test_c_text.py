"""The C of two networks' steps is the text in texts/, and a long program is several functions that share what is alike.

What changes the text shows in its difference.

python -m tests.compiler.native.test_c_text      writes the texts anew
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import specnet
from specnet import compiler as c
from specnet.compiler.native import c_plan
from specnet.compiler.native.c_text import emit_function
from specnet.training.steps import compiled_steps
from specnet.training.steps.compiled_steps import steps_text
from tests.benchmarks.steps.compiling import deep_network
from tests.compiler.native.together import NATIVE, Programs
from tests.compiler.networks import random_program
from tests.compiling import AVX2, SSE2, Processor, compiles
from tests.training.steps.engines import make_all, random_training, steppers

FOLDER = Path(__file__).parent / "texts"
CLASSES = """
seed = 0
network.input_size = 20
network.dtype = "float32"
training = { loss = "categorical_crossentropy", optimizer = { type = "adam" }, clip_norm = 1.0 }
network.layers = [
  { type = "dense", units = 32, activation = "tanh" },
  { type = "batch_normalization" },
  { type = "dropout", rate = 0.2 },
  { type = "dense", units = 3, activation = "softmax" },
]
"""
VALUES = """
seed = 0
network = { layer_sizes = [3, 4, 1], activations = ["gelu", "identity"], dtype = "float64" }
training = { loss = "huber", optimizer = { type = "sgd", momentum = 0.9 }, l2 = 0.01, l1 = 0.01 }
"""
TEXTS: dict[str, tuple[str, Processor]] = {"classes": (CLASSES, AVX2), "values": (VALUES, SSE2)}


def text_of(spec: str, target: Processor) -> str:
    """The C behind the elementary functions, which all programs share."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(compiled_steps, "native_processor", lambda: target)
        text = compiled_steps.steps_text(specnet.build(spec), 64)
    return text[text.index("OUTLINE void transpose") :]


@compiles
@pytest.mark.parametrize("name", TEXTS)
def test_the_text_is_the_one_in_the_file(name: str):
    assert text_of(*TEXTS[name]).splitlines() == (FOLDER / f"{name}.c").read_text("utf-8").splitlines()


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


if __name__ == "__main__":
    for name, given in TEXTS.items():
        (FOLDER / f"{name}.c").write_text(text_of(*given), "utf-8")
