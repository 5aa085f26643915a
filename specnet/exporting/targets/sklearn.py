"""Export to scikit-learn: an MLPClassifier or MLPRegressor in a pipeline, saved as a skops file."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from specnet.data import Preparation, RawColumns
from specnet.errors import UnsupportedError
from specnet.exporting.export_plan import LINEAR
from specnet.exporting.model_facts import with_facts
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
from specnet.parts.activations import Linear, Relu, Sigmoid, Tanh
from specnet.parts.arrays import Array

_ACTIVATIONS = {part.part_name(): part.names.sklearn for part in (Linear, Sigmoid, Tanh, Relu)}
"""The activations that hidden layers can have, and their names in scikit-learn."""
_OUTPUTS = {"binary": "sigmoid", "multilabel": "sigmoid", "classes": "softmax", "values": "linear"}


class SklearnTarget(Target):
    title = "scikit-learn"
    suffix = ".skops"

    def program(self, model: Model, dtype: np.dtype[Any]) -> Program:
        model, note = without_idle_imputation(model)
        return Program(model, dtype, {}, note)

    def render(self, program: Program, path: Path) -> dict[Path, bytes]:
        refuse_texts(program, "scikit-learn")
        if program.networks[0].is_averaged:
            hint = (
                "choose from onnx, numpy, c, javascript, torch, keras, or train one network on its predictions: "
                "`specnet distill RUN -o FOLDER`"
            )
            raise UnsupportedError("scikit-learn has no equivalent of an ensemble of networks", hint=hint)
        content: bytes = required("skops.io", "sklearn-export").dumps(_estimator(program))
        return {path: with_facts(content, program)}

    def run(self, program: Program, path: Path, rows: RawColumns) -> ExportAnswers:
        skops = required("skops.io", "sklearn-export")
        content = path.read_bytes()
        estimator = skops.loads(content, trusted=skops.get_untrusted_types(data=content))
        if program.task == "values":
            return ExportAnswers(estimator.predict(rows.X).reshape(len(rows), -1), None)
        probabilities = estimator.predict_proba(rows.X)
        outputs = probabilities[:, 1:] if program.task == "binary" else probabilities
        return ExportAnswers(outputs, estimator.predict(rows.X))


TARGET = SklearnTarget()


def _estimator(program: Program) -> Any:
    """Return the scikit-learn estimator that is equivalent to a program.

    Raises
    ------
    ExportError
        If scikit-learn has no equivalent; the message lists all problems.
    """
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.model_selection import FixedThresholdClassifier
    from sklearn.pipeline import make_pipeline

    layers, hidden = _layers(program)
    model, columns = program.model, np.zeros((len(_target(program)), program.inputs))
    network = _network(program, layers, hidden)
    whole = make_pipeline(*_scalers(model.preprocessing, program.inputs), network)
    scalers = _scalers(model.target_preprocessing, program.outputs)
    if scalers:
        whole = TransformedTargetRegressor(whole, transformer=make_pipeline(*scalers))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        whole.fit(columns, _target(program))  # creates all attributes; the fitted values are replaced below
    fitted = whole.regressor_ if scalers else whole
    _refill(fitted[:-1], model.preprocessing)
    if scalers:
        _refill(whole.transformer_, model.target_preprocessing)
    network = fitted[-1]
    network.coefs_, network.intercepts_ = [weight.T.copy() for weight, _ in layers], [bias for _, bias in layers]
    del network._optimizer, network._random_state  # needed only for training
    threshold = model.spec.training.decision_threshold
    if threshold is not None and program.labels is not None:
        second = program.labels[1]
        return FixedThresholdClassifier(whole, threshold=threshold, pos_label=second, response_method="predict_proba")
    return whole


def _layers(program: Program) -> tuple[list[tuple[Array, Array]], str]:
    """Return each layer's weight (outputs, inputs) and bias (outputs,), and the activation of hidden layers."""
    problems: list[str] = []
    layers: list[tuple[Array, Array]] = []
    activations: list[str] = []
    for number, stages in enumerate(program.networks[0].layers):
        title = stages[0].title
        if stages[0].node.inputs != (number - 1,):
            problems.append(f"scikit-learn has no equivalent of {title}: it does not read the previous layer")
            continue
        for stage in stages:
            if stage.is_identity:
                continue
            if [step.operation for step in stage.steps] == [LINEAR]:
                activations += ["linear"] * (len(layers) - len(activations))
                weight, *bias = (table.array for table in stage.tables)
                layers.append((weight, bias[0] if bias else np.zeros_like(weight[:, 0])))
            elif stage.activation is not None and not stage.arrays[0] and len(activations) == len(layers) - 1:
                activations.append(stage.activation.type)
            else:
                problems.append(f"scikit-learn has no equivalent of {title}")
    activations += ["linear"] * (len(layers) - len(activations))
    if not problems:
        problems += _mistakes(program, activations)
    if problems:
        raise UnsupportedError(*dict.fromkeys(problems))  # a layer may have several stages
    return layers, _ACTIVATIONS[activations[0]] if len(activations) > 1 else "relu"


def _mistakes(program: Program, activations: list[str]) -> list[str]:
    """Return a message for each activation in a stack of layers that scikit-learn does not support."""
    *hidden, last = activations
    problems = []
    if len(set(hidden)) > 1 or not set(hidden) <= _ACTIVATIONS.keys():
        shown, known = ", ".join(dict.fromkeys(hidden)), ", ".join(_ACTIVATIONS)
        problems.append(
            f"scikit-learn has no equivalent of the activations {shown}; use one of {known} for all hidden layers"
        )
    if last != _OUTPUTS[program.task]:
        problems.append(
            f"scikit-learn has no equivalent of the output activation {last}; expected {_OUTPUTS[program.task]}"
        )
    if program.task == "classes" and program.outputs == 2:
        problems.append("scikit-learn has no equivalent of two outputs for two classes; use one")
    if program.task == "values" and program.outputs != program.model.network.outputs:
        problems.append("scikit-learn has no equivalent of several outputs for one value")
    return problems


def _network(program: Program, layers: list[tuple[Array, Array]], hidden: str) -> Any:
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    kind = MLPRegressor if program.task == "values" else MLPClassifier
    sizes = tuple(len(bias) for _, bias in layers[:-1])
    return kind(hidden_layer_sizes=sizes, activation=hidden, max_iter=1, random_state=0)


def _target(program: Program) -> Array:
    """Return a target for fitting that contains all labels, or has as many values per row as the model."""
    if program.labels is not None:
        return np.array(program.labels)
    if program.task == "multilabel":
        return np.stack([np.zeros(program.outputs, int), np.ones(program.outputs, int)])
    return np.zeros((2, program.outputs) if program.outputs > 1 else 2)


def _scalers(preparation: Preparation, columns: int) -> list[Any]:
    from sklearn.preprocessing import StandardScaler

    if problems := unknown_preprocessing(preparation, columns, "scikit-learn"):
        raise UnsupportedError(*problems)
    return [StandardScaler() for _ in preparation.steps]


def _refill(scalers: Any, preparation: Preparation) -> None:
    """Replace the statistics of scalers, which were fitted to zeros, with those of a model."""
    for (_, scaler), fitted in zip(scalers.steps, preparation.fitted, strict=True):
        scaler.mean_, scaler.scale_ = fitted["mean"], fitted["scale"]
        scaler.var_ = scaler.scale_**2
