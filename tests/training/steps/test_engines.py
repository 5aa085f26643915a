"""The compiled engine does what NumPy does: on random networks, with every kind of training, and in whole runs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import pytest

import specnet
from specnet import Network, Observer, SpecError, TrainingError
from specnet.compiler import operations
from specnet.compiler.native.c_plan import LONG_PROGRAM
from specnet.parts import BATCH, Layer, PositiveNumber, SteppingOptimizer, matmul
from specnet.training.observer import Relay
from specnet.training.steps import engine_choice
from specnet.training.steps.compiled_steps import NOISE_AT_ONCE, CompiledStepper, steps_text
from specnet.training.steps.trainer import EpochSoFar
from tests.compiling import PROCESSORS, Processor, compiles, wrong_form
from tests.networks import Stepper, TrainingRows, dense, document, network_of, trained
from tests.registry import find
from tests.training.steps.engines import CLOSE, STEPPING, disagreement, random_training, results_of_calls, steppers

pytestmark = compiles


@pytest.mark.slow
@pytest.mark.parametrize("kind", [Stepper, CompiledStepper])
def test_how_many_steps_are_made_at_once_changes_no_bit(kind: type[Stepper]):
    """Whether a call ends within an epoch, at its end, or after many of them; each optimizer makes some."""
    for seed in range(len(STEPPING)):
        one, few, most = results_of_calls(seed, kind)
        assert one == few == most, seed


class FollowsLog(Observer):
    """Gets each logged epoch at once, so that no call goes past it."""

    def logged(self, epoch: int, record: Any) -> None:
        assert record["epoch"] == epoch


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["numpy", "compiled"])
@pytest.mark.parametrize(("batch", "every"), [("full", 1), ("full", 7), (40, 1), (32, 50)])
def test_a_failure_in_the_midst_of_a_call_leaves_what_it_left_alone(engine: str, batch: int | str, every: int):
    """A loss that is not finite is found in its epoch, whose weights are looked at, whatever else was to be made."""
    # Steps grow until squares of errors are infinite; the weights stay finite.
    optimizer = {"type": "sgd", "learning_rate": 100, "schedule": {"type": "one_cycle"}}
    settings = {"clip_norm": 1e18, "epochs": 200, "log_every": every, "batch_size": batch, "engine": engine}
    spec = {"seed": 1, **document(dense(1), dtype="float32", optimizer=optimizer, **settings)}
    built = specnet.build(spec)
    X = np.random.default_rng(0).normal(size=(100, 3)).astype(np.float32) * 3
    found = []
    for observer in (Observer(), FollowsLog()):
        with pytest.raises(TrainingError) as raised:
            trained(built, TrainingRows(X, X[:, :1] * 3), observer=observer, records=True)
        found.append((str(raised.value), raised.value.history, raised.value.layer_records))
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


class HalfAdam(find("optimizer", "adam")):  # type: ignore[misc] # a class that is found
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

    def update(self, theta: Any, gradient: Any, state: Any, scalar: Any) -> Any:
        return [(theta, theta - gradient * scalar("rate"))]


class Fixed(SteppingOptimizer):
    """Steps without a number that changes."""

    type: Literal["fixed"] = "fixed"
    learning_rate: PositiveNumber = 0.1

    def update(self, theta: Any, gradient: Any, state: Any, scalar: Any) -> Any:
        return [(theta, theta - gradient * self.learning_rate)]


def spec_of(*layers: dict[str, Any], **training: Any) -> dict[str, Any]:
    settings = {"loss": "binary_crossentropy", "epochs": 5, "batch_size": 8} | training
    return document(*layers, dense(5, "tanh"), dense(1), **settings)


class Noisy(Layer):
    """Random numbers of some shape on top of x."""

    type: Literal["noisy"] = "noisy"
    shape: tuple[int | str, ...]

    def apply(self, scope: Any, inputs: Any, parameters: Any) -> Any:
        (x,) = inputs
        return x + scope.normal(self.shape) * 0.1 if scope.training else x


class Similarity(Layer):
    """x·xᵀ·x, in the order that has a value for each pair of rows."""

    type: Literal["similarity"] = "similarity"

    def apply(self, scope: Any, inputs: Any, parameters: Any) -> Any:
        (x,) = inputs
        return x + matmul(x, matmul(x, x, flip_a=True)) * 0.01 if scope.training else x


@pytest.mark.slow
@pytest.mark.parametrize(
    ("part", "spec"),
    [
        *((part, spec_of(optimizer=part.part_name())) for part in (HalfAdam, Factorial, Fixed)),
        *(
            (Noisy, spec_of({"type": "noisy", "shape": list(shape)}, {"type": "noisy", "shape": [1, BATCH]}))
            for shape in ((), (BATCH,), (3, 1), (1, BATCH), (3, BATCH))
        ),
    ],
    ids=str,
)
def test_optimizers_of_others_and_random_numbers_of_any_shape_agree(part: Any, spec: dict[str, Any]):
    X = np.random.default_rng(0).normal(size=(53, 3))
    compiled, numpy = (
        specnet.fit(spec, X, X[:, 0] * X[:, 1] > 0, parts=[part], engine=engine, observer=Observer()).theta
        for engine in ("compiled", "numpy")
    )
    np.testing.assert_allclose(compiled, numpy, rtol=CLOSE, atol=CLOSE)


def test_a_part_without_a_form_is_left_to_numpy_or_an_error(monkeypatch: pytest.MonkeyPatch):
    spec, rng = spec_of({"type": "similarity"}), np.random.default_rng(0)
    X, y = rng.normal(size=(20, 3)), np.arange(20) % 2
    monkeypatch.setattr(engine_choice, "WORTH_SECONDS", 0)
    monkeypatch.setattr(engine_choice, "SAVED_SHARE", math.inf)
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
        numpy, compiled, network, _ = steppers(spec_of(batch_size=batch), X, y, None)
        assert steps_text(network, compiled._feed.size) == compiled._compiled.text
        assert numpy._feed.size == (20 if batch == "full" else 8)


def test_work_is_estimated_by_calls_numbers_and_products():
    """The calls of a step are counted here by hand: so the same spec is trained by the same engine everywhere."""

    def work(rows: int, epochs: int, **training: Any) -> Any:
        settings = {"optimizer": "sgd", "batch_size": "full", **training}
        return engine_choice.Work.of(
            network_of(settings.pop("optimizer"), dense(5, "relu"), dense(2), **settings), rows, epochs
        )

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
        return engine_choice.Work.of(
            specnet.build({"network": {"layer_sizes": sizes}, "training": {"loss": "mse"}}), 9, 9
        )[1]

    few, many = expected([8] * 60), expected([8] * 200)
    assert few == many < 0.15 + (LONG_PROGRAM + 30) * 3e-3
    first, second, third = (expected([*range(8, 8 + layers), 8]) for layers in (100, 200, 300))
    assert third - second == pytest.approx(second - first, rel=0.01)
    assert first > few


def test_seconds_in_words():
    found = [engine_choice.about(seconds) for seconds in (0.0949, 0.095, 9.49, 9.51, 99)]
    assert found == ["less than 0.1 s", *(f"about {number} s" for number in ("0.1", "9.5", "10", "99"))]


def test_before_rows_are_read_the_choice_is_theirs():
    reason = "compiled if NumPy needs over 0.5 s, which depends on the rows"
    assert engine_choice.undecided() == engine_choice.Choice("auto", reason)
    assert engine_choice.undecided().facts() == {"engine": "auto", "engine_reason": reason}


@pytest.mark.slow
def test_random_numbers_of_many_steps_take_little_memory():
    """Steps of few products, but of a million random numbers each: one at a time."""
    spec = spec_of({"type": "gaussian_noise", "stddev": 0.1}, loss="mse", batch_size="full")
    X = np.zeros((400_000, 3))
    stepper = steppers(spec, X, X[:, 0], None)[1]
    assert stepper.max_steps_per_call == 1
    few = steppers(spec, X[:1000], X[:1000, 0], None)[1]
    assert 100 < few.max_steps_per_call * 3000 <= NOISE_AT_ONCE


@pytest.mark.slow
@pytest.mark.parametrize(
    "X",
    [np.zeros((20, 3), np.float32), np.zeros((3, 20)).T, np.zeros((20, 4)), np.zeros((20, 6))[:, ::2]],
    ids=["dtype", "order", "columns", "steps"],
)
def test_rows_that_cannot_be_read_by_addresses_are_refused(X: np.ndarray):
    network = Network(specnet.build(spec_of()).resolved, "compiled")
    feed = TrainingRows(X, np.zeros((20, 1))).feed(network)
    with pytest.raises(ValueError, match="the source of x is rows of 3 float64, C-contiguous, not"):
        CompiledStepper(network, network.initial_parameters(), feed, {})


@pytest.mark.parametrize(("per_epoch", "before"), [(1, 0), (4, 0), (4, 3), (7, 1)])
def test_several_epochs_have_the_means_of_batches_added_one_by_one(per_epoch, before):
    random = np.random.default_rng(per_epoch + before)
    losses, weights = random.lognormal(sigma=5, size=(2, 20 * per_epoch))
    weights[: 2 * per_epoch] = 0  # all rows of the first two epochs count for nothing
    one_by_one, at_once, expected = EpochSoFar(), EpochSoFar(), []
    for loss, weight in zip(losses.tolist(), weights.tolist(), strict=True):
        one_by_one.add(loss, weight)
        if at_once.batches < before:
            at_once.add(loss, weight)
        if one_by_one.batches == per_epoch:
            expected.append(one_by_one.mean())
            one_by_one.set()
    assert at_once.means(losses[before:], weights[before:], per_epoch).tolist() == expected
    assert at_once == EpochSoFar()
