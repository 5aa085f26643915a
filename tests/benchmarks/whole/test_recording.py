"""The benchmark of the record's cost trains the same network with and without it."""

import pytest

from tests.benchmarks.whole.recording import SPECS, Training, cost_of, time_inside


@pytest.mark.slow
def test_the_cost_of_a_record_is_the_time_inside_of_what_makes_it():
    (spec,) = (spec for spec in SPECS if spec.stem == "logistic")
    training = Training(spec, "numpy")
    with time_inside() as nothing:
        plain = training(records=False)
    with time_inside() as some:
        recorded = training(records=True)
    assert not nothing
    assert len(some) >= len(recorded.result.looks) + 2 * (
        len(recorded.result.looks) - 1
    )  # each but the first measures a step
    assert plain.model.theta.tobytes() == recorded.model.theta.tobytes()
    assert not plain.result.looks
    found, inside = cost_of(training, rounds=1)
    assert found.keys() == {"with", "without"}
    assert inside > 0
