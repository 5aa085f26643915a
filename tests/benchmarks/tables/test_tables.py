"""Benchmarks on whole tables compare the same folds and count what files say, and tell what misses its bound."""

import csv
import json
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas
import pytest
from threadpoolctl import threadpool_limits

import specnet
from tests.benchmarks.report import Report
from tests.benchmarks.tables import calibration_error, coverage, large, out_of_fold, recipe, sweep_worth, text_tables
from tests.benchmarks.tables.recipe import MLP, OURS, TABLES
from tests.benchmarks.tables.sweep_worth import BEST, RECIPE, TEAM, Case, Outcome, Source
from tests.cases.reading import load
from tests.made import data_of
from tests.texts.calling import called


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of two tables with their description."""
    rng = np.random.default_rng(0)
    rows = pandas.DataFrame({"a": rng.normal(size=150), "place": np.array(["north", "south"])[np.arange(150) % 2]})
    rows.assign(size=2 * rows.a + rng.normal(size=150)).to_csv(tmp_path / "sizes.csv", index=False)
    rows.assign(kind=np.where(rows.a > 0, "1", "no")).to_csv(tmp_path / "kinds.csv", index=False)
    describe(tmp_path, sizes={"kind": "values", "target": "size"}, kinds={"kind": "classes", "target": "kind"})
    return tmp_path


def describe(folder: Path, **tables: dict[str, str]) -> None:
    (folder / "tables.json").write_text(json.dumps(tables))


# ------------------------------------------------------------------------------------------------------------- coverage


def test_rows_that_depend_on_others_are_held_out_together(folder: Path):
    known = {"target": "y", "kind": "values"}
    describe(folder, a=known, b=known | {"group": "brand", "time": "day"}, c=known | {"time": "day"})
    tables = list(coverage.covered_tables([folder], []))
    plain, grouped, random, later = tables
    assert plain.settings(3, "quick") == ["seed=3", "data.split.random_state=3"]
    assert grouped.settings(1, "recipe") == ["seed=1", 'data.split.group="brand"', "data.split.random_state=1"]
    assert random.settings(2, "recipe") == ["seed=2", "data.split.random_state=2"]
    for spec in ("quick", "recipe"):
        assert later.settings(0, spec) == ["seed=0", 'data.split.time="day"']
    assert [table.rows for table in tables] == ["values"] * 3 + ["values, later"]
    assert [len(table.splits) for table in tables] == [5, 5, 5, 1]


@pytest.mark.trains
@pytest.mark.slow
def test_coverage_is_that_of_the_files(folder: Path, tmp_path: Path):
    def call_here(folder: Path, *arguments: str) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            called(*arguments, "-q").ok()

    (table,) = coverage.covered_tables([folder], ["sizes"])
    found = table.covered(tmp_path, 1, "quick", call_here)
    y, low, high = (
        np.array([float(row[name]) for row in csv.DictReader((tmp_path / file).read_text().splitlines())])
        for file, name in (("test.csv", "size"), ("out.csv", "lower"), ("out.csv", "upper"))
    )
    assert len(y) == len(low) == 30
    assert found[3, :2].tolist() == [np.mean((low <= y) & (y <= high)), pytest.approx(np.mean(high - low) / y.std())]
    assert found[3, 0] >= found[2, 0]
    assert 0.2 < found[0, 0] <= found[1, 0] <= found[2, 0]
    metrics = tmp_path / "run/metrics.json"
    evaluation = json.loads(metrics.read_text())
    evaluation["tables"]["test"]["coverage"][0]["covered"] = [0.123]
    metrics.write_text(json.dumps(evaluation))
    (tmp_path / "out.csv").unlink()  # a process of its own writes it again
    with pytest.raises(ValueError, match=r"metrics.json says 0.123"):
        table.covered(tmp_path, 1, "quick")


def test_coverage_that_misses_its_bound_is_reported(capsys: pytest.CaptureFixture):
    made = np.array([[0.5, 1, 0, 0, 0], [0.8, 1, 0, 0, 0], [0.87, 2, 0.95, 0.9, 0.7], [0.95, 3, 1, 1, 1]])
    names = [("sizes", "values", "quick"), ("kinds", "classes", "quick")]
    report = Report()
    coverage.show(report, [(*name, made) for name in names])
    printed = capsys.readouterr().out
    assert "| sizes | values | quick | 50.0% (1) | 80.0% (1) | 87.0% (2) | 95.0% (3) | 95.0% 90.0% 70.0% |" in printed
    assert "sizes, quick: 70.0% of a third for 90%" in report.missed
    assert "mean of classes, quick: 87.0% for 90%" in report.missed
    made[2] = [0.9, 2, 0.95, 0.9, 0.85]
    report = Report()
    coverage.show(report, [(*name, made) for name in names])
    assert report.missed == []


# ---------------------------------------------------------------------------------------------------- calibration error


def test_right_probabilities_have_the_error_of_the_noise_and_others_more():
    rng = np.random.default_rng(0)
    probability = rng.dirichlet([1, 1, 1], 2_000)
    target = (rng.random((2_000, 1)) > probability.cumsum(axis=1)).sum(axis=1)
    error, noise = calibration_error.error_and_noise(probability, target, 0)
    assert error == pytest.approx(noise, abs=0.01)
    sharp = probability**3 / (probability**3).sum(axis=1, keepdims=True)
    error, noise = calibration_error.error_and_noise(sharp, target, 0)
    assert error > noise + 0.1
    report = Report()
    for far in (0.05, 0.07):
        calibration_error.judge(report, "kinds", far, 0.04)
    assert report.missed == ["kinds: 0.0700 beside 0.0400"]


@pytest.mark.slow
def test_a_table_is_measured_with_and_without_a_temperature(folder: Path):
    (table,) = calibration_error.tables(folder, [])
    assert table.name == "kinds"
    made, plain, warmer = calibration_error.measured(table, 0, epochs=3).tolist()
    assert 0 < warmer[0] < plain[0]  # after three epochs it is not confident enough
    assert made == warmer  # as for all tables of few rows


# --------------------------------------------------------------------------------------------------------------- recipe


def test_differences_are_paired_by_fold():
    gain, error = recipe.paired([0.9, 0.8, 1.0], [0.8, 0.8, 0.8])
    assert gain == pytest.approx(0.1)
    assert error == pytest.approx(0.1 / np.sqrt(3))


@pytest.mark.parametrize(
    ("gains", "table", "missed"),
    [
        ([0.2, 0.1, 0.15], "iris", 0),
        ([0.2, -0.1, 0.0], "iris", 1),
        ([0.2, -0.1, 0.0], "wine", 0),
        ([-0.2, -0.1, -0.15], "wine", 1),
        ([-0.2, -0.1, -0.15], "iris", 2),
    ],
)
def test_what_the_recipe_must_reach(gains, table, missed, capsys):
    report = Report()
    folds = [{OURS: recipe.Outcome(0.8 + gain, 0.1, 1.0), MLP: recipe.Outcome(0.8, 0.2, 0.5)} for gain in gains]
    recipe.judge(report, table, folds)
    assert len(report.missed) == missed
    assert f"| {table} | {MLP} | 0.8000 | {np.mean(gains):+.4f} ± " in capsys.readouterr().out
    assert {*recipe.BETTER_THAN_MLP, *recipe.VALUES} <= {*TABLES}


@pytest.mark.slow
def test_all_models_are_judged_on_the_rows_that_none_has_seen():
    training = {"loss": "categorical_crossentropy", "epochs": 50, "optimizer": {"type": "adam", "learning_rate": 0.01}}
    small = {"network": {"hidden_layer_sizes": [8], "preprocessing": ["standardize"]}, "training": training}
    folds = [recipe.Fold("iris", 11, number) for number in range(10)]
    assert sorted(row for fold in folds for row in fold.rows()[3]) == list(range(150))
    with threadpool_limits(1):
        found = recipe.outcomes(folds[0], {OURS: specnet.SpecClassifier(small, random_state=11)})
    assert found.keys() == {OURS, MLP, "boosting", "linear"}
    assert all(outcome.score > 0.7 and outcome.log_loss < 2 for outcome in found.values())


# --------------------------------------------------------------------------------------------------------------- sweeps

CASE = Case("wine", 11, 0, TEAM)
WINE = {"wine": Source("y", False)}


def test_ways_are_judged_on_the_same_folds():
    cases = sweep_worth.planned(2, TABLES)
    assert len(set(cases)) == len(cases)
    teams = {case for case in cases if case.way == TEAM}
    for way in (BEST, RECIPE):
        assert {case._replace(way=TEAM) for case in cases if case.way == way} == teams
        assert CASE._replace(way=way).settings() == CASE.settings()
    assert {case.table for case in cases[: len(TABLES) * 3]} == {*TABLES}


def test_differences_are_those_of_folds_that_all_ways_have_finished(capsys):
    scores = {TEAM: (0.9, 0.8, 1.0, 0.1), BEST: (0.8, 0.8, 0.8, 0.2), RECIPE: (0.9, 0.9, 0.9, None)}
    found = {
        CASE._replace(fold=fold, way=way): Outcome(score, score and 2 - score, 2.0)
        for way, each in scores.items()
        for fold, score in enumerate(each)
    }
    sweep_worth.tell(found, WINE)
    # The ratios of losses are the third roots of 1.1 · 1.2 · 1.0 / 1.2³ and of 1.1 · 1.2 · 1.0 / 1.1³.
    # Differences from the best trial of 0.1, 0 and 0.2; their mean is 0.1, and its standard error 0.1 / √3.
    assert capsys.readouterr().out.splitlines()[3:] == [
        f"| wine | 3 | {TEAM} | 0.9000 | – | 1.1000 | – | 2.0 |",
        f"| wine | 3 | {BEST} | 0.8000 | +0.1000 ± 0.0577 | 1.2000 | -0.1000 ± 0.0577 | 2.0 |",
        f"| wine | 3 | {RECIPE} | 0.9000 | +0.0000 ± 0.0577 | 1.1000 | -0.0000 ± 0.0577 | 2.0 |",
        "| all | 1 | best trial | – | – | – | 0.914 × | – |",
        "| all | 1 | recipe | – | – | – | 0.997 × | – |",
    ]


def test_what_is_there_is_not_computed_again(tmp_path):
    other = CASE._replace(way=RECIPE)
    outcomes = {CASE: [Outcome(None, None, 3.0), Outcome(0.9, 0.1, 2.0)], other: [Outcome(0.8, 0.2, 1.0)]}
    compute = partial(sweep_worth.compute, tmp_path, [CASE, other], WINE, by=lambda case, *_: outcomes[case].pop(0))
    with pytest.raises(SystemExit):
        compute()
    for _ in range(2):
        compute()
    lines = (tmp_path / "results.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["case"] for line in lines] == [CASE._asdict()] * 2 + [other._asdict()]
    assert sweep_worth.read_results(lines) == {CASE: Outcome(0.9, 0.1, 5.0), other: Outcome(0.8, 0.2, 1.0)}


def test_small_tables_of_a_folder_join_those_of_scikit_learn(tmp_path):
    describe(tmp_path, small={"kind": "classes", "target": "kind"}, large={"kind": "values", "target": "size"})
    for name, rows in (("small", 2000), ("large", 2001)):
        (tmp_path / f"{name}.csv").write_text("head\n" + "1\n" * rows)
    found = sweep_worth.sources(tmp_path)
    assert found.keys() - {"small"} == {*TABLES} == sweep_worth.sources(None).keys()
    assert found["small"] == Source("kind", False, tmp_path / "small.csv")
    assert [name for name, source in found.items() if source.is_values] == ["diabetes"]


# ---------------------------------------------------------------------------------------------------------- out of fold


@pytest.mark.parametrize("name", out_of_fold.MADE)
def test_classes_and_values_are_told_apart(name: str, tmp_path: Path):
    path = out_of_fold.write_rows(tmp_path / "rows.csv", out_of_fold.MADE[name], 0)
    spec, has_values = out_of_fold.spec_on(path, "y", 3), name == "far values"
    assert spec.training.loss.type == ("mean_squared_error" if has_values else "categorical_crossentropy")
    assert spec.seed == 3
    splits = data_of(spec).splits
    assert len(splits["test"]) == max(np.bincount(splits["train"].folds))
    assert len(np.unique(splits["train"].folds)) == out_of_fold.MEMBERS


def test_without_preprocessing_both_ways_are_the_same(tmp_path: Path):
    path = out_of_fold.write_rows(tmp_path / "rows.csv", out_of_fold.noise, 0)
    changes = ["network.preprocessing=[]", "network.dtype=float64", "training.epochs=2"]
    shared, own = out_of_fold.compared(specnet.parse_spec(out_of_fold.spec_on(path, "y", 0), overrides=changes))
    np.testing.assert_allclose(own, shared, rtol=1e-9)
    assert len(shared) == 400


def test_preprocessing_of_a_fold_does_not_see_its_rows(tmp_path: Path):
    """A number far away in a member's own fold changes none of its other answers."""
    path = out_of_fold.write_rows(tmp_path / "rows.csv", out_of_fold.noise, 0)

    def answers() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        spec = specnet.parse_spec(out_of_fold.spec_on(path, "y", 0), overrides=["training.epochs=2"])
        data = data_of(spec)
        rows = data.splits["train"]
        return rows.chosen, rows.in_fold(1), out_of_fold.losses(out_of_fold.own_answers(spec, data, 1), None)

    chosen, mine, before = answers()
    lines = path.read_text().splitlines()
    row = 1 + int(chosen[np.flatnonzero(mine)[0]])
    lines[row] = "1e6" + lines[row][lines[row].index(",") :]
    path.write_text("\n".join(lines) + "\n")
    *_, after = answers()
    np.testing.assert_array_equal(after[1:], before[1:])
    assert after[0] != before[0]


def test_a_sample_has_the_header_and_some_of_the_lines(tmp_path: Path):
    (tmp_path / "rows.csv").write_text("a,y\n" + "".join(f"{row},1\n" for row in range(1000)))
    header, *lines = out_of_fold.sampled(tmp_path / "rows.csv")(np.random.default_rng(0))
    assert header == "a,y"
    assert len(set(lines)) == 480


# ---------------------------------------------------------------------------------------------------------------- texts


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    """A folder of two tables of texts of three words, of which "good" decides; stars also differ by shop."""
    rng = np.random.default_rng(0)
    words = rng.choice(["good", "soup", "rice", "beef", "egg", "salt", "tofu", "leek"], (200, 3))
    good = (words == "good").any(axis=1)
    names = [f"dish {number}" for number in range(200)]
    rows = pandas.DataFrame({"name": names, "note": [" ".join(each) for each in words], "size": rng.normal(size=200)})
    rows = rows.assign(
        cup=np.where(rows.index % 2, "small", None), shop=[f"shop {at}" for at in rng.integers(0, 20, 200)]
    )
    rows.assign(stars=3.0 * good + rng.normal(size=200) / 10).to_csv(tmp_path / "stars.csv", index=False)
    rows.assign(kind=np.where(good, 1, 0)).to_csv(tmp_path / "kinds.csv", index=False)
    rows.to_csv(tmp_path / "plain.csv", index=False)
    known = {"text": ["note"]}
    stars, kinds = {"kind": "values", "target": "stars", "group": "shop"}, {"kind": "classes", "target": "kind"}
    describe(tmp_path, stars=stars | known, kinds=kinds | known, plain={"kind": "values", "target": "size"})
    return tmp_path


def test_a_linear_model_reads_the_words_of_texts(reviews: Path, capsys: pytest.CaptureFixture):
    assert text_tables.main([str(reviews), "--model", "linear", "--splits", "2"]) == 0
    printed = capsys.readouterr().out
    assert "| stars | 0." in printed
    assert "| kinds | 0." in printed
    assert "plain" not in printed  # it has no texts
    stars, kinds = coverage.covered_tables([reviews], ["stars", "kinds"])
    assert text_tables.measured(stars, "linear", 0)[0] < 0.5  # the targets' standard deviation is 1.4
    assert text_tables.measured(kinds, "linear", 0)[0] < 0.3  # the constant's log loss is 0.64


def test_catboost_reads_texts_and_categories_but_no_groups(reviews: Path, monkeypatch: pytest.MonkeyPatch):
    seen = []

    class Trees:
        def __init__(self, **options):
            self.options = options

        def fit(self, X, y):
            self.X, self.y = X, y
            return self

        def predict(self, X):
            seen.append((self.options, self.X, X))
            return np.full(len(X), self.y.mean())

    monkeypatch.setitem(sys.modules, "catboost", SimpleNamespace(CatBoostRegressor=Trees))
    (table,) = coverage.covered_tables([reviews], ["stars"])
    loss, _ = text_tables.measured(table, "CatBoost", 1)
    ((options, known, others),) = seen
    assert 1 < loss < 2
    assert options["text_features"] == ["note"]
    assert options["cat_features"] == ["cup"]
    assert {*known} == {*others} == {"note", "size", "cup"}  # each name is of one row
    assert set(known["cup"]) == {"small", "missing"}


def test_the_recipe_is_divided_by_the_better_of_the_others(capsys: pytest.CaptureFixture):
    figures = {
        "recipe": np.array([[0.9, 1.0], [0.7, 3.0]]),
        "linear": np.array([[1.2, 1.0]]),
        "CatBoost": np.array([[1.0, 50.0]]),
    }
    assert text_tables.show(Report(), "stars", figures) == pytest.approx(0.8)
    expected = "| stars | 0.8000 (2 s) | 1.2000 (1 s) | 1.0000 (50 s) | 0.800 |"
    assert capsys.readouterr().out.strip() == expected
    del figures["linear"], figures["CatBoost"]
    assert text_tables.show(Report(), "stars", figures) is None


# --------------------------------------------------------------------------------------------------------- large tables


def test_the_large_table_has_24_columns_of_all_kinds(tmp_path: Path):
    large.make_table(tmp_path / "rows.csv", 500)
    table = load(tmp_path / "rows.csv")
    kinds = [column.kind for column in table.columns]
    assert [kinds.count(kind) for kind in ("numeric", "category", "datetime")] == [20, 2, 1]
    assert set(table.y) == {"no", "yes"}


@pytest.mark.slow
def test_a_process_is_measured_and_the_others_do_their_work(tmp_path: Path):
    code = "import tempfile, time; f = tempfile.TemporaryFile(); f.write(bytes(2 * 10**7)); f.flush()"
    found = large.measured([sys.executable, "-c", f"{code}; held = b'1' * 10**8; time.sleep(1); print(7)"], tmp_path)
    assert found.printed == "7\n"
    assert 10**8 <= found.memory < 2 * 10**8
    assert found.disk >= 10**7
    large.make_table(tmp_path / "rows.csv", 500)
    assert large.partial_fit_seconds(tmp_path / "rows.csv")[0] == 500
    assert min(large.feeding_seconds(1000, 3)) > 0
