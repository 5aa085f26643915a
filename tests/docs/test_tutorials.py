"""What tutorials say of figures that no command of theirs prints."""

import re

import pytest

from tests.docs.documents import ROOT
from tests.reference import tutorial
from tests.reference.wrong_gradient import loss_after, mistaken_backward


@pytest.mark.slow
def test_the_mistaken_gradient_ends_where_is_said() -> None:
    text = (ROOT / "docs/tutorials/reference_network.md").read_text("utf-8")
    said = re.search(r"after 19 000 steps to\s+(0\.\d+), where the right gradient reaches\s+(0\.\d+)", text)
    found = [f"{loss_after(backward, data_seed=0):.3f}" for backward in (mistaken_backward, tutorial.backward)]
    assert said
    assert found == list(said.groups())
