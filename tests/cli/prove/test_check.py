"""`specnet check`."""

import re

from specnet.compiler import operations
from tests.network.test_gradients import replaced, wrong_by_a_thousandth

MADE = """\
[network]
layer_sizes = [2, 3, 1]
activations = "tanh"
[training]
loss = "mse"
"""

NUMBERS = re.compile(r"\d+ of \d+|\d[\d.]*e[+-]\d+|\d+ coordinates")
"""What differs from one CPU to another."""


def test_it_says_what_was_compared_and_the_worst_error(specnet, pinned):
    out = specnet("check moons.toml").went()
    assert out.startswith("moons   2 → 5 relu → 1 sigmoid   21 ")
    for name, size in {"layers.0.weight": 10, "layers.1.bias": 1, "input": 32}.items():
        found = re.search(rf"^{re.escape(name)} +(\d+) of {size}   +\de-\d\d   ok$", out, re.MULTILINE)
        assert found is not None
        assert 0 < int(found[1]) <= size
    pinned(NUMBERS.sub("…", out))
    assert specnet("check moons.toml --quiet").out == ""


def test_a_wrong_rule_is_an_error_that_names_its_layer(specnet, pinned):
    with replaced((operations.MAXIMUM, "slopes"), wrong_by_a_thousandth):
        ended, quiet = specnet("check moons.toml"), specnet("check moons.toml --quiet")
    assert ended.status == 1
    assert re.search(r"error\[wrong-gradient\]: .*layers\.0\.weight", ended.err)
    assert "error[wrong-derivative]: layers.0 (dense, relu): " in ended.err
    assert "layers.1 (" not in ended.err
    assert "layers.0 (dense, relu)" in quiet.failed(1)
    pinned(NUMBERS.sub("…", ended.out))


def test_json_has_the_same(specnet):
    document = specnet("check moons.toml --format json").document
    assert document["errors"] == []
    assert document["agrees"]
    assert [entry["name"] for entry in document["comparisons"]][-1] == "input"
    assert {entry["verdict"] for entry in document["comparisons"]} == {"ok"}
    assert [entry["layer"] for entry in document["start"]] == ["dense, relu", "dense, sigmoid"]
    with replaced((operations.MAXIMUM, "slopes"), wrong_by_a_thousandth):
        ended = specnet("check moons.toml --format json")
    assert ended.status == 1
    assert not ended.document["agrees"]
    assert {error["code"] for error in ended.document["errors"]} == {"wrong-gradient", "wrong-derivative"}
    assert [layer["agrees"] for layer in ended.document["layers"]] == [False, True, True]


def test_made_rows_are_called_so(specnet, folder):
    (folder / "made.toml").write_text(MADE, encoding="utf-8")
    ended = specnet("check made.toml").ok()
    assert " 16 " in ended.out
