"""The spec that is written for a table.

Values: the layers of RealMLP (Holzmüller et al. 2024), chosen among five tables of 300 to 1 600 rows. Classes: a plain
network of two layers with strong weight decay, which was better there than RealMLP's layers.
"""

from __future__ import annotations

import json
import math
import textwrap
from collections.abc import Mapping
from string import Template
from types import MappingProxyType
from typing import Any

from specnet.files.toml import toml_key, toml_text, toml_value
from specnet.parts.preprocessing import ONE_HOT_CODES, CategoryEmbedding
from specnet.recipes.searched import CLASSES_LAYERS, sweep_table
from specnet.recipes.table_facts import ColumnFacts, TableFacts
from specnet.spec.reading.words import counted

MANY_ROWS = 10_000
"""From so many rows on one network is trained, in place of an ensemble."""
MANY_COLUMNS = 200
"""Above so many columns after coding, numbers are not embedded."""
STEPS = 4_000
"""Training steps of a run on many rows."""
_BATCH = 256
_NUMBERS = ("numeric", "boolean")
_WIDTH, _LONGEST = 40, 100

_SPEC = Template("""\
#:schema ./specnet.schema.json
# Predict $target from a table of $rows rows.
#
#   specnet validate $file   check it
#   specnet show $file       show layers, sizes, parameters
#   specnet run $file        train, evaluate, save$searching
#
# `specnet parts` lists everything that can be used here, `specnet parts adam` explains one part.

name = "$name"
seed = 0                                # the same seed gives the same model

[data]
type = "$type"
path = $path
target = $quoted_target
$data

[data.columns]                          # numeric, boolean, datetime, category or ignore
$columns

$network

$training
$sweep""")

_CLASSES = Template("""\
[network]$sizes
# Scaled by the quartiles and softly limited, so that outliers do little harm. Fitted on the training set.$categories
preprocessing = [$steps"impute", "robust", "smooth_clip"]$layers""")

_CLASSES_SIZES = """
hidden_layer_sizes = [128, 128]         # input and output sizes come from the data
activations = "selu\""""

_VALUES = Template("""\
[network]
# Fitted on the training set, stored in the model.$categories
preprocessing = [$steps"impute", "standardize"]
# Predictions stay within the range of the training targets.
target_preprocessing = ["clip", "standardize"]
$embedding
# A factor per feature, which scales down useless columns.
[[network.layers]]
type = "scale"
learning_rate_factor = 6.0              # one factor has to keep up with the many weights after it
weight_decay_factor = 0.0

# Three hidden layers: dense, activation, dropout.
[[network.layers]]
type = "block"
repeat = 3                              # each with its own weights

[[network.layers.layers]]
type = "dense"
units = 256
parametrization = "ntk"                 # W·x/√n + b: one learning rate for every width

[[network.layers.layers]]
type = "activation"
activation = { type = "mish", parametric = true }   # x + α·(mish(x) − x)
learning_rate_factor = 0.1              # of α, which starts at 1 and should change slowly

[[network.layers.layers]]
type = "dropout"
rate = 0.15                             # fraction of units dropped during training

[[network.layers]]
type = "dense"
units = $outputs
parametrization = "ntk\"""")

_EMBEDDING = Template("""
# Each number x becomes (W·cos(2πf·x + p) + b, x): periodic features that help a dense layer fit bends.
[[network.layers]]
type = "periodic_embedding"
variant = "pbld"$columns
frequencies = 16
frequency_stddev = 0.1                  # initial scale of f; larger values fit finer detail
size = 4                                # numbers per column, x included
learning_rate_factor = 0.1
""")

_TRAINING = Template("""\
[training]
loss = $loss
epochs = $epochs
batch_size = $batch_size
metrics = $metrics
baselines = ["constant", "linear", "neighbours"] # models to compare with$ensemble

[training.optimizer]
$optimizer
schedule = { type = "cosine_decay" }    # the learning rate falls to 0$stopping""")

_STOPPING = Template("""

[training.early_stopping]
monitor = "validation_loss"
patience = $epochs                          # never stop early: only the best epoch is wanted
restore_best = true""")


def recipe(
    facts: TableFacts,
    *,
    name: str,
    file: str,
    data_type: str,
    path: str,
    target: str,
    reading: Mapping[str, Any] = MappingProxyType({}),
    sweep: bool = False,
) -> str:
    """Return a commented spec for a table, as TOML.

    Parameters
    ----------
    facts : TableFacts
    name : str
        Of the spec.
    file : str
        The spec's file, as its comments show it.
    data_type, path, target : str
        Of the spec's data part.
    reading : mapping, optional
        Keys of the data part that say how the file is read.
    sweep : bool
        Add a table ``[sweep]`` around the settings. The network is the same one.
    """
    features = [column for column in facts.columns if column.kind != "ignore" and column.name != target]
    return _SPEC.substitute(
        target=target if target.isprintable() else "a column",
        rows=facts.rows,
        file=file,
        name=name,
        type=data_type,
        path=toml_text(path),
        quoted_target=toml_text(target),
        data="\n".join([*(f"{key} = {toml_value(value)}" for key, value in reading.items()), *_data(facts, features)]),
        columns="\n".join(_column(column) for column in facts.columns),
        network=_network(facts, features, sweep),
        training=_training(facts),
        searching=f"\n#   specnet sweep {file}      search for better settings" if sweep else "",
        sweep=_sweep(facts, features, file) if sweep else "",
    )


def _data(facts: TableFacts, features: list[ColumnFacts]) -> list[str]:
    lines = []
    if facts.gaps:
        lines.append(_commented('missing_target = "drop"', f"{counted(facts.gaps, 'row')} without a target"))
    if facts.target == "values" and _embeds(features) and features[0].kind not in _NUMBERS:
        ordered = sorted(features, key=lambda column: column.kind not in _NUMBERS)
        names = ", ".join(toml_text(column.name) for column in ordered)
        lines.append("# Numbers first, because the layer periodic_embedding finds them by their places.")
        lines.append(f"features = [{names}]")
    return [*lines, _split(facts)]


def _split(facts: TableFacts) -> str:
    sizes = "test_size = 0.2"
    if facts.rows >= MANY_ROWS:
        sizes += ", validation_size = 0.1"
    if facts.classes > facts.rows // 20:
        return f"split = {{ {sizes}, stratify = false }}   # too many classes for a stratified split"
    return _commented(f"split = {{ {sizes} }}", "fractions of the rows held out")


def _column(column: ColumnFacts) -> str:
    kind = column.notation.written() if column.notation else toml_text(column.kind)
    return _commented(f"{toml_key(column.name)} = {kind}", column.words)


def _network(facts: TableFacts, features: list[ColumnFacts], sweep: bool) -> str:
    steps = '"calendar", ' if any(column.kind == "datetime" for column in features) else ""
    categories = ""
    if any(column.kind == "category" for column in features):
        what = f"one_hot columns, or learned vectors if there are more than {ONE_HOT_CODES} of them"
        categories = f"\n# Categories become {what}."
    if facts.target == "classes":
        layers = CLASSES_LAYERS.substitute(outputs=1 if facts.classes == 2 else facts.classes) if sweep else ""
        sizes = "" if sweep else _CLASSES_SIZES
        return _CLASSES.substitute(steps=steps, categories=categories, sizes=sizes, layers=layers)
    embedding = _EMBEDDING.substitute(columns=_places(features)) if _embeds(features) else ""
    return _VALUES.substitute(steps=steps, categories=categories, embedding=embedding, outputs=facts.outputs)


def _training(facts: TableFacts) -> str:
    is_large = facts.rows >= MANY_ROWS
    rate, decay = _rates(facts)
    if facts.target == "values":
        batches = math.ceil(0.7 * facts.rows / _BATCH)
        epochs, batch = max(1, round(STEPS / batches)) if is_large else 256, _BATCH
        loss, metrics = '"mean_squared_error"', ["r2", "root_mean_squared_error", "mean_absolute_error"]
        optimizer = _lines(
            ('type = "adam"', ""),
            (f"learning_rate = {rate}", "high, as ntk needs"),
            ("beta_2 = 0.95", "short memory of squared gradients, to follow the schedule"),
            (f"weight_decay = {decay}", "decoupled, of weights only"),
        )
    else:
        epochs, batch = (30, _BATCH) if is_large else (100, 32)
        kind = "binary" if facts.classes == 2 else "categorical"
        loss = f'{{ type = "{kind}_crossentropy", label_smoothing = 0.05 }}'
        metrics = ["accuracy"]
        if facts.outputs == 1:
            metrics += ["roc_auc" if facts.classes == 2 else "balanced_accuracy", "neg_log_loss"]
        optimizer = _lines(
            ('type = "adamw"', ""),
            (f"learning_rate = {rate}", ""),
            (f"weight_decay = {decay}", "strong, as small tables need it"),
        )
    members = _commented("ensemble = 5", "networks, each validated on a fifth of the training set")
    stops = is_large or facts.target == "values"
    return _TRAINING.substitute(
        loss=loss,
        epochs=epochs,
        batch_size=batch,
        metrics=json.dumps(metrics),
        ensemble="" if is_large else f"\n{members}",
        optimizer=optimizer,
        stopping=_STOPPING.substitute(epochs=epochs) if stops else "",
    )


def _rates(facts: TableFacts) -> tuple[float, float]:
    """Return the learning rate and the weight decay."""
    if facts.target == "values":
        return 0.2, 0.1
    return 0.003, 0.3 if 0.8 * facts.rows < 1_000 else 0.1


def _sweep(facts: TableFacts, features: list[ColumnFacts], file: str) -> str:
    is_values = facts.target == "values"
    block = 1 + _embeds(features) if is_values else 0
    rows = "the validation set" if facts.rows >= MANY_ROWS else "the rows that each network was not trained on"
    return sweep_table(
        file,
        *_rates(facts),
        block=block,
        dropout=2 if is_values else 1,
        rows=rows,
        outputs=facts.outputs if is_values or facts.classes == 2 else facts.classes,
        is_values=is_values,
        has_folds=facts.rows < MANY_ROWS,
    )


def _numbers(features: list[ColumnFacts]) -> int:
    return sum(column.kind in _NUMBERS for column in features)


def _embeds(features: list[ColumnFacts]) -> bool:
    """Whether numbers are embedded, where the target is values: unless there are many columns after coding."""
    codes = [column.codes if column.kind == "category" else 1 for column in features]
    size = sum(count if count <= ONE_HOT_CODES else CategoryEmbedding().size for count in codes)
    return _numbers(features) > 0 and size <= MANY_COLUMNS


def _places(features: list[ColumnFacts]) -> str:
    """Return the line that names the columns to embed; none if all are."""
    count = _numbers(features)
    if count == len(features):
        return ""
    places = textwrap.fill(f"columns = [{', '.join(map(str, range(count)))}]", _LONGEST, subsequent_indent="    ")
    return "\n" + _commented(places, "the numbers, counted from 0")


def _lines(*settings: tuple[str, str]) -> str:
    return "\n".join(_commented(*setting) for setting in settings)


def _commented(line: str, comment: str) -> str:
    return f"{line:<{_WIDTH - 1}} # {comment}" if comment else line
