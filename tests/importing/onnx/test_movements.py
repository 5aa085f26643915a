"""Graphs of random movements of features: answered as onnxruntime answers them, for any number of rows, or refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper, numpy_helper

import specnet
from tests.importing.answers import outputs, session_of
from tests.importing.onnx.graphs import graph_of


class RandomGraph:
    """A graph of some nodes in a row, and the shape that its last tensor has for two rows."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.columns = [int(size) for size in self.random.integers(1, 4, self.random.integers(1, 4))]
        self.rows = int(self.random.integers(1, 5)) if self.random.random() < 0.3 else "N"
        self.names, self.last, self.shape = ["X"], "X", [2, *self.columns]

    def constant(self, array: Any) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def add(self, operator: str, *others: str, outputs: int = 1, source: str | None = None, **attributes: Any) -> str:
        made = [f"t{len(self.nodes)}.{number}" for number in range(outputs)]
        self.nodes.append(helper.make_node(operator, [source or self.last, *others], made, **attributes))
        return made[int(self.random.integers(outputs))]

    def model(self) -> Any:
        return graph_of(self.nodes, self.constants, {"X": [self.rows, *self.columns]}, {self.last: None}, 18)

    def grow(self) -> None:
        """Add a node, which may be one that does not fit."""
        random, rank, size = self.random, len(self.shape), int(np.prod(self.shape[1:]))
        axis = int(random.integers(rank)) if rank else 0
        width = self.shape[axis] if rank else 1
        kind = random.integers(13)
        if kind == 0:
            shapes = [[-1, size], [0, -1], [-1], [-1, 1], [1, -1, size], [-1, size, 1], [6, -1], [-1, 2]]
            self.last = self.add("Reshape", self.constant(shapes[random.integers(len(shapes))]))
        elif kind == 1:
            self.last = self.add("Flatten", axis=axis)
        elif kind == 2:
            self.last = self.add("Transpose", perm=[int(place) for place in random.permutation(rank)])
        elif kind == 3:
            slices = [([0], [1], [1]), ([1], [9], [1]), ([-1], [-9], [-1]), ([0], [2], [1]), ([0], [9], [2])]
            begin, end, step = map(self.constant, slices[random.integers(len(slices))])
            self.last = self.add("Slice", begin, end, self.constant([axis]), step)
        elif kind == 4:
            places = random.integers(0, max(1, width), random.integers(1, 4))
            self.last = self.add("Gather", self.constant(places), axis=axis)
        elif kind == 5:
            self.last = self.add("Concat", str(random.choice(self.names)), axis=axis)
        elif kind == 6:
            self.last = self.add("Split", outputs=2, axis=axis, num_outputs=2)
        elif kind == 7:
            self.last = self.add(str(random.choice(["Unsqueeze", "Squeeze"])), self.constant([axis]))
        elif kind == 8:
            self.last = self.add("Expand", self.constant([1] * max(0, rank - 1) + [int(random.integers(1, 4))]))
        elif kind == 9:
            beside = random.normal(size=[n if random.random() < 0.8 else 1 for n in self.shape[axis:]])
            self.last = self.add("Add", self.constant(beside.astype(np.float32)))
        elif kind == 10:
            self.last = self.add(str(random.choice(["Mul", "Add"])), str(random.choice(self.names)))
        elif kind == 11:
            mean = self.add("ReduceMean", self.constant([axis]), keepdims=int(random.integers(2)))
            self.last = self.add("Sub", mean)
        else:
            shape = self.add("Shape", source=str(random.choice([self.last, "X"])))
            count = self.add("Slice", self.constant([0]), self.constant([1]), source=shape)
            self.last = self.add("Reshape", self.add("Concat", self.constant([-1]), source=count, axis=0))
        self.names.append(self.last)


def tried(call: Callable[..., Any], *arguments: Any) -> Any:
    """What onnxruntime makes of something, None where it does not take that."""
    try:
        return call(*arguments)
    except Exception:  # of any kind: they have no class in common
        return None


def run(session: Any, X: np.ndarray) -> Any:
    return tried(lambda: session.run(None, {"X": X})[0])


@pytest.mark.slow
def test_random_movements(tmp_path: Path):
    answered = refused = 0
    for seed in range(200):
        graph = RandomGraph(seed)
        count = 2 if graph.rows == "N" else graph.rows
        for _ in range(graph.random.integers(1, 5)):
            graph.grow()
            session = tried(session_of, graph.model().SerializeToString())
            found = run(session, np.zeros([count, *graph.columns], np.float32))
            if found is None:
                break
            graph.shape = list(found.shape)
        if session is None:
            continue
        (tmp_path / "m.onnx").write_bytes(graph.model().SerializeToString())
        try:
            model = specnet.import_model(tmp_path / "m.onnx")
        except specnet.FileError:
            refused += 1
            continue
        for count in [1, 2, 3, 5, 8] if graph.rows == "N" else [graph.rows]:
            X = graph.random.normal(size=[count, *graph.columns]).astype(np.float32)
            answer = run(session, X)
            if answer is not None:
                given = outputs(model, X.reshape(count, -1)).reshape(-1)
                np.testing.assert_allclose(given, answer.reshape(-1), rtol=1e-4, atol=1e-4, err_msg=str(seed))
        answered += 1
    assert answered > 65
    assert refused > 65
