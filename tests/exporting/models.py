"""Models to export: those of the reference specs, of every kind, and random ones over the whole catalogue."""

from __future__ import annotations

import runpy
import warnings
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

import specnet
from specnet import Model, Network, SpecnetWarning, export, parse_spec, resolve
from specnet.data import Preparation, unfitted
from specnet.parts import Activation, Value
from specnet.spec.document import Ensemble
from tests.model.models import KINDS, make_model
from tests.random_specs import random_spec

SPECS = Path(__file__).parents[2] / "specs"
NAMES = sorted(path.name for path in SPECS.iterdir() if path.suffix in (".toml", ".json"))
RANDOM = 40
SHARES = [3, 1, 2]
"""Of the networks of a team."""
DTYPES = ("float64", "float32")


@cache
def spec_model(name: str, ensemble: int | None = None) -> Model:
    """Return the model of a reference spec after an epoch or two; the weights of long training are another test."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SpecnetWarning)  # pixels of digits are 0 in all rows
        members = [] if ensemble is None else [f"training.ensemble={ensemble}"]
        return specnet.run(
            SPECS / name, overrides=["training.epochs=2", "training.baselines=[]", "expect=[]", *members]
        ).model


def built(
    *layers: dict[str, Any],
    dtype: str = "float32",
    loss: Any = "mean_squared_error",
    parts: Sequence[type[Any]] = (),
    labels: Any = None,
    seed: int | None = None,
    **fields: Any,
) -> Model:
    """Return a model of these layers, or of other fields of a network, with the numbers that it starts with.

    With a seed they are random ones in their place.
    """
    network = {"dtype": dtype, **({"layers": [*layers]} if layers else {}), **fields}
    made = specnet.build({"network": network, "training": {"loss": loss}}, parts=parts)
    theta = made.initial_parameters() if seed is None else np.random.default_rng(seed).normal(size=made.parameter_count)
    return Model(made, theta, labels=None if labels is None else np.array(labels))


def labelled(labels: Sequence[Any]) -> Model:
    return built(dtype="float64", loss="categorical_crossentropy", labels=labels, seed=0, layer_sizes=[3, len(labels)])


def named(columns: Sequence[str]) -> Model:
    """Return a model whose columns have names."""
    return built(dense(1), dtype="float64", seed=0, input_size=len(columns), feature_names=[*columns])


def layered(*layers: dict[str, Any], **fields: Any) -> Model:
    return built(*layers, **{"dtype": "float64", "seed": 0, "input_size": 3, **fields})


def dense(units: int, **fields: Any) -> dict[str, Any]:
    return {"type": "dense", "units": units, **fields}


def activation(name: str, expression: Callable[..., Value], **members: Any) -> type[Activation]:
    """Return an activation of someone else, computed of x and of fields, numbers with these defaults."""
    fields = {key: value for key, value in members.items() if isinstance(value, float)}
    members |= {
        "__module__": __name__,
        "__doc__": f"What {name} makes of x.",
        "__annotations__": {"type": Literal[name], **dict.fromkeys(fields, float)},
        "type": name,
        "expression": lambda self, x: expression(x, *(getattr(self, key) for key in fields)),
    }
    return type(Activation)(name.title(), (Activation,), members)


@cache
def random_model(seed: int, dtype: str) -> Model:
    """Return a random network with random numbers in it, also in what its layers keep."""
    generator = np.random.default_rng(seed)
    spec = random_spec(generator, seed)
    spec["network"]["dtype"] = dtype
    network = specnet.build(spec)
    theta = network.initial_parameters()
    # Also to shifts, scales and shares, each its own.
    theta += generator.normal(0, 0.2, theta.shape).astype(theta.dtype)
    state = network.initial_state()
    for name, array in state.items():
        if not name.endswith(".edges"):
            array[...] = abs(array + generator.normal(0, 0.1, array.shape))
    return Model(network, theta, state)


def ensemble_of(model: Model, members: int = 3) -> Model:
    """Return an ensemble of networks whose numbers all differ from the model's, also in what their layers keep."""
    generator = np.random.default_rng(members)
    training = {"training": model.spec.training.model_copy(update={"ensemble": Ensemble(members=members)})}
    network = Network(resolve(model.network.resolved.spec.model_copy(update=training)))
    theta = model.theta + generator.normal(0, 0.2, (members, len(model.theta)))
    state = {
        name: np.stack([array * (1 + number / 10) for number in range(members)]).astype(array.dtype)
        for name, array in model.state.items()
    }
    return Model(network, theta, state, model.preprocessing, model.target_preprocessing, model.labels)


def alone(ensemble: Model, member: int) -> Model:
    """Return a member of an ensemble as a model."""
    theta, state = ensemble.members[member]
    return Model(ensemble.network, theta, state, ensemble.preprocessing, ensemble.target_preprocessing, ensemble.labels)


def another(kind: str, dtype: str) -> Model:
    """Return a model of a kind with other layers and another preprocessing than those of `make_model`."""
    described = KINDS[kind]
    first, *_, last = described["sizes"]
    network = {
        "dtype": dtype,
        "layer_sizes": [first, 5, 2, last],
        "activations": "gelu",
        "preprocessing": ["robust", "smooth_clip"],
        "target_preprocessing": ["robust"] if "values" in kind else described.get("target_preprocessing", []),
    }
    made = Network(resolve(parse_spec({"network": network, "training": {"loss": described["loss"]}})))
    rng, spec, labels = np.random.default_rng(5), made.spec.network, described.get("labels")
    return Model(
        made,
        rng.standard_normal(made.parameter_count),
        preprocessing=Preparation.fit(unfitted(spec.preprocessing), rng.normal(5, 3, (20, first))),
        target_preprocessing=Preparation.fit(unfitted(spec.target_preprocessing), rng.normal(-40, 9, (20, last))),
        labels=None if labels is None else np.array(labels),
    )


def team_of(kind: str, dtype: str) -> Model:
    """Return a team of an ensemble, a network of other layers, and one whose layers are those of the first."""
    first = make_model(kind, dtype)
    return Model.joined([ensemble_of(first), another(kind, dtype), first], SHARES)


def every_model() -> list[tuple[str, str, Callable[[], Model]]]:
    """Return every kind of model in both precisions, the random ones in one: name, dtype, and how it is made."""
    kinds = [(kind, dtype, partial(make_model, kind, dtype)) for kind in KINDS for dtype in DTYPES]
    seeds = [(seed, DTYPES[seed % 2]) for seed in range(RANDOM)]
    return kinds + [(f"random {seed}", dtype, partial(random_model, seed, dtype)) for seed, dtype in seeds]


def exported(model: Model, target: str, path: Path, **options: bool) -> Any:
    """Export a model, and let nothing be left to trust: it must have been compared."""
    written = export(model, target, path, **options)
    assert written.proof.obstacle == ""
    assert written.proof.rows == 256
    return written


def functions_of(model: Model, folder: Path, **options: Any) -> dict[str, Any]:
    """Return what the NumPy export of a model, ``m.py`` in a folder, defines."""
    return runpy.run_path(str(exported(model, "numpy", folder / "m.py", **options).files[0]))
