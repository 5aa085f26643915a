"""Teachers that are columns of a table: what is learned of them, and which are refused."""

import csv
import json
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
