"""What someone may have meant: close names, and the names that other libraries use."""

import re
from collections.abc import Container, Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from specnet.errors import Path
from specnet.parts.registry import Registry
from specnet.parts.watchers import LOSS, VALIDATION, VALIDATION_LOSS, monitored_names
from specnet.spec.reading.words import kind_noun, shown


def _words(**meant: str) -> dict[str, str]:
    """Return what is meant by each of the words that others use for it."""
    return {word: name for name, words in meant.items() for word in words.split()}


KEYS = _words(
    learning_rate="lr eta learning_rate_init",
    epsilon="eps",
    beta_1="betas",
    weight_decay="decay",
    schedule="scheduler learning_rate_schedule",
    epochs="max_iter n_epochs num_epochs nb_epoch steps iterations",
    loss="criterion loss_fn objective",
    optimizer="optim solver",
    metrics="scorers scoring",
    log_every="verbose",
    units="neurons out_features num_outputs",
    activation="nonlinearity act activation_function",
    activations="activation",
    weight_initializer="kernel_initializer initializer weight_init",
    use_bias="bias",
    rate="p dropout",
    stddev="std",
    minval="low",
    maxval="high",
    layer_sizes="sizes",
    hidden_layer_sizes="hidden_units hidden_layers hidden_sizes",
    input_size="input_dim in_features n_inputs",
    output_size="output_dim n_outputs",
    dtype="precision",
    preprocessing="scaler",
    seed="random_seed random_state",
    random_generator="rng",
    network="model net architecture",
    training="train fit",
    data="dataset",
    test_size="test_split test_fraction",
    validation_size="validation_split validation_fraction",
    random_state="seed",
    n_samples="samples",
    target="target_column",
    path="file filename",
    repeat="times",
    inputs="input",
)
"""From a key of other libraries, or of a neighbouring table, to the one that is meant where that one exists."""

LAYERS = _words(
    dropout="dropout dropout_rate",
    batch_normalization="batch_norm batch_normalization batchnorm use_batch_norm",
    layer_normalization="layer_norm layer_normalization layernorm",
)
"""From what other libraries set for a whole network, or for another layer, to the layer that does it."""

PARTS = _words(
    relu="rectifier",
    hard_sigmoid="hsigmoid",
    linear="none",
    dense="linear fc fully_connected input",
    binary_crossentropy="bceloss bcewithlogitsloss binary_cross_entropy",
    categorical_crossentropy="cross_entropy softmax_cross_entropy sparse_categorical_crossentropy "
    "crossentropyloss nllloss",
    mean_squared_error="mseloss l2 mse",
    sgd="gradient_descent momentum",
    cosine_decay="cosine cosine_annealing",
    standardize="standard_scaler standardscaler normalize zscore",
    make_moons="moons",
    make_circles="circles",
    make_blobs="blobs",
    breast_cancer="cancer",
    digits="mnist",
    root_mean_squared_error="rmse",
    mean_absolute_error="mae",
    accuracy="acc",
    roc_auc="auc",
    add="sum residual",
    concatenate="concat",
    random_normal="normal",
    random_uniform="uniform",
)
"""From a name of other libraries to a part, where its kind has that part."""


def close_match(name: str, names: Iterable[str]) -> str | None:
    """Return the name that is meant most likely: the same but for its capitals and signs, or one like it."""
    by_form = {_form(candidate): candidate for candidate in names}
    if len(name) > 100:
        return None
    close = get_close_matches(_form(name), by_form, cutoff=0.7)
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
    others = [part.kind for part in registry if name in (part.part_name(), *part.aliases)]
    if others:
        told = f'"{name}" is {kind_noun(others[0])}'
        is_layer = kind == "layer" and others[0] == "activation"
        return f'{told}; use {{ type = "activation", activation = "{name}" }}' if is_layer else told
    if len(names) > 30:
        return f"list them with `specnet parts {kind}`"
    return f"choose from {', '.join(part.part_name() for part in registry.of_kind(kind))}"


def _form(name: str) -> str:
    return name.lower().replace("-", "_").replace(" ", "_")
