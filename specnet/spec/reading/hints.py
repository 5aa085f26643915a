"""What someone may have meant: close names, and the names that other libraries use."""

import re
from collections.abc import Container, Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from specnet.errors import Path
from specnet.parts.registry import Registry
from specnet.parts.watchers import LOSS, VALIDATION, VALIDATION_LOSS, monitored_names
from specnet.spec.reading.words import kind_noun, shown

KEYS = {
    "lr": "learning_rate",
    "eta": "learning_rate",
    "learning_rate_init": "learning_rate",
    "eps": "epsilon",
    "betas": "beta_1",
    "decay": "weight_decay",
    "scheduler": "schedule",
    "learning_rate_schedule": "schedule",
    "max_iter": "epochs",
    "n_epochs": "epochs",
    "num_epochs": "epochs",
    "nb_epoch": "epochs",
    "steps": "epochs",
    "iterations": "epochs",
    "criterion": "loss",
    "loss_fn": "loss",
    "objective": "loss",
    "optim": "optimizer",
    "solver": "optimizer",
    "scorers": "metrics",
    "scoring": "metrics",
    "verbose": "log_every",
    "neurons": "units",
    "out_features": "units",
    "num_outputs": "units",
    "nonlinearity": "activation",
    "act": "activation",
    "activation_function": "activation",
    "activation": "activations",
    "kernel_initializer": "weight_initializer",
    "initializer": "weight_initializer",
    "weight_init": "weight_initializer",
    "bias": "use_bias",
    "p": "rate",
    "dropout": "rate",
    "std": "stddev",
    "low": "minval",
    "high": "maxval",
    "sizes": "layer_sizes",
    "hidden_units": "hidden_layer_sizes",
    "hidden_layers": "hidden_layer_sizes",
    "hidden_sizes": "hidden_layer_sizes",
    "input_dim": "input_size",
    "in_features": "input_size",
    "n_inputs": "input_size",
    "output_dim": "output_size",
    "n_outputs": "output_size",
    "precision": "dtype",
    "scaler": "preprocessing",
    "random_seed": "seed",
    "random_state": "seed",
    "rng": "random_generator",
    "model": "network",
    "net": "network",
    "architecture": "network",
    "train": "training",
    "fit": "training",
    "dataset": "data",
    "test_split": "test_size",
    "test_fraction": "test_size",
    "validation_split": "validation_size",
    "validation_fraction": "validation_size",
    "seed": "random_state",
    "samples": "n_samples",
    "target_column": "target",
    "file": "path",
    "filename": "path",
    "times": "repeat",
    "input": "inputs",
}
"""From a key of other libraries, or of a neighbouring table, to the one that is meant where that one exists."""

LAYERS = {
    "dropout": "dropout",
    "dropout_rate": "dropout",
    "batch_norm": "batch_normalization",
    "batch_normalization": "batch_normalization",
    "batchnorm": "batch_normalization",
    "use_batch_norm": "batch_normalization",
    "layer_norm": "layer_normalization",
    "layer_normalization": "layer_normalization",
    "layernorm": "layer_normalization",
}
"""From what other libraries set for a whole network, or for another layer, to the layer that does it."""

PARTS = {
    "rectifier": "relu",
    "hsigmoid": "hard_sigmoid",
    "none": "linear",
    "linear": "dense",
    "fc": "dense",
    "fully_connected": "dense",
    "input": "dense",
    "bceloss": "binary_crossentropy",
    "bcewithlogitsloss": "binary_crossentropy",
    "binary_cross_entropy": "binary_crossentropy",
    "crossentropyloss": "categorical_crossentropy",
    "cross_entropy": "categorical_crossentropy",
    "softmax_cross_entropy": "categorical_crossentropy",
    "sparse_categorical_crossentropy": "categorical_crossentropy",
    "nllloss": "categorical_crossentropy",
    "mseloss": "mean_squared_error",
    "l2": "mean_squared_error",
    "gradient_descent": "sgd",
    "momentum": "sgd",
    "cosine": "cosine_decay",
    "cosine_annealing": "cosine_decay",
    "standard_scaler": "standardize",
    "standardscaler": "standardize",
    "normalize": "standardize",
    "zscore": "standardize",
    "moons": "make_moons",
    "circles": "make_circles",
    "blobs": "make_blobs",
    "cancer": "breast_cancer",
    "mnist": "digits",
    "mse": "mean_squared_error",
    "rmse": "root_mean_squared_error",
    "mae": "mean_absolute_error",
    "acc": "accuracy",
    "auc": "roc_auc",
    "sum": "add",
    "concat": "concatenate",
    "residual": "add",
    "normal": "random_normal",
    "uniform": "random_uniform",
}
"""From a name of other libraries to a part, where its kind has that part."""


def close_match(name: str, names: Iterable[str]) -> str | None:
    """Return the name that is meant most likely: the same but for its capitals and signs, or one like it."""
    by_form = {_form(candidate): candidate for candidate in names}
    if len(name) > 100:
        return None
    close = get_close_matches(_form(name), by_form, n=1, cutoff=0.7)
    return by_form[close[0]] if close else None


def monitor_hint(name: str, registry: Registry) -> str:
    """Return what can be monitored instead, by the name of a metric or by one that is like it."""
    meant = _meant_metric(name, registry)
    if meant:
        return f'did you mean "{VALIDATION}{meant}"?'
    return f'choose "{VALIDATION_LOSS}", "{LOSS}", or "{VALIDATION}" and the name of a metric'


def metric_hint(name: str, registry: Registry) -> str:
    """Return what the trials of a sweep can be compared by instead."""
    meant = _meant_metric(name, registry)
    if meant:
        return f'did you mean "{VALIDATION_LOSS if meant == LOSS else meant}"?'
    return f'choose "{VALIDATION_LOSS}" or the name of a metric of training.metrics'


def _meant_metric(name: str, registry: Registry) -> str | None:
    """Return the metric or the loss that a name of a figure is like."""
    metric = re.sub("^val(idation)?_", "", name)
    part = registry.find("metric", metric) or registry.find("metric", PARTS.get(_form(metric)))
    known = [known.removeprefix(VALIDATION) for known in monitored_names(registry)]
    return part.part_name() if part else close_match(metric, known)


def key_hint(key: str, keys: Iterable[str], elsewhere: Mapping[str, Container[str]]) -> str:
    """Return what to write instead of a key that a table does not have, or in which other table it belongs."""
    keys = list(keys)
    meant = KEYS.get(_form(key), key)
    if meant in keys:
        return f'did you mean "{meant}"?'
    owner = next((owner for owner, theirs in elsewhere.items() if meant in theirs), None)
    if owner:
        return f'"{meant}" belongs to {owner}'
    close = close_match(key, keys)
    return f'did you mean "{close}"?' if close else f"choose from {', '.join(keys)}"


def layer_hint(key: str, value: Any) -> str | None:
    """Return where a key belongs that is a layer of its own, with an example; None if it is none."""
    layer = LAYERS.get(_form(key))
    if layer is None:
        return None
    rate = value if isinstance(value, float) and 0 <= value < 1 else 0.5
    fields = f"{{ type = {shown(layer)}{f', rate = {rate}' if layer == 'dropout' else ''} }}"
    return f'add a layer: layers = [{{ type = "dense", units = 16, activation = "relu" }}, {fields}, …]'


_BY_PATH = re.compile(r"(?:(?:network\.)?layers[.\[])?\d+(?:\.\d+)*\]?")
"""A layer as paths and the names of parameters call it."""


def name_hint(name: str, path: Path, rules: str | None) -> str | None:
    """Return what to write instead of what is no name; `rules` say what is one."""
    if "inputs" in path and _BY_PATH.fullmatch(name):
        return 'name that layer, as in name = "hidden", and write inputs = ["hidden"]'
    return rules


def part_hint(name: str, kind: str, registry: Registry) -> str:
    """Return what to write instead of a name that no part of a kind has."""
    names = registry.names(kind)
    meant = PARTS.get(_form(name))
    if meant not in names:
        meant = close_match(name, names)
    if meant:
        return f'did you mean "{meant}"?'
    others = [part.kind for part in registry if registry.find(part.kind, name) is part]
    if others:
        return f'"{name}" is {kind_noun(others[0])}'
    if len(names) > 30:
        return f"list them with `specnet parts {kind}`"
    return f"choose from {', '.join(part.part_name() for part in registry.of_kind(kind))}"


def _form(name: str) -> str:
    return name.lower().replace("-", "_").replace(" ", "_")
