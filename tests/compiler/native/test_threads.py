"""Large products and updates are shared by threads: the same bits with any number of them, in forked processes too."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import numpy as np
import pytest

import specnet
from specnet import compiler as c
from specnet.compiler.native import training_steps
from specnet.compiler.native.c_text import matrix_products, thread_pool
from specnet.compiler.thread_limits import limited_threads
from tests.compiler.native.together import NATIVE, forks, in_a_new_process
from tests.compiling import compiles
from tests.training.steps.engines import make_all, steppers

pytestmark = [compiles, pytest.mark.slow]
ROWS, INPUTS, UNITS = 70, 37, 90
LIMITS = ((matrix_products, "THREADS_PAY TRANSPOSE_SHARED_ABOVE LONG_ABOVE"), (training_steps, "SHARED_ABOVE"))
linux = pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="not Linux")


@pytest.fixture(autouse=True)
def shares(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything is large enough to be shared, and long enough for several parts a thread."""
    for module, names in LIMITS:
        for name in names.split():
            monkeypatch.setattr(module, name, 1)


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Return a function that lets what is bound from now on have so many threads."""
    return lambda count: monkeypatch.setattr(thread_pool, "available_threads", lambda: count)


@pytest.fixture
def three_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 1, 2})


def bound_gradient() -> Any:
    rng = np.random.default_rng(0)
    x, block = c.input_value("x", (INPUTS, "batch")), c.state_value("block", (INPUTS + 1, UNITS))
    loss = c.sum_over(c.tanh(c.affine(block, x)), "all")
    commits = [(c.state_value("d", block.shape), c.gradients(loss, [block])[block])]
    given = {"block": rng.normal(size=block.shape), "d": np.zeros(block.shape)}
    bound = NATIVE.bind(c.plan([loss], commits), np.float64, {"batch": ROWS}, given)
    bound.inputs["x"][...] = rng.normal(size=(INPUTS, ROWS))
    return bound


def test_any_number_of_threads_gives_the_same_bits(threads: Callable[[int], None]):
    found = []
    for count in (1, 2, 3, 8):
        threads(count)
        bound = bound_gradient()
        for _ in range(500):
            bound.states["d"][...] = np.nan
            bound.run()
            found.append((bound.states["d"].tobytes(), bound.outputs[0].tobytes()))
    assert len(set(found)) == 1


def test_training_gives_the_same_bits(threads: Callable[[int], None]):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(64, 5)), rng.normal(size=64)
    training = {"loss": "mean_squared_error", "optimizer": "adamw", "batch_size": 32, "epochs": 3, "clip_norm": 1.0}
    training["average_weights"] = {"type": "exponential", "decay": 0.9}
    spec = {"network": {"layer_sizes": [5, 40, 33, 1], "dtype": "float64"}, "training": training}
    found = []
    for count in (1, 2, 5):
        threads(count)
        numpy, compiled, _, _ = steppers(spec, X, y, None)
        assert "part_of_0" in compiled._compiled.text
        for epoch in range(20):
            make_all(compiled, list(compiled._feed.batches(epoch)))
        found.append(b"".join(array.tobytes() for array in compiled.tensors().values()))
    for epoch in range(20):
        make_all(numpy, list(compiled._feed.batches(epoch)))
    assert len(set(found)) == 1
    np.testing.assert_allclose(compiled.theta, numpy.theta, rtol=1e-9, atol=1e-11)


def test_threads_of_python_share_no_work(threads: Callable[[int], None]):
    threads(3)
    bounds = [bound_gradient() for _ in range(6)]

    def ran(bound: Any) -> set[bytes]:
        found = set()
        for _ in range(300):
            bound.run()
            found.add(bound.states["d"].tobytes())
        return found

    with ThreadPoolExecutor(6) as pool:
        assert len(set().union(*pool.map(ran, bounds))) == 1


@forks
@linux
def test_processes_that_are_forked_while_threads_work_have_threads_of_their_own(threads: Callable[[int], None]):
    """And so have those that they fork: what another thread held at that moment is never touched again."""
    threads(3)
    bounds = [bound_gradient() for _ in range(2)]
    bounds[0].run()
    expected, ends = bounds[0].states["d"].copy(), Event()

    def work() -> None:
        while not ends.is_set():
            bounds[1].run()

    def check() -> None:
        before = threads_here()
        bounds[0].states["d"][...] = 0
        bounds[0].run()
        assert np.array_equal(bounds[0].states["d"], expected)
        assert threads_here() == before + 2

    def check_twice() -> None:
        check()
        in_a_new_process(check)

    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(work)
        try:
            for _ in range(8):
                in_a_new_process(check_twice)
        finally:
            ends.set()
        working.result()


def threads_here() -> int:
    return len(os.listdir("/proc/self/task"))


@forks
@linux
@pytest.mark.usefixtures("three_processors")
def test_a_limit_holds_for_what_was_bound_before(monkeypatch: pytest.MonkeyPatch):
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    bound = bound_gradient()
    X, y = np.zeros((64, 5)), np.zeros(64)
    network = {"layer_sizes": [5, 40, 1], "dtype": "float64"}
    stepper = steppers({"network": network, "training": {"loss": "mean_squared_error"}}, X, y, None)[1]
    batches = list(stepper._feed.batches(0))

    def check() -> None:
        for run in (bound.run, lambda: make_all(stepper, batches)):
            with limited_threads(1):
                before = threads_here()
                run()
                assert threads_here() == before
            os.environ["OMP_NUM_THREADS"] = "1"
            run()
            assert threads_here() == before
            del os.environ["OMP_NUM_THREADS"]
        bound.run()
        assert threads_here() == before + 2
        with limited_threads(2):
            before = threads_here()  # BLAS may have started a thread of its own
            bound.run()
        make_all(stepper, batches)
        assert threads_here() == before

    in_a_new_process(check)


@forks
@linux
@pytest.mark.usefixtures("three_processors", "compiled_quickly")
def test_threads_and_libraries_of_dropped_networks_do_not_pile_up():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 3)), rng.normal(size=40)

    def mapped_libraries() -> int:
        gc.collect()
        with open("/proc/self/maps", encoding="utf-8") as lines:
            return len({line.split(maxsplit=5)[5] for line in lines if "specnet-build-" in line})

    def check() -> None:
        found = []
        for units in range(2, 8):
            training = {"loss": "mean_squared_error", "engine": "compiled", "epochs": 1}
            spec = {"network": {"layer_sizes": [3, units, 1]}, "training": training}
            network = specnet.build(spec)
            theta = network.initial_parameters()
            network.loss_and_gradient(theta, X, y)
            if units == 2:
                network.predict(theta, X[:1])
                specnet.fit(spec, X, y, observer=specnet.Observer())
            found.append((mapped_libraries(), threads_here()))
            del network
        assert max(found) == (max(found)[0], found[0][1])
        assert max(found)[0] <= found[0][0] + 3
        assert mapped_libraries() <= found[0][0]

    in_a_new_process(check)


def test_threads_are_as_many_as_blas_may_have(monkeypatch: pytest.MonkeyPatch):
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    everything = thread_pool.available_threads()
    assert everything >= 1
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    assert thread_pool.available_threads() == 1
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "many")
    assert thread_pool.available_threads() == everything
