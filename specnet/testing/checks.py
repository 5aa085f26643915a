"""The public checks."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from specnet.errors import ExportError, MissingPackageError, UnsupportedError
from specnet.exporting import find_target
from specnet.exporting.export_proof import prove
from specnet.model import Model
from specnet.network import build
from specnet.parts import Activation, Initializer, Layer, Loss, Optimizer, Schedule
from specnet.parts.part import Part
from specnet.testing.common import (
    check_class,
    check_document,
    example,
    made,
    naming,
    registry_with,
    subject_of,
    unregistered,
)
from specnet.testing.numbers import Reference, fail
from specnet.testing.part_checks import (
    FEATURES,
    check_activation,
    check_initializer,
    check_loss,
    check_optimizer,
    check_schedule,
    check_values_and_gradients,
)

TARGETS = ("numpy", "c", "javascript", "onnx")
"""Exports that can have any part, as long as they have its operations.

Where a compiler, Node or onnxruntime is missing the export is written and not run; without onnx that one is left out.
"""


def check_exports(subject: str, part: type[Part], layer: Mapping[str, Any], inputs: int) -> None:
    """Check that the exports of a network with this layer, of a part, agree with it.

    A target that lacks an operation refuses it by name, which is no fault of the part.
    """
    layers = [dict(layer), {"type": "dense", "units": 2}]
    spec = {"network": {"dtype": "float64", "input_size": inputs, "layers": layers}, "training": {"loss": "mse"}}
    network = build(spec, parts=unregistered(part))
    model = Model(network, network.initial_parameters())
    with tempfile.TemporaryDirectory() as folder:
        for name in TARGETS:
            target = find_target(name)
            main = Path(folder) / f"part{target.suffix}"
            try:
                program = target.program(model, network.dtype)
                files = target.render(program, main)
            except (UnsupportedError, MissingPackageError):
                continue
            try:
                prove(target, program, files, main.name)
            except ExportError as error:
                fail(subject, f"its export to {name}: {error.diagnostics[0].message}")


USUAL_FEATURES = 4
Settings = Sequence[Mapping[str, Any]]

_CHECKS: dict[type[Part], Callable[..., None]] = {
    Activation: check_activation,
    Loss: check_loss,
    Optimizer: check_optimizer,
    Schedule: check_schedule,
    Initializer: check_initializer,
}


def check_part(part: type[Part], forward: Reference | None = None, *, settings: Settings | None = None) -> None:
    """Check a part of any kind.

    Of every part: its name, docstring and descriptions; that it is the same when it is written and read again; that
    values beyond a field's bounds, and of another type, are refused by the engine and the JSON Schema alike. Of
    activations and layers also that exports to NumPy, C, JavaScript and ONNX answer as they do, where these can be run.

    Parameters
    ----------
    part : type of Part
        Its class.
    forward : callable, optional
        The same by plain NumPy. It is called with the settings as keywords, after:

        - activation: X (rows, features); returns (rows, output features). Also ``parameters``, a dict by name, where it
          learns some.
        - loss: the output as `Loss.expression` sees it, (rows, outputs), and the target (rows, targets), or class
          indices (rows,); returns (rows,).
        - optimizer: theta (n,) and the gradients of 10 steps (10, n), which do not depend on theta; returns theta after
          these steps, made with the spec's constant learning rate.
        - schedule: position and length; returns the factor.
        - initializer: fan_in and fan_out; returns mean and standard deviation.

        Other kinds are not compared.
    settings : sequence of mappings, optional
        The part's fields, in as many variants as are to be checked; those of its example by default.

    Raises
    ------
    AssertionError
        Says what is wrong with which part, and where.
    """
    _check(part, forward, settings, None)


def check_layer(
    layer: type[Layer],
    forward: Reference | None = None,
    *,
    settings: Settings | None = None,
    inputs: Sequence[ArrayLike] | None = None,
) -> None:
    """Check a layer: as `check_part`, its values while predicting, its derivatives then and while training.

    Parameters
    ----------
    layer : type of Layer
        Its class.
    forward : callable, optional
        The same by plain NumPy, while predicting: from the inputs, (rows, features) each, with ``parameters``, a dict
        of parameters and states by name where it has some, and the settings as keywords; returns (rows, outputs).
    settings : sequence of mappings, optional
        The layer's fields, in as many variants as are to be checked; those of its example by default.
    inputs : sequence of arrays, optional
        (rows, features) each; by default one of 4 features, or two for layers of several inputs, in 1, 2 and 7 rows.

    Raises
    ------
    AssertionError
        Says what is wrong with which layer, and where.
    """
    _check(layer, forward, settings, inputs)


def _check(
    part: type[Part], forward: Reference | None, settings: Settings | None, inputs: Sequence[ArrayLike] | None
) -> None:
    check_class(part)
    registry = registry_with(part)
    for variant in [example(part)] if settings is None else settings:
        check_document(part, variant, registry)
        subject, instance = subject_of(part, variant), made(part, variant, registry)
        table = Part.dump(instance)
        with naming(subject):
            if isinstance(instance, Layer):
                for arrays in [inputs] if inputs is not None else _usual_inputs(instance):
                    check_values_and_gradients(subject, instance, forward, variant, arrays)
                if inputs is None and instance.input_count == "one":
                    check_exports(subject, part, table, USUAL_FEATURES)
            for kind, check in _CHECKS.items():
                if isinstance(instance, kind):
                    check(subject, instance, forward, variant)
            if isinstance(instance, Activation):
                check_exports(subject, part, {"type": "activation", "activation": table}, FEATURES)


def _usual_inputs(layer: Layer) -> list[list[ArrayLike]]:
    generator = np.random.default_rng(0)
    count = 1 if layer.input_count == "one" else 2
    return [[generator.normal(size=(rows, USUAL_FEATURES)) for _ in range(count)] for rows in (1, 2, 7)]
