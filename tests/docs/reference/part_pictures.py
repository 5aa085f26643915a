"""What a part does, as a picture: curves of activations, losses and schedules, histograms of initializers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specnet.checking.derivatives import Function
from specnet.compiler import input_value, state_value
from specnet.parts import BATCH, Fans
from specnet.parts.watchers import Memory
from specnet.report.svg.charts import Axis, Chart
from tests.docs.reference.part_formulas import example_of

POINTS = 241
STEPS, STEPS_PER_EPOCH = 3000, 30
STALLS = 20
"""Epoch after which the loss in the picture of a plateau no longer improves."""
FANS = Fans(64, 64)
DRAWS = (256, 64)
BINS = 41
Curve = NDArray[np.float64]


def picture(part: type[Any]) -> str:
    """Return what a part does as an SVG within a figure, or nothing where there is no picture of it."""
    draw = {"activation": _activation, "loss": _loss, "schedule": _schedule, "initializer": _initializer}.get(part.kind)
    chart = draw and draw(example_of(part))
    return f'<figure class="part-picture">{chart.svg()}</figure>' if chart else ""


def _activation(activation: Any) -> Chart | None:
    """Draw an activation of single numbers and its derivative."""
    if not activation.elementwise:
        return None
    leaf, x = input_value("x", (1, BATCH)), np.linspace(-4, 4, POINTS)
    tensors = [block.tensors[0] for block in activation.own_parameters(1)]
    own = [state_value(tensor.name, (1, 1)) for tensor in tensors]
    rng = np.random.default_rng(0)
    starts = {tensor.name: tensor.initializer.draw(rng, (1,), FANS)[:, None] for tensor in tensors}
    function = Function(activation.value(leaf, own), {"x": x[None], **starts}, {"x": leaf})
    y, slope = function.values()[0], function.gradients(np.ones((1, POINTS)))["x"][0]
    shown = np.clip(np.concatenate([y, slope]), -4, 4)
    told = f"{activation.type}, from {y[0]:.3g} at −4 to {y[-1]:.3g} at 4, and its derivative"
    chart = Chart(told, Axis(-4, 4, "x"), Axis.over(shown, margin=0.06))
    chart.line(x, slope, "series-1 dashed", name="f′(x)", hover=_at("x", "f′"))
    chart.line(x, y, "series-0", name="f(x)", hover=_at("x", "f"))
    return chart


def _loss(loss: Any) -> Chart | None:
    """Draw the loss of one row over an output, for each of a few targets."""
    if loss.type == "cosine_similarity":
        return None
    z = np.linspace(-4, 4, POINTS)
    curves = {name: _loss_at(loss, z, target) for name, target in _targets(loss).items()}
    told = "; ".join(f"{name}: {values[0]:.3g} at −4, {values[-1]:.3g} at 4" for name, values in curves.items())
    axis = "y" if loss.accepted_activations is None else "x" if loss.output_activation == "exponential" else "z"
    low, high = min(map(np.min, curves.values())), max(map(np.min, curves.values())) + 8
    visible = np.clip(np.concatenate([*curves.values()]), low, high)
    chart = Chart(f"{loss.type} over the output {axis}. {told}", Axis(-4, 4, axis), Axis.over(visible, margin=0.05))
    for place, (name, values) in enumerate(curves.items()):
        chart.line(z, values, f"series-{place}" + " dashed" * (place > 0), name=name, hover=_at(axis, name))
    return chart


def _targets(loss: Any) -> dict[str, float]:
    """Return targets of one row by what they are called in the picture."""
    if loss.target == "classes":
        return {"class of z": 0.0, "the other": 1.0}
    if loss.target == "binary" or loss.domain == "distribution":
        return {"t = 1": 1.0, "t = 0": 0.0}
    return {"t = 1": 1.0, "t = 2": 2.0} if loss.domain != "any" else {"t = 0": 0.0}


def _loss_at(loss: Any, z: Curve, target: float) -> Curve:
    """Return the losses of rows with outputs z, the other output of two being 0."""
    pairs = loss.target == "classes" or loss.domain == "distribution" or loss.outputs_per_target == 2
    outputs = np.stack([z, np.zeros_like(z)]) if pairs else z[None]
    targets = np.full((1, len(z)), target)
    if loss.domain == "distribution":
        targets = np.stack([targets[0], 1 - targets[0]])
    kind = "index" if loss.target == "classes" else "float"
    output, wanted = input_value("z", (len(outputs), BATCH)), input_value("t", (len(targets), BATCH), kind)
    held = targets.astype(np.intp) if kind == "index" else targets
    function = Function(loss.expression(output, wanted), {"z": outputs, "t": held}, {"z": output})
    with np.errstate(divide="ignore"):  # the logarithm of a target of 0, which `where` leaves out
        values: Curve = function.values()[0]
    return values


def _schedule(schedule: Any) -> Chart:
    """Draw the factor on the learning rate over a run."""
    if schedule.type == "reduce_on_plateau":
        return _plateau(schedule)
    steps = np.arange(STEPS)
    factors = np.array([schedule.factor_at(step, STEPS, STEPS_PER_EPOCH) for step in steps.tolist()])
    told = f"Factor on the learning rate over {STEPS} steps: {factors[0]:.3g} at first, {factors[-1]:.3g} at last"
    chart = Chart(told, Axis(0, STEPS, "step"), Axis.over(factors, 0, 1, label="factor", margin=0.04))
    chart.line(steps, factors, "series-0", hover=_at("step", "factor"))
    return chart


def _plateau(schedule: Any) -> Chart:
    """Draw the factor over epochs of a loss that improves no longer."""
    memory, factors = Memory(), []
    for epoch in range(60):
        memory = schedule.after(memory, float(max(STALLS - epoch, 0)))
        factors.append(memory.rate_factor)
    told = f"Factor on the learning rate where the metric no longer improves after epoch {STALLS}: {factors[-1]:.3g}"
    chart = Chart(told, Axis(0, 60, "epoch"), Axis(0, 1.04, "factor"))
    chart.line([STALLS] * 2, [0, 1.04], "guide")
    chart.text(STALLS, 0.5, "last improvement", anchor="start", right=6)
    chart.line(np.arange(1, 61), factors, "series-0", hover=_at("epoch", "factor"))
    return chart


def _initializer(initializer: Any) -> Chart | None:
    """Draw how often an initializer draws which number, of those that draw more than a few."""
    shape = (64, 64) if initializer.needs_matrix else DRAWS
    drawn = initializer.draw(np.random.default_rng(0), shape, FANS).ravel()
    if len(np.unique(drawn)) < BINS:
        return None
    counts, edges = np.histogram(drawn, BINS)
    told = f"{drawn.size} weights of a layer of 64 inputs and 64 outputs, from {drawn.min():.3g} to {drawn.max():.3g}"
    up = Axis.over(counts, 0, label="number", margin=0.04)
    chart = Chart(told, Axis.over(edges, label="weight", margin=0.03), up)
    for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True):
        chart.rectangle((low, high), (0, float(count)), "bar", hover=f"{count} from {low:.3g} to {high:.3g}")
    return chart


def _at(x: str, y: str) -> Callable[[float, float], str]:
    return lambda across, up: f"{x} {across:.3g}: {y} {up:.3g}"
