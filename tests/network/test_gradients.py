"""Gradients of whole networks against the complex step, and the proof that a wrong rule would be seen."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import pytest

import specnet
from specnet import Network
from specnet.compiler import BATCH
from specnet.compiler.numpy import bind
from specnet.network.programs import INPUTS, INVERSE_ROWS, INVERSE_WEIGHT, NOISE, ROW_WEIGHT, TARGET
from specnet.network.random import StepNoise
from tests.compiler.cases import all_operations
from tests.random_specs import ACTIVATIONS, LAYERS, LOSSES, kinds_of, random_rows, random_spec
from tests.registry import REGISTRY, find, names

NETWORKS = 80
STEP = 1e-200
TOLERANCE = 1e-12
"""Of the largest entry of the gradient."""
SMALLEST = 1e-3
"""What that entry counts as at least: some gradients are 0, such as a cosine's by its only number, but for rounding."""


class Case:
    """A random network with rows, and what is asked of it."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.spec = random_spec(rng, seed)
        self.rows = int(rng.choice([1, 2, 7]))
        self.X, self.y = random_rows(rng, self.spec, self.rows)
        self.weight = rng.uniform(0.1, 2, self.rows) if rng.random() < 0.5 else None
        self.training = bool(rng.random() < 0.6)

    def error(self) -> float:
        """Return the gradient's largest error against the complex step, as a share of the largest entry."""
        network = specnet.build(self.spec)
        theta = network.initial_parameters()
        loss, gradient = network.loss_and_gradient(theta, self.X, self.y, self.weight, training=self.training, step=3)
        exact_loss, exact = self._by_complex_step(network, theta)
        assert loss == pytest.approx(exact_loss, rel=1e-12)
        return float(abs(gradient - exact).max() / max(abs(exact).max(), SMALLEST))

    def _by_complex_step(self, network: Network, theta: np.ndarray) -> tuple[float, np.ndarray]:
        weights = np.ones(self.rows) if self.weight is None else self.weight
        moved = theta.astype(complex)
        arrays = network.layout.arrays(moved, "theta") | network.layout.arrays(np.zeros_like(moved), "gradient")
        state = {name: array.astype(complex) for name, array in network.initial_state().items()}
        arrays |= network.layout.state_arrays(state)
        program = network.blueprint.gradient(training=self.training, weighted=True)
        bound = bind(program, complex, {BATCH: self.rows}, arrays, check=True)
        bound.inputs[INPUTS][...] = self.X.T
        bound.inputs[TARGET][...] = self.y.T
        bound.inputs[ROW_WEIGHT][...] = weights
        bound.inputs[INVERSE_WEIGHT][...] = 1 / weights.sum()
        if INVERSE_ROWS in bound.inputs:
            bound.inputs[INVERSE_ROWS][...] = 1 / self.rows
        noise = {name: array for name, array in bound.inputs.items() if name.startswith(NOISE)}
        drawn = {name: np.empty(array.shape) for name, array in noise.items()}
        StepNoise(network.spec.seed).fill(drawn, 3)
        for name, array in noise.items():
            array[...] = drawn[name]
        exact = np.zeros(theta.size)
        with np.errstate(all="ignore"):
            for place in range(theta.size):
                moved[place] += 1j * STEP
                bound.run()
                exact[place] = bound.outputs[0].imag / STEP
                moved[place] = moved[place].real
        return float(bound.outputs[0].real), exact


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(NETWORKS))
def test_gradient_of_a_random_network(seed: int):
    assert Case(seed).error() < TOLERANCE


@pytest.mark.slow
def test_the_random_networks_have_every_activation_layer_and_loss():
    specs = [specnet.parse_spec(Case(seed).spec) for seed in range(NETWORKS)]
    layers = [node.layer for spec in specs for node in specnet.build(spec).nodes]
    written = {kind for spec in specs for layer in spec.network.layers for kind in kinds_of(layer)}
    assert {layer.activation.type for layer in layers if hasattr(layer, "activation")} == set(ACTIVATIONS)
    assert written == set(names("layer")) == set(LAYERS)
    assert {spec.training.loss.type for spec in specs} == set(names("loss")) == set(LOSSES)


Rule = tuple[Any, str]
"""What has a rule, and the name of the rule."""


def all_rules() -> list[Rule]:
    """Return the operations' rules, and those that parts write beside their forward way."""
    records = all_operations()
    rules: list[Rule] = [
        (record, field)
        for record in dict.fromkeys(records)
        for field in ("slopes", "adjoint")
        if getattr(record, field) is not None
    ]
    own = [(part, field) for part in REGISTRY for field in ("derivative_from_output", "backward")]
    return rules + [(part, field) for part, field in own if field in vars(part)]


@contextmanager
def replaced(rule: Rule, by: Callable[[Callable[..., Any]], Callable[..., Any]]) -> Iterator[None]:
    """Put another rule in place of one, for a while."""
    owner, field = rule
    before = getattr(owner, field)
    change = type.__setattr__ if isinstance(owner, type) else object.__setattr__
    change(owner, field, by(before))
    try:
        yield
    finally:
        change(owner, field, before)


def wrong_by_a_thousandth(rule: Callable[..., Any]) -> Callable[..., Any]:
    def wrong(*arguments: Any) -> Any:
        found = rule(*arguments)
        if isinstance(found, tuple | list):
            return tuple(None if derivative is None else derivative * 1.001 for derivative in found)
        return found if found is None else found * 1.001

    return wrong


@pytest.fixture(scope="module")
def seeds_by_rule() -> dict[Rule, list[int]]:
    """Say for each rule which of the random networks ask for it."""
    asked: dict[Rule, list[int]] = {rule: [] for rule in all_rules()}
    with ExitStack() as stack:
        for rule in asked:

            def counting(before: Callable[..., Any], seeds: list[int] = asked[rule]) -> Callable[..., Any]:
                def counted(*arguments: Any) -> Any:
                    seeds.append(seed)
                    return before(*arguments)

                return counted

            stack.enter_context(replaced(rule, counting))
        for seed in range(NETWORKS):
            case = Case(seed)
            specnet.build(case.spec).blueprint.gradient(training=case.training, weighted=True)
    return {rule: list(dict.fromkeys(seeds)) for rule, seeds in asked.items()}


@pytest.mark.slow
def test_a_rule_that_is_wrong_by_a_thousandth_is_seen(seeds_by_rule):
    used = {rule: seeds for rule, seeds in seeds_by_rule.items() if seeds}
    assert {getattr(owner, "name", owner) for owner, _ in used} >= {
        "affine",
        "multiply",
        "maximum",
        "exp",
        "sum",
        find("activation", "selu"),
    }
    for rule, seeds in used.items():
        with replaced(rule, wrong_by_a_thousandth):
            assert any(Case(seed).error() > TOLERANCE for seed in seeds), rule
