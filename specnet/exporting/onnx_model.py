"""An exported ONNX file asked and measured as the model that it was made from, by onnxruntime."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from specnet.arrays import check_inputs
from specnet.data import Preparation
from specnet.errors import DataError, FileError, SpecError
from specnet.exporting.target import required
from specnet.files import PathLike, file_errors, read_file
from specnet.importing.facts import FACTS, read_facts
from specnet.model import Model
from specnet.network import Network
from specnet.parts.registry import installed_registry
from specnet.spec import Spec, parse_spec, resolve

Array = NDArray[Any]

_LARGEST = 2**31
_INVERSES: Mapping[str, Any] = {
    "linear": lambda y: y,
    "exponential": np.log,
    "softmax": lambda p: np.log(np.maximum(p, np.finfo(float).tiny)),
    "sigmoid": lambda p: np.log(np.maximum(p, np.finfo(float).tiny)) - np.log1p(-np.minimum(p, 1 - 2.0**-53)),
}
"""From an output to what the loss sees of it."""


class OnnxModel:
    """A model in an ONNX file that specnet has exported.

    Parameters
    ----------
    path : str or path-like

    Raises
    ------
    ExportError
        If onnx or onnxruntime is not installed.
    FileError
        If the file cannot be read, is no ONNX file, or comes from somewhere else.
    """

    def __init__(self, path: PathLike) -> None:
        onnx, runtime = required("onnx", "onnx"), required("onnxruntime", "onnx")
        with file_errors(path):
            content = read_file(path, _LARGEST)
            try:
                loaded = onnx.load_model_from_string(content)
                if any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in loaded.graph.initializer):
                    raise FileError("this ONNX file reads its weights from another file")
                self._session = runtime.InferenceSession(content, providers=["CPUExecutionProvider"])
            except FileError:
                raise
            except Exception as error:  # neither library's errors have a class of their own in common
                raise FileError(f"this is no ONNX file that onnxruntime reads: {error}") from error
            facts = {entry.key: entry.value for entry in loaded.metadata_props}.get(FACTS)
            if facts is None:
                hint = "`specnet import` makes a model of it"
                raise FileError("this ONNX file does not come from `specnet export`: it names no loss", hint=hint)
            self._arrays = {x.name: onnx.numpy_helper.to_array(x) for x in loaded.graph.initializer}
            self._shapes = {output.name: output.shape for output in self._session.get_outputs()}
            self._answer = next(name for name in self._shapes if name != "label")
            try:
                self._facts = read_facts(facts, "what this file says of its spec")
                self.spec = self._small_spec(self._session.get_inputs()[0].shape[1])
            except (ValueError, LookupError, TypeError, SpecError) as error:
                raise FileError(f"what this file says of its spec is not valid: {error}") from error

    @property
    def gives_probabilities(self) -> bool:
        """Whether `predict_proba` has an answer."""
        return bool(self._answer == "probabilities")

    @property
    def labels(self) -> Array | None:
        """The label of each class, None where the file tells no classes apart."""
        if len(self._shapes.get("label", ())) != 1:
            return None
        labels: Array = self._arrays.get("labels", np.arange(max(2, self._shapes[self._answer][1])))
        return labels.astype(np.str_) if labels.dtype == object else labels

    def predict(self, X: ArrayLike) -> Array:
        """Return an answer for each row of raw columns, as `Model.predict` does."""
        answers = self._run(X)
        if "label" in answers:
            label = answers["label"]
            return label.astype(np.str_) if label.dtype == object else label
        values = answers["value"]
        return values[:, 0] if values.shape[1] == 1 else values

    def predict_proba(self, X: ArrayLike) -> Array:
        """Return the probability of each class, as `Model.predict_proba` does."""
        return self._run(X)["probabilities"]

    def evaluate(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> dict[str, float]:
        """Return how good the file's answers are, by the loss and the metrics of the spec: as `Model.evaluate`.

        Raises
        ------
        DataError
            If an argument does not fit, or the loss needs more than what is answered.
        """
        loss = self.spec.training.loss
        if loss.outputs_per_target > 1:
            raise DataError(f"{loss.type} compares outputs that an export does not give")
        outputs = self._run(X)[self._answer].astype(np.float64)[:, -self._measuring.network.outputs :]
        outputs = self._measuring.target_preprocessing.apply(outputs)
        if loss.accepted_activations is not None:
            outputs = _INVERSES[loss.output_activation](outputs)
        return self._measuring.evaluate(outputs, y, sample_weight)

    @cached_property
    def _measuring(self) -> Model:
        """A model of one layer that changes nothing: from what the loss sees to the same answers."""
        spec = self._small_spec(None)
        network, prefix = Network(spec), "target_preprocessing."
        theta = network.initial_parameters()
        network.parameters(theta)["layers.0.weight"][...] = np.eye(network.outputs)
        learned = {name.removeprefix(prefix): x for name, x in self._arrays.items() if name.startswith(prefix)}
        scaling = Preparation.from_tensors(spec.network.target_preprocessing, learned)
        return Model(network, theta, target_preprocessing=scaling, labels=self.labels)

    def _small_spec(self, columns: int | None) -> Spec:
        """Return the spec of a network of one layer, from so many columns or from its own outputs."""
        shape, training = self._shapes[self._answer], self._facts["training"]
        loss = training["loss"] if isinstance(training["loss"], str) else training["loss"]["type"]
        part: Any = installed_registry().find("loss", loss)
        if part is None:
            raise FileError(f'the loss of this file, "{loss}", is not installed')
        outputs = 1 if part.target == "binary" and self.labels is not None else shape[1] * part.outputs_per_target
        network = {
            "dtype": "float64",
            "input_size": columns or outputs,
            "layers": [{"type": "dense", "units": outputs, "use_bias": False}],
        }
        facts = self._facts if columns else {"network": self._facts.get("network", {})}
        document = {**facts, "network": network | facts.get("network", {}), "training": training}
        return resolve(parse_spec(document))

    def _run(self, X: ArrayLike) -> dict[str, Array]:
        given = self._session.get_inputs()[0]
        dtype = np.float32 if given.type == "tensor(float)" else np.float64
        columns = check_inputs(X, given.shape[1]).astype(dtype)
        return dict(zip(self._shapes, self._session.run(list(self._shapes), {"X": columns}), strict=True))
