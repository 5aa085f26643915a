"""Each loss against figures of other libraries, and the checks for authors of parts with further settings."""

import numpy as np
import pytest

from specnet.compiler import BATCH, gradients, input_value, sum_over
from specnet.parts.losses import Loss
from tests.engine import PRECISIONS, evaluate, near_figures
from tests.registry import REGISTRY, figures, find, part, variants

OUTPUT_ACTIVATIONS = {
    "sigmoid": {"binary_crossentropy", "binary_focal_crossentropy"},
    "softmax": {"categorical_crossentropy", "categorical_focal_crossentropy", "kl_divergence"},
    "exponential": {"poisson", "gamma", "tweedie"},
    "softplus": {"mean_squared_logarithmic_error"},
}
PARTS = REGISTRY.of_kind("loss")
FIGURES = figures("loss")["losses"]


def symbols(loss: Loss, outputs: int):
    z = input_value("z", (outputs * loss.outputs_per_target, BATCH))
    target = input_value("t", (1, BATCH), "index") if loss.target == "classes" else input_value("t", (outputs, BATCH))
    return z, loss.expression(z, target)


def targets(loss: Loss, outputs: int, batch: int, rng: np.random.Generator) -> np.ndarray:
    if loss.target == "classes":
        return rng.integers(0, outputs, (1, batch))
    if loss.target == "binary":
        return rng.integers(0, 2, (outputs, batch)) * 1.0
    if loss.domain == "distribution":
        return rng.dirichlet(np.ones(outputs), batch).T * 1.0
    if loss.domain == "not negative":
        return rng.poisson(1.0, (outputs, batch)) * 1.0
    return rng.gamma(1.0, 1.0, (outputs, batch)) if loss.domain == "positive" else rng.normal(size=(outputs, batch))


def test_output_activations():
    for kind in PARTS:
        name = kind.part_name()
        known = next((activation for activation, names in OUTPUT_ACTIVATIONS.items() if name in names), "linear")
        assert kind.output_activation == known
        assert kind.accepted_activations in (None, {known})
        assert find("activation", known) is not None


@pytest.mark.parametrize("row", FIGURES, ids=lambda row: str(row["loss"]))
@PRECISIONS
def test_figures_of_the_libraries(row: dict, dtype, tolerance):
    loss = part("loss", row["loss"])
    z, t = np.array(row["output"]), np.array(row["target"])
    symbol, rows = symbols(loss, len(z) // loss.outputs_per_target)
    slope = gradients(sum_over(rows, "all"), [symbol])[symbol]
    t = t.argmax(0)[None] if loss.target == "classes" else t
    found, gradient = evaluate([rows, slope], {"z": z, "t": t}, dtype)
    near_figures(found[0], row["rows"], tolerance, dtype)
    near_figures(gradient, row["gradient"], tolerance, dtype)


def test_smoothing_is_left_out_of_evaluation():
    for loss in variants("loss"):
        z = np.random.default_rng(2).normal(size=(2 * loss.outputs_per_target, 9))
        t = targets(loss, 2, 9, np.random.default_rng(3))
        plain = type(loss)(**loss.model_dump(exclude={"type", "label_smoothing"}))
        _, measured, (_, expected) = *symbols(loss.for_evaluation(), 2), symbols(plain, 2)
        found = evaluate([measured, expected], {"z": z, "t": t})
        np.testing.assert_array_equal(*found)


@pytest.mark.parametrize(("name", "alpha"), [("binary", 0.5), ("categorical", 0.7)])
def test_a_focal_loss_without_focus_is_a_share_of_the_plain_one(name: str, alpha: float):
    rng = np.random.default_rng(4)
    focal = part("loss", f"{name}_focal_crossentropy", gamma=0.0, alpha=alpha)
    t, z = targets(focal, 3, 9, rng), rng.normal(0, 3, (3, 9))
    plain = part("loss", f"{name}_crossentropy")
    found = evaluate([symbols(loss, 3)[1] for loss in (focal, plain)], {"z": z, "t": t})
    np.testing.assert_allclose(found[0], alpha * found[1], rtol=1e-12)
