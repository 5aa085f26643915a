"""The code of pages: it predicts as the model does, with all members, and with weights of few bits as measured."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from specnet import Model
from specnet.exporting.targets.javascript import FEW_BITS, inlined, shortened
from specnet.running.panel.model_code import BITS
from tests.exporting import tables
from tests.exporting.models import built, dense, ensemble_of, team_of
from tests.exporting.tools import needs_node, printed_by_node

NUMBERS = np.random.default_rng(0).normal(size=(5, 3)).tolist()
RUN = """
import { readFileSync } from "node:fs";
const cases = JSON.parse(readFileSync("cases.json")).map(async ({ code, rows }) => {
  const net = new Function(code + "; return { ready, forward, answered }")();
  await net.ready;
  return rows.map((row) => {
    net.answered.length = 0;
    return [Array.from(net.forward(row)), [...net.answered]];
  });
});
console.log(JSON.stringify(await Promise.all(cases)));
"""


def table() -> Model:
    return tables.table_model("one_hot", "float32")


def averaged() -> Model:
    """Return an ensemble of networks that are themselves the average of two."""
    branches = [dense(3, name="a", inputs=["input"]), dense(3, name="b", inputs=["input"], activation="tanh")]
    network = {"input_size": 3, "layers": [*branches, {"type": "average", "inputs": ["a", "b"]}]}
    return ensemble_of(built(seed=0, **network), 4)


def steep() -> Model:
    """Return a network that amplifies the rounding of the first row's first cell 10⁴-fold: 10⁴ · (x - c) for c ≈ x."""
    model = built(dense(1), dense(1), input_size=3, seed=0)
    model.theta[:] = [1, 0, 0, 1e-4 - np.float32(NUMBERS[0][0]), 1e4, 0]
    return model


def uneven() -> Model:
    """Return a network whose weights are few steps, none or very many of them."""
    model = built(dense(4), dense(1), input_size=3, seed=0)
    model.theta[:] = np.resize([0, 1 / 64, -3 / 64, 0, 4095 / 64, -0.5, -1023], model.theta.size)
    return model


MODELS: list[tuple[Callable[[], Model], bool, int]] = [
    (table, True, 0),
    (lambda: ensemble_of(table(), 4), True, 4),
    (averaged, False, 4),
    (steep, False, 0),
    (uneven, False, 0),
    (lambda: team_of("classes", "float32"), False, 5),
    (lambda: team_of("values", "float32"), False, 5),
]
"""Each model, whether its rows are those of a table with gaps and new texts, and its number of networks."""


def outputs_of(model: Model, has_table: bool) -> Any:
    rows = tables.raw(model, tables.asked_rows()) if has_table else NUMBERS
    return model.predict_proba(rows) if model.gives_probabilities else model.predict(rows).reshape(len(rows), -1)


def bits_of(code: str) -> float:
    """Return the bits of a code's packed numbers: a character has half of 13."""
    found = re.search(r'unpack\("([#-~]*)", (\d+)\);$', code.strip())
    assert found
    assert "\\" not in found[1]
    assert len(found[1]) == 2 * -(-8 * int(found[2]) // 13)
    return 13 / 2 * len(found[1])


@needs_node
def test_code_of_pages_predicts_as_the_model_does(tmp_path: Path) -> None:
    cases, expected = [], []
    for make, has_table, networks in MODELS:
        rows = tables.cells(tables.asked_rows()) if has_table else NUMBERS
        # A rounded weight of the steep network is not 1, so that float32 rounds its product, also in the model.
        for bits in ((), *(() if make is steep else BITS)):
            model = shortened(make(), *bits) if bits else make()
            cases.append({"code": inlined(model), "rows": rows})
            expected.append((outputs_of(model, has_table), networks))
    (tmp_path / "cases.json").write_text(json.dumps(cases))
    for found, (outputs, networks) in zip(printed_by_node(RUN, tmp_path), expected, strict=True):
        given = np.array([row for row, _ in found])
        np.testing.assert_allclose(given, outputs[:, -given.shape[1] :], rtol=1e-5, atol=1e-5)
        members = [answered for _, answered in found]
        assert {len(each) for each in members} == {networks}
        if networks == 4:
            np.testing.assert_allclose(np.mean(members, axis=1), given, rtol=1e-12)


@needs_node
def test_numbers_are_unpacked_in_tasks_of_one_part_or_array_when_these_take_long(tmp_path: Path) -> None:
    """The script's clock runs a second each time that it is read, and tasks are counted."""
    code = inlined(ensemble_of(built(dense(128), seed=0, input_size=128), 4))
    (tmp_path / "code.js").write_text(code)
    tasks = """
import { readFileSync } from "node:fs";
let now = 0, tasks = 0;
globalThis.performance.now = () => now += 1000;
const { setTimeout } = globalThis;
globalThis.setTimeout = (...given) => setTimeout(...given, tasks++);
const net = new Function(readFileSync("code.js", "utf-8") + "; return { ready, packed }")();
const before = [tasks, net.packed.filter(({ array }) => array.some(Boolean)).length];
await net.ready;
console.log(JSON.stringify([...before, tasks, net.packed.length]));
"""
    started, filled, ended, arrays = printed_by_node(tasks, tmp_path)
    assert (started, filled) == (1, 0)
    assert ended == -(-bits_of(code) // (6.5 * 2**16)) + arrays > arrays + 4


@pytest.mark.parametrize("bits", [bits for bits, _ in BITS])
def test_weights_are_rounded_to_multiples_of_a_step_and_take_the_bits_of_their_entropy(bits: float) -> None:
    """Biases, which are few, have more bits."""
    model = built(dense(256), seed=0, input_size=256)
    model.theta[:] = np.random.default_rng(0).normal(size=model.theta.size)
    model.theta[0] = 9  # no number is cut off
    found = shortened(model, bits, 0)
    matrix = np.arange(model.theta.size) < 256 * 256
    fraction = {0.0: 1, 0.5: 11 / 16}[bits % 1]  # of a power of two, in few binary digits
    steps = np.where(matrix, fraction * 2.0 ** -np.floor(bits), 2.0 ** -max(bits, FEW_BITS))
    np.testing.assert_array_equal(found.theta, np.round(model.theta / steps) * steps)
    entropy = np.log2(np.sqrt(2 * np.pi * np.e)) - np.log2(steps).mean()
    # Numbers of two bytes take half a bit more, and of few bits a quarter.
    more = 0.15 if 1 <= bits < 5 else 0.3 if bits < 1 else 0.55
    assert bits_of(inlined(found)) / model.theta.size == pytest.approx(entropy, abs=more)
    assert bits_of(inlined(model)) / model.theta.size < 28
