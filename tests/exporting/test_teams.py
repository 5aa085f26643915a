"""Exports of teams: the mean of their models' answers, weighted by shares, each behind its own preprocessing."""

from __future__ import annotations

import runpy
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest

from specnet import DataError, ExportError, FileError, Model, Network, parse_spec, resolve
from specnet.data import Preparation, RawColumns, unfitted
from specnet.errors import UnsupportedError
from specnet.exporting import TARGETS, find_target
from specnet.exporting.export_proof import outputs_of
from specnet.exporting.target import ExportAnswers
from specnet.importing import open_model, read_network, write_network
from specnet.parts.data import Column
from tests.exporting.languages.test_c import compiled, render_c
from tests.exporting.models import DTYPES, built, dense, ensemble_of, exported
from tests.exporting.tables import ISLANDS, groups_of, model_of, table_model, training_rows
from tests.exporting.tools import RUNNABLE, SUFFIXES, needs_compiler, peers
from tests.model.models import KINDS, make_model
from tests.texts.pinned import Refused

SHARES = [3, 1, 2]


def alone(team: Model) -> list[Model]:
    return [Model.of([each]) for each in team.networks]


def by_hand(team: Model, rows: RawColumns) -> ExportAnswers:
    """The weighted mean of what the models answer, each asked by itself, and the labels by that mean."""
    outputs = [outputs_of(model, rows).astype(np.float64) for model in alone(team)]
    mean, labels = np.average(outputs, axis=0, weights=team.shares), team.labels
    if team.network.task == "values":
        return ExportAnswers(mean, None)
    if team.network.task == "multilabel":
        return ExportAnswers(mean, (mean > 0.5).astype(np.int64))
    assert labels is not None
    return ExportAnswers(mean[:, 1:] if team.network.task == "binary" else mean, labels[mean.argmax(axis=1)])


@pytest.fixture(autouse=True)
def _against_the_mean_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compare exports with that instead of with what the team says of itself."""
    monkeypatch.setattr("specnet.exporting.export_proof.answers_of", lambda program, rows: by_hand(program.model, rows))


def another(kind: str, dtype: str) -> Model:
    """Return a model of a kind with other layers and another preprocessing than those of `make_model`."""
    described = KINDS[kind]
    first, *_, last = described["sizes"]
    network = {
        "dtype": dtype,
        "layer_sizes": [first, 5, 2, last],
        "activations": "gelu",
        "preprocessing": ["robust", "smooth_clip"],
        "target_preprocessing": ["robust"] if "values" in kind else described.get("target_preprocessing", []),
    }
    made = Network(resolve(parse_spec({"network": network, "training": {"loss": described["loss"]}})))
    rng, spec, labels = np.random.default_rng(5), made.spec.network, described.get("labels")
    return Model(
        made,
        rng.standard_normal(made.parameter_count),
        preprocessing=Preparation.fit(unfitted(spec.preprocessing), rng.normal(5, 3, (20, first))),
        target_preprocessing=Preparation.fit(unfitted(spec.target_preprocessing), rng.normal(-40, 9, (20, last))),
        labels=None if labels is None else np.array(labels),
    )


def team_of(kind: str, dtype: str) -> Model:
    """Return a team of an ensemble, a network of other layers, and one whose layers are those of the first."""
    first = make_model(kind, dtype)
    return Model.joined([ensemble_of(first), another(kind, dtype), first], SHARES)


def with_variances(dtype: str) -> Model:
    """Return a team of values with variances, whose models have seen targets of other sizes."""
    models = []
    for seed in (0, 1):
        made = built(dtype=dtype, loss="gaussian_nll", layer_sizes=[3, 4, 2], target_preprocessing=["standardize"])
        rng = np.random.default_rng(seed)
        fitted = Preparation.fit(unfitted(made.spec.network.target_preprocessing), rng.normal(seed, 9, (20, 1)))
        models.append(Model(made.network, rng.normal(size=made.theta.size), target_preprocessing=fitted))
    return Model.joined(models, [2, 1])


def test_what_the_loss_sees_of_several_networks_is_their_mean_in_the_units_of_the_first():
    team = with_variances("float64")
    X = np.random.default_rng(3).normal(size=(20, 3))
    means = team.networks[0].target_preprocessing.invert(team.raw_outputs(X)[:, :1])
    np.testing.assert_allclose(means[:, 0], team.predict(X), rtol=1e-12)


def kinds() -> Iterator[Model]:
    for number, kind in enumerate(KINDS):
        yield team_of(kind, DTYPES[number % 2])
    yield with_variances("float64")


@pytest.mark.slow
@pytest.mark.parametrize("target", RUNNABLE)
def test_the_weighted_mean_of_the_models(target: str, tmp_path: Path):
    for team in kinds():
        written = exported(team, target, tmp_path / f"m{SUFFIXES[target]}")
        assert written.dtype == team.network.dtype or (target == "onnx" and written.note)


@peers
def test_the_weighted_mean_of_the_models_in_torch(tmp_path: Path):
    for team in kinds():
        exported(team, "torch", tmp_path / "m.py")
        network = runpy.run_path(str(tmp_path / "m.py"))["load"]()
        parameters = sum(parameter.numel() for parameter in network.parameters())
        assert parameters >= sum(each.theta.size for each in team.networks), "all can be trained further"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["classes, integers", "values"])
def test_its_graph_is_read_again(kind: str, tmp_path: Path, refused: Refused):
    team = team_of(kind, "float64")
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


def tables(dtype: str) -> Model:
    """Return a team whose models have other codes for the texts: they saw other rows, or all that is rare is alike."""
    rows = training_rows()
    seen = np.array([ISLANDS[0], "Nowhere", "Somewhere"])
    others = RawColumns(rows.X[:300], (Column("island", "category", seen), *rows.kinds[1:]))
    others.X[:, 0] = np.where(np.arange(300) % 7, others.X[:, 0] % 3, np.nan)
    loss = "categorical_crossentropy"
    models = [table_model("one_hot", dtype), model_of(groups_of("ordinal"), others, dtype, loss)]
    return Model.joined([ensemble_of(models[0]), models[1], table_model("embedding", dtype)], SHARES)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("target", RUNNABLE)
def test_tables(target: str, dtype: str, tmp_path: Path):
    """Texts, gaps, unseen categories and dates are read once; each model then has its own code for a text."""
    team, path = tables(dtype), tmp_path / f"m{SUFFIXES[target]}"
    codes = [each.preprocessing.groups[0].fitted[0]["offsets"].tolist() for each in team.networks]
    assert codes[0] == codes[2] != codes[1]
    exported(team, target, path)
    if target == "onnx":
        assert [node.op_type for node in onnx.load(path).graph.node].count("LabelEncoder") == 2
    else:
        assert path.read_text().count(ISLANDS[1]) == 1


@pytest.mark.slow
@pytest.mark.parametrize("target", RUNNABLE)
def test_a_wrong_share_is_seen(target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    team = team_of("value", "float64")
    other = Model.joined(alone(team), [30, 10, 21])
    monkeypatch.setattr("specnet.exporting.export_proof.answers_of", lambda _, rows: by_hand(other, rows))
    with pytest.raises(ExportError, match="differs from the model"):
        exported(team, target, tmp_path / f"m{SUFFIXES[target]}")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("target", [name for name in TARGETS if not find_target(name).takes_teams])
def test_where_no_team_fits_the_others_are_named(target: str, tmp_path: Path, refused: Refused):
    with refused(UnsupportedError):
        exported(team_of("value", "float64"), target, tmp_path / f"m{find_target(target).suffix}")
    assert not list(tmp_path.iterdir())


def test_models_that_read_other_columns_are_refused(refused: Refused):
    first, second = (
        built(dense(1), dtype="float64", seed=0, input_size=2, feature_names=[*names]) for names in ("ab", "ba")
    )
    with refused(DataError):
        Model.joined([first, second], [1, 1])


def test_models_of_two_precisions_are_refused(tmp_path: Path, refused: Refused):
    with refused(UnsupportedError):
        exported(Model.joined([make_model("value", dtype) for dtype in DTYPES], [1, 1]), "numpy", tmp_path / "m.py")


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES)
def test_c_without_a_warning(dtype: str, tmp_path: Path):
    """Compiled as strictly as other exports are, with sanitizers, and run once."""
    render_c(tables(dtype), tmp_path / "m.c")
    inside = "double x[M_INPUTS] = {0}; real y[M_OUTPUTS]; m_forward(x, y); return 0;"
    (tmp_path / "main.c").write_text(f'#include "m.h"\nint main(void) {{ {inside} }}\n')
    subprocess.run([compiled(tmp_path)], check=True)
