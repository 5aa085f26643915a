"""Words of messages: values and kinds as users know them, and suggestions.

A suggestion is the closest known name, or specnet's name for a term of another library.
"""

import math
import re
import tomllib
from collections.abc import Container, Iterable, Mapping
from typing import Any, NamedTuple

from specnet.errors import Path
from specnet.parts.registry import Registry
from specnet.parts.watchers import LOSS, VALIDATION, VALIDATION_LOSS, monitored_names
from specnet.suggestions import (
    Moved,
    Replaced,
    Suggestion,
    close_match,
    compared,
    did_you_mean,
    instead,
    is_certain,
    quoted,
)

_NOUNS = {"averaging": "weight averaging", "data": "data source", "preprocessing": "preprocessing step"}


def shown(value: Any) -> str:
    """Return a value as a document writes it, shortened if long; "a list" or "a table" for lists and tables."""
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    if isinstance(value, int | float):
        return (
            repr(value) if abs(value) < 10**15 else f"about {'-' * (value < 0)}1e{math.floor(math.log10(abs(value)))}"
        )
    return f"a {type(value).__name__}"


def kind_name(kind: str) -> str:
    """Return the name of a kind of part in messages, such as "preprocessing step"."""
    return _NOUNS.get(kind, kind)


def kind_noun(kind: str) -> str:
    """Return a kind of part with its article, such as "an activation"."""
    noun = kind_name(kind)
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def either(names: Iterable[str]) -> str:
    """Return quoted names joined for a sentence: "a", "b" or "c"."""
    quoted = [f'"{name}"' for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} or {quoted[-1]}"


def _by_word(**words_of: str) -> dict[str, str]:
    """Map each word of other libraries to specnet's name for it."""
    return {word: name for name, words in words_of.items() for word in words.split()}


KEYS = _by_word(
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
    min_delta="delta",
    inputs="input",
)
"""Map a key of other libraries, or of another section, to specnet's key; used if the section has that key."""

LAYERS = _by_word(
    dropout="dropout dropout_rate",
    batch_normalization="batch_norm batch_normalization batchnorm use_batch_norm",
    layer_normalization="layer_norm layer_normalization layernorm",
)
"""Map a setting of other libraries, for a network or a layer, to the layer type that replaces it in specnet."""

PARTS = _by_word(
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
"""Map a name of other libraries to the name of a part; used if the kind has that part."""


_BROADER = frozenset(
    {"betas", "bias", "decay", "p", "scaler", "steps", "iterations", "low", "high", "std", "sizes"}
    | {"momentum", "none", "input", "l2", "normalize"}
)
"""Words of other libraries that can have another meaning than specnet's name, which is no certain suggestion then."""


def type_hint(needed: str, value: Any) -> Suggestion | None:
    """Return the hint for a value of another type than is needed, if the value says what is meant.

    Parameters
    ----------
    needed : str
        The needed type: "int", "float", "bool", "tuple" or another one.
    value : object
        The value as written.
    """
    if needed == "tuple" and isinstance(value, str | int | float) and not str(value).startswith("["):
        return Suggestion(f"write [{shown(value)}]", Replaced([value]), is_certain=True)
    if needed == "bool" and isinstance(value, int) and value in (0, 1):
        return Suggestion(f"write {shown(bool(value))}", Replaced(bool(value)))
    if needed in _READ_FROM_TEXTS and isinstance(value, str):
        try:
            read = tomllib.loads(f"value = {value}")
        except ValueError:
            return None
        if len(read) == 1 and type(read["value"]) in _READ_FROM_TEXTS[needed]:
            return Suggestion(f"write {shown(read['value'])}", Replaced(read["value"]), is_certain=True)
    return None


_READ_FROM_TEXTS = {"int": (int,), "float": (int, float), "bool": (bool,)}
"""The types that a text in quotes may have been intended as, by the needed type."""


def monitor_hint(name: str, registry: Registry) -> str:
    """Return the hint for a name that cannot be monitored: a similar valid name, or the choices."""
    known, is_exact = _like_metric(name, registry)
    if known:
        return instead(f"{VALIDATION}{known}", is_exact)
    return f'choose "{VALIDATION_LOSS}", "{LOSS}", or "{VALIDATION}" and the name of a metric'


def metric_hint(name: str, registry: Registry) -> str:
    """Return the hint for a name that cannot be the metric of a sweep: a similar valid name, or the choices."""
    known, is_exact = _like_metric(name, registry)
    if known:
        return instead(VALIDATION_LOSS if known == LOSS else known, is_exact)
    return f'choose "{VALIDATION_LOSS}" or the name of a metric of training.metrics'


def _like_metric(name: str, registry: Registry) -> tuple[str | None, bool]:
    """Return the name of the metric or loss similar to a name, or None; and whether it is certain.

    Without a prefix, the name may be that of a metric of the training set.
    """
    metric = re.sub("^val(idation)?_", "", name)
    part = registry.find("metric", metric) or registry.find("metric", PARTS.get(compared(metric)))
    if part is not None:
        return part.part_name(), metric != name
    names = [known.removeprefix(VALIDATION) for known in monitored_names(registry)]
    close = close_match(metric, names)
    return close, close is not None and metric != name and is_certain(close, metric, names)


class OtherTable(NamedTuple):
    """A table to which a misplaced key may belong: its keys, and its path in the document, if it has one."""

    keys: Container[str]
    path: Path | None = None


def key_hint(path: Path, keys: Iterable[str], elsewhere: Mapping[str, OtherTable]) -> str:
    """Return the hint for an unknown key: a similar key of the table, the table to which it belongs, or all keys."""
    key, keys = str(path[-1]), list(keys)
    name = KEYS.get(compared(key), key)
    if name in keys:
        return instead(name, compared(key) not in _BROADER)
    owners = [(owner, table) for owner, table in elsewhere.items() if name in table.keys]
    if owners:
        (owner, table), is_only = owners[0], len(owners) == 1 and compared(key) not in _BROADER
        words = f'"{name}" belongs to {owner}'
        return words if table.path is None else Suggestion(words, Moved(path, (*table.path, name)), is_certain=is_only)
    return did_you_mean(key, keys) or f"choose from {', '.join(keys)}"


def layer_hint(key: str, value: Any) -> str | None:
    """Return the hint, with an example, for a key that is a layer type in specnet; None for other keys."""
    layer = LAYERS.get(compared(key))
    if layer is None:
        return None
    rate = value if isinstance(value, float) and 0 <= value < 1 else 0.5
    fields = f"{{ type = {shown(layer)}{f', rate = {rate}' if layer == 'dropout' else ''} }}"
    return f'add a layer: layers = [{{ type = "dense", units = 16, activation = "relu" }}, {fields}, …]'


_BY_PATH = re.compile(r"(?:(?:network\.)?layers[.\[])?\d+(?:\.\d+)*\]?")
"""A reference to a layer in the style of paths or of parameter names."""


def name_hint(name: str, path: Path, rules: str | None) -> str | None:
    """Return the hint for an invalid name; `rules` describes valid names."""
    if "inputs" in path and _BY_PATH.fullmatch(name):
        return 'name that layer, as in name = "hidden", and write inputs = ["hidden"]'
    return rules


def part_hint(name: str, kind: str, registry: Registry) -> str:
    """Return the hint for an unknown part name: a similar name of its kind, the kind that has it, or all names."""
    names = registry.names(kind)
    known = PARTS.get(compared(name))
    if known is not None and known in names:
        return instead(known, compared(name) not in _BROADER)
    if similar := did_you_mean(name, names):
        return similar
    others = [part.kind for part in registry if name in (part.part_name(), *part.aliases)]
    if others:
        words = f'"{name}" is {kind_noun(others[0])}'
        is_layer = kind == "layer" and others[0] == "activation"
        if not is_layer:
            return words
        layer = Replaced({"type": "activation", "activation": name})
        return Suggestion(f'{words}; use {{ type = "activation", activation = "{name}" }}', layer, is_certain=True)
    if len(names) > 30:
        return f"list them with `specnet parts {kind}`"
    return f"choose from {', '.join(part.part_name() for part in registry.of_kind(kind))}"
