"""Whole trainings learn what their spec teaches, so that times can be compared; memory is what calls take."""

from dataclasses import dataclass

import numpy as np
import pytest

import specnet
from tests.benchmarks.processes import ROOT
from tests.benchmarks.report import Report
from tests.benchmarks.steps.cases import COMPILED, NUMPY
from tests.benchmarks.whole import memory
from tests.benchmarks.whole.recording import SPECS, cost_of_record, time_inside, training_of
from tests.benchmarks.whole.whole_runs import SAME, WHOLE, show_members
from tests.compiling import missing
from tests.registry import find


@pytest.mark.parametrize("name", WHOLE)
def test_rows_are_split_as_the_spec_splits_them(name):
    rows = WHOLE[name].rows()
    split = specnet.parse_spec(ROOT / name).data.split
    held_out = len(rows.validation[0]) if rows.validation else 0
    count = len(rows.X) + len(rows.test[0]) + held_out
    assert len(rows.test[0]) / count == pytest.approx(split.test_size, abs=2 / count)
    assert held_out / count == pytest.approx(split.validation_size or 0, abs=2 / count)


@pytest.mark.slow
@pytest.mark.parametrize("name", WHOLE)
def test_each_contender_learns(name):
    # scikit-learn takes longest, and learns soon.
    rows, contenders = WHOLE[name].rows(), WHOLE[name].contenders(peers=False, share_of_epochs=0.2)
    engines = [NUMPY, *([COMPILED] if missing() is None else [])]
    assert list(contenders) == [*engines, "MLPClassifier"]
    assert [contenders[engine][0] for engine in engines] == [SAME] * len(engines)
    if COMPILED in contenders and name == "specs/realmlp.toml":
        contenders.pop(NUMPY)  # which learns digits, and is slow here
    for _, train in contenders.values():
        assert np.mean(train(rows)(rows.test[0]) == rows.test[1]) > 0.9


@pytest.mark.parametrize(("ratio", "missed"), [(0.59, 0), (0.61, 1)])
def test_members_have_a_bound(ratio, missed):
    report = Report()
    show_members(report, {"all cores": ratio, "one core": 1.0})
    assert len(report.missed) == missed


@pytest.mark.peers
def test_the_loops_in_torch_learn_with_the_same_parameters():
    import torch

    from tests.benchmarks.whole.whole_torch import RealMlp, cosine_log

    for whole in WHOLE.values():
        rows = whole.rows()
        assert np.mean(whole.contenders()["torch"][1](rows)(rows.test[0]) == rows.test[1]) > 0.9
    network = specnet.build(ROOT / "specs" / "realmlp.toml")
    model = RealMlp(30)
    assert sum(parameter.numel() for parameter in model.parameters()) == network.parameter_count
    assert sum(len(group["params"]) for group in model.groups()) == len([*model.parameters()])
    assert model(torch.zeros(3, 30)).shape == (3,)
    schedule = find("schedule", "cosine_log")(cycles=4)
    factors = [schedule.multiplier(step, 100) for step in range(100)]
    np.testing.assert_allclose([cosine_log(step / 100) for step in range(100)], factors, atol=1e-12)


@dataclass(frozen=True)
class Allocating(memory.Case):
    """A call that holds 64 MiB at its peak, unless it has few rows."""

    def fit(self, X: np.ndarray, y: np.ndarray) -> None:
        np.ones(64 * memory.MIB if len(X) > memory.FEW else 1, np.uint8)


@pytest.mark.slow
@pytest.mark.parametrize("peak", [memory.traced_peak, memory.resident_peak])
def test_a_peak_is_what_a_call_holds_and_gives_back(peak):
    found = memory.in_new_process(peak, Allocating("64 MiB", "float32", "float32"), 2 * memory.FEW)
    assert found / memory.MIB == pytest.approx(64, abs=2)


@pytest.mark.slow
@pytest.mark.parametrize("case", memory.CASES)
def test_each_measured_call_is_of_its_dtypes(case):
    X, y = case.data(memory.FEW)
    trained = case.fit(X, y)
    model = getattr(trained, "model_", trained)
    assert (X.dtype, model.network.dtype) == (case.rows, case.network)


@pytest.mark.slow
def test_the_cost_of_a_record_is_the_time_inside_of_what_makes_it():
    training = training_of(next(spec for spec in SPECS if spec.stem == "logistic"), "numpy")
    with time_inside() as nothing:
        plain = training(False)
    with time_inside() as some:
        recorded = training(True)
    assert not nothing
    # Each record but the first measures a step.
    assert len(some) >= 3 * len(recorded.result.layer_records) - 2
    assert plain.model.theta.tobytes() == recorded.model.theta.tobytes()
    assert not plain.result.layer_records
    found, inside = cost_of_record(training, rounds=1)
    assert found.keys() == {"with", "without"}
    assert inside > 0
