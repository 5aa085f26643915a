"""Whole trainings: each contender learns what the spec teaches, so that their times can be compared."""

import numpy as np
import pytest

import specnet
from specnet.parts.schedules import CosineLog
from specnet.training import members
from tests.benchmarks.processes import ROOT
from tests.benchmarks.report import Report
from tests.benchmarks.steps.cases import COMPILED, NUMPY
from tests.benchmarks.whole import whole_runs
from tests.benchmarks.whole.whole_runs import SAME, WHOLE, members_side_by_side, recipe_training
from tests.compiling import compiles, missing


def contenders_without_peers(name, monkeypatch):
    train = whole_runs.scikit_learn_training

    def train_less(hidden, epochs, *others):
        return train(hidden, epochs // 5, *others)

    monkeypatch.setattr(whole_runs, "missing_peers", lambda: ["torch"])
    monkeypatch.setattr(whole_runs, "scikit_learn_training", train_less)  # which takes longest, and learns soon
    make_rows, make_contenders = WHOLE[name]
    rows = make_rows()
    return rows, make_contenders(rows)


@pytest.mark.parametrize("name", WHOLE)
def test_rows_are_split_as_the_spec_splits_them(name):
    rows = WHOLE[name][0]()
    split = specnet.parse_spec(ROOT / name).data.split
    count = len(rows.X) + len(rows.test[0]) + (len(rows.validation[0]) if rows.validation else 0)
    assert len(rows.test[0]) / count == pytest.approx(split.test_size, abs=2 / count)
    held_out = len(rows.validation[0]) if rows.validation else 0
    assert held_out / count == pytest.approx(split.validation_size or 0, abs=2 / count)


@pytest.mark.slow
@pytest.mark.parametrize("name", WHOLE)
def test_each_contender_learns(name, monkeypatch):
    rows, contenders = contenders_without_peers(name, monkeypatch)
    assert list(contenders) == [NUMPY, *([COMPILED] if missing() is None else []), "MLPClassifier"]
    assert [contenders[engine].differences for engine in contenders if engine != "MLPClassifier"] == [SAME] * (
        len(contenders) - 1
    )
    if COMPILED in contenders and name == "specs/realmlp.toml":
        contenders.pop(NUMPY)  # which learns digits, and is slow here
    for contender in contenders.values():
        assert contender.run()(1) == 1
        assert contender.accuracy(rows) > 0.9


@compiles
@pytest.mark.usefixtures("compiled_quickly")
def test_members_on_all_cores_are_those_of_one(monkeypatch):
    used, in_threads = [], members.in_threads

    def watched(ensemble, first, jobs, *others, **more):
        used.append((len(ensemble), jobs))
        return in_threads(ensemble, first, jobs, *others, **more)

    monkeypatch.setattr(members, "in_threads", watched)
    monkeypatch.setattr("specnet.training.steps.engine_choice.MEMBERS_PAY", 0)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("specnet.cpus.usable_cpus", lambda: 2)
    one, all_cores = (recipe_training(cores, rows=60, epochs=3).to_bytes() for cores in (1, None))
    assert one == all_cores
    ((count, jobs),) = used
    assert count > jobs == 2


def test_members_have_a_bound(monkeypatch):
    for ratio, missed in ((0.59, 0), (0.61, 1)):
        monkeypatch.setattr(whole_runs, "medians", lambda *_, ratio=ratio, **__: {"all cores": ratio, "one core": 1.0})
        report = Report()
        members_side_by_side(report)
        assert len(report.missed) == missed


@pytest.mark.peers
def test_the_loops_in_torch_learn_with_the_same_parameters():
    import torch

    from tests.benchmarks.whole.whole_torch import RealMlp, cosine_log

    for make_rows, make_contenders in WHOLE.values():
        rows = make_rows()
        contender = make_contenders(rows)["torch"]
        assert contender.run()(1) == 1
        assert contender.accuracy(rows) > 0.9
    network = specnet.build(ROOT / "specs" / "realmlp.toml")
    model = RealMlp(30)
    assert sum(parameter.numel() for parameter in model.parameters()) == network.parameter_count
    assert sum(len(group["params"]) for group in model.groups()) == len([*model.parameters()])
    assert model(torch.zeros(3, 30)).shape == (3,)
    schedule = CosineLog(cycles=4)
    factors = [schedule.multiplier(step, 100) for step in range(100)]
    np.testing.assert_allclose([cosine_log(step / 100) for step in range(100)], factors, atol=1e-12)
