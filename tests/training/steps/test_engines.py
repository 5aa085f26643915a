"""The compiled engine does what NumPy does: on random networks, with every kind of training, and in whole runs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

import specnet
from specnet import Network, Observer, SpecError, TrainingError
from specnet.compiler import operations
from specnet.compiler.native.c_plan import LONG_PROGRAM
from specnet.parts import BATCH, Layer, PositiveNumber, Scope, SteppingOptimizer, Value, matmul
from specnet.parts.optimizers import Adam, Commits, ScalarLookup, StateLookup
from specnet.training import Stepper, TrainingRows, train
from specnet.training.observer import Relay
from specnet.training.steps import engine_choice
from specnet.training.steps.compiled_steps import NOISE_AT_ONCE, CompiledStepper, steps_text
from specnet.training.steps.engine_choice import Work
from tests.compiling import PROCESSORS, Processor, compiles, wrong_form
from tests.training.steps.engines import (
    CLOSE,
    disagreement,
    optimizers,
    random_training,
    results_of_calls,
    steppers,
)

pytestmark = compiles
ROOT = Path(__file__).parents[3]


@pytest.mark.slow
@pytest.mark.parametrize("kind", [Stepper, CompiledStepper])
def test_how_many_steps_are_made_at_once_changes_no_bit(kind: type[Stepper]):
    """Whether a call ends within an epoch, at its end, or after many of them; each optimizer makes some."""
    for seed in range(len(optimizers())):
        one, few, most = results_of_calls(seed, kind)
        assert one == few == most, seed


class FollowsLog(Observer):
    """Is told of each logged epoch at once, so that no call goes past it."""

    def logged(self, epoch: int, record: Mapping[str, Any]) -> None:
        assert record["epoch"] == epoch


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["numpy", "compiled"])
@pytest.mark.parametrize(("batch", "every"), [("full", 1), ("full", 7), (40, 1), (32, 50)])
def test_a_failure_in_the_midst_of_a_call_leaves_what_it_left_alone(engine: str, batch: int | str, every: int):
    """A loss that is not finite is found in its epoch, whose weights are looked at, whatever else was to be made."""
    # Steps grow until squares of errors are infinite; the weights stay finite.
    network = {"layer_sizes": [3, 1], "activations": ["identity"], "dtype": "float32"}
    optimizer = {"type": "sgd", "learning_rate": 100, "schedule": {"type": "one_cycle"}}
    training = {"loss": "mse", "optimizer": optimizer, "clip_norm": 1e18, "epochs": 200, "log_every": every}
    built = specnet.build({"seed": 1, "network": network, "training": training | {"batch_size": batch}}, engine=engine)
    X = np.random.default_rng(0).normal(size=(100, 3)).astype(np.float32) * 3
    found = []
    for observer in (Observer(), FollowsLog()):
        with pytest.raises(TrainingError) as raised:
            train(built, built.initial_parameters(), TrainingRows(X, X[:, :1] * 3), observer=observer, records=True)
        found.append((str(raised.value), raised.value.history, raised.value.looks))
    assert found[0] == found[1]
    assert found[0][2][-1]["epoch"] > 1
    assert None not in [layer["weight"] for layer in found[0][2][-1]["layers"]]


@pytest.mark.slow
def test_random_networks_agree(processor: Processor):
    found = {seed: disagreement(seed) for seed in range(PROCESSORS.index(processor), 9, 3)}  # others for each CPU
    apart = {seed: {name: error for name, error in each.items() if not error < CLOSE} for seed, each in found.items()}
    assert not {seed: each for seed, each in apart.items() if each}
    for name in ("gradient", "input gradient", "predictions", "loss"):
        assert max(each[name] for each in found.values()) < 1e-12


@pytest.mark.slow
@pytest.mark.parametrize(
    "operation", [operations.TANH, operations.SIGMOID, operations.SQRT], ids=lambda item: item.name
)
def test_a_wrong_form_is_caught(operation: Any):
    def texts() -> Iterator[str]:
        for seed in range(60):
            spec, X, *_ = random_training(seed)
            yield steps_text(specnet.build(spec), len(X))

    right_texts, wrong_texts = texts(), texts()

    def is_caught(seed: int) -> bool:
        text = next(right_texts)
        with wrong_form(operation):
            return next(wrong_texts) != text and max(disagreement(seed, steps=1).values()) > CLOSE

    assert any(map(is_caught, range(60)))


class HalfAdam(Adam):
    """Adam at half of its rate: scalars of its own, but not those of several steps."""

    type: Literal["half_adam"] = "half_adam"

    def scalars(self, step: int, rate: float) -> dict[str, float]:
        return super().scalars(step, rate / 2)


class Factorial(SteppingOptimizer):
    """A rate that is a function of integers, and a number that the update does not use."""

    type: Literal["factorial"] = "factorial"
    learning_rate: PositiveNumber = 1.0

    def scalars(self, step: int, rate: float) -> dict[str, float]:
        return {"rate": rate * len(range(step)) / math.factorial(min(step, 9)), "unused": 1.0}

    def update(self, theta: Value, gradient: Value, state: StateLookup, scalar: ScalarLookup) -> Commits:
        return [(theta, theta - gradient * scalar("rate"))]


class Fixed(SteppingOptimizer):
    """Steps without a number that changes."""

    type: Literal["fixed"] = "fixed"
    learning_rate: PositiveNumber = 0.1

    def update(self, theta: Value, gradient: Value, state: StateLookup, scalar: ScalarLookup) -> Commits:
        return [(theta, theta - gradient * self.learning_rate)]


def weights_of_both(spec: dict[str, Any], *parts: Any) -> tuple[np.ndarray, np.ndarray]:
    """The weights that each engine reaches."""
    X = np.random.default_rng(0).normal(size=(53, 3))
    compiled, numpy = (
        specnet.fit(spec, X, X[:, 0] * X[:, 1] > 0, parts=parts, engine=engine, observer=Observer()).theta
        for engine in ("compiled", "numpy")
    )
    return compiled, numpy


def document(layers: Sequence[dict[str, Any]] = (), **training: Any) -> dict[str, Any]:
    dense = [{"type": "dense", "units": 5, "activation": "tanh"}, {"type": "dense", "units": 1}]
    network = {"input_size": 3, "layers": [*layers, *dense], "dtype": "float64"}
    return {"network": network, "training": {"loss": "binary_crossentropy", "epochs": 5, "batch_size": 8} | training}


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", [HalfAdam, Factorial, Fixed], ids=lambda part: part.part_name())
def test_optimizers_of_others_agree(optimizer: type[SteppingOptimizer]):
    compiled, numpy = weights_of_both(document(optimizer={"type": optimizer.part_name()}), optimizer)
    np.testing.assert_allclose(compiled, numpy, rtol=CLOSE, atol=CLOSE)


class Noisy(Layer):
    """Random numbers of some shape on top of x."""

    type: Literal["noisy"] = "noisy"
    shape: tuple[int | str, ...]

    def output_size(self, input_sizes: tuple[int, ...]) -> int:
        return input_sizes[0]

    def apply(self, scope: Scope, inputs: Sequence[Value], parameters: Sequence[Value]) -> Value:
        (x,) = inputs
        return x + scope.normal(self.shape) * 0.1 if scope.training else x


class Similarity(Layer):
    """x·xᵀ·x, in the order that has a value for each pair of rows."""

    type: Literal["similarity"] = "similarity"

    def output_size(self, input_sizes: tuple[int, ...]) -> int:
        return input_sizes[0]

    def apply(self, scope: Scope, inputs: Sequence[Value], parameters: Sequence[Value]) -> Value:
        (x,) = inputs
        return x + matmul(x, matmul(x, x, flip_a=True)) * 0.01 if scope.training else x


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(), (BATCH,), (3, 1), (1, BATCH), (3, BATCH)], ids=str)
def test_random_numbers_of_any_shape_agree(shape: tuple[int | str, ...]):
    layers = [{"type": "noisy", "shape": list(shape)}, {"type": "noisy", "shape": [1, BATCH]}]
    compiled, numpy = weights_of_both(document(layers), Noisy)
    np.testing.assert_allclose(compiled, numpy, rtol=CLOSE, atol=CLOSE)


def test_a_part_without_a_form_is_left_to_numpy_or_an_error(monkeypatch: pytest.MonkeyPatch):
    spec, rng = document([{"type": "similarity"}]), np.random.default_rng(0)
    X, y = rng.normal(size=(20, 3)), np.arange(20) % 2
    monkeypatch.setattr("specnet.training.steps.engine_choice.WORTH_SECONDS", 0)
    monkeypatch.setattr("specnet.training.steps.engine_choice.SAVED_SHARE", math.inf)
    told: dict[str, tuple[Any, ...]] = {}
    specnet.fit(spec, X, y, parts=(Similarity,), observer=Relay(told.__setitem__))
    reason = "a value of shape (batch, batch) has no form in C"
    message = f"the compiled engine is not available with layer similarity: {reason}"
    assert told["engine_chosen"] == ("numpy", message)
    for refused in (
        lambda: specnet.fit(spec, X, y, parts=(Similarity,), engine="compiled", observer=Observer()),
        lambda: steps_text(specnet.build(spec, parts=(Similarity,)), 20),
    ):
        with pytest.raises(SpecError) as raised:
            refused()
        (problem,) = raised.value.diagnostics
        assert (problem.code, problem.message) == ("no-compiled-form", message)
        assert problem.hint == 'set training.engine to "numpy"'


@pytest.mark.slow
def test_the_text_of_the_steps_is_that_of_what_is_compiled():
    X, y = np.zeros((20, 3)), np.arange(20) % 2
    for batch in (8, "full"):
        numpy, compiled, network, _ = steppers(document(batch_size=batch), X, y, None)
        assert steps_text(network, compiled._feed.size) == compiled._compiled.text
        assert numpy._feed.size == (20 if batch == "full" else 8)


def test_work_is_estimated_by_calls_numbers_and_products():
    """The calls of a step are counted here by hand: so the same spec is trained by the same engine everywhere."""

    def work(rows: int, epochs: int, **training: Any) -> Work:
        settings = {"loss": "mse", "optimizer": "sgd", "batch_size": "full", **training}
        network = specnet.build({"network": {"layer_sizes": [3, 5, 2], "dtype": "float64"}, "training": settings})
        return Work.of(network, rows, epochs)

    calls, numbers = 18 + 2, 700 * 42 + 3 + 12 + 20 + 2 * 32
    hidden, last = math.sqrt(20 * 2100 * 3500), math.sqrt(12 * 3500 * 1400)
    products = sum(map(int, (hidden, last, last, math.sqrt(10 * 1400 * 3500), hidden)))
    seconds = calls * 3.5e-7 + numbers * 2e-10 + products * 1.5e-11
    assert work(700, 1) == (pytest.approx(seconds), pytest.approx(0.15 + calls * 3e-3), int(hidden))
    assert work(700, 6, ensemble=5).seconds == pytest.approx(30 * seconds)
    assert work(7100, 3, batch_size=700).seconds == pytest.approx(33 * seconds)
    assert work(700, 3, batch_size=701).seconds == pytest.approx(3 * seconds)
    assert work(0, 3).seconds == 0
    update = 2 * 3.5e-7 + 2 * 32 * 2e-10
    assert work(700, 1, optimizer="lbfgs").seconds == pytest.approx(seconds - update)


def test_compiling_layers_that_are_alike_is_expected_to_take_no_longer_for_more_of_them():
    def expected(sizes: list[int]) -> float:
        return Work.of(specnet.build({"network": {"layer_sizes": sizes}, "training": {"loss": "mse"}}), 9, 9)[1]

    few, many = expected([8] * 60), expected([8] * 200)
    assert few == many < 0.15 + (LONG_PROGRAM + 30) * 3e-3
    first, second, third = (expected([*range(8, 8 + layers), 8]) for layers in (100, 200, 300))
    assert third - second == pytest.approx(second - first, rel=0.01)
    assert first > few


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0949, "less than 0.1 s"),
        (0.095, "about 0.1 s"),
        (9.49, "about 9.5 s"),
        (9.51, "about 10 s"),
        (99, "about 99 s"),
    ],
)
def test_seconds_in_words(seconds: float, words: str):
    assert engine_choice.about(seconds) == words


def test_before_rows_are_read_the_choice_is_theirs():
    reason = "compiled where NumPy would need over 0.5 s, which the rows decide"
    assert engine_choice.undecided() == engine_choice.Choice("auto", reason)
    assert engine_choice.undecided().facts() == {"engine": "auto", "engine_reason": reason}


@pytest.mark.slow
def test_random_numbers_of_many_steps_take_little_memory():
    """Steps of few products, but of a million random numbers each: one at a time."""
    layers = [{"type": "gaussian_noise", "stddev": 0.1}]
    spec = document(layers) | {"training": {"loss": "mean_squared_error", "batch_size": "full"}}
    X = np.zeros((400_000, 3))
    stepper = steppers(spec, X, X[:, 0], None)[1]
    assert stepper.most_at_once == 1
    few = steppers(spec, X[:1000], X[:1000, 0], None)[1]
    assert 100 < few.most_at_once * 3000 <= NOISE_AT_ONCE


@pytest.mark.slow
@pytest.mark.parametrize(
    "X",
    [np.zeros((20, 3), np.float32), np.zeros((3, 20)).T, np.zeros((20, 4)), np.zeros((20, 6))[:, ::2]],
    ids=["dtype", "order", "columns", "steps"],
)
def test_rows_that_cannot_be_read_by_addresses_are_refused(X: np.ndarray):
    network = Network(specnet.build(document()).resolved, "compiled")
    feed = TrainingRows(X, np.zeros((20, 1))).feed(network)
    with pytest.raises(ValueError, match="the source of x is rows of 3 float64, C-contiguous, not"):
        CompiledStepper(network, network.initial_parameters(), feed, {})
