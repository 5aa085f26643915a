"""The public checks: `check_part` and `check_layer`."""

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
"""Export targets that support any part, if they support its operations.

If a compiler, Node or onnxruntime is missing, the export is written but not run; without onnx, its export is skipped.
"""


def check_exports(subject: str, part: type[Part], layer: Mapping[str, Any], inputs: int) -> None:
    """Check that the exports of a network with this layer have the same predictions.

    Targets that do not support an operation of the part are skipped.
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
    """Check a part of any kind, and raise an AssertionError for the first mistake.

    The checks of every part: it has a name, a docstring and descriptions; it is equal after writing and reading; the
    engine and the JSON Schema both refuse values that are out of a field's bounds or of another type. For activations
    and layers, exports to NumPy, C, JavaScript and ONNX must have the same results, if they can be run.

    Parameters
    ----------
    part : type of Part
        Class of the part.
    forward : callable, optional
        Function in plain NumPy with the same results. Its arguments by kind of part, followed by the settings as
        keywords:

        - activation: X (rows, features); returns (rows, output features). Also ``parameters``, a dict by name, if the
          activation has parameters.
        - loss: the output that `Loss.expression` reads, (rows, outputs), and the target (rows, targets), or class
          indices (rows,); returns (rows,).
        - optimizer: theta (n,) and the gradients of 10 steps (10, n), which do not depend on theta; returns theta after
          these steps with the constant learning rate of the settings.
        - schedule: position and length; returns the factor.
        - initializer: fan_in and fan_out; returns mean and standard deviation.

        Other kinds are not compared.
    settings : sequence of mappings, optional
        Fields of the part, one mapping for each variant to check; default: the fields of its example.

    Raises
    ------
    AssertionError
        If the part has a mistake; the message names the part and the mistake.
    """
    _check(part, forward, settings, None)


def check_layer(
    layer: type[Layer],
    forward: Reference | None = None,
    *,
    settings: Settings | None = None,
    inputs: Sequence[ArrayLike] | None = None,
) -> None:
    """Check a layer with `check_part`, its values in evaluation mode, and its derivatives in both modes.

    Parameters
    ----------
    layer : type of Layer
        Class of the layer.
    forward : callable, optional
        Function in plain NumPy with the same results in evaluation mode. It takes the inputs, (rows, features) each,
        the settings as keywords, and ``parameters``, a dict of parameters and states by name, if the layer has any. It
        returns (rows, outputs).
    settings : sequence of mappings, optional
        Fields of the layer, one mapping for each variant to check; default: the fields of its example.
    inputs : sequence of arrays, optional
        Inputs, (rows, features) each; default: one of 4 features, or two for layers of several inputs, with 1, 2 and 7
        rows.

    Raises
    ------
    AssertionError
        If the layer has a mistake; the message names the layer and the mistake.
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
