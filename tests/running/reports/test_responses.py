"""What a model uses, how it responds to columns, and what a page lets readers try: against what is known of it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import specnet
from specnet import Model, Observer
from specnet.report.pages.model_answers import ModelAnswers
from specnet.report.value_charts import Importance, Response, response_figures
from specnet.running import explanations
from specnet.running.data_rows import Rows, SpecData
from specnet.running.explanations import affordable_rows, permutation_importance, responses_of
from specnet.running.folder_pages import answers_shown
from specnet.saved.saved_run import SavedRun
from tests.made import data_of
from tests.report.drawn import Drawn
from tests.running.reports.page import Page
from tests.running.specs import spec_on

LOSSES = {"value": "mean_squared_error", "sold": "binary_crossentropy", "kind": "categorical_crossentropy"}
KINDS = {"number": "numeric", "colour": "category", "since": "datetime", "open": "boolean", "same": "numeric"}
ROWS = 400


def table() -> pd.DataFrame:
    """Rows with gaps, texts of which the last one is in few rows, dates, booleans, and a column of one value."""
    generator = np.random.default_rng(1)
    number, day = generator.normal(50, 20, ROWS).round(1), generator.integers(0, 900, ROWS)
    colour = generator.choice(["red", "green", "blue"], ROWS, p=[0.6, 0.3, 0.1])
    made = pd.DataFrame(
        {
            "number": np.where(generator.random(ROWS) < 0.1, np.nan, number),
            "colour": np.where(generator.random(ROWS) < 0.1, None, colour),
            "since": [date(2021, 1, 1) + timedelta(days=days) for days in day.tolist()],
            "open": generator.random(ROWS) < 0.4,
            "same": 7,
        }
    )
    made.loc[ROWS - 1, "colour"] = "seen once"
    value = np.nan_to_num(made["number"], nan=30) + 20 * (made["colour"] == "red") + day / 30 + 10 * made["open"]
    made["value"], made["other"] = value.round(2), -value.round(2)
    made["sold"] = np.where(value > 80, "yes", "no")
    made["kind"] = np.select([value < 60, value < 90], ["low", "middle"], "high")
    return made


Trained = tuple[Model, SpecData, ModelAnswers, str]


def trained(folder: Path, target: str | list[str], **training: Any) -> Trained:
    """A model of the table, its data, what its page is given, and the page."""
    folder.mkdir(exist_ok=True)
    targets, path = [target] if isinstance(target, str) else target, folder / "table.csv"
    table()[[*KINDS, *targets]].to_csv(path, index=False)
    kinds = KINDS | {name: "category" if name in ("sold", "kind") else "numeric" for name in targets}
    split = {"test_size": 0.5}
    loss = LOSSES[targets[0]]
    network: dict[str, Any] = {"hidden_layer_sizes": [6], "preprocessing": ["impute", "standardize"]}
    if loss == "mean_squared_error":
        network["target_preprocessing"] = ["standardize"]
    spec = {
        "data": {"type": "csv", "path": str(path), "target": target, "columns": kinds, "split": split},
        "network": network,
        "training": {"loss": loss, "epochs": 20, "optimizer": {"type": "adam", "learning_rate": 0.02}, **training},
    }
    result = specnet.run(spec, folder / "run", observer=Observer())
    data = data_of(folder / "run" / "spec.json")
    shown = answers_shown(SavedRun(folder / "run"), data)
    return result.model, data, shown, (folder / "run/report.html").read_text()


def frame_of(data: SpecData, split: str, chosen: np.ndarray | slice) -> pd.DataFrame:
    """Rows as a data frame, read from their numbers again."""
    rows = data.splits[split]
    X = np.asarray(rows.columns)[chosen]
    columns: dict[str, Any] = {}
    for place, column in enumerate(rows.kinds):
        if column.texts is not None:
            columns[column.name] = [None if cell != cell else column.texts[int(cell)] for cell in X[:, place]]
        elif column.kind == "datetime":
            columns[column.name] = pd.Timestamp(0) + pd.to_timedelta(X[:, place], "D")
        else:
            columns[column.name] = X[:, place].astype(bool) if column.kind == "boolean" else X[:, place]
    return pd.DataFrame(columns)


def cell_of(name: str, response: Response, place: int) -> Any:
    """A cell as a person writes it."""
    text = response.texts[place]
    if name == "colour":
        return None if text == "missing" else text
    if name == "since":
        return pd.Timestamp(text)
    return text == "1" if name == "open" else response.cells[place]


def check(model: Model, data: SpecData, found: Sequence[Response], output: int | None) -> bool:
    """Compare all curves with what the model says of data frames in which a column is set.

    Return whether a row has a text that no training row has.
    """
    rows = np.unique(np.linspace(0, ROWS // 2 - 1, 100).round().astype(int))
    assert {response.rows for response in found} == {len(rows)} == {100}
    frame, seen = (frame_of(data, name, chosen) for name, chosen in (("test", rows), ("train", slice(None))))
    is_new = bool(set(frame["colour"]) - set(seen["colour"]))
    for response in found:
        for place in range(len(response.cells)):
            moved = frame.assign(**{response.column: cell_of(response.column, response, place)})
            is_told = is_new and response.column != "colour"
            with pytest.warns(UserWarning, match="unseen") if is_told else nullcontext():
                given = model.predict(moved) if output is None else model.predict_proba(moved)
            given = given.reshape(100, -1)[:, response.outputs[0] if output is None else output]
            expected = [np.mean(given), *np.quantile(given, [0.1, 0.9])]
            at = [response.mean[0][place], response.low[place], response.high[place]]
            np.testing.assert_allclose(at, expected, rtol=1e-5, atol=1e-6)
    return is_new


@pytest.fixture(scope="module")
def sold(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return trained(tmp_path_factory.mktemp("responses") / "sold", "sold")


def test_two_classes_have_the_probability_of_the_second(sold: Trained) -> None:
    model, data, shown, text = sold
    found = shown.responses
    assert (shown.classes, shown.outputs) == (("no", "yes"), ("sold",))
    assert {each.outputs for each in found} == {(1,)}
    curves = {each.column: each for each in found}
    assert found[0].column == "number"
    assert curves.keys() == KINDS.keys() - {"same"}  # which cannot move
    assert check(model, data, found, 1)
    train = np.asarray(data.splits["train"].columns)
    number = train[~np.isnan(train[:, 0]), 0]
    parts = np.searchsorted(np.sort(number), curves["number"].cells) / len(number)
    np.testing.assert_allclose(parts, (np.arange(20) + 0.5) / 20, atol=0.01)
    colours = table()["colour"].fillna("missing").to_numpy()
    assert curves["colour"].texts[:2] == ["red", "green"]
    assert {"missing"} < set(curves["colour"].texts) <= set(colours)
    assert curves["open"].texts == ["0", "1"]
    assert len(curves["since"].texts) == 20
    assert [curves[name].unit for name in ("number", "colour", "since", "open")] == ["number", None, "day", None]
    seen = Page(text).text
    least, most = curves["number"].mean[0][[0, -1]]
    assert f"{100 * least:.1f} % at {curves['number'].texts[0]}, {100 * most:.1f} % at" in seen
    assert "the others stay as they are in 100 test rows" in seen


def test_an_ensemble_answers_as_a_whole_and_values_are_in_their_unit(tmp_path: Path) -> None:
    model, data, shown, text = trained(tmp_path / "value", "value", ensemble=2)
    assert len(model.members) == 2
    check(model, data, shown.responses, None)
    assert "Mean value: " in Page(text).text


def test_of_several_values_the_first_one_is_shown(tmp_path: Path) -> None:
    model, data, shown, _ = trained(tmp_path / "both", ["value", "other"])
    found = shown.responses
    assert shown.outputs == ("value", "other")
    assert {each.outputs for each in found} == {(0,)}
    check(model, data, found, None)


def test_of_more_classes_those_that_move_most_are_shown(tmp_path: Path) -> None:
    model, data, shown, text = trained(tmp_path / "kind", "kind")
    for response in shown.responses:
        moves = np.ptp(response.mean, axis=1)
        assert len(response.outputs) == 3
        assert list(moves) == sorted(moves, reverse=True)
        check(model, data, [response], response.outputs[0])
        np.testing.assert_allclose(response.mean.sum(axis=0), 1, rtol=1e-5)
    assert "contains the middle 80 % of the rows, for the class that changes most." in Page(text).text


def team_data(model: Model, train: np.ndarray, test: np.ndarray) -> SpecData:
    splits = {name: Rows(X, model.predict(X)) for name, X in (("train", train), ("test", test))}
    return SpecData(model.network.resolved, None, model.preparations[0], splits)


def asked(model: Model, train: np.ndarray, test: np.ndarray) -> list[Response] | None:
    columns = test.shape[1]
    importance = Importance("r2", len(test), 5, ("a", "b", "c")[:columns], *[np.arange(columns)] * 3)
    return responses_of(model, team_data(model, train, test), importance)


def test_a_team_responds_as_the_mean_of_its_models() -> None:
    """Of lines it is a line: 3a − b + c and a + b of shares 1 and 3 are 1.5a + 0.5b + 0.25c."""
    generator = np.random.default_rng(0)
    train, test = generator.normal(size=(500, 3)), generator.normal(size=(60, 3))
    found = asked(Model.joined([linear([3, -1, 1]), linear([1, 1, 0])], [1, 3]), train, test)
    assert [each.column for each in found] == ["c", "b", "a"]
    weights = np.array([1.5, 0.5, 0.25])
    for place, response in zip((2, 1, 0), found, strict=True):
        rest = np.delete(test, place, axis=1) @ np.delete(weights, place)
        lines = weights[place] * response.cells[:, None] + rest
        np.testing.assert_allclose(response.mean[0], lines.mean(axis=1), rtol=1e-9)
        np.testing.assert_allclose(response.low, np.quantile(lines, 0.1, axis=1), rtol=1e-9)
        np.testing.assert_allclose(response.high, np.quantile(lines, 0.9, axis=1), rtol=1e-9)


def test_curves_are_left_out_where_they_take_too_long(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    X, model = np.random.default_rng(0).normal(size=(60, 2)), linear([1, 2])
    # A row has 3 parameters and 4 cells, for 20 values of 5 columns.
    cost = (3 + 100 * 4) * 20 * 5
    for most, rows in ((cost * 55, 55), (cost * 50 - 1, None)):
        monkeypatch.setattr(explanations, "MAX_PRODUCTS", most)
        found = asked(model, X, X)
        assert (found and found[0].rows) == rows
    data = {"type": "make_moons", "n_samples": 200, "split": {"test_size": 0.5}}
    specnet.run(spec_on(data), tmp_path / "left", observer=Observer())
    assert "each column is left out: too many parameters" in Page((tmp_path / "left/report.html").read_text()).text


def test_charts_draw_the_means_and_bands(sold: Trained) -> None:
    _, _, shown, _ = sold
    found = shown.responses
    figures = response_figures(found, shown.classes, are_probabilities=True)
    charts = {figure.title: Drawn(figure.chart) for figure in figures}
    assert list(charts) == [each.column for each in found]
    for response in found:
        drawn = charts[response.column]
        told = drawn.hovers()[-len(response.cells) :]
        for text, cell, mean, low, high in zip(
            told, response.texts, response.mean[0], response.low, response.high, strict=True
        ):
            assert text == f"{cell}: {100 * mean:.1f} %, 80 % of rows {100 * low:.1f} % to {100 * high:.1f} %"
        assert drawn.root.attrib["aria-label"].startswith(f"{response.column}: probability of yes; {told[0]}; ")
    (band,) = charts["number"].lines("band")
    (line,) = charts["number"].lines("line series-0")
    assert min(x for x, _ in band) == min(x for x, _ in line)
    assert max(x for x, _ in band) == max(x for x, _ in line)
    assert charts["colour"].all("path", "whisker")
    assert "probability of yes in %" in charts["number"].texts()


MANY = 2000


def linear(weights: list[float], loss: str = "mse", metrics: Sequence[str] = ("r2",)) -> Model:
    """A linear model of these weights."""
    network = {"layer_sizes": [len(weights), 1], "dtype": "float64"}
    spec = {"network": network, "training": {"loss": loss, "metrics": [*metrics]}}
    return Model(specnet.build(spec), np.array([*weights, 0.0]))


def rows_of(model: Model, weighted: bool = False) -> tuple[Rows, Any]:
    generator = np.random.default_rng(0)
    X = generator.normal(size=(MANY, model.network.inputs))
    y = model.predict(X)
    return Rows(X, y, generator.integers(1, 3, MANY).astype(np.float64) if weighted else None), X


@pytest.mark.parametrize("weighted", [False, True])
def test_r2_falls_by_twice_the_share_of_the_variance(weighted: bool) -> None:
    # For y = Σ wⱼxⱼ of independent columns, shuffling column j gives an error of variance 2wⱼ².
    model = linear([3.0, 1.0, 0.0])
    rows, _ = rows_of(model, weighted)
    found = permutation_importance(model, rows, ("a", "b", "c"))
    assert (found.score, found.rows, found.shuffles, found.columns) == ("r2", MANY, 5, ("a", "b", "c"))
    np.testing.assert_allclose(found.mean, [1.8, 0.2, 0.0], atol=0.08)
    assert found.mean[2] == found.low[2] == found.high[2] == 0


@pytest.mark.parametrize(("loss", "score", "fall"), [("binary_crossentropy", "accuracy", 0.5), ("mse", "loss", 32.0)])
def test_the_score_falls_where_a_column_decides(loss: str, score: str, fall: float) -> None:
    """Half of the labels are others; the error of a shuffled column of weight w has the variance 2w²."""
    model = linear([4.0, 0.0], loss, [])
    found = permutation_importance(model, rows_of(model)[0], ("a", "b"))
    assert found.score == score
    np.testing.assert_allclose(found.mean, [fall, 0], rtol=0.06)


@pytest.mark.parametrize(
    ("loss", "metrics", "fall"),
    [("mse", ("r2",), 1.8), ("mse", (), 18.0), ("binary_crossentropy", (), np.arccos(0.1) / np.pi)],
)
def test_the_interval_of_importance_is_over_rows(loss: str, metrics: tuple[str, ...], fall: float) -> None:
    """It contains the importance in all rows that there could be, from 95 of 100 samples of rows.

    A shuffled normal column of weight 3 beside one of weight 1 turns the sum, and so its sign, as two directions of
    correlation 0.1 differ: in arccos(0.1) ÷ π of the rows.
    """
    model, generator = linear([3.0, 1.0], loss, metrics), np.random.default_rng(0)
    inside = 0
    for _ in range(100):
        X = generator.normal(size=(100, 2))
        found = permutation_importance(model, Rows(X, model.predict(X)), ("a", "b"))
        inside += found.low[0] <= fall <= found.high[0]
    assert 89 <= inside <= 99


def test_rows_of_a_group_count_as_one_in_the_interval_of_importance() -> None:
    model = linear([3.0, 1.0])
    X = np.repeat(np.random.default_rng(0).normal(size=(100, 2)), 9, axis=0)
    widths = []
    for groups in (None, np.arange(900) // 9):
        found = permutation_importance(model, Rows(X, model.predict(X), groups=groups), ("a", "b"))
        widths.append(found.high[0] - found.low[0])
    assert 1.5 < widths[1] / widths[0] < 3  # partners of rows are drawn for each row, so less than √9


def test_rows_are_bounded_by_what_they_cost() -> None:
    model = linear([1.0] * 300)
    assert affordable_rows(model, 300, 10**9) == 10**10 // (5 * 300 * (301 + 100 * 600))
    assert affordable_rows(model, 300, 70) == 70
    rows, _ = rows_of(model)
    few = Rows(rows.table[:49], rows.y[:49])
    assert permutation_importance(model, few, tuple(map(str, range(300)))) is None
