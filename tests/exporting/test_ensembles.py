"""Exports of ensembles: the mean of what each member alone answers."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest

from specnet import ExportError, Model
from specnet.data import RawColumns, read_inputs
from specnet.errors import UnsupportedError
from specnet.exporting import find_target
from specnet.exporting.export_proof import outputs_of
from specnet.exporting.target import ExportAnswers
from tests.exporting.languages.test_c import compiled, render_c
from tests.exporting.models import DTYPES, SPECS, alone, built, dense, ensemble_of, exported, random_model, spec_model
from tests.exporting.tables import ISLANDS, table_model
from tests.exporting.tools import RUNNABLE, SUFFIXES, needs_compiler, peers
from tests.model.models import KINDS, make_model
from tests.texts.pinned import Refused

RANDOM = 8
LOSSES = {"quantile": 1, "poisson": 1, "gaussian_nll": 2, "hinge": 1, "categorical_hinge": 3, "squared_hinge": 2}


def by_hand(model: Model, rows: RawColumns) -> ExportAnswers:
    """The mean of what the members answer, each asked as a model of its own, and the labels by that mean."""
    members = [outputs_of(alone(model, member), rows).astype(np.float64) for member in range(len(model.members))]
    mean, labels = np.sum(members, axis=0) / len(members), model.labels
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
def _against_the_mean_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compare exports with that instead of with what the model says of itself."""
    monkeypatch.setattr("specnet.exporting.export_proof.answers_of", lambda program, rows: by_hand(program.model, rows))


def kinds() -> Iterator[Model]:
    """Yield an ensemble of each kind, every other one in float32, and of losses of counts, quantiles and margins."""
    for number, kind in enumerate(KINDS):
        yield ensemble_of(make_model(kind, DTYPES[number % 2]))
    for number, (loss, outputs) in enumerate(LOSSES.items()):
        yield ensemble_of(built(dtype=DTYPES[number % 2], loss=loss, layer_sizes=[3, 4, outputs]))
    for dtype in DTYPES:  # a normalization of one feature, whose numbers are single ones
        yield ensemble_of(built(dense(1), {"type": "batch_normalization"}, dense(1), dtype=dtype, input_size=3))


def random_networks() -> Iterator[Model]:
    """Yield ensembles with branches, tables, waves, averages of their own, and single numbers computed once."""
    for seed in range(RANDOM):
        yield ensemble_of(random_model(seed, DTYPES[seed % 2]))


@pytest.mark.slow
@pytest.mark.parametrize("models", [kinds, random_networks])
@pytest.mark.parametrize("target", RUNNABLE)
def test_the_mean_of_the_members(target: str, models: Callable[[], Iterator[Model]], tmp_path: Path):
    for model in models():
        written = exported(model, target, tmp_path / f"m{SUFFIXES[target]}")
        assert written.dtype == model.network.dtype or (target == "onnx" and written.note)


@peers
@pytest.mark.parametrize("models", [kinds, random_networks])
def test_the_mean_of_the_members_in_torch(models: Callable[[], Iterator[Model]], tmp_path: Path):
    for model in models():
        exported(model, "torch", tmp_path / "m.py")


@peers
@pytest.mark.parametrize("models", [kinds, random_networks])
def test_the_mean_of_the_members_in_keras(models: Callable[[], Iterator[Model]], tmp_path: Path):
    said = []
    for model in models():
        try:
            exported(model, "keras", tmp_path / "m.keras")
            said.append(model.spec.training.loss.type)
        except UnsupportedError as error:
            problems = [diagnostic.message for diagnostic in error.diagnostics]
            assert len(problems) == len(set(problems)), "each once, and not once a member"
    if models is kinds:
        assert len(said) == len(KINDS) + len(LOSSES) + 1, "all but the several outputs of gaussian_nll"


@pytest.mark.slow
@pytest.mark.parametrize("target", RUNNABLE)
@pytest.mark.parametrize(("form", "dtype"), [("one_hot", "float64"), ("embedding", "float32")])
def test_tables(form: str, dtype: str, target: str, tmp_path: Path):
    """Texts, gaps, unseen categories and dates are read once for all members."""
    path = tmp_path / f"m{SUFFIXES[target]}"
    exported(ensemble_of(table_model(form, dtype)), target, path)
    if target == "onnx":
        operators = [node.op_type for node in onnx.load(path).graph.node]
        assert (operators.count("LabelEncoder"), operators.count("Sum")) == (2, 1)
    else:
        assert path.read_text().count(ISLANDS[0]) == 1


@pytest.mark.slow
@pytest.mark.parametrize("target", RUNNABLE)
def test_penguins(target: str, tmp_path: Path):
    """A trained ensemble, asked about the rows of its file."""
    model, path = spec_model("penguins.toml", ensemble=5), tmp_path / f"m{SUFFIXES[target]}"
    exported(model, target, path)
    kind, rows = find_target(target), read_inputs(SPECS / "data" / "penguins.csv", model.network.resolved)
    found = kind.run(kind.program(model, np.dtype(np.float32)), path, rows)
    np.testing.assert_allclose(found.outputs, by_hand(model, rows).outputs, rtol=0, atol=2e-6)
    np.testing.assert_array_equal(found.predictions, model.predict(rows))


@pytest.mark.slow
@pytest.mark.parametrize("target", RUNNABLE)
def test_a_wrong_member_is_seen(target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Refused):
    """A weight of the last member alone, out of three."""
    model, other = ensemble_of(make_model("value")), ensemble_of(make_model("value"))
    other.theta[2, 3] += 1e-8
    monkeypatch.setattr("specnet.exporting.export_proof.answers_of", lambda _, rows: by_hand(other, rows))
    with refused(ExportError, varying=r"\d\S*"):
        exported(model, target, tmp_path / f"m{SUFFIXES[target]}")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("target", ["onnx", "sklearn"])
def test_an_ensemble_of_one_is_its_member(target: str, tmp_path: Path):
    exported(ensemble_of(make_model("classes"), 1), target, tmp_path / f"m{find_target(target).suffix}")


@pytest.mark.parametrize("target", SUFFIXES)
def test_files_grow_with_the_number_of_members(target: str):
    """As much for each, so that many are no more than that many times one."""
    kind, path = find_target(target), Path(f"m{SUFFIXES[target]}")

    def size(members: int) -> int:
        model = ensemble_of(make_model("classes"), members)
        return sum(map(len, kind.render(kind.program(model, model.network.dtype), path).values()))

    first, second, third = map(size, (10, 20, 30))
    assert third - second == pytest.approx(second - first, rel=0.05)


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES)
def test_c_without_a_warning(dtype: str, tmp_path: Path):
    """Compiled as strictly as other exports are, with sanitizers, and run once."""
    render_c(ensemble_of(make_model("value", dtype)), tmp_path / "m.c")
    inside = "real x[M_INPUTS] = {0}, y[M_OUTPUTS]; m_forward(x, y); return 0;"
    (tmp_path / "main.c").write_text(f'#include "m.h"\nint main(void) {{ {inside} }}\n')
    subprocess.run([compiled(tmp_path)], check=True)
