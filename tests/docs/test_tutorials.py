"""What tutorials say of figures that no command of theirs prints."""

import re

import pytest

from tests.docs.documents import ROOT
from tests.reference import tutorial
from tests.reference.wrong_gradient import loss_after, mistaken_backward


@pytest.mark.slow
def test_the_mistaken_gradient_ends_where_is_said() -> None:
    text = (ROOT / "docs/tutorials/reference_network.md").read_text("utf-8")
    sentence = r"After 19 000 steps it is (0\.\d+); with the correct gradient it is (0\.\d+)"
    said = re.search(sentence.replace(" ", r"\s+"), text)
    found = [f"{loss_after(backward, data_seed=0):.3f}" for backward in (mistaken_backward, tutorial.backward)]
    assert said
    assert found == list(said.groups())
