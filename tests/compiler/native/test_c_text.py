"""The C of two networks' steps is the text that is kept in texts/: what changes it shows in its difference.

python -m tests.compiler.native.test_c_text      writes the texts anew
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import specnet
from specnet.compiler.native.toolchain import processors
from specnet.training.steps import compiled_steps
from tests.compiling import Processor, compiles

FOLDER = Path(__file__).parent / "texts"
CLASSES = {
    "seed": 0,
    "network": {
        "layers": [
            {"type": "dense", "units": 32, "activation": "tanh"},
            {"type": "batch_normalization"},
            {"type": "dropout", "rate": 0.2},
            {"type": "dense", "units": 3, "activation": "softmax"},
        ],
        "input_size": 20,
        "dtype": "float32",
    },
    "training": {"loss": "categorical_crossentropy", "optimizer": {"type": "adam"}, "clip_norm": 1.0},
}
VALUES = {
    "seed": 0,
    "network": {"layer_sizes": [3, 4, 1], "activations": ["gelu", "identity"], "dtype": "float64"},
    "training": {"loss": "huber", "optimizer": {"type": "sgd", "momentum": 0.9}, "l2": 0.01, "l1": 0.01},
}
TEXTS: dict[str, tuple[dict[str, Any], Processor]] = {
    "classes": (CLASSES, processors.AVX2),
    "values": (VALUES, processors.SSE2),
}


def text_of(spec: dict[str, Any], target: Processor) -> str:
    """The C behind the elementary functions, which all programs share."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(compiled_steps, "native_processor", lambda: target)
        text = compiled_steps.steps_text(specnet.build(spec), 64)
    return text[text.index("OUTLINE void turn") :]


@compiles
@pytest.mark.parametrize("name", TEXTS)
def test_the_text_is_the_one_that_is_kept(name: str):
    assert text_of(*TEXTS[name]).splitlines() == (FOLDER / f"{name}.c").read_text("utf-8").splitlines()


if __name__ == "__main__":
    for name, given in TEXTS.items():
        (FOLDER / f"{name}.c").write_text(text_of(*given), "utf-8")
