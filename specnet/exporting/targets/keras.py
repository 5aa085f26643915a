"""Export to Keras: an archive of Keras layers, saved by Keras, with the class labels in an added member."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from specnet.data import Preparation, RawColumns
from specnet.errors import ExportError, MissingPackageError, UnsupportedError, install_hint
from specnet.exporting.export_plan import LINEAR, Stage
from specnet.exporting.model_facts import LABELS, MEMBER, with_facts
from specnet.exporting.model_program import Program
from specnet.exporting.target import (
    ExportAnswers,
    Target,
    refuse_texts,
    required,
    unknown_preprocessing,
    without_idle_imputation,
)
from specnet.model import Model
from specnet.parts import Activation, Layer
from specnet.parts.arrays import Array
from specnet.parts.part import short

_ROUNDS = "float64, but for the columns, which Keras rounds to its floatx, float32 by default"


class KerasTarget(Target):
    title = "Keras"
    suffix = ".keras"

    def program(self, model: Model, dtype: np.dtype[Any]) -> Program:
        _keras()
        float32 = np.dtype(np.float32)
        model, note = without_idle_imputation(model)
        notes = filter(None, ["" if dtype == float32 else _ROUNDS, note])
        return Program(model, float32, {}, "; ".join(notes))

    def render(self, program: Program, path: Path) -> dict[Path, bytes]:
        refuse_texts(program, "Keras")
        network = _Layers(program).model()
        with tempfile.TemporaryDirectory() as folder:
            network.save(f"{folder}/model.keras")
            content = Path(folder, "model.keras").read_bytes()
        return {path: with_facts(content, program)}

    def run(self, program: Program, path: Path, rows: RawColumns) -> ExportAnswers:
        network = _keras().models.load_model(path)
        outputs = np.asarray(network.predict(rows.X.astype(program.dtype), batch_size=len(rows), verbose=0))
        if program.task == "values":
            return ExportAnswers(outputs, None)
        if program.task == "multilabel":
            return ExportAnswers(outputs, (outputs > program.model.boundary).astype(np.int64))
        with zipfile.ZipFile(path) as archive:
            labels = np.array(json.loads(archive.read(MEMBER))[LABELS])
        return ExportAnswers(outputs, labels[program.model.decoder.predictions([outputs], decoded=False)])


TARGET = KerasTarget()
_BACKENDS = ("tensorflow", "torch", "jax")


def _keras() -> Any:
    """Import and return Keras; unless a backend was chosen, an installed one is used.

    Raises
    ------
    MissingPackageError
        If Keras is not installed, or none of its backends is.
    ExportError
        If the chosen backend does not exist.
    """
    if "keras" not in sys.modules and "KERAS_BACKEND" not in os.environ and find_spec("keras"):
        backends = [name for name in _BACKENDS if find_spec(name)]
        if not backends:
            message = f"Keras needs one of {', '.join(_BACKENDS)}; none is installed"
            raise MissingPackageError(message, hint=install_hint("torch"))
        os.environ["KERAS_BACKEND"] = backends[0]
    try:
        return required("keras", "keras")
    except MissingPackageError:
        raise
    except ValueError as error:  # raised by Keras for a backend that does not exist
        raise ExportError(
            f"Keras cannot be imported: {error}", hint="set KERAS_BACKEND to an installed backend"
        ) from error


class _Layers:
    """Builder of a Keras model from a program."""

    def __init__(self, program: Program) -> None:
        self.program, self.keras = program, _keras()
        (self.network,) = program.networks
        self.dtype = program.model.network.dtype.name
        self.weights: list[tuple[Any, list[Array]]] = []
        self.problems: list[str] = []

    def model(self) -> Any:
        """Return the model with its weights.

        Raises
        ------
        UnsupportedError
            If Keras has no equivalent of a layer; the message lists all of them.
        ExportError
            If Keras's backend does not support the network's precision.
        """
        program, keras = self.program, self.keras
        members = range(len(self.network.members))
        makers = [[self._layer(layer, member) for layer in self.network.layers] for member in members]
        scales = bool(program.model.target_preprocessing.steps)
        for *_, last in self.network.layers if scales else self.network.layers[:-1]:
            if last.part.type == "glu":
                self.problems.append(
                    f"Keras has no equivalent of {last.title}: its glu layer expects twice as many features after it"
                )
        self.problems += unknown_preprocessing(program.model.preprocessing, program.inputs, "Keras")
        self.problems += unknown_preprocessing(program.model.target_preprocessing, program.outputs, "Keras")
        if program.outputs != program.model.network.outputs:
            self.problems.append("Keras export does not support several outputs per target")
        if self.problems:
            raise UnsupportedError(*dict.fromkeys(self.problems))  # all members have the same problems
        inputs = keras.Input((program.inputs,), dtype=self.dtype, name="X")
        columns = self._standardized(program.model.preprocessing, inputs, "preprocessing")
        answers = [self._member(*each, columns) for each in zip(self.network.members, makers, strict=True)]
        outputs = answers[0]
        if self.network.is_averaged:
            outputs = keras.layers.Average(name="mean", dtype=outputs.dtype)(answers)
        name = "".join(character if character.isalnum() else "_" for character in program.name)
        model = keras.Model(inputs, outputs, name=name)
        for layer, arrays in self.weights:
            layer.set_weights(arrays)
            stored = {array.dtype.name for array in layer.get_weights()}
            if stored != {self.dtype}:
                hint = "set JAX_ENABLE_X64=1, or use another KERAS_BACKEND"
                raise ExportError(f"Keras stores {' and '.join(stored)} numbers instead of {self.dtype}", hint=hint)
        return model

    def _member(self, prefix: str, makers: Sequence[Any], columns: Any) -> Any:
        """Return the symbolic answer of a member for prepared columns, applying its layers in order."""
        results = {-1: columns}
        for number, (layer, make) in enumerate(zip(self.network.layers, makers, strict=True)):
            sources = [results[source] for source in layer[0].node.inputs]
            results[number] = make(sources[0] if len(sources) == 1 else sources)
        key, last = f"{prefix}target_preprocessing", results[len(makers) - 1]
        return self._standardized(self.program.model.target_preprocessing, last, key, inverted=True)

    def _standardized(self, preparation: Preparation, x: Any, key: str, *, inverted: bool = False) -> Any:
        """Return standardized columns, or with `inverted` values in the target's units, computed in float64."""
        fitted = reversed(preparation.fitted) if inverted else preparation.fitted
        for number, each in enumerate(fitted):
            mean, variance = each["mean"], each["scale"] ** 2  # its square root equals the scale exactly
            name = f"{key}_{number}".replace(".", "_")
            x = self.keras.layers.Normalization(
                mean=mean, variance=variance, invert=inverted, dtype="float64", name=name
            )(x)
        return x

    def _layer(self, stages: Sequence[Stage], member: int) -> Any:
        """Return a function that applies a layer; if Keras lacks it, a problem is recorded."""
        first, layer = stages[0], stages[0].node.layer
        options = {"name": (self.network.members[member] + first.node.key).replace(".", "_"), "dtype": self.dtype}
        match layer.type:
            case "dense" if [step.operation for step in first.steps] == [LINEAR]:
                return self._dense(stages, member, options)
            case "activation":
                return (lambda x: x) if first.is_identity else self._activation(first, member, options)
            case _ if layer.names.keras_layer[0]:
                arrays = [array for stage in stages if not stage.is_identity for array in stage.arrays[member].values()]
                return self._weighted(self._named(layer, options), arrays)
        self.problems.append(f"Keras has no equivalent of {first.title}")
        return lambda x: x

    def _dense(self, stages: Sequence[Stage], member: int, options: dict[str, Any]) -> Any:
        linear, *others = stages
        weight, *bias = (table.arrays[member] for table in linear.tables)
        name = _name(others[0].part) if others else "linear"
        dense = self.keras.layers.Dense(len(weight), activation=name, use_bias=bool(bias), **options)
        self._weighted(dense, [weight.T, *bias])
        if name is not None:
            return dense
        options["name"] += "_activation"
        activation = self._activation(others[0], member, options)
        return lambda x: activation(dense(x))

    def _activation(self, stage: Stage, member: int, options: dict[str, Any]) -> Any:
        part = stage.part
        if (name := _name(part)) is not None:
            return self.keras.layers.Activation(name, **options)
        if isinstance(part, Activation) and not part.parametric and part.names.keras_layer[0]:
            return self._weighted(self._named(part, options), list(stage.arrays[member].values()))
        self.problems.append(f"Keras has no equivalent of {stage.title}")
        return lambda x: x

    def _named(self, part: Layer | Activation, options: dict[str, Any]) -> Any:
        """Return the Keras layer that is equivalent to a part."""
        kind, *arguments = part.names.keras_layer
        return getattr(self.keras.layers, kind)(**{name: getattr(part, name) for name in arguments}, **options)

    def _weighted(self, layer: Any, arrays: list[Array]) -> Any:
        if arrays:
            self.weights.append((layer, arrays))
        return layer


def _name(part: Activation | Layer) -> str | None:
    """Return Keras's name of an activation if all its fields have default values, otherwise None."""
    return part.names.keras or None if short(part) == part.type else None
