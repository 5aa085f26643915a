"""scikit-learn's fitted networks, also at the end of pipelines that standardize."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from specnet.errors import DataError, SpecnetError
from specnet.files.tensors import shown
from specnet.importing.draft import INPUT, Draft, Imported, Scaling
from specnet.parts.arrays import Array
from specnet.parts.registry import built_in_registry
from specnet.spec import Limits

_ACTIVATIONS: Mapping[Any, str] = {
    part.names.sklearn: part.part_name() for part in built_in_registry().of_kind("activation") if part.names.sklearn
}


def import_estimator(
    estimator: Any, limits: Limits | None, *, name: str | None = None, facts: Mapping[str, Any] | None = None
) -> Imported:
    """Return a fitted estimator as a spec and a model, of a name, and with what else is known of the spec.

    Raises
    ------
    DataError
        If it is not fitted, or a step is not supported; names it.
    """
    try:
        return _read(estimator, limits, name, facts)
    except SpecnetError:
        raise
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        # One that has not been fitted, but put together, can lack or hold anything.
        raise DataError(f"not a valid fitted network: {shown(str(error))}") from error


def _read(estimator: Any, limits: Limits | None, name: str | None, facts: Mapping[str, Any] | None) -> Imported:
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    steps: list[Any] = []
    target: Scaling | None = None
    waiting = [estimator]
    while waiting:
        step = waiting.pop()
        if type(step) is Pipeline:
            waiting += [inner for _, inner in reversed(step.steps)]
        elif type(step) is TransformedTargetRegressor:
            _check_fitted(step, "regressor_")
            scalers = _scalers(step.transformer_)
            if scalers is None or target is not None:
                raise DataError(f"a target that {_name(step.transformer_)} transforms is not supported")
            target = _together(scalers)
            waiting.append(step.regressor_)
        elif step not in (None, "passthrough"):
            steps.append(step)
    *scalers, network = steps or [None]
    for scaler in scalers:
        if type(scaler) is not StandardScaler:
            raise DataError(f"the step {_name(scaler)} is not supported; StandardScaler is")
    if type(network) not in (MLPClassifier, MLPRegressor):
        raise DataError(f"{_name(network)} is not supported; MLPClassifier and MLPRegressor are")
    _check_fitted(network, "coefs_")
    dtype = network.coefs_[0].dtype.name
    if dtype not in ("float32", "float64"):
        raise DataError(f"{_name(network)} has weights in {dtype}, and float32 or float64 is needed")
    draft = Draft(network.n_features_in_, dtype, limits)
    draft.target = target
    draft.preparation = _together([_scaling(scaler) for scaler in scalers]) if scalers else None
    source, last = INPUT, len(network.coefs_) - 1
    for number, (weight, bias) in enumerate(zip(network.coefs_, network.intercepts_, strict=True)):
        source = draft.dense(source, weight.T, bias)
        activation = network.out_activation_ if number == last else network.activation
        if activation not in _ACTIVATIONS:
            raise DataError(f"{_name(network)} has the activation {activation}, which is not supported")
        if activation != "identity":
            source = draft.activation(source, _ACTIVATIONS[activation])
    # A regressor with one output and an activation that also classifiers end in still predicts values.
    by_poisson = getattr(network, "loss", None) == "poisson" and network.out_activation_ == "exp"
    loss = None if hasattr(network, "classes_") else "poisson" if by_poisson else "mean_squared_error"
    return draft.finish(source, name or _name(network), labels=_labels(network), loss=loss, facts=facts)


def _labels(network: Any) -> Array | None:
    """Return the labels of a classifier that tells classes apart; None where its outputs are 0 or 1, or values."""
    if not hasattr(network, "classes_") or (network.out_activation_ == "logistic" and network.n_outputs_ > 1):
        return None
    labels = np.asarray(network.classes_)
    if labels.dtype.kind == "O" and all(isinstance(label, str) for label in labels):
        labels = labels.astype(np.str_)
    if labels.dtype.kind == "U":
        return labels
    integers = labels.astype(np.int64) if labels.dtype.kind in "biuf" else None
    if integers is None or (integers != labels).any():
        raise DataError(f"{_name(network)} has labels of the type {labels.dtype}; whole numbers or text are needed")
    return integers


def _scalers(transformer: Any) -> list[Scaling] | None:
    """Return what scalers in a row have learned; None if there are others, or none."""
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    steps = [step for _, step in transformer.steps] if type(transformer) is Pipeline else [transformer]
    if not steps or any(type(step) is not StandardScaler for step in steps):
        return None
    return [_scaling(step) for step in steps]


def _together(scalings: Sequence[Scaling]) -> Scaling:
    """Return scalings one after the other as one."""
    result, *others = scalings
    for scaling in others:
        result = Scaling(result.mean + result.scale * scaling.mean, result.scale * scaling.scale)
    return result


def _scaling(scaler: Any) -> Scaling:
    _check_fitted(scaler, "n_features_in_")
    mean = scaler.mean_ if scaler.with_mean else np.zeros(())
    return Scaling(mean, scaler.scale_ if scaler.with_std else np.ones(()))


def _check_fitted(estimator: Any, attribute: str) -> None:
    if not hasattr(estimator, attribute):
        raise DataError(f"{_name(estimator)} is not fitted")


def _name(estimator: Any) -> str:
    return type(estimator).__name__
