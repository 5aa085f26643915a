"""What a part computes, as mathematics: its own expression over symbols, with its fields by their names."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from itertools import permutations
from typing import Any

from specnet import parse_spec, resolve
from specnet.compiler import BATCH, FLAT, Value, input_value, state_value
from specnet.compiler.reverse import postorder
from specnet.parts import SteppingOptimizer
from specnet.report.overview import layer_value
from specnet.testing.common import example, made
from tests.docs.reference import mathml
from tests.docs.reference.mathml import MANY, NoMathError, assignments, display, expression, identifier, row
from tests.registry import REGISTRY

SYMBOL = re.compile(r"(\w[₁₂]?), ")
"""What a field's description begins with where the field has a sign in formulas."""


def formula(part: type[Any]) -> str:
    """Return what a part computes as MathML, or nothing where that is no expression."""
    try:
        return WRITTEN[part.kind](part) if part.kind in WRITTEN else ""
    except NoMathError:
        return ""


def example_of(part: type[Any]) -> Any:
    """Return a part with the fields of its example."""
    return made(part, example(part), REGISTRY)


def symbolic(part: Any) -> Any:
    """Return a part whose numbers are symbols: Greek letters where descriptions say so, else the fields' names."""
    fields = type(part).model_fields
    numbers = [name for name in fields if type(getattr(part, name)) is float]
    symbols = {name: SYMBOL.match(fields[name].description or "") for name in numbers}
    named = {name: state_value(found[1] if found else name, ()) for name, found in symbols.items()}
    return part.model_copy(update=named)


def _activation(part: type[Any]) -> str:
    activation = symbolic(example_of(part))
    halves = not activation.elementwise and activation.output_size(MANY + 1) != MANY + 1
    size = 2 if halves else 1 if activation.elementwise else MANY
    blocks = activation.own_parameters(size)
    own = [state_value(block.tensors[0].name, (size, 1)) for block in blocks]
    return mathml.math(activation.value(input_value("x", (size, BATCH)), own), "<mi>f</mi>(<mi>x</mi>)")


def _loss(part: type[Any]) -> str:
    loss = symbolic(example_of(part))
    of_classes = loss.target == "classes" or loss.domain == "distribution"
    outputs = MANY if of_classes or part.part_name() == "cosine_similarity" else loss.outputs_per_target
    name = "y" if loss.accepted_activations is None else "x" if loss.output_activation == "exponential" else "z"
    index = loss.target == "classes"
    targets = (1 if index or outputs == 2 else outputs, BATCH)
    target = input_value("t", targets, "index" if index else "float")
    return mathml.math(loss.expression(input_value(name, (outputs, BATCH)), target), "<mi>L</mi>")


def _optimizer(part: type[Any]) -> str:
    """Return the assignments of a step: as the docstring says them where numbers of a step have a rule of their own."""
    if not issubclass(part, SteppingOptimizer) or part.scalars is not SteppingOptimizer.scalars:
        return display([*assignments(inspect.getdoc(part) or "")])
    optimizer = symbolic(example_of(part))
    states: dict[str, Value] = {}

    def state(name: str, start: float = 0.0) -> Value:
        return states.setdefault(name, state_value(name, (FLAT,)))

    theta, gradient = state_value("θ", (FLAT,)), input_value("g", (FLAT,))
    commits = optimizer.update(theta, gradient, state, lambda name: state_value({"rate": "lr"}[name], ()))
    lines, known = [], dict[Value, str]()
    for target, value in _in_order(commits):
        name = str(target.attributes)
        lines.append(f"{identifier(name)}<mo>←</mo>{row(value, known)}")
        known[value] = name
    return display(lines)


def _in_order(commits: list[tuple[Value, Value]]) -> list[tuple[Value, Value]]:
    """Return commits, which are made at once, in an order in which none reads what one before it has overwritten."""
    for order in permutations(commits):
        overwritten, known = set[Value](), set[Value]()
        for target, value in order:
            # What a value reads beside those that are known, whose own arguments do not count.
            if overwritten & {*postorder([value], lambda each, known=known: () if each in known else each.arguments)}:
                break
            overwritten, known = overwritten | {target}, known | {value}
        else:
            return [*order]
    raise NoMathError("these assignments need names for what they overwrite")


def _schedule(part: type[Any]) -> str:
    return display([expression(inspect.getdoc(part) or "")])


def _averaging(part: type[Any]) -> str:
    lines = [*assignments(inspect.getdoc(part) or "")]
    return display(lines) if lines else ""


def _said(part: type[Any]) -> str:
    """Return the formula with which the docstring begins, if it does."""
    found = mathml.said(inspect.getdoc(part) or "")
    return display([found]) if found else ""


def _preprocessing(part: type[Any]) -> str:
    """Return what a step makes of one number, of steps that make one number of each by numbers of its column."""
    step = symbolic(example_of(part))
    shapes = step.shapes(1)
    if step.output_size(1) != 1 or not set(shapes.values()) <= {(1,)}:
        return ""
    x = input_value("x", (1, BATCH))
    value = step.apply(x, {name: state_value(name, (1, 1)) for name in shapes})
    return "" if value is x else mathml.math(value)


def _layer(part: type[Any]) -> str:
    """Return what a layer computes when it predicts, without an activation at its end."""
    if part.layers_field is not None or part.part_name() == "activation":
        return ""
    layer = {**part.dump(example_of(part)), "inputs": ["input"] * (1 + (part.input_count == "several"))}
    size = MANY if part.part_name() == "layer_normalization" else 2
    spec = {"network": {"input_size": size, "layers": [layer]}, "training": {"loss": "mean_squared_error"}}
    node, *_ = resolve(parse_spec(spec)).nodes
    sources, value = layer_value(node, "xyz"[: len(node.input_sizes)])
    return "" if value in sources else mathml.math(value)


WRITTEN: dict[str, Callable[[type[Any]], str]] = {
    "activation": _activation,
    "loss": _loss,
    "optimizer": _optimizer,
    "preprocessing": _preprocessing,
    "layer": _layer,
    "schedule": _schedule,
    "averaging": _averaging,
    "metric": _said,
    "initializer": _said,
}
"""What writes the formula of a part, by its kind."""
