"""Exports as a whole: what is refused, what is left behind, what a new part and a new target need."""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas
import pytest

import specnet
from specnet import DataError, ExportError, FileError, Model, SpecClassifier, SpecnetError, TakenError, export
from specnet.exporting import TARGETS, find_target
from specnet.exporting.target import ExportAnswers
from specnet.parts import Activation, Value, greater, maximum, sin, sum_over, where
from tests.exporting.models import activation, built, dense, ensemble_of, exported, labelled
from tests.exporting.tables import fitted, group
from tests.exporting.tools import LIBRARIES, PEER, RUNNABLE, SUFFIXES, each_target
from tests.model.models import make_model
from tests.texts.pinned import Refused


def twofold(x: Value) -> Value:
    """Shares of what is written twice, and a branch: max(t, t²)/(1 + Σ), t being x where x > 0 and x/2 elsewhere."""
    t = where(greater(x, 0.0), x, 0.5 * x)
    y = maximum(t, t * t)
    return y / (1 + sum_over(y * y, "features"))


PARTS = [
    activation("snake", lambda x, frequency: x + sin(frequency * x) ** 2 / frequency, frequency=1.0),
    activation("twofold", twofold, elementwise=False),
    activation("across", lambda x: x - sum_over(x, "batch"), elementwise=False),  # which no prediction should know
]


def plugin_model(*activations: dict | str) -> Model:
    fields = {"layer_sizes": [2, *(4 for _ in activations), 1], "activations": [*activations, "linear"]}
    return built(dtype="float64", parts=PARTS, **fields)


Change = Callable[..., None]


def answering(change: Change, target: str, changed: Callable[[Any], tuple[Any, Any]]) -> None:
    """Let a target's files answer otherwise than they do: with other outputs and predictions."""
    change(target, "run", lambda answers, *_: ExportAnswers(*changed(answers)))


@each_target
def test_an_activation_of_someone_else_needs_nothing(target, tmp_path):
    model = plugin_model({"type": "snake", "frequency": 2.5}, "snake", "twofold", {"type": "snake", "parametric": True})
    assert exported(model, target, tmp_path / f"m{SUFFIXES[target]}").proof.difference < 1e-13


@each_target
def test_schedules_fitted_starts_and_factors_of_biases_leave_exports_as_they_are(target, tmp_path):
    fitted = {"weight_initializer": "unit_deviation", "bias_initializer": "he_plus", "bias_learning_rate_factor": 0.1}
    layers = [dense(4, activation="tanh", **fitted), {"type": "dropout", "schedule": "flat_cosine"}, dense(1)]
    model = built(*layers, dtype="float64", input_size=3, seed=1)
    assert exported(model, target, tmp_path / f"m{SUFFIXES[target]}").proof.difference < 1e-13


def test_targets_are_the_modules_of_a_folder():
    folder = Path(specnet.__file__).parent / "exporting" / "targets"
    assert set(TARGETS) == {path.stem for path in folder.glob("*.py")} - {"__init__"}
    assert set(SUFFIXES) <= set(TARGETS)
    for name, suffix in SUFFIXES.items():
        assert find_target(name).suffix == suffix


@each_target
def test_the_network_names_the_file_where_nobody_does(target, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    written = export(make_model("value"), target)
    assert written.files[0] == Path(f"model{SUFFIXES[target]}")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in written.files)


def test_an_old_file_stays_where_the_new_one_is_wrong(tmp_path, change: Change, refused: Refused):
    (tmp_path / "m.py").write_text("old")
    answering(change, "numpy", lambda answers: (np.full((256, 1), np.nan), None))
    with refused(ExportError, varying=r"\d\S*"):
        export(make_model("value"), "numpy", tmp_path / "m.py")
    assert (tmp_path / "m.py").read_text() == "old"


def test_no_file_is_replaced_where_that_is_not_wanted(tmp_path, refused: Refused):
    (tmp_path / "m.h").symlink_to(tmp_path / "nowhere")
    with refused(TakenError, at="m.h") as caught:
        export(make_model("value"), "c", tmp_path / "m.c", overwrite=False)
    assert [problem.source for problem in caught.value.diagnostics] == [str(tmp_path / "m.h")]
    assert [path.name for path in tmp_path.iterdir()] == ["m.h"]
    export(make_model("value"), "c", tmp_path / "m.c")
    assert (tmp_path / "nowhere").is_file()


@pytest.mark.slow
@pytest.mark.parametrize(
    "target", [*RUNNABLE, "sklearn", *(pytest.param(name, marks=PEER) for name in ("torch", "keras"))]
)
def test_what_has_run_is_what_is_written(target, tmp_path, change: Change):
    proved: dict[str, bytes] = {}

    def remembered(answers: Any, _: Any, path: Path, rows: Any) -> Any:
        proved.update((each.name, each.read_bytes()) for each in path.parent.iterdir())
        return answers

    change(target, "run", remembered)
    exported(make_model("classes, text"), target, tmp_path / f"m{(SUFFIXES | LIBRARIES)[target]}")
    assert proved == {path.name: path.read_bytes() for path in tmp_path.iterdir()}


def sharp_model() -> Model:
    """A model whose large weights amplify the rounding of float32, as those of long training do."""
    model = built(loss="bce", layer_sizes=[3, 64, 64, 64, 1], activations="tanh")
    return Model(model.network, 20 * model.theta)


def rounding_of(model: Model) -> float:
    """Return how far a model is from itself in float64."""
    X = np.random.default_rng(0).normal(size=(500, 3)).astype(np.float32)
    return float(np.abs(model.predict_proba(X) - model.astype("float64").predict_proba(X)).max())


@pytest.mark.slow
def test_edge_rows_may_differ_as_other_rows_do(tmp_path, change: Change):
    """They are few, so that the model may be exact on all of them: on which, the kernels of a machine decide."""
    model = sharp_model()
    by = np.zeros((256, 1))
    by[-11:] = 2 * rounding_of(model)
    answering(change, "numpy", lambda answers: (answers.outputs + by, answers.predictions))
    assert exported(model, "numpy", tmp_path / "m.py").proof.difference >= by.max() / 2


@pytest.mark.slow
@pytest.mark.parametrize("target", [*RUNNABLE, "sklearn"])
def test_a_model_may_be_as_far_from_its_export_as_from_itself(target, tmp_path, change: Change, refused: Refused):
    model = sharp_model()
    itself = rounding_of(model)
    assert itself > 4e-6
    path = tmp_path / f"m{(SUFFIXES | LIBRARIES)[target]}"
    proof = exported(model, target, path).proof
    assert proof.difference <= 4 * proof.rounding if proof.rounding else proof.difference <= 2e-6
    if target == "javascript":  # which computes in float64
        assert f"{proof}".endswith(f"{proof.rounding:.2g})")
    answering(change, target, lambda answers: (answers.outputs + 20 * itself, answers.predictions))
    with refused(ExportError, varying=r"\d\S*"):
        export(model, target, path)


def test_wrong_labels_are_seen(tmp_path, change: Change, refused: Refused):
    answering(change, "numpy", lambda answers: (answers.outputs, answers.predictions[::-1]))
    with refused(ExportError):
        export(make_model("classes, text"), "numpy", tmp_path / "m.py")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_missing_is_named_and_a_name_that_is_too_long(tmp_path, refused: Refused):
    with refused(FileError, at="m.py"):
        export(make_model("value"), "numpy", tmp_path / "missing" / "m.py")
    path = tmp_path / ("m" * 300 + ".py")
    with pytest.raises(FileError) as caught:
        export(make_model("value"), "numpy", path)
    assert {problem.source for problem in caught.value.diagnostics} == {str(path)}


@pytest.mark.slow
def test_equal_models_make_equal_files(tmp_path):
    for target, suffix in SUFFIXES.items():
        contents = []
        for folder in ("a", "b"):
            (tmp_path / folder).mkdir(exist_ok=True)
            files = export(make_model("classes"), target, tmp_path / folder / f"m{suffix}").files
            contents.append([path.read_bytes() for path in files])
        assert contents[0] == contents[1]


class Remarked(Activation):
    """x + 1, and a text that would leave a comment. */"""

    type: Literal["remarked"] = "remarked"
    text: str = "*/\nbreak #\\"

    def expression(self, x: Value) -> Value:
        return x + 1


@each_target
def test_a_part_says_nothing_outside_of_comments(target, tmp_path):
    layers = [dense(2, activation={"type": "remarked", "text": "\n*/ break \\"})] * 2
    model = built(*layers, parts=[Remarked], input_size=2, output_size=2)
    exported(model, target, tmp_path / f"m{SUFFIXES[target]}")


VALUE = partial(make_model, "value")


def network(*layers: dict[str, Any], outputs: int = 1, **fields: Any) -> Callable[[], Model]:
    return partial(built, *layers, input_size=3, output_size=outputs, **fields)


def category(text: str) -> Model:
    return fitted([group("a", "one_hot")], pandas.DataFrame({"a": [text, "b"] * 10}))


def infinite() -> Model:
    model = make_model("value")
    model.theta[0] = np.inf
    return model


MIXED = [dense(3), {"type": "scale"}, dense(3, activation={"type": "relu", "parametric": True}), dense(1)]
REFUSED: dict[str, tuple[str, str, Callable[[], Any]]] = {
    **{f"rows for {name}": (name, f"m{SUFFIXES[name]}", partial(plugin_model, "across")) for name in SUFFIXES},
    "an unknown target": ("cobol", "m", VALUE),
    "an estimator": ("numpy", "m.py", SpecClassifier),
    "a network": ("numpy", "m.py", lambda: VALUE().network),
    "nothing": ("numpy", "m.py", lambda: None),
    "infinite": ("numpy", "m.py", infinite),
    **{f"the name {name}": ("c", name, VALUE) for name in ("math.c", "stdio.c", "float.c", "Time.c", "threads.c")},
    **{f"the name {name!r}": ("c", name, VALUE) for name in ('a"b.c', "a\\b.c", "a\nb.c")},
    **{f"the name {name}": ("numpy", name, VALUE) for name in ("numpy.py", "csv.py", "math.py", "pathlib.py")},
    "a header": ("c", "m.h", VALUE),
    "an archive": ("numpy", "m.npz", VALUE),
    "no ending": ("onnx", "m", VALUE),
    "types": ("javascript", "m.ts", VALUE),
    "a label with a null": ("c", "m.c", lambda: labelled(["", "a\0b"])),
    "a long label": ("c", "m.c", lambda: labelled(["", "x" * 5000])),
    "a category with a null": ("c", "m.c", lambda: category("a\0b")),
    "a long category": ("c", "m.c", lambda: category("x" * 4096)),
    "a large integer": ("javascript", "m.js", lambda: labelled([0, 2**53 + 1])),
    "hidden": ("sklearn", "m.skops", network(dense(4, activation="gelu"), dense(4, activation="relu"), dense(1))),
    "output": ("sklearn", "m.skops", network(dense(4, activation="tanh"), dense(1, activation="relu"))),
    "two classes": ("sklearn", "m.skops", network(dense(2), loss="categorical_crossentropy", outputs=2)),
    "layers": ("sklearn", "m.skops", network(*MIXED)),
    "an ensemble": ("sklearn", "m.skops", lambda: ensemble_of(make_model("classes"))),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_said(name: str, tmp_path: Path, refused: Refused):
    target, file, make = REFUSED[name]
    model = make()
    with refused(SpecnetError if isinstance(model, Model) else DataError):
        export(model, target, tmp_path / file)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("target", ["numpy", "javascript"])
def test_targets_without_a_float32_form_say_so(target: str, tmp_path: Path, refused: Refused):
    path = tmp_path / f"m{SUFFIXES[target]}"
    with refused(SpecnetError):
        export(make_model("value"), target, path, float32=True)
    export(make_model("value", "float32"), target, path, float32=True)


@pytest.mark.parametrize("make", [lambda: labelled([-(2**53), 2**53]), lambda: category("a\0b")])
def test_what_javascript_says_all_the_same(make: Callable[[], Model], tmp_path: Path):
    export(make(), "javascript", tmp_path / "m.js")


OBSTACLES = {
    "c": "no C compiler (cc, gcc or clang)",
    "javascript": "no node",
    "onnx": "onnxruntime is not installed",
}


@pytest.mark.parametrize("target", OBSTACLES)
def test_an_export_that_cannot_be_run_here_is_written_and_says_so(
    target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    path = tmp_path / f"m{SUFFIXES[target]}"
    proof = export(make_model("value"), target, path).proof
    assert proof.difference is None
    assert str(proof) == f"not compared with the model: {OBSTACLES[target]}"
    assert path.is_file()
