"""The networks that are timed, and how much of each peer's time ours may take."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

DROPPED = 0.2
"""The share that the dropout of normalized networks drops."""


class Bound(NamedTuple):
    """The largest ratio of our time to the peer's, and the ratio aimed at."""

    at_most: float
    goal: float

    def times(self, factor: float) -> "Bound":
        """The bound for something that may take so many times as long."""
        return Bound(round(self.at_most * factor, 3), round(self.goal * factor, 3))


NUMPY, COMPILED = "NumPy engine", "compiled engine"
"""Our two engines, by their names in tables."""

VECTOR_FACTORS = {"AVX-512": 1.0, "AVX2": 1.6}
"""How many times the bounds of the compiled engine hold, by a CPU's vectors; on other CPUs it has no bounds."""


@dataclass(frozen=True)
class Case:
    """A network, its mini-batches, and the bounds of both engines by peer. One output is binary, several are classes.

    The bounds of the compiled engine are those of a CPU with AVX-512. A wide case is one whose products keep all cores
    busy: it is given all of them, and compared only with what uses them. A normalized one has batch normalization
    before each hidden activation, and dropout after it.
    """

    sizes: tuple[int, ...]
    batch: int
    rows: int
    bounds: dict[str, Bound]
    compiled_bounds: dict[str, Bound]
    dtype: str = "float32"
    optimizer: str = "adam"
    learning_rate: float = 0.001
    normalized: bool = False
    wide: bool = False

    @property
    def title(self) -> str:
        batch = "full batch of" if self.full_batch else "batch"
        layers = "-".join(map(str, self.sizes)) + " with batch normalization and dropout" * self.normalized
        return f"{layers}, {batch} {self.batch}, {self.optimizer}, {self.dtype}"

    @property
    def full_batch(self) -> bool:
        return self.batch == self.rows

    @property
    def binary(self) -> bool:
        return self.sizes[-1] == 1

    def compiled_bound(self, peer: str, vectors: str) -> Bound | None:
        """The bound of the compiled engine with such vectors."""
        bound, factor = self.compiled_bounds.get(peer), VECTOR_FACTORS.get(vectors)
        return bound.times(factor) if bound and factor else None

    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """X (rows, inputs) of the case's dtype and random class indices (rows,)."""
        generator = np.random.default_rng(0)
        X = generator.standard_normal((self.rows, self.sizes[0])).astype(self.dtype)
        return X, generator.integers(0, max(2, self.sizes[-1]), self.rows)

    def document(self) -> dict[str, Any]:
        """The spec, as a mapping."""
        network: dict[str, Any] = {"layer_sizes": list(self.sizes)}
        if self.normalized:
            relu = {"type": "activation", "activation": "relu"}
            rest = ["batch_normalization", relu, {"type": "dropout", "rate": DROPPED}]
            hidden = [layer for units in self.sizes[1:-1] for layer in ({"type": "dense", "units": units}, *rest)]
            network = {"input_size": self.sizes[0], "layers": [*hidden, {"type": "dense", "units": self.sizes[-1]}]}
        loss = "binary_crossentropy" if self.binary else "categorical_crossentropy"
        optimizer = {"type": self.optimizer, "learning_rate": self.learning_rate}
        training = {"loss": loss, "optimizer": optimizer, "batch_size": "full" if self.full_batch else self.batch}
        return {"network": {**network, "dtype": self.dtype}, "training": training}


CASES = (
    Case(
        *((2, 5, 1), 240, 240),
        {"tutorial": Bound(0.5, 0.4), "scikit-learn": Bound(0.25, 0.15), "torch": Bound(0.15, 0.1)},
        {NUMPY: Bound(0.08, 0.05), "jax": Bound(0.15, 0.1)},
        *("float64", "sgd", 0.003),
    ),
    Case(
        *((30, 64, 64, 2), 64, 20_000),
        {"scikit-learn": Bound(0.4, 0.25), "torch": Bound(0.4, 0.2)},
        {NUMPY: Bound(0.35, 0.25), "jax": Bound(0.7, 0.5)},
    ),
    Case(
        *((64, 128, 64, 10), 32, 20_000),
        {"scikit-learn": Bound(0.4, 0.25), "torch": Bound(0.4, 0.2)},
        {NUMPY: Bound(0.32, 0.22), "jax": Bound(0.65, 0.45)},
    ),
    Case(*((64, 128, 64, 10), 64, 20_000), {"torch": Bound(0.5, 0.4)}, {NUMPY: Bound(0.35, 0.2)}, normalized=True),
    Case(
        *((784, 256, 128, 10), 128, 20_000),
        {"scikit-learn": Bound(0.65, 0.5), "torch": Bound(1.4, 1.1)},
        {NUMPY: Bound(0.7, 0.5), "jax": Bound(0.9, 0.6)},
    ),
    Case(*((100, 1024, 1024, 10), 512, 4096), {}, {NUMPY: Bound(0.9, 0.9), "jax": Bound(0.9, 0.9)}, wide=True),
)

PREDICTION_BOUNDS = {"scikit-learn": Bound(0.12, 0.12), "onnxruntime": Bound(2, 1)}
COMPILED_PREDICTION_BOUNDS = {"specnet": Bound(0.25, 0.15), "onnxruntime": Bound(0.25, 0.15)}
