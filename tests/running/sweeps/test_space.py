"""The space of a sweep as Optuna sees it: every kind of entry is drawn as it is written, and always the same."""

import tomllib
from typing import Any

import optuna
import pytest

from specnet import parse_spec
from specnet.parts.searches import Median, Random, Tpe
from specnet.running.sweeps.space import columns, dimensions, draw

SPEC = """
[network]
layer_sizes = [2, 3, 1]
[training]
loss = "mean_squared_error"
[sweep]
"""


def space_of(lines: str) -> Any:
    sweep = parse_spec(f"{SPEC}[sweep.space]\n{lines}").sweep
    assert sweep is not None
    return sweep.space


@pytest.fixture(autouse=True)
def quiet() -> Any:
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    yield
    optuna.logging.set_verbosity(level)


def drawn(space: Any, count: int = 60, sampler: Any = None) -> list[Any]:
    study = optuna.create_study(sampler=sampler or Random().optuna_sampler(0))
    found = []
    for number in range(count):
        trial = study.ask()
        found.append(draw(trial, space))
        study.tell(trial, float(number % 7))
    return found


def values(space: Any, **arguments: Any) -> list[Any]:
    """Return what is drawn for the only key."""
    return [changes[0].value for changes, _ in drawn(space, **arguments)]


def test_a_value_of_a_list_keeps_its_type():
    space = space_of('"training.shuffle" = [1, true, 1.0, "1", [1], [true], {x = 1}, "a \\"b\\""]')
    found = values(space, count=200)
    kinds = {(type(value), repr(value)) for value in found}
    expected = [1, True, 1.0, "1", [1], [True], {"x": 1}, 'a "b"']
    assert kinds == {(type(value), repr(value)) for value in expected}
    for changes, settings in drawn(space, count=200):
        text, value = settings["training.shuffle"], changes[0].value
        read = tomllib.loads(f"x = {text}")["x"]
        assert (type(read), repr(read)) == (type(value), repr(value))


def test_lists_of_lists_are_values():
    found = values(space_of('"network.hidden_layer_sizes" = [[16], [64], [64, 64]]'))
    assert {tuple(value) for value in found} == {(16,), (64,), (64, 64)}


def test_a_range_of_integers_gives_all_of_them_and_nothing_else():
    found = values(space_of('"training.epochs" = { low = 3, high = 6 }'))
    assert set(found) == {3, 4, 5, 6}
    assert {type(value) for value in found} == {int}
    found = values(space_of('"training.epochs" = { low = 16, high = 64, step = 16 }'))
    assert set(found) == {16, 32, 48, 64}
    assert {type(value) for value in found} == {int}
    found = values(space_of('"training.epochs" = { low = 1, high = 1000, log = true }'), count=400)
    assert {type(value) for value in found} == {int}
    assert min(found) >= 1
    assert max(found) <= 1000
    assert 0.25 < sum(value <= 31 for value in found) / 400 < 0.75  # half of a logarithmic range lies below √1000


def test_a_range_of_floats():
    found = values(space_of('"training.l2" = { low = 1, high = 2.0 }'))
    assert {type(value) for value in found} == {float}
    assert all(1 <= value <= 2 for value in found)
    assert len(set(found)) == len(found)
    found = values(space_of('"training.l2" = { low = 1e-6, high = 1e-2, log = true }'), count=400)
    assert all(1e-6 <= value <= 1e-2 for value in found)
    assert 0.25 < sum(value <= 1e-4 for value in found) / 400 < 0.75


def test_steps_of_floats_are_the_numbers_that_are_meant():
    found = values(space_of('"training.l2" = { low = 0.0, high = 1.0, step = 0.1 }'), count=200)
    assert set(found) == {0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0}


OPTIMIZERS = """
"training.l2" = [0.0, 0.1]
"training.optimizer" = [
  { type = "sgd", learning_rate = { low = 1e-3, high = 1.0, log = true }, momentum = 0.9 },
  { type = "adam", learning_rate = { low = 1e-4, high = 1e-1, log = true }, beta_1 = { low = 0.5, high = 0.9 } },
  "lbfgs",
]
"training.epochs" = { low = 1, high = 9 }
"""


def test_a_range_in_a_table_is_drawn_where_its_table_is():
    space = space_of(OPTIMIZERS)
    assert columns(space) == (
        "training.l2",
        "training.optimizer",
        "training.optimizer.sgd.learning_rate",
        "training.optimizer.adam.learning_rate",
        "training.optimizer.adam.beta_1",
        "training.epochs",
    )
    seen = set()
    for changes, shown in drawn(space):
        paths = [change.path for change in changes]
        assert paths == [("training", "l2"), ("training", "optimizer"), ("training", "epochs")]
        optimizer = changes[1].value
        inside = {name for name in shown if name.startswith("training.optimizer.")}
        if optimizer == "lbfgs":
            assert (shown["training.optimizer"], inside) == ('"lbfgs"', set())
        elif optimizer["type"] == "sgd":
            assert optimizer.keys() == {"type", "learning_rate", "momentum"}
            assert shown["training.optimizer"] == '{ type = "sgd", momentum = 0.9 }'
            assert inside == {"training.optimizer.sgd.learning_rate"}
            assert 1e-3 <= optimizer["learning_rate"] == shown["training.optimizer.sgd.learning_rate"] <= 1
        else:
            assert list(optimizer) == ["type", "learning_rate", "beta_1"]
            assert shown["training.optimizer"] == '"adam"'
            assert 0.5 <= optimizer["beta_1"] == shown["training.optimizer.adam.beta_1"] <= 0.9
            assert 1e-4 <= optimizer["learning_rate"] <= 1e-1
        assert list(shown) == [name for name in columns(space) if name in shown]
        seen.add(shown["training.optimizer"])
    assert len(seen) == 3
    assert parse_spec(f"{SPEC}[sweep.space]\n{OPTIMIZERS}").sweep.space == space, "drawing changes nothing"


def test_two_tables_of_one_type_and_tables_of_none_have_ranges_of_their_own():
    space = space_of(
        """
        "training.optimizer" = [
          { type = "sgd", learning_rate = { low = 0.1, high = 0.2 } },
          { type = "sgd", learning_rate = { low = 0.5, high = 0.6 } },
          { type = "sgd" },
          { type = "adam", learning_rate = { low = 0.8, high = 0.9 } },
        ]
        "training.class_weight" = [
          { yes = { low = 1.0, high = 2.0 } },
          { yes = { low = 5.0, high = 6.0 }, no = 2.0 },
          "balanced",
        ]
        """
    )
    names = columns(space)
    assert names == (
        "training.optimizer",
        "training.optimizer.sgd[0].learning_rate",
        "training.optimizer.sgd[1].learning_rate",
        "training.optimizer.adam.learning_rate",
        "training.class_weight",
        "training.class_weight[0].yes",
        "training.class_weight[1].yes",
    )
    rates, weights = set(), set()
    for changes, settings in drawn(space, count=200):
        optimizer, weight = (change.value for change in changes)
        rates.add(None if "learning_rate" not in optimizer else int(10 * optimizer["learning_rate"]))
        weights.add(weight if weight == "balanced" else (int(weight["yes"]), weight.get("no")))
        assert len({shown for name, shown in settings.items() if name in names}) == len(settings)
    assert rates == {1, 5, None, 8}
    assert weights == {(1, None), (5, 2.0), "balanced"}
    texts = dimensions(space)["training.optimizer"]
    assert len(set(texts)) == 4


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.parametrize("sampler", [Random(), Tpe(startup_trials=5)])
def test_the_same_is_drawn_again_and_from_known_parameters(sampler: Any):
    space = space_of(OPTIMIZERS)
    first, second = (drawn(space, 20, sampler.optuna_sampler(3)) for _ in range(2))
    assert first == second
    assert first != drawn(space, 20, sampler.optuna_sampler(4))
    study = optuna.create_study(sampler=sampler.optuna_sampler(9))
    source = optuna.create_study(sampler=sampler.optuna_sampler(3)).ask()
    before = draw(source, space)
    study.enqueue_trial(source.params)
    assert draw(study.ask(), space) == before
    assert draw(optuna.trial.FixedTrial(source.params), space) == before


@pytest.mark.parametrize(("warmup", "first"), [(0.1, 2), (0.0, 1), (0.15, 3), (0.5, 10), (0.99, 20)])
def test_the_median_prunes_after_its_warmup_and_its_startup_trials(warmup: float, first: int):
    pruner = Median(startup_trials=2, warmup=warmup).optuna_pruner(20)
    study = optuna.create_study(sampler=Random().optuna_sampler(0), pruner=pruner)

    def pruned_at(loss: float) -> list[int]:
        trial, at = study.ask(), []
        for rung in range(1, 21):
            trial.report(loss, rung)
            at += [rung] if trial.should_prune() else []
        study.tell(trial, loss)
        return at

    assert pruned_at(1.0) == []
    assert pruned_at(5.0) == [], "as the second, it is a startup trial"
    assert pruned_at(9.0) == list(range(first, 21))
    assert pruned_at(0.5) == []
