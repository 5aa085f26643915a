"""The compiled engine does what NumPy does: on random networks, with every kind of training, and in whole runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from specnet.compiler.native import forms, missing
from specnet.compiler.operations import functions
from tests.training.engines import CLOSE, disagreement

pytestmark = pytest.mark.skipif(missing() is not None, reason=f"nothing can be compiled: {missing()}")
ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.parametrize("block", range(10))
def test_random_networks_agree(block: int):
    found = {seed: disagreement(seed) for seed in range(block * 6, block * 6 + 6)}
    apart = {seed: {name: error for name, error in each.items() if not error < CLOSE} for seed, each in found.items()}
    assert not {seed: each for seed, each in apart.items() if each}
    for name in ("gradient", "input gradient", "predictions", "loss"):
        assert max(each[name] for each in found.values()) < 1e-12


def wrong_forms() -> list[Any]:
    return [operation for operation in forms.FORMS if operation.kind == "float"]


@pytest.mark.slow
@pytest.mark.parametrize("operation", [functions.TANH, functions.SIGMOID, functions.SQRT], ids=lambda item: item.name)
def test_a_wrong_form_is_caught(operation: Any, monkeypatch: pytest.MonkeyPatch):
    right = forms.FORMS[operation]
    monkeypatch.setattr(forms, "FORMS", {**forms.FORMS, operation: f"(real)1.001 * ({right})"})
    assert any(max(disagreement(seed, steps=1).values()) > CLOSE for seed in range(60))
