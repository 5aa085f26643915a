"""The spec for a table: it runs as it is written, and says what was measured to be good for such tables."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_iris

import specnet
from specnet import DataError, Spec, parse_spec
from specnet.recipes import TEMPLATES, recipe, starting_spec, table_facts
from specnet.spec import parse_sweep
from specnet.spec.sweep_section import Range
from tests.registry import part
from tests.texts.mistakes import mistake
from tests.texts.pinned import Refused

PENGUINS = Path(__file__).parents[2] / "specs" / "data" / "penguins.csv"

Recipe = Callable[[str, str], Spec]
csv = partial(part, "data", "csv", path="table.csv")


@pytest.fixture
def recipe_for(tmp_path: Path) -> Recipe:
    """Return the spec for a table's text and target, parsed from the file that it is written to.

    The one that is written with a sweep says the same, and what it searches holds the recipe's own settings.
    """

    def made(table: str, target: str) -> Spec:
        (tmp_path / "table.csv").write_text(table, encoding="utf-8")
        facts = table_facts(csv(target=target), tmp_path)
        for name, sweep in (("t", False), ("searched", True)):
            text = recipe(facts, name="t", file="t.toml", data_type="csv", path="table.csv", target=target, sweep=sweep)
            (tmp_path / f"{name}.toml").write_text(text, encoding="utf-8")
        spec = parse_spec(tmp_path / "t.toml")
        check_searched(tmp_path / "searched.toml", spec)
        return spec

    return made


def check_searched(file: Path, spec: Spec) -> None:
    searched = parse_sweep(file)
    assert searched.data == spec.data
    assert searched.training == spec.training
    assert searched.network == spec.network
    document, found = tomllib.loads(file.read_text(encoding="utf-8")), []
    assert searched.sweep is not None
    for key, entry in searched.sweep.space.items():
        value: Any = document
        for step in key.split("."):
            value = value[int(step) if step.isdigit() else step]
        found.append(key.rpartition(".")[2])
        assert entry.low <= value <= entry.high if isinstance(entry, Range) else value in entry, key
    assert found == ["learning_rate", "weight_decay", "units", "rate"]


def table(**columns: object) -> str:
    names = ",".join(columns)
    return "\n".join([names, *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True)), ""])


def run(spec: Spec, epochs: int = 2) -> specnet.Model:
    folder = Path(spec.folder)
    specnet.run(folder / "t.toml", folder / "run", overrides=[f"training.epochs={epochs}"], report=False)
    return specnet.load_model(folder / "run")


def embedding(spec: Spec) -> Any:
    layers = spec.network.layers
    assert layers is not None
    assert layers[0].type == "periodic_embedding"
    return layers[0]


def test_names_are_themselves_in_a_recipe_whatever_they_mean_elsewhere(tmp_path: Path) -> None:
    """Names with the brackets of templates, quotes and comments of TOML are names of columns."""
    names = ["{{ name }}", "#% if x %#", "{# note #}", 'a"b', "# c", "é.ü"]
    quoted = [name.replace('"', '""') for name in (*names, "y")]
    header = ",".join(f'"{name}"' for name in quoted)
    rows = "".join(f"{','.join(str(row * step % 7) for step in range(1, 7))},{'uv'[row % 2]}\n" for row in range(40))
    (tmp_path / "table.csv").write_text(f"{header}\n{rows}", encoding="utf-8")
    facts = table_facts(csv(target="y"), tmp_path)
    for path in ("table.csv", "{{ file }}.csv"):
        text = recipe(facts, name="t", file="t.toml", data_type="csv", path=path, target="y", sweep=True)
        document = tomllib.loads(text)
        assert ([*document["data"]["columns"]], document["data"]["path"]) == ([*names, "y"], path)


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_template_of_a_spec_is_toml_before_it_is_filled_in(template: str) -> None:
    file = Path(specnet.__file__).parent / "recipes" / "templates" / f"{template}.toml"
    filled = tomllib.loads(starting_spec(template, name="n", file="f.toml"))
    assert tomllib.loads((file.parent / "head.toml").read_text("utf-8") + file.read_text("utf-8")) == {
        **filled,
        "name": "{{ name }}",
    }


@pytest.mark.slow
def test_classes(recipe_for: Recipe) -> None:
    X, y = load_iris(return_X_y=True)
    names = ["setosa", "versicolor", "virginica"]
    spec = recipe_for(table(a=X[:, 0], b=X[:, 1], c=X[:, 2], d=X[:, 3], kind=[names[i] for i in y]), "kind")
    assert spec.data is not None
    assert list(spec.data.columns.values()) == ["numeric"] * 4 + ["category"]
    assert [step.type for step in spec.network.preprocessing] == ["impute", "standardize", "smooth_clip"]
    assert spec.training.baselines == ("constant", "linear", "neighbours")
    assert (spec.training.ensemble.members, spec.training.ensemble.validation) == (8, "folds")
    assert spec.training.early_stopping.patience == spec.training.epochs == 100
    assert (spec.training.batch_size, spec.network.layers[0].type) == (64, "scale")
    model = run(spec, 20)
    assert list(model.predict(X)[[0, 60, 140]]) == names


@pytest.mark.slow
def test_values(recipe_for: Recipe) -> None:
    X, y = load_diabetes(return_X_y=True)
    spec = recipe_for(table(**{f"x{i}": X[:, i] for i in range(10)}, y=y), "y")
    assert [step.type for step in spec.network.target_preprocessing] == ["clip", "standardize"]
    assert embedding(spec).columns is None
    assert spec.training.early_stopping.patience == spec.training.epochs == 256
    predicted = run(spec).predict(X)
    assert y.min() <= predicted.min()
    assert predicted.max() <= y.max()


def test_a_frequent_number_has_its_column_binned_beside_waves(recipe_for: Recipe) -> None:
    """Each layer finds its columns where they are after preparation, whatever their order in the table."""
    rng, n = np.random.default_rng(0), 300
    gain = np.where(rng.random(n) < 0.7, 0, rng.integers(1, 1_000, n))
    few = np.where(rng.random(n) < 0.7, 0, rng.integers(1, 16, n))
    x = rng.normal(size=n).round(3)
    spec = recipe_for(table(x=x, city=["ab"[i % 2] for i in range(n)], few=few, gain=gain, y=x + (gain > 500)), "y")
    waves, bins, joined, *_ = spec.network.layers
    assert (waves.columns, bins.columns, bins.keep_others) == ((0, 1, 2), (2,), False)
    assert joined.inputs == ("waves", "bins")
    model = run(spec)
    assert [group.columns for group in model.spec.network.preprocessing] == [("x", "few", "gain"), ("city",)]
    edges = model.members[0][1]["layers.bins.edges"]
    assert len(np.unique(edges)) == 17  # and not three, as quantiles of all rows would give


@pytest.mark.slow
def test_numbers_alone_are_embedded(recipe_for: Recipe) -> None:
    spec = recipe_for(PENGUINS.read_text(), "body_mass_g")
    assert embedding(spec).columns == (0, 1, 2, 3)
    assert spec.data.features[:4] == ("bill_length_mm", "bill_depth_mm", "flipper_length_mm", "year")
    assert spec.data.missing_target == "drop"
    network = run(spec).spec.network
    assert network.preprocessing[0].columns == spec.data.features[:4]
    assert network.preprocessing[1].columns == ("species", "island", "sex")
    # Three species, three islands, and female, male or missing.
    assert network.input_size == 4 + 9


def test_a_table_of_all_kinds_runs(recipe_for: Recipe) -> None:
    rng, n = np.random.default_rng(0), 120
    number, city = rng.normal(size=n), rng.integers(0, 12, n)
    columns = {
        "when": [np.datetime64("2024-01-01") + np.timedelta64(int(day), "D") for day in rng.integers(0, 700, n)],
        "city": [f"city {i}" for i in city],
        "number": ["" if i % 9 == 0 else x for i, x in enumerate(number)],
        "open": [("yes", "no")[i % 2] for i in range(n)],
        "nothing": [""] * n,
        "y": number + city,
    }
    spec = recipe_for(table(**columns), "y")
    assert list(spec.data.columns.values()) == ["datetime", "category", "numeric", "boolean", "ignore", "numeric"]
    assert [step.type for step in spec.network.preprocessing] == ["calendar", "impute", "standardize"]
    assert spec.data.features == ("number", "open", "when", "city")
    assert embedding(spec).columns == tuple(range(2 + 5))  # days since 1970, and two cycles: day of year and weekday
    groups = run(spec).spec.network.preprocessing
    assert [group.columns for group in groups] == [("number", "open"), ("when",), ("city",)]


def test_dates_of_january_1_are_years_without_a_weekday(recipe_for: Recipe) -> None:
    random, n = np.random.default_rng(0), 120
    years = [f"{year}-01-01" for year in random.integers(1990, 2021, n)]
    when = [np.datetime64("2024-01-01") + np.timedelta64(int(day), "D") for day in random.integers(0, 700, n)]
    spec = recipe_for(table(when=when, since=years, number=random.normal(size=n), y=random.normal(size=n)), "y")
    assert spec.data.columns["since"] == "datetime"
    assert spec.data.features == ("since", "number", "when")
    *plain, of_years = spec.network.preprocessing
    assert [step.type for step in plain] == ["calendar", "impute", "standardize"]
    assert (of_years.columns, [step.type for step in of_years.steps]) == (("since",), ["impute", "standardize"])
    groups = run(spec, epochs=1).spec.network.preprocessing
    assert [group.columns for group in groups] == [("since", "number"), ("when",)]


def test_names_and_texts_that_toml_and_comments_have_to_escape(recipe_for: Recipe) -> None:
    strange = ['"a ""quoted"" \\ name"', "#comment = 1", "ü$file"]
    rows = "".join(f'{i % 9},{i * 7 % 11},"{("x", "y#", "$name")[i % 3]}",{i % 2}\n' for i in range(40))
    spec = recipe_for(",".join([*strange, '"the ""target"""']) + "\n" + rows, 'the "target"')
    assert list(spec.data.columns) == ['a "quoted" \\ name', "#comment = 1", "ü$file", 'the "target"']
    run(spec)


def test_whole_numbers_are_classes_if_they_repeat(recipe_for: Recipe) -> None:
    x = np.arange(105)
    assert recipe_for(table(x=x, y=x % 20), "y").training.loss.target == "classes"
    assert recipe_for(table(x=x, y=x % 21), "y").training.loss.target == "values"
    assert recipe_for(table(x=x, y=np.minimum(x % 20, 18.5)), "y").training.loss.target == "values"
    assert recipe_for(table(x=x, y=np.where(x < 4, 7, x % 2)), "y").training.loss.target == "values"


def test_a_rare_class_is_stratified_but_many_classes_are_not(recipe_for: Recipe) -> None:
    x = np.random.default_rng(0).normal(size=80)
    spec = recipe_for(table(x=x, y=["rare", *"ab" * 39, "a"]), "y")
    assert spec.data.split.stratify is None
    with pytest.warns(specnet.SpecnetWarning, match="class rare is in one row, which is a training row"):
        run(spec)
    spec = recipe_for(table(x=x, y=list("abcde" * 16)), "y")
    assert spec.data.split.stratify is False


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["values", "classes"])
def test_many_rows_get_one_network(recipe_for: Recipe, kind: str) -> None:
    x, noise = np.random.default_rng(0).normal(size=(2, 10_000))
    spec = recipe_for(table(x=x, y=x + noise if kind == "values" else (x + noise > 0).astype(int)), "y")
    assert spec.training.ensemble is None
    assert spec.data.split.validation_size == 0.1
    # 7 000 training rows are 55 batches.
    assert (spec.training.batch_size, spec.training.epochs) == (128, 182 if kind == "values" else 100)
    assert spec.training.early_stopping.restore_best
    assert "# loss on the validation set\n" in (Path(spec.folder) / "searched.toml").read_text(encoding="utf-8")
    if kind == "classes":  # OpenBLAS 0.3.34 has Haswell kernels that end the process with the matrices of the other
        run(spec, 1)


@pytest.mark.parametrize("cities", [2, 9])
@pytest.mark.parametrize(("kind", "first"), [("classes", "x"), ("classes", "city"), ("values", "x")])
def test_classes_have_a_second_network_with_bins_of_numbers(
    recipe_for: Recipe, kind: str, first: str, cities: int
) -> None:
    """Of numbers with many values, which come first; learned vectors of categories are read, too."""
    n = 120
    x, noise = np.random.default_rng(0).normal(size=(2, n))
    y = x + noise > 0 if kind == "classes" else x + noise
    columns = {"few": np.arange(n) % 8, "x": x, "city": [f"c{i % cities}" for i in range(n)], "y": y}
    columns = {first: columns[first], **columns}
    spec = recipe_for(table(**columns), "y")
    layers = {each.name: each for each in spec.network.layers}
    assert ("thresholds" in layers) == (kind == "classes")
    if kind == "classes":
        assert spec.network.layers[-1].inputs == ("smooth", "thresholds")
        assert ("features" in layers) == (cities == 9)
        names = spec.data.features or [name for name in columns if name != "y"]
        model = run(spec)
        (edges,) = [array for name, array in model.members[0][1].items() if name.endswith("edges")]
        (bins,) = [each for each in spec.network.layers if each.type == "piecewise_linear_embedding"]
        assert [names[index] for index in bins.columns] == ["x"]
        assert (bins.strategy, edges.min() < -1, edges.max() > 1) == ("tree", True, True)


def test_many_columns_of_numbers_have_no_second_network(recipe_for: Recipe) -> None:
    X = np.random.default_rng(0).normal(size=(30, 21)).round(3)
    for count in (20, 21):
        spec = recipe_for(table(**{f"x{i}": X[:, i] for i in range(count)}, y=X[:, 0] > 0), "y")
        assert (spec.network.layers[-1].type == "average") == (count == 20)


def test_a_wide_table_has_no_embedding(recipe_for: Recipe) -> None:
    X = np.random.default_rng(0).normal(size=(30, 201)).round(3)
    spec = recipe_for(table(**{f"x{i}": X[:, i] for i in range(201)}, y=X[:, 0]), "y")
    assert spec.network.layers[0].type == "scale"
    spec = recipe_for(table(**{f"x{i}": X[:, i] for i in range(200)}, y=X[:, 0]), "y")
    assert embedding(spec).size == 4


FORTY: dict[str, list[Any]] = {
    "target": [[f"n{i}" for i in range(40)], [f"2024-01-{i % 28 + 1:02}" for i in range(40)], [1] * 40],
    "empty": [range(9)],
}


def test_tables_that_nothing_can_be_learned_from(recipe_for: Recipe, refused: Refused) -> None:
    tables = [(code, table(x=range(len(y)), y=y)) for code, targets in FORTY.items() for y in targets]
    for code, text in [*tables, ("no-features", table(x=[""] * 40, y=range(40)))]:
        with refused(DataError, code=code, at="table.csv"):
            recipe_for(text, "y")


def test_classes_beside_a_marker_are_refused_until_it_is_missing(tmp_path: Path) -> None:
    """A label "?" would be a class of its own."""
    rows = "".join(f"{row},{['1', '2', '?'][row % 3]}\n" for row in range(60))
    (tmp_path / "table.csv").write_text(f"x,y\n{rows}", encoding="utf-8")
    problem = mistake(DataError, lambda: table_facts(csv(target="y"), tmp_path))
    assert problem.message == 'the target "y" is numbers beside "?"'
    assert problem.hint == 'add "?" to data.missing_values'
    facts = table_facts(csv(target="y", missing_values=("", "?")), tmp_path)
    assert (facts.classes, facts.rows, facts.missing_targets) == (2, 40, 20)


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ([-999, *range(1, 40)], "-999 in 1 row is far from the others, 1 to 39"),
        ([9999, 9999, *range(38)], "9999 in 2 rows is far from the others, 0 to 37"),
        ([99, *range(39)], "99 in 1 row is far from the others, 0 to 38"),
        ([99, *range(60, 99)], None),
        ([1000, *range(39)], None),
        ([999, *range(0, 3900, 100)], None),
    ],
)
def test_nines_far_from_all_other_numbers_are_perhaps_missing(cells: list[int], message: Any, tmp_path: Path) -> None:
    rows = "".join(f"{cell},{'ab'[row % 2]}\n" for row, cell in enumerate(cells))
    (tmp_path / "table.csv").write_text(f"x,y\n{rows}", encoding="utf-8")
    warnings = table_facts(csv(target="y"), tmp_path).warnings
    assert [each.message for each in warnings] == ([] if message is None else [f'column "x": {message}'])
    if message is not None:
        kind = {"type": "numeric", "missing_values": [message.partition(" ")[0]]}
        read = csv(target="y", columns={"x": kind}).load(tmp_path, "classes")
        assert np.isnan(read.X).sum() == int(message.split()[2])
