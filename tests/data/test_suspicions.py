"""A run that is nonsense says so: at its key, before it trains, and in what it writes."""

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import specnet
from specnet import DataError, Observer, Spec, SpecError, SpecnetWarning, parse_spec, resolve
from specnet.data import Labels, TrainingData, target_warnings
from specnet.data.target_errors import is_text, more_than_two_classes, one_class, text_for_numbers
from specnet.errors import Diagnostic
from specnet.spec import Resolved
from tests.data.splits import Rows
from tests.texts.pinned import Pinned, Refused

DIABETES = """\
name = "sugar"
[data]
type = "diabetes"
[network]
hidden_layer_sizes = [3]
[training]
loss = "mse"
epochs = 2
"""

ROWS = 24


def spec(loss: str, **network: Any) -> Spec:
    network = {"hidden_layer_sizes": [3]} | network
    return parse_spec({"network": network, "training": {"loss": loss, "epochs": 1}})


def warnings_of(resolved: Resolved, labels: Labels | None, **targets: np.ndarray) -> tuple[Diagnostic, ...]:
    """Return the warnings about the target of rows without columns, by the names of sets."""
    splits = {name: Rows(np.empty((len(target), 0)), target) for name, target in targets.items()}
    return target_warnings(TrainingData(resolved, labels, splits))


def found(given: Spec, y: Any) -> list[tuple[str, str, str]]:
    """Return code, message and hint of each warning about a target."""
    target, kind = np.asarray(y), given.training.loss.target
    labels = None
    if kind != "values" and target.ndim == 1:
        labels = Labels.from_target(target, 2 if kind == "binary" else None)
    outputs = len(labels) if labels and kind == "classes" else 1 if target.ndim == 1 else target.shape[1]
    outputs *= given.training.loss.outputs_per_target
    found = warnings_of(resolve(given, inputs=2, outputs=outputs), labels, train=target)
    assert all(diagnostic.path == ("training", "loss") for diagnostic in found)
    return [(diagnostic.code, diagnostic.message, diagnostic.hint or "") for diagnostic in found]


NUMBERS = 'use training.loss = "mean_squared_error" to predict numbers'


@pytest.mark.parametrize(
    ("y", "counts", "hint"),
    [
        (np.arange(ROWS) * 7, "24 of 24", NUMBERS),
        ([str(number) for number in range(10)], "10 of 10", NUMBERS),
        ([*range(10), *range(4), *range(4), *range(4)], "6 of 10", NUMBERS),
        ([*range(13), *[0] * 51], "12 of 13", NUMBERS),
        ([f"row {row}" for row in range(ROWS)], "24 of 24", "choose another target column"),
        (["row", *map(str, range(ROWS))], "25 of 25", "choose another target column"),
    ],
)
def test_classes_of_one_row_each_are_numbers_or_the_wrong_column(y: Any, counts: str, hint: str):
    message = f"{counts} classes have a single training row"
    assert found(spec("categorical_crossentropy"), y) == [("single-rows", message, hint)]


@pytest.mark.parametrize(
    "y", [np.arange(9), np.arange(ROWS) // 2, [*range(10), *range(5), *range(5)], [*range(13), *[0] * 52]]
)
def test_few_or_repeated_classes_are_classes(y: Any):
    assert found(spec("categorical_crossentropy"), y) == []


NO_ROW, ONE_ROW = "and in no training row: the network cannot learn it", "is in one row, which is a training row"
TWO_SETS = f"each of 2 classes (c, d) is in 2 validation rows and 2 test rows {NO_ROW}"
HINTS = {
    "unseen-class": "add training rows of it; each of its rows now counts as a mistake",
    "single-row": "add rows of it; no metric tells how well it is predicted",
    "single-rows": "choose another target column",
}


@pytest.mark.parametrize(
    ("train", "held", "expected"),
    [
        ("aabbc", {"test": "abb"}, {"single-row": f"class c {ONE_ROW}"}),
        ("aabbcd", {"test": "abb"}, {"single-row": f"each of 2 classes (c, d) {ONE_ROW}"}),
        ("aabbcdefghi", {"test": "abb"}, {"single-row": f"each of 7 classes (c, d, e, f, g, h, …) {ONE_ROW}"}),
        ("abcdefghij", {"test": "abb"}, {"single-rows": "10 of 10 classes have a single training row"}),
        ("aabbc", {"test": "abc"}, {}),
        ("aabbc", {}, {}),
        ("aabb", {"test": "abcc"}, {"unseen-class": f"class c is in 2 test rows {NO_ROW}"}),
        (
            "aabbe",
            {"validation": "acd", "test": "abcc"},
            {"unseen-class": TWO_SETS, "single-row": f"class e {ONE_ROW}"},
        ),
    ],
)
def test_classes_of_one_set_of_the_split_are_reported_once(train: str, held: Any, expected: dict[str, str]):
    parts = {part: np.array(list(y)) for part, y in held.items()}
    labels = Labels.from_target(np.concatenate([list(train), *parts.values()]))
    given = resolve(spec("categorical_crossentropy"), inputs=2, outputs=len(labels))
    found = warnings_of(given, labels, train=np.array(list(train)), **parts)
    assert [(diagnostic.code, diagnostic.message) for diagnostic in found] == list(expected.items())
    for diagnostic in found:
        path = ("training", "loss") if diagnostic.code == "single-rows" else ("data", "split")
        assert (diagnostic.path, diagnostic.hint) == (path, HINTS[diagnostic.code])


@pytest.mark.parametrize("y", [np.zeros(ROWS, int), np.ones(ROWS), np.zeros(ROWS, bool)])
def test_one_class_alone_teaches_nothing(y: Any):
    message = f"all training rows have the same label, {int(y[0])}"
    assert found(spec("binary_crossentropy"), y) == [("one-class", message, "add rows of the other classes")]
    assert found(spec("binary_crossentropy"), [*y[:-1], 1 - int(y[0])]) == []


@pytest.mark.parametrize("loss", ["mean_squared_error", "huber", "gaussian_nll"])
def test_a_target_far_from_0_asks_for_preprocessing(loss: str):
    target, hint = np.tile([-1.0, 1.0], ROWS), 'use network.target_preprocessing = ["standardize"]'
    for scale, shift in ((1, 0), (1, 30), (30, 0)):
        assert found(spec(loss), target * scale + shift) == []
    for scale, shift, mean, deviation in (
        (1, 31, 31, 1),
        (1, -31, -31, 1),
        (31.4567, 0, 0, 31.5),
        (1e200, 0, 0, "inf"),
    ):
        message = f"the target is not scaled: mean {mean}, standard deviation {deviation}"
        assert found(spec(loss), target * scale + shift) == [("unscaled-target", message, hint)]
        assert found(spec(loss, target_preprocessing=["standardize"]), target * scale + shift) == []


def test_every_column_of_a_target_counts(pinned: Pinned):
    y = np.array([[0.0, 100.0], [1.0, 300.0]])
    (diagnostic,) = warnings_of(resolve(spec("mse"), inputs=2, outputs=2), None, train=y)
    assert diagnostic.code == "unscaled-target"
    pinned(diagnostic.message)


@pytest.mark.parametrize("loss", ["poisson", "gamma", "tweedie", "mean_squared_logarithmic_error"])
def test_a_target_that_stays_in_its_units_is_left_alone(loss: str):
    assert found(spec(loss), np.full(ROWS, 500.0)) == []


def test_an_output_that_was_chosen_for_the_target_s_units_is_left_alone():
    for loss, output in (("mse", "exponential"), ("mse", "relu"), ("mean_squared_logarithmic_error", "identity")):
        assert found(spec(loss, activations=["relu", output]), np.full(ROWS, 500.0)) == []
    ((code, *_),) = found(spec("mse", activations=["relu", "identity"]), np.full(ROWS, 500.0))
    assert code == "unscaled-target"


def test_several_outputs_of_0_and_1_are_no_numbers():
    assert found(spec("binary_crossentropy"), np.zeros((ROWS, 3))) == []


@pytest.mark.parametrize(
    ("error", "loss"),
    [
        (lambda spec: text_for_numbers(spec, np.array(["no", "yes", "no"], object)), "mse"),
        (lambda spec: text_for_numbers(spec, np.array(list("abcdefgh"))), "huber"),
        (lambda spec: one_class(spec, np.array(["a"])), "binary_crossentropy"),
        (lambda spec: one_class(spec, np.array([7])), "categorical_crossentropy"),
        (lambda spec: more_than_two_classes(spec, np.arange(9), np.array([])), "hinge"),
        (lambda spec: more_than_two_classes(spec, np.arange(10), np.array([])), "binary_crossentropy"),
        (lambda spec: more_than_two_classes(spec, np.array(list("abcdefghij")), np.array([])), "binary_crossentropy"),
        (lambda spec: more_than_two_classes(spec, np.arange(12), np.arange(2, 9)), "binary_crossentropy"),
    ],
)
def test_a_target_that_a_loss_cannot_have(error: Callable[[Spec], DataError], loss: str, refused: Refused):
    with refused(DataError, code="loss-target", at="training.loss"):
        raise error(spec(loss))


def test_a_target_of_text():
    assert all(map(is_text, (np.array(["a"]), np.array(["a", "b"], object), np.array(["a"], np.dtypes.StringDType()))))
    assert not any(map(is_text, (np.array(["a", 1], object), np.array([1.0]))))


def test_python_callers_are_warned_unless_they_observe(pinned: Pinned):
    X, y = np.zeros((ROWS, 2)), np.full(ROWS, 500.0)
    given = spec("mse", hidden_layer_sizes=[])
    with pytest.warns(SpecnetWarning) as caught:
        specnet.fit(given, X, y)
    pinned(caught[0].message)
    assert caught[0].filename == __file__
    told: list[Any] = []

    class Listener(Observer):
        def warned(self, diagnostics: Any) -> None:
            told.extend(diagnostics)

        def started(self, *_: Any) -> None:
            told.append("started")

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        specnet.fit(given, X, y, observer=Listener())
        specnet.SpecRegressor().fit(X, y)
    assert [getattr(item, "code", item) for item in told] == ["unscaled-target", "started"]


def test_a_run_keeps_its_warnings(tmp_path: Path):
    with pytest.warns(SpecnetWarning) as caught:
        result = specnet.run(DIABETES, tmp_path / "run")
    assert caught[0].filename == __file__
    (kept,) = json.loads((tmp_path / "run" / "run.json").read_text())["warnings"]
    assert [kept] == [diagnostic.as_dict() for diagnostic in result.warnings]
    assert (kept["code"], kept["line"]) == ("unscaled-target", 7)
    scaled = specnet.run(DIABETES, overrides=['network.target_preprocessing=["standardize"]'])
    assert scaled.warnings == ()


def test_a_split_of_numbers_as_classes_says_which_loss_takes_numbers(tmp_path: Path, refused: Refused):
    (tmp_path / "numbers.csv").write_text("a,b,y\n" + "".join(f"{row},{row % 3},{7 * row}\n" for row in range(ROWS)))
    text = DIABETES.replace('"diabetes"', '"csv"\npath = "numbers.csv"\ntarget = "y"').replace("mse", "cce")
    text = text.replace('"cce"', '"categorical_crossentropy"')
    (tmp_path / "numbers.toml").write_text(text)
    with refused(DataError, code="loss-target", at="training.loss") as caught:
        specnet.run(tmp_path / "numbers.toml")
    assert "stratify = false" not in str(caught.value)


def test_a_target_in_words_is_told_of_before_the_metrics(refused: Refused):
    spec = {"network": {"hidden_layer_sizes": [2]}, "training": {"loss": "mse", "metrics": ["accuracy"]}}
    with refused(DataError, code="loss-target", at="training.loss"):
        specnet.fit(spec, [[1.0], [2.0], [3.0]], ["a", "b", "a"])
    with refused(SpecError, code="metric-task", at="training.metrics.0"):
        specnet.fit(spec, [[1.0], [2.0], [3.0]], [1.0, 2.0, 3.0])


def test_a_column_in_words_is_told_of_before_the_metrics(tmp_path, refused: Refused):
    (tmp_path / "rows.csv").write_text("a,y\n1,no\n2,yes\n3,no\n4,yes\n")
    text = '[data]\ntype = "csv"\npath = "rows.csv"\ntarget = "{}"\n[network]\nhidden_layer_sizes = [2]\n'
    text += '[training]\nloss = "mse"\nmetrics = ["accuracy"]\n'
    (tmp_path / "words.toml").write_text(text.format("y"))
    with pytest.raises(DataError) as caught:
        specnet.run(tmp_path / "words.toml")
    assert [(problem.code, problem.position.line) for problem in caught.value.diagnostics] == [("loss-target", 8)]
    (tmp_path / "numbers.toml").write_text(text.format("a"))
    with refused(SpecError, code="metric-task", at="training.metrics.0"):
        specnet.run(tmp_path / "numbers.toml")
