"""Import of scikit-learn's fitted networks, also at the end of pipelines: from objects, and from skops files.

From a file, only objects of types that skops trusts by default, and of a few harmless ones, are made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from specnet.errors import FileError, install_hint
from specnet.exporting.model_facts import archive_facts, known_document
from specnet.files.archives import Archive
from specnet.files.tensors import shown
from specnet.importing.draft import INPUT, Draft, Imported, Scaling, named_parts
from specnet.importing.sklearn_columns import (
    Assembly,
    check_fitted,
    class_name,
    raw_columns,
    scaling_of,
    transformed,
)
from specnet.parts.arrays import Array
from specnet.spec import Limits

_ACTIVATIONS: Mapping[Any, str] = {
    name: part.part_name() for name, part in named_parts(lambda names: names.sklearn).items()
}
SCHEMA = "schema.json"
_THRESHOLD = "decision_threshold"
_HARMLESS = frozenset(
    {f"sklearn.neural_network._stochastic_optimizers.{name}Optimizer" for name in ("Adam", "SGD")} | {"numpy.dtype"}
)
"""Harmless types in fitted estimators that skops does not trust: the optimizer's state, and dtypes of columns."""


def import_skops(archive: Archive, name: str, limits: Limits | None) -> Imported:
    """Return the network in a ``.skops`` file as a spec and a model; raise an error that names an unsupported part."""
    _, facts = archive_facts(archive)
    return import_estimator(_estimator(archive.content()), limits, name=name, facts=facts)


def _estimator(content: bytes) -> Any:
    try:
        import skops.io as skops
    except ImportError:
        message = "this is a file of scikit-learn's, which the package skops reads"
        raise FileError(message, hint=install_hint("sklearn-export")) from None
    try:
        strange = skops.get_untrusted_types(data=content)
        refused = [name for name in strange if name not in _HARMLESS]
        if refused:
            raise FileError(f"it holds {shown(str(refused[0]))}, which is not trusted")
        return skops.loads(content, trusted=strange)
    except FileError:
        raise
    except Exception as error:  # reading a damaged file may raise any error
        raise FileError(f"not a valid skops file: {shown(str(error))}") from error


def import_estimator(
    estimator: Any, limits: Limits | None, *, name: str | None = None, facts: Mapping[str, Any] | None = None
) -> Imported:
    """Return an estimator as a spec and a model; raise an error that names a part that is unfitted or unsupported."""
    try:
        return _read(estimator, limits, name, facts)
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        # Attributes of an estimator that was assembled by hand can be missing, or have any value.
        raise FileError(f"not a valid fitted network: {shown(str(error))}") from error


def _read(estimator: Any, limits: Limits | None, name: str | None, facts: Mapping[str, Any] | None) -> Imported:
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.model_selection import FixedThresholdClassifier
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    if type(estimator) is FixedThresholdClassifier:
        if known_document(facts or {"training": {"loss": ""}})["training"].get(_THRESHOLD) != estimator.threshold:
            hint = f"import its estimator, and set training.{_THRESHOLD}"
            raise FileError(f"{class_name(estimator)} is not supported", hint=hint)
        estimator = estimator.estimator
    *steps, network = [*_steps(estimator)] or [None]
    target: Scaling | None = None
    if type(network) is TransformedTargetRegressor:
        check_fitted(network, "regressor_")
        target = _together([*_steps(network.transformer_)])
        *others, network = [*_steps(network.regressor_)] or [None]
        steps += others
    if type(network) not in (MLPClassifier, MLPRegressor):
        raise FileError(f"{class_name(network)} is not supported; MLPClassifier and MLPRegressor are")
    check_fitted(network, "coefs_")
    weights, biases = [*network.coefs_], [*network.intercepts_]
    if network.n_features_in_ != len(weights[0]):
        count = shown(str(network.n_features_in_))
        raise FileError(f"it reads {count} features, but has weights for {len(weights[0])}")
    columns = None
    if steps:
        assembly = _assembly(steps)
        weights[0], biases[0] = assembly.weighted(weights[0], biases[0])
        columns = assembly.prepared()
    draft = Draft(len(weights[0]), weights[0].dtype.name, limits)
    draft.columns, draft.target = columns, target
    source, last = INPUT, len(weights) - 1
    for number, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        source = draft.dense(source, weight.T, bias)
        activation = network.out_activation_ if number == last else network.activation
        if activation not in _ACTIVATIONS:
            raise FileError(f"{class_name(network)} has the activation {activation}, which is not supported")
        if activation != "identity":
            source = draft.activation(source, _ACTIVATIONS[activation])
    if type(network) is MLPClassifier:
        return draft.finish(source, name or class_name(network), labels=_labels(network), facts=facts)
    # A regressor predicts values, even if its output activation is one that classifiers use.
    by_poisson = getattr(network, "loss", None) == "poisson" and network.out_activation_ == "exp"
    loss = "poisson" if by_poisson else "mean_squared_error"
    return draft.finish(source, name or class_name(network), loss=loss, facts=facts)


def _steps(estimator: Any) -> Iterator[Any]:
    """Yield the steps of a pipeline and of pipelines within it, or an estimator that is not a pipeline."""
    from sklearn.pipeline import Pipeline

    if type(estimator) is Pipeline:
        for _, step in estimator.steps:
            yield from _steps(step)
    elif estimator not in (None, "passthrough"):
        yield estimator


def _assembly(steps: Sequence[Any]) -> Assembly:
    """Return the preprocessing that is equivalent to these transformers, applied in order."""
    for step in steps:
        check_fitted(step, "n_features_in_")
    names = getattr(steps[0], "feature_names_in_", None)
    columns = raw_columns(steps[0].n_features_in_)
    for step in steps:
        columns = transformed(step, columns)
    return Assembly(columns, steps[0].n_features_in_, None if names is None else [*map(str, names)])


def _together(scalers: Sequence[Any]) -> Scaling | None:
    """Return one scaling that is equivalent to several scalers, applied in order; None if there are no scalers."""
    found: Scaling | None = None
    for scaling in map(scaling_of, scalers):
        found = scaling if found is None else found.then(scaling)
    return found


def _labels(network: Any) -> Array | None:
    """Return the labels of a classifier; None for a multilabel one, whose outputs are 0 or 1."""
    if network.out_activation_ == "logistic" and network.n_outputs_ > 1:
        return None
    labels = np.asarray(network.classes_)
    if labels.dtype.kind == "O" and all(isinstance(label, str) for label in labels):
        labels = labels.astype(np.str_)
    if labels.dtype.kind == "U":
        return labels
    integers = labels.astype(np.int64) if labels.dtype.kind in "biuf" else None
    if integers is None or (integers != labels).any():
        raise FileError(f"{class_name(network)} has labels of the type {labels.dtype}; expected whole numbers or text")
    return integers
