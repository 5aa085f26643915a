"""Exports that learn: steps as those of the engine, or no export."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import make_moons
from sklearn.model_selection import train_test_split

import specnet
from specnet import ExportError, Model, export
from specnet.exporting import find_target
from specnet.exporting.learning.learning_proof import TrainingSteps, engine_steps
from tests.exporting import tools
from tests.exporting.models import built, dense, ensemble_of, team_of
from tests.exporting.tables import chain_model, table_model
from tests.model.models import make_model
from tests.random_specs import LOSSES
from tests.reference.moons import reference_run
from tests.registry import names
from tests.texts.calling import called

MOONS = Path(__file__).parents[3] / "specs/moons.toml"
STEPPING = [name for name in names("optimizer") if name not in ("lbfgs", "nadam", "radam")]
LEARNING = [pytest.param("c", marks=tools.needs_compiler), pytest.param("javascript", marks=tools.needs_node)]
SEVERAL = "categorical_crossentropy", "categorical_focal_crossentropy", "categorical_hinge", "kl_divergence"


def learns(model: Model, target: str, folder: Path, **options: Any) -> float:
    """Export a model with its training step, and return how far the gradient is from the engine's, of the largest."""
    found = export(model, target, folder / f"m{tools.SUFFIXES[target]}", learn=True, **options).proof.gradient
    assert found is not None
    return found


@pytest.fixture(scope="module")
def moons() -> Model:
    """The reference network, whose last weights are replaced by its first ones."""
    network = specnet.build(MOONS)
    return Model(network, network.initial_parameters(), labels=np.array([0, 1]))


def moons_rows() -> tuple[np.ndarray, np.ndarray]:
    X, y = make_moons(300, noise=0.2, random_state=0)
    rows, _, targets, _ = train_test_split(X, y, test_size=0.2, random_state=0)
    return rows, targets


def check_reference(weights: Any) -> None:
    expected, _ = reference_run()
    W, b, w, c = expected.values()
    flat = np.concatenate([W.T.ravel(), b, w.T.ravel(), c])
    np.testing.assert_allclose(np.array(weights, np.float64), flat, rtol=0, atol=1e-9)


@tools.needs_compiler
def test_c_learns_the_reference_weights(moons: Model, tmp_path: Path):
    export(moons, "c", tmp_path / "m.c", learn=True)
    rows, targets = moons_rows()
    body = (
        '#include <stdio.h>\n#include "m.h"\n'
        "static double state[M_STATE], again[M_STATE], workspace[M_WORKSPACE], x[240 * M_INPUTS], y[240];\n"
        "int main(void) {\n"
        "  if (fread(x, sizeof x, 1, stdin) != 1 || fread(y, sizeof y, 1, stdin) != 1) return 1;\n"
        "  m_start(0, state);\n"
        "  for (int step = 0; step < 20000; step++) m_train(x, y, 240, M_RATE, state, workspace);\n"
        "  m_start(state, again);\n"
        "  for (int i = 0; i < M_PARAMETERS; i++) if (again[i] < state[i] || again[i] > state[i]) return 1;\n"
        '  for (int i = 0; i < M_PARAMETERS; i++) printf("%.17g ", state[i]);\n'
        "  return 0;\n}\n"
    )
    check_reference(tools.answers_of_c(tmp_path, body, rows.tobytes() + targets.astype(np.float64).tobytes()).split())


@tools.needs_node
def test_javascript_learns_the_reference_weights(moons: Model, tmp_path: Path):
    export(moons, "javascript", tmp_path / "m.mjs", learn=True)
    rows, targets = moons_rows()
    script = (
        f"import {{ learner, rate }} from './m.mjs';\n"
        f"const x = {json.dumps(rows.tolist())}, y = {json.dumps(targets.tolist())}, own = learner();\n"
        "for (let step = 0; step < 20000; step++) own.train(x, y);\n"
        "console.log(JSON.stringify([rate, ...own.weights]));\n"
    )
    rate, *weights = tools.printed_by_node(script, tmp_path)
    assert rate == 0.003
    check_reference(weights)


@pytest.mark.slow
@pytest.mark.parametrize("target", LEARNING)
def test_every_loss_optimizer_and_activation(target: str, tmp_path: Path):
    """In C only every seventh of the networks, which differ in all three, as compiling takes longer."""
    activations = [name for name in names("activation") if name not in ("glu", "maxout")]
    losses = [(name, fields) for name, choices in LOSSES.items() for fields in choices]
    for number, activation in list(enumerate(activations))[:: 7 if target == "c" else 1]:
        loss, fields = losses[number % len(losses)]
        outputs = 3 if loss in SEVERAL else 2
        layers = [
            dense(4, activation=activation),
            {"type": "layer_normalization"},
            {"type": "scale", "use_shift": True},
        ]
        layers += [dense(3, activation="tanh", name="a"), dense(3, inputs=["a"], name="b")]
        layers += [{"type": "add", "inputs": ["a", "b"]}, dense(outputs)]
        spec = {
            "network": {"dtype": ["float64", "float32"][number % 2], "input_size": 3, "layers": layers},
            "training": {
                "loss": {"type": loss, **fields},
                "optimizer": STEPPING[number % len(STEPPING)],
                **({"l1": 0.01, "l2": 0.02} if number % 3 == 0 else {}),
                **({"clip_norm": 0.1} if number % 4 == 0 else {}),
            },
        }
        network = specnet.build(spec)
        assert learns(Model(network, network.initial_parameters()), target, tmp_path) < 2e-6


@pytest.mark.slow
@pytest.mark.parametrize("target", LEARNING)
def test_columns_and_targets_are_raw(target: str, tmp_path: Path):
    for dtype in ("float64", "float32"):
        for model in (chain_model("log", dtype), chain_model("impute", dtype), table_model("one_hot", dtype)):
            assert learns(model, target, tmp_path) < 2e-6
    assert learns(make_model("value", "float64"), target, tmp_path) < 1e-12


@tools.needs_compiler
def test_a_network_in_float32_learns_in_c_without_a_warning(tmp_path: Path):
    training = {"optimizer": {"type": "adamw", "amsgrad": True}, "clip_norm": 0.5, "loss": "categorical_crossentropy"}
    layers = [dense(20, activation="tanh"), dense(3, trainable=False), dense(3, learning_rate_factor=0.5)]
    network = specnet.build({"network": {"dtype": "float32", "input_size": 2, "layers": layers}, "training": training})
    model = Model(network, network.initial_parameters() + 1)
    export(model, "c", tmp_path / "m.c", learn=True)
    body = (
        '#include <stdio.h>\n#include "m.h"\nstatic real state[M_STATE], again[M_STATE];\n'
        "int main(void) {\n  double workspace[M_WORKSPACE];\n"
        "  real x[] = {1, 2, 3, 4, 5, 6}, y[] = {0, 1, 2}, p[3], q[3];\n"
        "  m_start(m_trained(), state); m_start(m_trained(), again);\n"
        "  m_forward(x, p); m_learned(x, q, state, workspace);\n"
        '  for (int i = 0; i < 3; i++) printf("%.9g %.9g ", (double)p[i], (double)q[i]);\n'
        "  for (int step = 0; step < 50; step++) {\n"
        "    m_train(x, y, 1 + step % 3, 0.01, state, workspace);\n"
        "    m_train(x, y, 1 + step % 3, 0.01, again, workspace);\n"
        "    if (m_train(x, y, 0, 0.01, again, workspace) > 0) return 1;\n  }\n"
        "  for (int i = 0; i < M_STATE; i++) if (state[i] < again[i] || state[i] > again[i]) return 1;\n"
        "  for (int i = 60; i < M_PARAMETERS; i++)\n"
        '    printf("%d ", state[i] < m_trained()[i] || state[i] > m_trained()[i]);\n'
        "  return 0;\n}\n"
    )
    found = np.array(tools.answers_of_c(tmp_path, body).split(), np.float64)
    np.testing.assert_allclose(found[:6:2], found[1:6:2], rtol=1e-6)
    frozen = 63  # 20 units and 3 outputs are not trained: they are the last parameters
    assert found[-frozen:].tolist() == [0] * frozen
    assert found[6:-frozen].any()


@tools.needs_node
def test_a_network_that_learns_answers_in_javascript(tmp_path: Path):
    model = make_model("values", "float64")
    export(model, "javascript", tmp_path / "m.mjs", learn=True)
    script = (
        "import { forward, initial, learner, trained, targets } from './m.mjs';\n"
        "const x = [5, 6, 7], own = learner(trained);\n"
        "const found = [[...forward(x)], [...own.forward(x)], targets, own.train([], [])];\n"
        "for (const wrong of [() => own.train([x], []), () => learner([1])]) {\n"
        "  try { wrong(); } catch (error) { found.push(error.message); }\n}\n"
        "console.log(JSON.stringify(found));\n"
    )
    first, second, targets, loss, *errors = tools.printed_by_node(script, tmp_path)
    np.testing.assert_allclose(first, second, rtol=1e-12)
    assert (targets, loss) == (2, 0)
    assert errors[0] == "there are 0 targets for 1 rows"
    assert "weights; expected" in errors[1]
    assert "export function learner(weights?: ArrayLike<number>): Learner;" in (tmp_path / "m.d.mts").read_text()


def network_of(*layers: dict[str, Any], **training: Any) -> Model:
    spec = {"input_size": 3, "layers": [*layers, dense(1)]}
    network = specnet.build({"network": spec, "training": {"loss": "mean_squared_error", **training}})
    return Model(network, network.initial_parameters())


REFUSED: dict[str, Any] = {
    "dropout draws random numbers": lambda: network_of({"type": "dropout", "rate": 0.5}),
    "batch_normalization": lambda: network_of({"type": "batch_normalization"}),
    "optimizer lbfgs": lambda: network_of(optimizer="lbfgs", batch_size="full"),
    "step of nadam": lambda: network_of(optimizer="nadam"),
    "class_weight": lambda: network_of(loss="binary_crossentropy", class_weight="balanced"),
    "ensemble": lambda: ensemble_of(make_model("value")),
    "team": lambda: team_of("value", "float64"),
    "operation gather": lambda: network_of(
        {"type": "embedding", "columns": [0], "categories": [3], "size": [2]}, dense(2)
    ),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_other_training_is_refused_by_name(reason: str, tmp_path: Path):
    with pytest.raises(ExportError, match=reason):
        export(REFUSED[reason](), "c", tmp_path / "m.c", learn=True)
    assert not list(tmp_path.iterdir())


def test_other_formats_do_not_learn(tmp_path: Path):
    with pytest.raises(ExportError, match="training step is not supported by onnx") as refused:
        export(built(dense(1), input_size=2), "onnx", tmp_path / "m.onnx", learn=True)
    assert "choose from c, javascript" in str(refused.value)


@pytest.mark.parametrize("what", ["gradient", "losses", "parameters"])
def test_a_wrong_training_step_is_not_written(what: str, moons: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def wrong(self: Any, program: Any, path: Path, rows: Any, targets: Any, batches: Any) -> TrainingSteps:
        found = engine_steps(program.learning.trained, rows, targets, batches)
        if what == "parameters":
            return TrainingSteps(found.losses, found.weights[:, 1:], found.gradients)
        changed = found.gradients[0] if what == "gradient" else found.losses
        changed[-1] *= 1 + 1e-6
        return found

    monkeypatch.setattr(type(find_target("javascript")), "run_training", wrong)
    with pytest.raises(ExportError, match=what):
        export(moons, "javascript", tmp_path / "m.js", learn=True)
    assert not list(tmp_path.iterdir())


@tools.needs_node
def test_the_command_says_how_the_steps_agree(moons: Model, tmp_path: Path):
    moons.save(tmp_path / "m.safetensors")
    printed = called(
        "export", str(tmp_path / "m.safetensors"), "--to", "javascript", "-o", str(tmp_path / "m.js"), "--learn"
    )
    assert "of the gradient in 8 training steps" in " ".join(str(printed).split())
