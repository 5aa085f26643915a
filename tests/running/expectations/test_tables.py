"""Each outcome of each kind, on tables with missing cells, weights, groups, three classes, values and two outputs."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import specnet
from specnet.files.plain_data import toml_value

ROWS = 300
SPEC = """
[data]
type = "csv"
path = "rows.csv"
features = {features}
{data}
[network]
hidden_layer_sizes = [8]
target_preprocessing = {steps}
[training]
loss = "{loss}"
metrics = ["{metric}"]
epochs = 60
ensemble = 2
optimizer = {{ type = "adam", learning_rate = 0.05 }}
"""
TABLES: dict[str, dict[str, Any]] = {
    "three classes with weights": {
        "data": 'target = "label"\nsample_weight = "weight"\nsplit = { test_size = 0.5 }',
        "loss": "categorical_crossentropy",
        "metric": "accuracy",
        "output": {"of": "large"},
    },
    "values with groups": {
        "data": 'target = "price"\nsplit = { test_size = 0.5, group = "owner" }',
        "loss": "mse",
        "metric": "r2",
        "output": {},
    },
    "two outputs": {
        "data": 'target = ["price", "rent"]\nsplit = { test_size = 0.5 }',
        "loss": "mse",
        "metric": "mean_absolute_error",
        "figure": "mean_absolute_error_price",
        "output": {"of": "price"},
    },
}
TEXTS_AND_DATES: dict[str, Any] = {
    "data": 'target = "price"\nsplit = { test_size = 0.5 }\n[data.columns]\nnote = "text"',
    "loss": "mse",
    "metric": "r2",
    "features": ["size", "day", "note"],
}


class Judged:
    """A table with one trained network, which is judged again after each edit of its spec."""

    def __init__(self, folder: Path, table: dict[str, Any]) -> None:
        generator = np.random.default_rng(5)
        size, city = generator.random(ROWS), generator.choice(["a", "b", "c"], ROWS)
        price = 4 * size + np.where(city == "c", 1.5, 0.1) * generator.standard_normal(ROWS)
        lines = ["size,old,city,name,owner,weight,label,price,rent,day,note"]
        for row in range(ROWS):
            label = ("small", "middle", "large")[int(np.searchsorted([1.3, 2.7], price[row]))]
            cells = ["" if row % 19 == 3 else f"{size[row]:.3f}", "" if row % 23 == 3 else row % 2, city[row]]
            cells += [f"n{row % 3}", f"o{row % 60}", 1 + row % 2, label, f"{price[row]:.3f}", f"{-price[row]:.3f}"]
            cells += ["" if row % 29 == 3 else f"2020-{1 + row % 12:02}-{1 + row % 28:02}"]
            cells += ["" if row % 31 == 3 else f"{'poor' if price[row] < 2 else 'fine'} flat number {row}"]
            lines.append(",".join(map(str, cells)))
        (folder / "rows.csv").write_text("\n".join([*lines, ""]), encoding="utf-8")
        self.folder, self.table = folder, table
        steps = "[]" if table["loss"] == "categorical_crossentropy" else '["standardize"]'
        self.text = SPEC.format(
            data=table["data"],
            loss=table["loss"],
            metric=table["metric"],
            steps=steps,
            features=toml_value(table.get("features", ["size", "old", "city", "name"])),
        )
        self.figure = table.get("figure", table["metric"])

    def __call__(self, *expectations: dict[str, Any]) -> list[Any]:
        path = self.folder / "spec.toml"
        path.write_text(f"expect = {toml_value([*expectations])}\n{self.text}", encoding="utf-8")
        return specnet.run(path, self.folder / "run", resume=True, report=False).expectations


@pytest.fixture(scope="module", params=TABLES)
def judged(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Judged:
    return Judged(tmp_path_factory.mktemp("table"), TABLES[request.param])


def outcomes(judged: Judged, *expectations: dict[str, Any]) -> list[str]:
    return [each["outcome"] for each in judged(*expectations)]


def test_a_metric(judged: Judged) -> None:
    of_some = {"metric": judged.figure, "where": {"size": {"high": 0.8}, "old": [0, 1]}}
    (found,) = judged({**of_some, "at_least": -99})
    assert found["low"] < found["value"] < found["high"]
    bounds = (found["low"] - 1e-6, found["value"], found["high"] + 1e-6)
    assert outcomes(judged, *({**of_some, "at_least": bound} for bound in bounds)) == ["met", "undecided", "broken"]
    assert outcomes(judged, *({**of_some, "at_most": bound} for bound in bounds)) == ["broken", "undecided", "met"]
    assert outcomes(judged, {**of_some, "where": {"city": "d"}, "at_least": 0}) == ["undecided"]


def test_differences(judged: Judged) -> None:
    by = {"metric": judged.figure, "by": "city"}
    (found,) = judged({**by, "differ_by_at_most": 99})
    assert found["value"] > 0
    bounds = (99, found["value"], 0.001)
    found_outcomes = outcomes(judged, *({**by, "differ_by_at_most": bound} for bound in bounds))
    assert found_outcomes == ["met", "undecided", "broken"]  # city c is noise


def test_a_baseline(judged: Judged) -> None:
    constant, linear = judged({"better_than": "constant"}, {"better_than": "linear"})
    assert constant["outcome"] == "met"
    assert constant["low"] > 0
    assert linear["outcome"] == ("broken" if linear["high"] <= 0 else "undecided")
    assert linear["low"] < 0  # the data are linear


def test_directions_and_exchanged_cells(judged: Judged) -> None:
    output, nowhere = judged.table["output"], {"where": {"city": "d"}}
    (fall,) = judged({"increasing": "size", "tolerance": 99, **output})
    (change,) = judged({"unchanged_by": "name", "within": 99})
    assert (
        outcomes(
            judged,
            {"increasing": "size", "tolerance": fall["value"], **output},
            {"decreasing": "size", **output},
            {"decreasing": "size", **output, **nowhere},
            {"unchanged_by": "name", "within": change["value"]},
            {"unchanged_by": "size", "within": 0.1},
            {"unchanged_by": "size", "within": 0.1, **nowhere},
        )
        == ["met", "broken", "undecided"] * 2
    )


def test_a_row(judged: Judged) -> None:
    row = {"row": {"size": 0.9, "city": "a"}, **judged.table["output"]}
    (found,) = judged({**row, "at_least": -99})
    assert outcomes(judged, {**row, "at_least": found["value"]}, {**row, "at_most": found["value"] - 0.01}) == [
        "met",
        "broken",
    ]


def test_coverage(judged: Judged) -> None:
    (found,) = judged({"coverage": 0.9, "within": 0.9})
    assert found["outcome"] == "met"
    assert outcomes(judged, {"coverage": 0.9, "within": abs(found["value"] - 0.9)}) == ["undecided"]


def test_dates_and_texts(tmp_path: Path) -> None:
    early, never = {"where": {"day": {"high": "2020-06-30"}}}, {"where": {"day": {"low": "2031-01-01"}}}
    row = {"row": {"size": 0.5, "day": "2020-03-01", "note": "fine flat"}}
    cases: list[tuple[dict[str, Any], str]] = [
        ({"metric": "r2", **early, "at_least": -99}, "met"),
        ({"metric": "r2", **early, "at_most": -99}, "broken"),
        ({"metric": "r2", **never, "at_least": -99}, "undecided"),
        ({"metric": "r2", "by": "note", "differ_by_at_most": 1}, "undecided"),
        ({"increasing": "day", "tolerance": 99}, "met"),
        ({"unchanged_by": "day"}, "broken"),
        ({"unchanged_by": "note", "within": 99}, "met"),
        ({"unchanged_by": "note", "within": 0.01}, "broken"),
        ({"unchanged_by": "note", "within": 0.01, **never}, "undecided"),
        ({**row, "at_least": -99}, "met"),
        ({**row, "at_most": -99}, "broken"),
    ]
    found = Judged(tmp_path, TEXTS_AND_DATES)(*(table for table, _ in cases))
    assert [each["outcome"] for each in found] == [outcome for _, outcome in cases]
    (before, after), cells = found[5]["worst"][0]["changed"], found[7]["worst"][0]["cells"]
    assert before != after
    assert {before[:5], after[:5]} <= {"2020-", "missi"}
    assert "flat number" in cells["note"] or cells["note"] == "missing"


@pytest.mark.parametrize(
    ("expectation", "choice"),
    [
        ({"metric": "mean_absolute_error", "at_most": 1}, "choose from mean_absolute_error_price"),
        ({"metric": "mean_absolute_error_cost", "at_most": 1}, "choose from mean_absolute_error_price"),
        ({"increasing": "size", "of": "cost"}, "choose from price"),
    ],
)
def test_names_of_outputs_are_checked_before_training(tmp_path: Path, expectation: dict[str, Any], choice: str) -> None:
    with pytest.raises(specnet.SpecError, match=choice):
        Judged(tmp_path, TABLES["two outputs"])(expectation)
    assert not (tmp_path / "run").exists()


def test_sorted_rows_hide_nothing() -> None:
    X = np.repeat(np.arange(8.0), 64)[:, None]
    spec = {"network": {"layer_sizes": [1, 1], "feature_names": ["x"]}, "training": {"loss": "mse", "epochs": 200}}
    model = specnet.fit(spec, X, (X[:, 0] == 7) * 1.0)
    (found,) = specnet.expect(model, X, X[:, 0], [{"unchanged_by": "x"}])
    ends = model.predict([[0.0], [7.0]]).reshape(-1)
    assert found["value"] == pytest.approx(abs(ends[1] - ends[0]), rel=1e-5)


def test_few_positives_that_are_all_found_do_not_meet_a_high_bound() -> None:
    X = np.linspace(-1, 1, 200)[:, None]
    y = (X[:, 0] > 0).astype(int)
    model = specnet.fit({"network": {"layer_sizes": [1, 1]}, "training": {"loss": "bce", "epochs": 300}}, X, y)
    few = np.r_[:100, 195:200]
    high, low = (
        specnet.expect(model, X[few], y[few], [{"metric": "recall", "at_least": bound}])[0] for bound in (0.9, 0.3)
    )
    assert high["value"] == 1
    assert (high["outcome"], low["outcome"]) == ("undecided", "met")
    assert high["low"] == pytest.approx(0.01 ** (1 / 5))  # so many rows are right that all 5 are, once in 100 times
