"""Every kind of model by every target: files answer as the networks and members do, each asked by itself."""

from __future__ import annotations

import runpy
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import specnet
from specnet import DataError, ExportError, FileError, Model
from specnet.data import RawColumns, read_inputs
from specnet.errors import UnsupportedError
from specnet.exporting import TARGETS, find_target
from specnet.exporting.export_proof import outputs_of
from specnet.exporting.target import ExportAnswers
from specnet.importing import open_model, read_network, write_network
from tests.exporting import models, tables, tools
from tests.exporting.models import DTYPES, built, dense, ensemble_of, exported
from tests.model.models import KINDS, make_model
from tests.texts.pinned import Refused

LOSSES = {"quantile": 1, "poisson": 1, "gaussian_nll": 2, "hinge": 1, "categorical_hinge": 3, "squared_hinge": 2}


def apart(model: Model) -> list[Model]:
    """Return the networks of a team, or the members of a network, as models of their own."""
    if len(model.networks) > 1:
        return [Model.of([each]) for each in model.networks]
    return [models.alone(model, member) for member in range(len(model.members))]


def by_hand(model: Model, rows: RawColumns) -> ExportAnswers:
    """The mean of what these answer, weighted by the shares of networks, and the labels by that mean."""
    outputs = [outputs_of(each, rows).astype(np.float64) for each in apart(model)]
    weights = model.shares if len(model.networks) > 1 else None
    mean, labels = np.average(outputs, axis=0, weights=weights), model.labels
    match model.network.task:
        case "values":
            return ExportAnswers(mean, None)
        case "multilabel":
            return ExportAnswers(mean, (mean > model.boundary).astype(np.int64))
        case "classes":
            assert labels is not None
            return ExportAnswers(mean, labels[mean.argmax(axis=1)])
        case _:
            assert labels is not None
            mean = mean[:, -1:]
            return ExportAnswers(mean, labels[(mean[:, 0] > model.boundary).astype(int)])


@pytest.fixture(autouse=True)
def expect(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Compare exports with what a function makes of their model and rows: by default, with the mean by hand."""

    def expect(answers: Callable[[Model, RawColumns], ExportAnswers]) -> None:
        name = "specnet.exporting.export_proof.answers_of"
        monkeypatch.setattr(name, lambda program, rows: answers(program.model, rows))

    expect(by_hand)
    return expect


def ensembles() -> Iterator[Model]:
    """Yield ensembles of half of the kinds, every other one in float32, and of losses of counts, quantiles and margins.

    A team has an ensemble too: the other kinds are in one, and of each task there are both.
    """
    for number, kind in enumerate([*KINDS][::2]):
        yield ensemble_of(make_model(kind, DTYPES[number % 2]))
    for number, (loss, outputs) in enumerate(LOSSES.items()):
        yield ensemble_of(built(dtype=DTYPES[number % 2], loss=loss, layer_sizes=[3, 4, outputs]))
    for dtype in DTYPES:  # a normalization of one feature, whose numbers are single ones
        yield ensemble_of(built(dense(1), {"type": "batch_normalization"}, dense(1), dtype=dtype, input_size=3))


def with_variances(dtype: str) -> Model:
    """Return a team of values with variances, whose models have seen targets of other sizes."""
    network = {"dtype": dtype, "hidden_layer_sizes": [4], "target_preprocessing": ["standardize"]}
    training = {"loss": "gaussian_nll", "epochs": 1, "engine": "numpy"}
    made = []
    for seed in (0, 1):
        rng = np.random.default_rng(seed)
        y = rng.normal(seed, 9, 20)
        made.append(specnet.fit({"seed": seed, "network": network, "training": training}, rng.normal(size=(20, 3)), y))
    return Model.joined(made, [2, 1])


def teams() -> Iterator[Model]:
    for number, kind in enumerate([*[*KINDS][1::2], "multilabel", "values"]):
        yield models.team_of(kind, DTYPES[number % 2])
    yield with_variances("float64")


def steps() -> Iterator[Model]:
    """Yield a model with each chain, in float64 up to a cast: every other one in float32; and groups in both."""
    yield from (tables.chain_model(name, DTYPES[number % 2]) for number, name in enumerate(tables.CHAINS))
    yield from map(tables.grouped_model, DTYPES)


FAMILIES: dict[str, Callable[[], Iterator[Model]]] = {
    "kinds": lambda: (make_model(kind, dtype) for kind in KINDS for dtype in DTYPES),
    "random networks": lambda: (models.random_model(seed, DTYPES[seed % 2]) for seed in range(models.RANDOM)),
    "preprocessing": steps,
    "ensembles": ensembles,
    # with branches, tables, waves, averages of their own, and single numbers computed once
    "ensembles of random networks": lambda: (
        ensemble_of(models.random_model(seed, DTYPES[seed % 2])) for seed in range(8)
    ),
    "teams": teams,
}
ROWS = [(target, family) for target in tools.SUFFIXES for family in FAMILIES]
for family in ("kinds", "random networks"):  # which are in a program of test_c
    ROWS.remove(("c", family))
MARKS = {"c": tools.needs_compiler, "javascript": tools.needs_node}


@pytest.mark.slow
@pytest.mark.parametrize(("target", "family"), [pytest.param(*row, marks=MARKS.get(row[0], ())) for row in ROWS])
def test_each_says_all_in_the_precision_of_the_model(target: str, family: str, tmp_path: Path):
    def check(number: int, model: Model) -> None:
        written = exported(model, target, tmp_path / f"m{number}{tools.SUFFIXES[target]}")
        if written.dtype != model.network.dtype:
            assert (target, written.note) == ("onnx", "float32, since onnxruntime has no float64 Erf")

    with ThreadPoolExecutor(4) as pool:  # most of the time goes into waiting for compilers and interpreters
        list(pool.map(check, *zip(*enumerate(FAMILIES[family]()), strict=True)))


@pytest.mark.parametrize(
    ("target", "family", "least", "most"),
    [
        pytest.param("sklearn", "random networks", models.RANDOM, models.RANDOM, marks=pytest.mark.slow),
        *(pytest.param("torch", family, 0, 0, marks=tools.PEER) for family in FAMILIES if family != "preprocessing"),
        pytest.param("keras", "kinds", 0, 0, marks=tools.PEER),
        pytest.param("keras", "random networks", 1, models.RANDOM - 1, marks=tools.PEER),
        pytest.param("keras", "ensembles", 1, 1, marks=tools.PEER),  # the several outputs of gaussian_nll
        pytest.param("keras", "ensembles of random networks", 0, 8, marks=tools.PEER),
    ],
)
def test_libraries_refuse_some_by_name(target: str, family: str, least: int, most: int, tmp_path: Path):
    refused = 0
    for model in FAMILIES[family]():
        try:
            exported(model, target, tmp_path / f"m{tools.LIBRARIES[target]}")
        except UnsupportedError as error:
            problems = [diagnostic.message for diagnostic in error.diagnostics]
            assert len(problems) == len(set(problems)), "each once, and not once a member"
            refused += 1
    assert least <= refused <= most


@tools.peers
def test_all_networks_of_a_team_can_be_trained_further_in_torch(tmp_path: Path):
    team = models.team_of("value", "float32")
    exported(team, "torch", tmp_path / "m.py")
    network = runpy.run_path(str(tmp_path / "m.py"))["load"]()
    assert sum(array.numel() for array in network.parameters()) >= sum(each.theta.size for each in team.networks)


def wrong_number(made: Callable[[], Model], place: Any, by: float) -> tuple[Model, Model]:
    model, other = made(), made()
    other.theta[place] += by
    return model, other


def wrong_share() -> tuple[Model, Model]:
    team = models.team_of("value", "float64")
    return team, Model.joined(apart(team), [30, 10, 21])


WRONG: dict[str, Callable[[], tuple[Model, Model]]] = {
    "wrong_weight": lambda: wrong_number(lambda: make_model("value"), 3, 1e-9),
    "wrong_member": lambda: wrong_number(lambda: ensemble_of(make_model("value")), (2, 3), 1e-8),
    "wrong_share": wrong_share,
}


@tools.each_target
@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_number_is_seen_and_nothing_is_written(
    name: str, target: str, tmp_path: Path, expect: Callable[..., None], refused: Refused
):
    model, other = WRONG[name]()
    expect(lambda _, rows: by_hand(other, rows))
    with refused(ExportError, varying=r"\d\S*"):
        exported(model, target, tmp_path / f"m{tools.SUFFIXES[target]}")
    assert not list(tmp_path.iterdir())


def team_of_tables(dtype: str) -> Model:
    """Return a team whose models have other codes for the texts: they saw other rows, or all that is rare is alike."""
    names = {"Dream": "Nowhere", "Torgersen": "Somewhere", "Nowhere": "Biscoe"}
    others = tables.training_rows().head(300).replace(names)
    others.loc[::7, "island"] = None
    other = tables.fitted(tables.groups_of("ordinal"), others, dtype, tables.CLASSES)
    first, last = (tables.table_model(form, dtype) for form in ("one_hot", "embedding"))
    return Model.joined([ensemble_of(first), other, last], models.SHARES)


TABLES: list[Callable[[], Model]] = [
    lambda: ensemble_of(tables.table_model("one_hot", "float64")),
    lambda: ensemble_of(tables.table_model("embedding", "float32")),
    lambda: team_of_tables("float64"),
    lambda: team_of_tables("float32"),
    lambda: ensemble_of(tables.table_model("target_encoding", "float64")),
]


@tools.each_target
@pytest.mark.parametrize("made", TABLES)
def test_texts_gaps_unseen_categories_and_dates_are_read_once(made: Callable[[], Model], target: str, tmp_path: Path):
    """By all members; each network of a team then has its own code for a text."""
    model, path = made(), tmp_path / f"m{tools.SUFFIXES[target]}"
    if len(model.networks) > 1:
        groups = [next(made for made in each.preprocessing.groups if 0 in made.indices) for each in model.networks]
        codes = [made.fitted[0]["offsets"].tolist() for made in groups]
        assert codes[0] == codes[2] != codes[1]
    exported(model, target, path)
    if target == "onnx":
        operators = [node.op_type for node in onnx.load(path).graph.node]
        assert operators.count("LabelEncoder") == 2
        assert operators.count("Sum") == 1 or len(model.networks) > 1
    else:
        assert path.read_text().count(tables.ISLANDS[1]) == 1


@tools.needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize("made", TABLES[::3])
def test_c_without_a_warning(made: Callable[[], Model], tmp_path: Path):
    """Compiled as strictly as other exports are, with sanitizers, and run once: an ensemble, and a team in float32."""
    tools.render(made(), tmp_path / "m.c")
    inside = "double x[M_INPUTS] = {0}; real y[M_OUTPUTS]; m_forward(x, y); return 0;"
    tools.answers_of_c(tmp_path, f'#include "m.h"\nint main(void) {{ {inside} }}\n')


@tools.each_target
def test_penguins(target: str, tmp_path: Path):
    """A trained ensemble, asked about the rows of its file."""
    model, path = models.spec_model("penguins.toml", ensemble=5), tmp_path / f"m{tools.SUFFIXES[target]}"
    exported(model, target, path)
    rows = read_inputs(models.SPECS / "data" / "penguins.csv", model.network.resolved)
    found = tools.run_export(target, model, path, rows)
    np.testing.assert_allclose(found.outputs, by_hand(model, rows).outputs, rtol=0, atol=2e-6)
    np.testing.assert_array_equal(found.predictions, model.predict(rows))


@pytest.mark.parametrize("target", ["onnx", "sklearn"])
def test_an_ensemble_of_one_is_its_member(target: str, tmp_path: Path):
    exported(ensemble_of(make_model("classes"), 1), target, tmp_path / f"m{find_target(target).suffix}")


@pytest.mark.parametrize("target", tools.SUFFIXES)
def test_files_grow_with_the_number_of_members(target: str, tmp_path: Path):
    """As much for each, so that many are no more than that many times one."""

    def size(members: int) -> int:
        model = ensemble_of(make_model("classes"), members)
        return sum((tmp_path / name).stat().st_size for name in tools.render(model, tmp_path / "m", target))

    first, second, third = map(size, (10, 20, 30))
    assert third - second == pytest.approx(second - first, rel=0.05)


def test_what_the_loss_sees_of_several_networks_is_their_mean_in_the_units_of_the_first():
    team = with_variances("float64")
    X = np.random.default_rng(3).normal(size=(20, 3))
    means = team.networks[0].target_preprocessing.invert(team.raw_outputs(X)[:, :1])
    np.testing.assert_allclose(means[:, 0], team.predict(X), rtol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["classes, integers", "values"])
def test_the_graph_of_a_team_is_read_again(kind: str, tmp_path: Path, refused: Refused):
    team = models.team_of(kind, "float64")
    team.error_quantiles = team.networks[2].error_quantiles
    exported(team, "onnx", tmp_path / "m.onnx")
    again = open_model(tmp_path / "m.onnx")
    assert len(again.networks) == 3
    assert again.shares == team.shares
    assert [each.error_quantiles.values.tolist() for each in (again, *again.networks)] == [
        each.error_quantiles.values.tolist() for each in (team, *team.networks)
    ]
    X = np.random.default_rng(0).normal(5, 3, (20, 3))
    np.testing.assert_allclose(again.predict(X), team.predict(X), rtol=1e-6)
    with refused(FileError):
        write_network(read_network(tmp_path / "m.onnx"), tmp_path / "m.toml")
    content = (tmp_path / "m.onnx").read_bytes()
    (tmp_path / "m.onnx").write_bytes(content.replace(b'"share":3', b'"share":4'))
    with refused(FileError):
        open_model(tmp_path / "m.onnx")


@pytest.mark.parametrize("target", [name for name in TARGETS if not find_target(name).takes_teams])
def test_where_no_team_fits_the_others_are_named(target: str, tmp_path: Path, refused: Refused):
    with refused(UnsupportedError):
        exported(models.team_of("value", "float64"), target, tmp_path / f"m{find_target(target).suffix}")
    assert not list(tmp_path.iterdir())


def test_networks_that_read_other_columns_or_compute_otherwise_are_refused(tmp_path: Path, refused: Refused):
    first, second = (
        built(dense(1), dtype="float64", seed=0, input_size=2, feature_names=[*names]) for names in ("ab", "ba")
    )
    with refused(DataError):
        Model.joined([first, second], [1, 1])
    with refused(UnsupportedError):
        exported(Model.joined([make_model("value", dtype) for dtype in DTYPES], [1, 1]), "numpy", tmp_path / "m.py")
