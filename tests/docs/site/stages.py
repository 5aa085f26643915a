"""From spec to closures: one diagram of what becomes of the reference network, an excerpt of each stage as it is."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path
from textwrap import dedent
from typing import NamedTuple

import numpy as np
from markupsafe import escape

from specnet import build
from specnet.parts.activations import Relu
from tests.reference.moons import reference_run
from tests.texts.calling import called

ROOT = Path(__file__).parents[3]
SPEC = "specs/moons.toml"
POINT = (-0.5, 0.25)
"""The row that the page takes through the network."""


class Stage(NamedTuple):
    """A box of the diagram: what it is, how large it is for this network, and where relu is in it."""

    name: str
    size: str
    excerpt: str


def diagram() -> str:
    """Return the stages as HTML."""
    boxes = (
        f"<li><b>{escape(stage.name)}</b> <span>{escape(stage.size)}</span><pre>{escape(stage.excerpt)}</pre></li>\n"
        for stage in _stages()
    )
    return f'<ol class="stages">\n{"".join(boxes)}</ol>\n'


def _stages() -> Iterator[Stage]:
    text = (ROOT / SPEC).read_text("utf-8").splitlines()
    settings = [line for line in text if "=" in line and not line.startswith("#")]
    yield Stage("text", f"{len(text)} lines, {len(settings)} of them settings", _first(settings, "relu"))

    explained = _shown("--origins").partition("\n\n")[0].splitlines()
    yield Stage("resolved", f"{len(explained)} values, no default is left out", _first(explained, "relu"))

    expression = inspect.getsource(Relu.expression).splitlines()[1].strip()
    yield Stage("expression", "one line for each part", f"relu: {expression}")

    _, gradient, update = _shown("--code").split("\n\n")
    calls = [line for line in (gradient + update).splitlines() if "=" in line]
    shown = [_first(calls, "maximum(v3"), _first(calls, "greater(")]
    needed = len([line for line in calls if "outputs only" not in line])
    yield Stage("calls", f"{needed} for a step, {len(calls) - needed} more for the loss", "\n".join(shown))

    code = _shown("--code", "--engine", "compiled").splitlines()
    begin = next(place for place, line in enumerate(code) if line.startswith("static void gradient("))
    lines = [line for line in code[begin:] if "v20" in line or "v5 = " in line]
    yield Stage("C", f"{len(code) - begin} lines behind a library of functions", dedent("\n".join(lines[-3:])))

    losses = reference_run()[1]
    trained = f"loss {losses[0]:.4f} before, {losses[-1]:.4f} after 20 000 steps"
    yield Stage("closures", "a step is one call", f"{_one_row()}\n{trained}")


def _one_row() -> str:
    """Return what the first weights make of a row: the sums of the five units, and what relu leaves of them."""
    network = build(ROOT / SPEC)
    weights = network.parameters(network.initial_parameters())
    sums = weights["layers.0.weight"] @ POINT + weights["layers.0.bias"]
    told = [" ".join(f"{number:.2f}" for number in numbers) for numbers in (sums, np.maximum(sums, 0))]
    return f"relu of {told[0]} is {told[1]}".replace("-", "−")


def _first(lines: list[str], word: str) -> str:
    return " ".join(next(line for line in lines if word in line).split())


def _shown(*options: str) -> str:
    with chdir(ROOT):
        return called("show", SPEC, *options).out
