"""Keras's models inside models, made here, against what Keras answers itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import specnet
from tests.importing.answers import TOLERANCE, difference, outputs

pytestmark = [pytest.mark.peers, pytest.mark.filterwarnings("ignore")]

X = np.random.default_rng(0).normal(1, 2, (60, 4)).astype(np.float32)
NUMBERS = {"mean": [0.5, -1.0, 2.0, 0.0], "variance": [1.5, 0.7, 2.0, 1.0]}


def changed(model: Any, seed: int = 0) -> Any:
    """The model with numbers of its own in each place, so that two places of one shape are told apart."""
    random = np.random.default_rng(seed)
    for variable in model.weights:
        if variable.dtype.startswith("float") and "normalization/mean" not in variable.path:
            variable.assign(variable.numpy() + random.uniform(0.1, 0.6, variable.shape))
    return model


def check(model: Any, path: Path, rows: np.ndarray = X, tolerance: float = TOLERANCE["float32"]) -> specnet.Model:
    wanted = changed(model).predict(rows, verbose=0)  # in single precision, whatever the layers compute in
    model.save(path / "network.keras")
    found = specnet.import_model(path / "network.keras")
    assert difference(outputs(found, rows), wanted) <= tolerance
    return found


def stack(*layers: Any, **options: Any) -> Any:
    import keras

    return keras.Sequential([keras.Input((4,)), *layers], **options)


def block(**options: Any) -> Any:
    """A Functional of 4 columns and 4 outputs that goes past two of its layers."""
    import keras
    from keras import layers

    x = keras.Input((4,), name="columns")
    h = layers.Activation("tanh", name="tanh")(layers.Dense(4, name="dense")(x))
    h = layers.BatchNormalization(name="norm")(h)
    return keras.Model(x, layers.Add(name="sum")([x, layers.Dropout(0.2, name="dropout")(h)]), **options)


def stacks() -> dict[str, Any]:
    import keras
    from keras import layers

    def bare() -> Any:
        """A stack that learns its number of columns from what it stands in."""
        return keras.Sequential([layers.Dense(4, "relu", name="dense"), layers.Dense(4, name="dense_1")])

    deep = stack(layers.Dense(4, "tanh", name="dense"), name="0")
    for depth in range(1, 17):
        deep = stack(layers.Dense(4, "tanh", name="dense"), deep, name=str(depth))
    return {
        "in the middle": stack(layers.Dense(4, name="dense"), bare(), layers.Dense(1, name="out")),
        "first, and last": keras.Sequential([stack(layers.Dense(4)), layers.Dense(4), stack(layers.Dense(3))]),
        "one alone": keras.Sequential([block()]),
        "beside each other": stack(bare(), bare(), layers.Dense(4), block(name="b"), block(name="a"), bare()),
        "sixteen deep": deep,
        "the same names": stack(stack(layers.Dense(4, name="x"), name="x"), layers.Dense(4, name="y"), name="x"),
        "an activation": stack(layers.Dense(3), keras.Sequential([layers.Activation("gelu")]), layers.Dense(2)),
        "learned activations": stack(layers.Dense(5), keras.Sequential([layers.PReLU(), layers.LayerNormalization()])),
        "nothing inside": stack(keras.Sequential([keras.Input((4,))], name="empty"), layers.Dense(2)),
        "nothing at all": keras.Sequential([stack(keras.Sequential([layers.Identity()]))]),
        "a classifier": stack(block(), keras.Sequential([layers.Dense(3, "softmax")])),
        "standardized inside": stack(keras.Sequential([layers.Normalization(**NUMBERS), layers.Dense(3)])),
        "standardized before": stack(layers.Normalization(**NUMBERS), block(), layers.Dense(1)),
        "only standardized inside": stack(stack(layers.Normalization(**NUMBERS)), bare(), layers.Dense(2)),
        "units inside": stack(bare(), keras.Sequential([layers.Normalization(**NUMBERS, invert=True)])),
        "units and layers inside": stack(stack(layers.Dense(4), layers.Normalization(**NUMBERS, invert=True))),
    }


@pytest.mark.parametrize("name", [
    "in the middle", "first, and last", "one alone", "beside each other", "sixteen deep", "the same names",
    "an activation", "learned activations", "nothing inside", "nothing at all", "a classifier", "standardized inside",
    "standardized before", "only standardized inside", "units inside", "units and layers inside",
])  # fmt: skip
def test_models_in_stacks(name: str, tmp_path: Path):
    found = check(stacks()[name], tmp_path)
    assert bool(found.preprocessing.steps) == ("standardized" in name)
    assert bool(found.target_preprocessing.steps) == ("units" in name)


def test_models_in_graphs(tmp_path: Path):
    import keras
    from keras import layers

    x = keras.Input((4,), name="columns")
    first = block(name="first")(x)
    around = layers.Add()([x, stack(layers.Dense(4, "relu"), block(), layers.Dense(4))(x)])
    gate = layers.Multiply()([first, stack(layers.Dense(4, "sigmoid"), name="gate")(around)])
    model = keras.Model(x, layers.Concatenate()([layers.Dense(2)(first), stack(layers.Dense(3))(gate)]))
    check(model, tmp_path)
    check(keras.Model(x, block(name="last")(stack(layers.Dense(4))(x))), tmp_path)  # whose output is a Functional's
    check(keras.Model(x, keras.Model(x, x)(x)), tmp_path)


def test_models_of_several_inputs_inside(tmp_path: Path):
    import keras
    from keras import layers

    a, b = keras.Input((3,), name="b"), keras.Input((2,), name="a")
    both = keras.Model([b, a], layers.Concatenate()([layers.Dense(2, name="dense")(a), b]), name="both")
    x = keras.Input((4,), name="columns")
    check(keras.Model(x, layers.Dense(2)(both([layers.Dense(2)(x), layers.Dense(3)(x)]))), tmp_path)


def random_model(random: np.random.Generator, depth: int) -> Any:
    """A model of 4 columns and 4 outputs with models inside, of names that others of them have too."""
    import keras
    from keras import layers

    def layer(number: int) -> Any:
        kind = random.integers(8 if depth else 5)
        if kind >= 5:
            return random_model(random, depth - 1)
        made = [layers.Dense(4, "tanh"), layers.LayerNormalization(), layers.PReLU(), layers.BatchNormalization()]
        return [*made, layers.Dropout(0.1)][kind]

    parts = [layer(number) for number in range(random.integers(1, 5))]
    name = f"model_{random.integers(10**9)}"
    if random.integers(2):
        return keras.Sequential([keras.Input((4,)), *parts], name=name)
    tensors = [keras.Input((4,), name="columns")]
    for part in parts:
        tensors.append(part(tensors[random.integers(len(tensors))]))
        if random.integers(2):
            merge = [layers.Add(), layers.Multiply()][random.integers(2)]
            tensors.append(merge([tensors[-1], tensors[random.integers(len(tensors))]]))
    return keras.Model(tensors[0], tensors[-1], name=name)


def test_random_models_in_models(tmp_path: Path):
    for seed in range(40):
        check(random_model(np.random.default_rng(seed), 3), tmp_path, tolerance=1e-4)  # normalizations enlarge rounding


def test_adapted_columns_inside_in_both_precisions(tmp_path: Path):
    import keras
    from keras import layers

    for dtype in ("float32", "float64"):
        columns = layers.Normalization(dtype=dtype)
        columns.adapt(X * 3 + 1)
        inner = keras.Sequential([keras.Input((4,), dtype=dtype), columns, layers.Dense(3, "tanh", dtype=dtype)])
        model = keras.Sequential([keras.Input((4,), dtype=dtype), inner, layers.Dense(2, dtype=dtype)])
        assert check(model, tmp_path, X.astype(dtype)).network.dtype == dtype


def refusals() -> dict[str, Any]:
    import keras
    from keras import layers

    x, y, double = keras.Input((4,), name="columns"), keras.Input((4,)), keras.Input((4,), dtype="float64")
    whole, single = keras.Input((4,), dtype="int32"), keras.Input((4,))
    twice, shared = block(name="twice"), layers.Dense(4, name="shared")
    standard, units = layers.Normalization(**NUMBERS), layers.Normalization(**NUMBERS, invert=True)
    rounded = keras.Model(single, layers.Dense(4, dtype="float64")(single), name="rounded")
    several = keras.Model(y, [layers.Dense(2)(y), layers.Dense(3)(y)], name="several")
    beside = keras.Model(y, layers.Add(name="sum")([y, standard(y)]), name="beside")
    return {
        "'twice' .Functional.: it is used 2 times, not once": keras.Model(x, twice(twice(x))),
        "in 'outer': it is used 2 times": keras.Model(x, keras.Model(y, twice(twice(y)), name="outer")(x)),
        "sequential/dense has 0 arrays, and 2 are needed": stack(shared, stack(shared)),
        "layer 'sum' .Add. in 'beside': it reads '.*' without the Normalization": keras.Model(x, beside(x)),
        "layer 'past' .Add.: it reads 'columns' without the Normalization": keras.Model(
            x, layers.Add(name="past")([x, stack(standard, layers.Dense(4))(x)])
        ),
        "'after' .Dense.: it stands behind the Normalization": stack(stack(units), layers.Dense(1, name="after")),
        "a Normalization is understood as the first layer": stack(layers.Dense(4), stack(standard)),
        "it rounds its columns to float32": keras.Model(double, rounded(double)),
        "it rounds its columns to int32": keras.Model(whole, layers.Dense(1)(whole)),
        "layer 'several' .Functional. has several outputs": keras.Model(x, layers.Concatenate()(several(x))),
        "'mine' .Lambda. in 'outer/inner': a Lambda is code": stack(
            stack(stack(layers.Lambda(lambda x: x, name="mine"), name="inner"), name="outer")
        ),
        "'scaled' .Rescaling. in 'outer': layers of the class 'Rescaling' are not": stack(
            stack(layers.Rescaling(2.0, name="scaled"), name="outer")
        ),
    }


@pytest.mark.parametrize("number", range(12))
def test_models_inside_that_are_not_understood(number: int, tmp_path: Path):
    reason, model = list(refusals().items())[number]
    model.save(tmp_path / "network.keras")
    with pytest.raises(specnet.FileError, match=reason):
        specnet.import_model(tmp_path / "network.keras")
