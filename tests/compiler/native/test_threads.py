"""Large products and updates are shared by threads: the same bits with any number of them, in forked processes too."""

from __future__ import annotations

import gc
import os
import signal
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import numpy as np
import pytest

import specnet
from specnet.compiler import affine, gradients, input_value, plan, state_value, sum_over, tanh
from specnet.compiler.native import training_steps
from specnet.compiler.native.binding import NATIVE
from specnet.compiler.native.c_text import matrix_products, thread_team
from specnet.compiler.thread_limits import limited_threads
from specnet.training import TrainingRows
from specnet.training.loop import train
from tests.compiling import compiles
from tests.training.steps.engines import make_all, steppers

pytestmark = [compiles, pytest.mark.slow]
ROWS, INPUTS, UNITS = 70, 37, 90


forks = pytest.mark.skipif(not os.path.isdir("/proc/self/task") or not hasattr(os, "fork"), reason="not Linux")


@pytest.fixture
def shares(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything is large enough to be shared, and long enough for several parts a thread."""
    monkeypatch.setattr(matrix_products, "SHARED_ABOVE", 1)
    monkeypatch.setattr(matrix_products, "TURN_SHARED_ABOVE", 1)
    monkeypatch.setattr(matrix_products, "LONG_ABOVE", 1)
    monkeypatch.setattr(training_steps, "SHARED_ABOVE", 1)


def bound_gradient(count: int | None, monkeypatch: pytest.MonkeyPatch) -> Any:
    if count is not None:
        monkeypatch.setattr(thread_team, "available_threads", lambda: count)
    rng = np.random.default_rng(0)
    x, block = input_value("x", (INPUTS, "batch")), state_value("block", (INPUTS + 1, UNITS))
    loss = sum_over(tanh(affine(block, x)), "all")
    commits = [(state_value("d", block.shape), gradients(loss, [block])[block])]
    given = {"block": rng.normal(size=block.shape), "d": np.zeros(block.shape)}
    bound = NATIVE.bind(plan([loss], commits), np.float64, {"batch": ROWS}, given)
    bound.inputs["x"][...] = rng.normal(size=(INPUTS, ROWS))
    return bound


@pytest.mark.usefixtures("shares")
def test_any_number_of_threads_gives_the_same_bits(monkeypatch: pytest.MonkeyPatch):
    found = []
    for count in (1, 2, 3, 8):
        bound = bound_gradient(count, monkeypatch)
        for _ in range(500):
            bound.states["d"][...] = np.nan
            bound.run()
            found.append((bound.states["d"].tobytes(), bound.outputs[0].tobytes()))
    assert len(set(found)) == 1


@pytest.mark.usefixtures("shares")
def test_training_gives_the_same_bits(monkeypatch: pytest.MonkeyPatch):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(64, 5)), rng.normal(size=64)
    spec = {
        "network": {"layer_sizes": [5, 40, 33, 1], "dtype": "float64"},
        "training": {"loss": "mean_squared_error", "optimizer": "adamw", "batch_size": 32, "epochs": 3},
    }
    spec["training"] |= {"average_weights": {"type": "exponential", "decay": 0.9}, "clip_norm": 1.0}
    found = []
    for count in (1, 2, 5):
        monkeypatch.setattr(thread_team, "available_threads", lambda count=count: count)
        numpy, compiled, _, _ = steppers(spec, X, y, None)
        assert "part_of_0" in compiled._compiled.text
        for epoch in range(20):
            make_all(compiled, list(compiled._feed.batches(epoch)))
        found.append(b"".join(array.tobytes() for array in compiled.tensors().values()))
    for epoch in range(20):
        make_all(numpy, list(compiled._feed.batches(epoch)))
    assert len(set(found)) == 1
    np.testing.assert_allclose(compiled.theta, numpy.theta, rtol=1e-9, atol=1e-11)


@pytest.mark.usefixtures("shares")
def test_threads_of_python_share_no_work(monkeypatch: pytest.MonkeyPatch):
    bounds = [bound_gradient(3, monkeypatch) for _ in range(6)]

    def ran(bound: Any) -> set[bytes]:
        found = set()
        for _ in range(300):
            bound.run()
            found.add(bound.states["d"].tobytes())
        return found

    with ThreadPoolExecutor(6) as pool:
        assert len(set().union(*pool.map(ran, bounds))) == 1


@pytest.mark.usefixtures("shares")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_process_does_all_work_itself(monkeypatch: pytest.MonkeyPatch):
    bound = bound_gradient(3, monkeypatch)
    bound.run()
    expected = bound.states["d"].copy()
    child = os.fork()
    if not child:
        signal.alarm(20)
        bound.states["d"][...] = 0
        bound.run()
        os._exit(int(not np.array_equal(bound.states["d"], expected)))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.usefixtures("shares")
@forks
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_processes_that_are_forked_while_threads_work_have_threads_of_their_own(monkeypatch: pytest.MonkeyPatch):
    """And so have those that they fork: what another thread held at that moment is never touched again."""
    bounds = [bound_gradient(3, monkeypatch) for _ in range(2)]
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


def in_a_new_process(check: Callable[[], object]) -> None:
    """Check something where there is no thread but one."""
    child = os.fork()
    if not child:
        status = 1
        try:
            signal.alarm(60)
            check()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def threads_here() -> int:
    return len(os.listdir("/proc/self/task"))


@forks
@pytest.mark.usefixtures("shares")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_limit_holds_for_what_was_bound_before(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 1, 2})
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    bound = bound_gradient(None, monkeypatch)
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
@pytest.mark.usefixtures("shares", "compiled_quickly")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_threads_and_libraries_of_dropped_networks_do_not_pile_up(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 1, 2})
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 3)), rng.normal(size=40)

    def mapped_libraries() -> int:
        gc.collect()
        with open("/proc/self/maps", encoding="utf-8") as lines:
            return len({line.split(maxsplit=5)[5] for line in lines if "specnet-build-" in line})

    def check() -> None:
        found = []
        for units in range(2, 8):
            network = specnet.build(
                {
                    "network": {"layer_sizes": [3, units, 1]},
                    "training": {"loss": "mean_squared_error", "engine": "compiled", "epochs": 1},
                }
            )
            theta = network.initial_parameters()
            network.loss_and_gradient(theta, X, y)
            if units == 2:
                network.predict(theta, X[:1])
                train(network, theta, TrainingRows(X.astype(np.float32), y[:, None].astype(np.float32)))
            found.append((mapped_libraries(), threads_here()))
            del network
        assert max(found) == (max(found)[0], found[0][1])
        assert max(found)[0] <= found[0][0] + 3
        assert mapped_libraries() <= found[0][0]

    in_a_new_process(check)


def test_threads_are_as_many_as_blas_may_have(monkeypatch: pytest.MonkeyPatch):
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    everything = thread_team.available_threads()
    assert everything >= 1
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    assert thread_team.available_threads() == 1
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "many")
    assert thread_team.available_threads() == everything
