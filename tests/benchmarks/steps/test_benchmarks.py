"""The benchmarks' contenders do the same work, and a missed bound is told."""

from dataclasses import replace

import numpy as np
import pytest

from tests.benchmarks.report import Report
from tests.benchmarks.steps import peers
from tests.benchmarks.steps.cases import CASES, COMPILED, NUMPY, Bound, Case
from tests.benchmarks.steps.compiling import compiling_seconds
from tests.benchmarks.steps.fits import FITS, ROWS, show_fit
from tests.benchmarks.steps.ours import compiled_run, compiled_stepper, stepper_of, training_run
from tests.benchmarks.steps.peak import sums_of_products
from tests.benchmarks.steps.prediction import prediction_runs
from tests.benchmarks.steps.stepping import COMPILED_AVX2, Steps, contenders, show_smaller_vectors, show_steps
from tests.benchmarks.timing import Seconds, measured, medians
from tests.compiling import GENERIC, compiles, native_processor
from tests.training.steps.engines import make_all

SMALL = [case if case.full_batch else replace(case, batch=32, rows=64) for case in CASES]


def title(case: Case | str) -> str:
    return case if isinstance(case, str) else case.title


def whole_epochs(case: Case) -> int:
    """The steps of whole epochs that are at least three."""
    return 3 if case.full_batch else 4


@pytest.mark.slow
@pytest.mark.parametrize("case", SMALL, ids=title)
def test_each_contender_makes_the_steps_that_it_is_asked_for(case):
    assert training_run(case)(3) == whole_epochs(case)
    for name in set(peers.able(case)) - peers.MODULES.keys():
        assert peers.PEERS[name](case)(3) >= 3


@pytest.mark.slow
@compiles
@pytest.mark.usefixtures("compiled_quickly")
@pytest.mark.parametrize("case", SMALL, ids=title)
def test_the_compiled_engine_makes_whole_epochs(case):
    assert compiled_run(case)(3) == whole_epochs(case)


@pytest.mark.slow
@compiles
@pytest.mark.usefixtures("compiled_quickly")
def test_a_stepper_for_smaller_vectors_makes_the_same_steps():
    case, found = SMALL[1], {}
    numpy_stepper, feed = stepper_of(case)
    make_all(numpy_stepper, list(feed.batches(0)))
    for target in (None, GENERIC):  # which runs on every CPU
        stepper, feed = stepper_of(case, compiled_stepper(target), "compiled")
        assert stepper.target == (target or native_processor())
        make_all(stepper, list(feed.batches(0)))
        found[target] = stepper.gradient
    largest = np.abs(numpy_stepper.gradient).max()
    for gradient in found.values():
        np.testing.assert_allclose(gradient, numpy_stepper.gradient, rtol=0, atol=1e-5 * largest)


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("case", "name"), [(case, name) for case in SMALL for name in peers.able(case) if name in peers.MODULES], ids=title
)
def test_each_peer_makes_the_steps_that_it_is_asked_for(case, name):
    try:
        assert peers.PEERS[name](case)(3) >= 3
    finally:
        if name == "jax":
            import jax

            jax.config.update("jax_enable_x64", False)
        if name == "Keras":
            import keras

            # A benchmark sets it for its whole process, and Keras keeps a policy of it.
            keras.config.set_floatx("float32")
            keras.config.set_dtype_policy("float32")


def test_every_bound_belongs_to_a_row_of_the_table_and_follows_the_vectors():
    for case in CASES:
        assert case.bounds.keys() <= {*peers.able(case)}
        assert case.compiled_bounds.keys() == {NUMPY, *({"jax"} & {*peers.able(case)})}
    found = {vectors: CASES[0].compiled_bound(NUMPY, vectors) for vectors in ("AVX-512", "AVX2", "NEON")}
    assert found == {"AVX-512": Bound(0.08, 0.05), "AVX2": Bound(0.128, 0.08), "NEON": None}
    assert CASES[0].compiled_bound("torch", "AVX-512") is None


@pytest.mark.slow
@compiles
@pytest.mark.usefixtures("compiled_quickly")
def test_contenders_are_our_engines_and_the_peers():
    seconds = measured(contenders(SMALL[0], None, [*peers.MODULES]), rounds=1, seconds=1e-4)
    assert {NUMPY, COMPILED, "tutorial", "scikit-learn", "its matmuls in BLAS"} <= seconds.keys()
    assert all(each.wall > 0 for each in seconds.values())
    assert (COMPILED_AVX2 in seconds) == (native_processor().name == "AVX-512")
    without = contenders(SMALL[0], "there is no compiler", [*peers.MODULES])
    assert not {COMPILED, COMPILED_AVX2} & without.keys()


def test_the_peak_makes_every_sum_of_products_of_a_step():
    assert sums_of_products(CASES[0]) == 240 * (2 * 5 * 2 + 5 * 1 * 3)
    assert sums_of_products(CASES[2]) == 32 * (64 * 128 * 2 + 128 * 64 * 3 + 64 * 10 * 3)


def test_both_engines_are_judged_by_their_own_bounds(capsys):
    report, case = Report(), CASES[1]
    times = {NUMPY: 50e-6, COMPILED: 20e-6, COMPILED_AVX2: 29e-6, "jax": 40e-6, "torch": 100e-6}
    steps = Steps(case, {name: Seconds(wall, 2 * wall) for name, wall in times.items()})
    show_steps(report, steps, "AVX-512")
    show_smaller_vectors(report, [steps])
    show_fit(report, "a", Bound(0.29, 0.2), {"compiled": Seconds(1, 0.3), "numpy": Seconds(1, 1)})
    assert report.missed == [
        *(f"{case.title}, {COMPILED} against {NUMPY}", f"{case.title}, {NUMPY} against torch"),
        *(f"{case.title}, for AVX2 against {NUMPY}", "a against NumPy engine"),
    ]
    printed = capsys.readouterr().out
    assert f"| {case.title} | jax | 40 | 80 | 1.25 | – | 0.5 | 0.7 (0.5) |" in printed
    assert "| 29 | jax | 40 | 0.725 | 1.12 (0.8) |" in printed
    assert "| a | 300 | NumPy engine | 1000 | 0.3 | 0.29 (0.2) |" in printed


def test_every_round_has_an_order_of_its_own():
    made: list[str] = []
    runs = {name: (lambda count, name=name: made.append(name) or count) for name in "abcde"}
    found = measured(runs, rounds=8, seconds=0, pause=0)
    assert found.keys() == runs.keys()
    rounds = [made[start : start + 5] for start in range(5, 45, 5)]
    assert all(sorted(order) == list(runs) for order in rounds)
    assert len({*map(tuple, rounds)}) > 1  # of 120 orders


@pytest.mark.slow
def test_predictions_are_timed_on_one_row():
    assert all(seconds > 0 for seconds in medians(prediction_runs(), rounds=1, seconds=1e-4).values())


@pytest.mark.slow
@compiles
def test_compiling_is_timed_though_it_was_done_before():
    assert all(compiling_seconds(1) > 0.05 for _ in range(2))


def test_a_missed_bound_is_remembered_and_a_missed_goal_is_not(capsys):
    report = Report()
    report.compared("net", "peer", 3e-6, 10e-6, Bound(0.4, 0.2), 1e6)
    assert not report.missed
    report.compared("net", "other", 5e-6, 10e-6, Bound(0.4, 0.2), 1e6)
    report.compared("net", "unbounded", 5e-6, 10e-6, None, 1e6)
    report.limited("command", 0.5, 0.3)
    assert report.missed == ["net against other", "command"]
    assert "| net | 5 | other | 10 | 0.5 | 0.4 (0.2) |" in capsys.readouterr().out
    assert report.exit_status() == 1
    assert Report().exit_status() == 0


@pytest.mark.parametrize("title", FITS)
def test_a_fit_trains_to_its_end(title):
    fit = FITS[title]
    assert (fit.training["epochs"], fit.training["batch_size"]) in ((4000, "full"), (2600, ROWS // 8))
    model = fit._replace(training={**fit.training, "epochs": 3}).train("numpy")
    assert [record["epoch"] for record in model.history] == [1, 2, 3]
    assert ("validation_loss" in model.history[0]) == ("validation" in title)
    layers = [type(node.layer).__name__.lower() for node in model.network.nodes]
    assert ("dropout" in layers) == ("dropout" in title)
