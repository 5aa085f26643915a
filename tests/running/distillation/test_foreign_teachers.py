"""Teachers that are columns of a table: what is learned of them, and which are refused."""

import csv
import json
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import cross_val_predict
from sklearn.naive_bayes import GaussianNB

import specnet
from specnet import DataError, SpecError, parse_spec
from specnet.running.data_rows import read_data
from specnet.running.distillation.column_order import order_of_names
from tests.running.specs import csv_file

KINDS = ("ant", "bee", "cat")
NAMES = [f"p_{kind}" for kind in KINDS]
TEST = np.arange(150) % 5 == 4
"""The rows that are not for training, by the table's own column."""


@pytest.fixture(scope="module")
def rows() -> tuple[np.ndarray, np.ndarray]:
    return make_classification(150, 4, n_informative=3, n_redundant=0, n_classes=3, flip_y=0.2, random_state=0)


def classes_on(folder: Path, X: np.ndarray, y: np.ndarray, P: np.ndarray, **data: Any) -> dict[str, Any]:
    parts = np.where(TEST, "test", "train")
    cells = [[*x, *p, part, KINDS[kind]] for x, p, part, kind in zip(X, P, parts, y, strict=True)]
    given = {"split": {"column": "part"}, "teacher_columns": NAMES, **data}
    return {
        "data": csv_file(folder / "table.csv", ",".join(["a", "b", "c", "d", *NAMES, "part", "y"]), cells, **given),
        "network": {"hidden_layer_sizes": [4], "dtype": "float64"},
        "training": {"loss": "categorical_crossentropy", "epochs": 3, "metrics": ["accuracy"]},
    }


def by_folds(model: Any, X: np.ndarray, y: np.ndarray, method: str) -> np.ndarray:
    """Return cross-validated predictions for training rows, and those of a model of all of them for test rows."""
    found = cross_val_predict(model, X[~TEST], y[~TEST], cv=5, method=method)
    predictions = np.empty((len(y), *found.shape[1:]))
    predictions[~TEST], predictions[TEST] = found, getattr(model.fit(X[~TEST], y[~TEST]), method)(X[TEST])
    return predictions


def test_one_hot_columns_train_the_network_that_labels_train(rows, tmp_path):
    X, y = rows
    document = classes_on(tmp_path, X, y, np.eye(3)[y])
    taught = specnet.run(document, None)
    del document["data"]["teacher_columns"]
    document["data"]["columns"] = dict.fromkeys(NAMES, "ignore")
    plain = specnet.run(document, None)
    np.testing.assert_array_equal(taught.model.theta, plain.model.theta)
    assert taught.model.feature_names == ("a", "b", "c", "d")


def test_a_linear_network_learns_the_values_of_a_column_and_not_the_target(rows, tmp_path):
    X, _ = rows
    y = X @ [1, 2, 0, -1] + 3
    cells = np.column_stack([X, 2 * y, y])
    data = csv_file(tmp_path / "table.csv", "a,b,c,d,twice,y", cells.tolist(), teacher_columns=["twice"])
    data["split"] = {"test_size": 0.2}
    training = {"loss": "mean_squared_error", "optimizer": "lbfgs", "epochs": 50}
    document = {
        "data": data,
        "network": {"dtype": "float64", "layer_sizes": [4, 1], "preprocessing": []},
        "training": training,
    }
    result = specnet.run(document, None, observer=specnet.Observer())
    weight, bias = result.model.network.parameters(result.model.theta).values()
    np.testing.assert_allclose([*weight[0], *bias], [2, 4, 0, -2, 6], atol=1e-3)
    record = result.evaluation["teacher"]
    test = read_data(parse_spec(document)).splits["test"].numbers
    assert record["metrics"]["test"]["loss"] == pytest.approx(np.mean(y[test] ** 2))
    assert record["agreement"]["test"]["r2"] == pytest.approx(1, abs=1e-6)


def test_metrics_of_a_foreign_teacher_are_those_of_sklearn_and_its_columns_are_not_needed_later(rows, tmp_path):
    X, y = rows
    P = by_folds(GaussianNB(), X, y, "predict_proba")
    result = specnet.run(classes_on(tmp_path, X, y, P), tmp_path / "run", report=True)
    record = json.loads((tmp_path / "run/metrics.json").read_text())["teacher"]
    assert record["metrics"]["test"]["loss"] == pytest.approx(log_loss(y[TEST], P[TEST]))
    assert record["metrics"]["test"]["accuracy"] == pytest.approx((P[TEST].argmax(1) == y[TEST]).mean())
    own = result.model.predict(X[TEST])
    same = (own == np.array(KINDS)[P[TEST].argmax(1)]).mean()
    assert record["agreement"]["test"]["accuracy"] == pytest.approx(same)
    assert "Trained on the predictions of another model" in (tmp_path / "run/report.html").read_text("utf-8")
    assert specnet.verify(tmp_path / "run").is_same
    with (tmp_path / "new.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["a", "b", "c", "d", "y"], *([*x, KINDS[k]] for x, k in zip(X, y, strict=True))])
    model = specnet.load_model(tmp_path / "run")
    assert model.spec.data is not None
    part = model.spec.data.for_file("new.csv")
    assert part is not None
    assert part.load(tmp_path, "classes").X.shape == (150, 4)


def test_another_prediction_is_other_data(rows, tmp_path):
    X, y = rows
    P = by_folds(GaussianNB(), X, y, "predict_proba")
    first = read_data(parse_spec(classes_on(tmp_path, X, y, P))).identity()
    second = read_data(parse_spec(classes_on(tmp_path, X, y, P[:, [0, 2, 1]]))).identity()
    assert first.data_sha256 != second.data_sha256


@pytest.mark.parametrize("of_values", [False, True])
def test_a_forest_that_was_trained_on_the_rows_is_refused_and_one_by_folds_is_not(rows, tmp_path, of_values):
    X, y = rows
    if of_values:
        y = X @ [1, 2, 0, -1] + np.random.default_rng(0).normal(size=150)
        forest, method = RandomForestRegressor(30, random_state=0), "predict"
    else:
        forest, method = RandomForestClassifier(30, random_state=0), "predict_proba"

    def data_of(P: np.ndarray) -> Any:
        if not of_values:
            return read_data(parse_spec(classes_on(tmp_path, X, y, P)))
        cells = [
            [*x, p, part, value] for x, p, part, value in zip(X, P, np.where(TEST, "test", "train"), y, strict=True)
        ]
        data = csv_file(
            tmp_path / "table.csv", "a,b,c,d,p,part,y", cells, split={"column": "part"}, teacher_columns=["p"]
        )
        training = {"loss": "mean_squared_error", "epochs": 1}
        return read_data(parse_spec({"data": data, "network": {"hidden_layer_sizes": [2]}, "training": training}))

    assert data_of(by_folds(forest, X, y, method)).teacher is not None
    memorized = getattr(forest.fit(X[~TEST], y[~TEST]), method)(X)
    with pytest.raises(
        DataError, match=r"not out of fold: their .* is .* on training rows, but .* on 30 validation or"
    ):
        data_of(memorized)


def test_a_linear_model_of_many_rows_is_not_refused_although_it_is_not_out_of_fold(rows, tmp_path):
    """Its predictions for its own rows are what they are for others, which is all that a student needs."""
    X, _ = rows
    y = X @ [1, 2, 0, -1] + np.random.default_rng(0).normal(size=150)
    P = LinearRegression().fit(X[~TEST], y[~TEST]).predict(X)
    cells = [[*x, p, part, value] for x, p, part, value in zip(X, P, np.where(TEST, "test", "train"), y, strict=True)]
    data = csv_file(tmp_path / "table.csv", "a,b,c,d,p,part,y", cells, split={"column": "part"}, teacher_columns=["p"])
    training = {"loss": "mean_squared_error", "epochs": 1}
    document = {"data": data, "network": {"hidden_layer_sizes": [2]}, "training": training}
    assert read_data(parse_spec(document)).teacher is not None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda P: P * [[1, 1, 0]], "add up to"),
        (lambda P: P - 0.5, "expected probabilities from 0 to 1"),
    ],
)
def test_columns_that_are_no_probabilities_are_refused(rows, tmp_path, change, message):
    X, y = rows
    P = change(by_folds(GaussianNB(), X, y, "predict_proba"))
    with pytest.raises(DataError, match=message):
        read_data(parse_spec(classes_on(tmp_path, X, y, P)))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"teacher_columns": NAMES[:2]}, "got 2 columns for 3 classes"),
        ({"split": {"test_size": 0}, "columns": {"part": "ignore"}}, "there are no test or validation rows"),
        ({"teacher_columns": ["p_dog"]}, 'no column "p_dog"|"p_dog"'),
    ],
)
def test_columns_that_do_not_fit_are_refused(rows, tmp_path, data, message):
    X, y = rows
    P = by_folds(GaussianNB(), X, y, "predict_proba")
    with pytest.raises(DataError, match=message):
        read_data(parse_spec(classes_on(tmp_path, X, y, P, **data)))


def test_a_missing_prediction_is_refused_where_it_is(rows, tmp_path):
    X, y = rows
    document = classes_on(tmp_path, X, y, np.eye(3)[y])
    table = tmp_path / "table.csv"
    lines = table.read_text().splitlines()
    cells = lines[3].split(",")
    cells[5] = ""
    table.write_text("\n".join([*lines[:3], ",".join(cells), *lines[4:]]) + "\n")
    with pytest.raises(DataError, match='column "p_bee": the prediction is missing in row 3'):
        read_data(parse_spec(document))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"teacher": "a/model.safetensors"}, "training.teacher cannot be combined with data.teacher_columns"),
        ({"mixtures": 3}, "mixtures has no effect without training.teacher"),
        ({"ensemble": 3}, "an ensemble cannot be combined with a teacher"),
    ],
)
def test_settings_that_columns_cannot_be_combined_with(rows, tmp_path, change, message):
    X, y = rows
    document = classes_on(tmp_path, X, y, np.eye(3)[y])
    document["training"] |= change
    with pytest.raises(SpecError, match=message):
        parse_spec(document)


@pytest.mark.parametrize(
    ("names", "columns"),
    [
        (NAMES, [NAMES[2], NAMES[0], NAMES[1]]),  # the names say it
        (["u", "v", "w"], ["w", "u", "v"]),  # the errors say it
    ],
)
def test_columns_in_another_order_are_refused_with_the_order_that_fits(rows, tmp_path, names, columns):
    X, y = rows
    P = by_folds(GaussianNB(), X, y, "predict_proba")
    document = classes_on(tmp_path, X, y, P)
    table = tmp_path / "table.csv"
    header, *lines = table.read_text().splitlines()
    for old, new in zip(NAMES, names, strict=True):
        header = header.replace(old, new)
    table.write_text("\n".join([header, *lines]) + "\n")
    document["data"]["teacher_columns"] = columns
    with pytest.raises(DataError, match="another order than the classes, ant, bee, cat") as error:
        read_data(parse_spec(document))
    hint = error.value.diagnostics[0].hint
    assert hint == f"set data.teacher_columns = {json.dumps(names)}"
    document["data"]["teacher_columns"] = tomllib.loads(hint.removeprefix("set data."))["teacher_columns"]
    assert read_data(parse_spec(document)).teacher is not None


def test_the_names_decide_also_where_errors_say_nothing(rows, tmp_path):
    X, y = rows
    with pytest.raises(DataError, match="another order"):
        read_data(parse_spec(classes_on(tmp_path, X, y, np.full((150, 3), 1 / 3), teacher_columns=NAMES[::-1])))


def test_random_predictions_have_no_other_order(rows, tmp_path):
    X, y = rows
    rng = np.random.default_rng(0)
    for _ in range(20):
        P = rng.dirichlet(np.ones(3), len(y))
        document = classes_on(tmp_path, X, y, P)
        text = (tmp_path / "table.csv").read_text()
        for old, new in zip(NAMES, "uvw", strict=True):
            text = text.replace(old, new)
        (tmp_path / "table.csv").write_text(text)
        document["data"]["teacher_columns"] = ["u", "v", "w"]
        assert read_data(parse_spec(document)).teacher is not None


def test_the_probability_of_the_other_class_and_targets_in_another_order_are_refused(rows, tmp_path):
    X, _ = rows
    Y = X[:, :2] @ [[1.0, 0.0], [2.0, 100.0]] + np.random.default_rng(0).normal(size=(150, 2))
    parts = np.where(TEST, "test", "train")
    split = {"split": {"column": "part"}}

    def read(header: str, cells: list[list[Any]], loss: str, **data: Any) -> Any:
        given = csv_file(tmp_path / "table.csv", header, cells, **split, **data)
        training = {"loss": loss, "epochs": 1}
        return read_data(parse_spec({"data": given, "network": {"hidden_layer_sizes": [2]}, "training": training}))

    is_positive = Y[:, 0] > 0
    P = 1 / (1 + np.exp(-X @ [1, 2, 0, 0]))
    kinds = np.where(is_positive, "yes", "no")
    for p, is_refused in ((P, False), (1 - P, True)):
        cells = [[*x, each, part, kind] for x, each, part, kind in zip(X, p, parts, kinds, strict=True)]
        arguments = ("a,b,c,d,p,part,y", cells, "binary_crossentropy")
        if is_refused:
            with pytest.raises(DataError, match='"p" has the probability of no, not of yes'):
                read(*arguments, teacher_columns=["p"])
        else:
            assert read(*arguments, teacher_columns=["p"]).teacher is not None
    cells = [[*x, *own, part, *values] for x, own, part, values in zip(X, Y + 0.1, parts, Y, strict=True)]
    arguments = ("a,b,c,d,u,v,part,y,z", cells, "mean_squared_error")
    with pytest.raises(DataError, match="another order than the targets, y, z"):
        read(*arguments, teacher_columns=["v", "u"], target=["y", "z"])
    assert read(*arguments, teacher_columns=["u", "v"], target=["y", "z"]).teacher is not None


def test_names_of_columns_are_matched_whole():
    order = order_of_names(["p_10", "p_1", "p_0"], ["0", "1", "10"])
    np.testing.assert_array_equal(order, [2, 1, 0])
    np.testing.assert_array_equal(order_of_names(["cat_p", "car_p"], ["car", "cat"]), [1, 0])
    assert order_of_names(["p_0", "p_1", "p_2"], ["1", "2", "3"]) is None
    assert order_of_names(["p_a", "q_b"], ["a", "b"]) is None
