"""What initializers draw: moments and bounds by their formulas and by other libraries, shapes, the legacy generator."""

import math
from functools import partial

import numpy as np
import pytest

from specnet.parts.initializers import Fans, Initializer
from specnet.parts.part import described
from tests.registry import REGISTRY, figures, part
from tests.texts.pinned import Pinned

initializer = partial(part, "initializer")
FIGURES = figures("initializer")
FAN_IN, FAN_OUT = 400, 300
FANS = Fans(FAN_IN, FAN_OUT, "relu")
DEFAULTS = {"constant": {"value": 0.25}}
PARTS = [kind(**DEFAULTS.get(kind.part_name(), {})) for kind in REGISTRY.of_kind("initializer")]


def draw(part: Initializer, shape=(FAN_OUT, FAN_IN), fans=FANS, seed=0) -> np.ndarray:
    return part.draw(np.random.default_rng(seed), shape, fans)


def test_what_is_legacy_and_what_decides_the_bias():
    legacy = {"constant", "zeros", "ones", "random_normal", "identity"}
    assert {part.type for part in PARTS if part.legacy} == legacy
    assert initializer("variance_scaling", distribution="untruncated_normal").legacy
    assert {part.type for part in PARTS if part.decides_bias} == {"pytorch_linear", "sklearn_mlp"}


DRAWS = [  # a large orthogonal matrix takes seconds
    pytest.param(figure, marks=[pytest.mark.slow] * (figure["initializer"]["type"] == "orthogonal"))
    for figure in FIGURES["draws"]
]


@pytest.mark.parametrize("figure", DRAWS, ids=lambda figure: f"{figure['initializer']}, {figure['library']}")
def test_draws_look_like_the_library_s(figure):
    """Both are samples: means, deviations and quantiles may differ by five standard errors, firm bounds by 1 %."""
    fans = Fans(FIGURES["inputs"], FIGURES["outputs"], figure.get("activation", "relu"))
    of_bias = figure.get("of") == "bias"
    shape = (fans.fan_out,) if of_bias else (fans.fan_out, fans.fan_in)
    drawn = draw(initializer(figure["initializer"]), shape, fans)
    deviation, step = figure["deviation"], 5 * math.sqrt(2 / drawn.size)
    assert abs(drawn.mean() - figure["mean"]) <= step * deviation
    assert abs(drawn.std() - deviation) <= step * deviation
    assert np.abs(np.quantile(drawn, FIGURES["levels"]) - figure["quantiles"]).max() <= 2.5 * step * deviation
    spread = max(figure["largest"] - figure["mean"], figure["mean"] - figure["smallest"])
    if spread < 3 * deviation and not of_bias:
        assert abs(drawn.min() - figure["smallest"]) <= 0.01 * spread
        assert abs(drawn.max() - figure["largest"]) <= 0.01 * spread


@pytest.mark.parametrize("part", [part for part in PARTS if not part.needs_matrix], ids=str)
def test_a_bias_can_be_drawn(part: Initializer):
    assert draw(part, (FAN_OUT,)).shape == (FAN_OUT,)
    np.testing.assert_array_equal(draw(part, (FAN_OUT,)), draw(part, (FAN_OUT,)))


def test_a_normal_draw_is_numpys_of_the_same_seed():
    expected = np.random.default_rng(0).normal(3.0, 0.5, (FAN_OUT, FAN_IN))
    np.testing.assert_allclose(draw(initializer("random_normal", mean=3.0, stddev=0.5)), expected, rtol=1e-14)


@pytest.mark.parametrize("shape", [(5, 9), (9, 5), (6, 6), (1, 4)])
def test_orthogonal_has_orthonormal_rows_or_columns(shape: tuple[int, int]):
    drawn = draw(initializer("orthogonal", gain=2.0), shape)
    product = drawn @ drawn.T if shape[0] <= shape[1] else drawn.T @ drawn
    np.testing.assert_allclose(product, 4 * np.eye(min(shape)), atol=1e-12)


def test_identity_is_rectangular_too():
    np.testing.assert_array_equal(draw(initializer("identity"), (2, 3)), [[1, 0, 0], [0, 1, 0]])


def test_a_summary_says_what_is_drawn_in_a_place(pinned: Pinned):
    fans = Fans(8, 2, "relu")
    others = [
        initializer("random_normal", mean=2, stddev=0.125),
        initializer("random_uniform", minval=0.0, maxval=1.0),
        initializer("truncated_normal", mean=-1.0, stddev=1.0),
        initializer("variance_scaling", mode="fan_out", distribution="untruncated_normal"),
        initializer("variance_scaling", scale=6.0, mode="fan_avg", distribution="uniform"),
        initializer("orthogonal", gain=1.5),
    ]
    pinned("\n".join(f"{described(part)}: {part.summary(fans)}" for part in (*PARTS, *others)))


@pytest.mark.parametrize("part", [part for part in PARTS if part.legacy], ids=str)
def test_what_is_legacy_draws_only_randn(part: Initializer):
    class OnlyRandn:
        def standard_normal(self, shape):
            return np.random.RandomState(0).randn(*shape)

    part.draw(OnlyRandn(), (4, 3), Fans(3, 4))
