"""The spec that is written for a table: the layers of RealMLP (Holzmüller et al. 2024), with settings for each target.

Those for classes were chosen on seven public tables of 300 to 10 000 rows; RealMLP's own label smoothing of 0.1 would
give most of what its layers gain in log loss away.
"""

from __future__ import annotations

import json
import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from string import Template
from types import MappingProxyType
from typing import Any

from specnet.files.plain_data import toml_key, toml_text, toml_value
from specnet.number_texts import counted
from specnet.parts.data import Kind, TargetKind
from specnet.parts.preprocessing import ONE_HOT_CODES, CategoryEmbedding
from specnet.recipes.searched import sweep_table
from specnet.recipes.table_facts import ColumnFacts, TableFacts

FEW_ROWS, MANY_ROWS = 1_000, 10_000
"""Below so many rows an ensemble has eight members, and classes have small batches, numbers as they are, and smoother
labels; from so many on there is one network."""
MOST_STEPS, QUICK_STEPS = 10_000, 1_000
"""Training steps of a run on many rows."""
SMOOTHING, SMOOTHING_OF_FEW = 0.01, 0.05
"""Of labels: none at all is as good on many rows, and leaves gradients so small that CPUs become slow with them. More
of it keeps networks on few rows from being too sure, and a temperature makes the ensemble as sure as it may be."""
MANY_COLUMNS = 200
"""Above so many columns after coding, numbers are not embedded."""
_ORDER: dict[Kind, int] = {"numeric": 0, "boolean": 0, "datetime": 1, "category": 2}
"""Of columns by their kind, in front of the layers."""
_WIDTH, _LONGEST = 40, 100


@dataclass(frozen=True, slots=True)
class _Settings:
    """Settings that suit a kind of target and a number of rows.

    Attributes
    ----------
    scaling, activation : str
    dropout, learning_rate, weight_decay : float
    epochs, batch_size : int
    smoothing : float
        Of the labels of classes.
    members : int
        1 for a network alone.
    embeds : bool
        Whether numbers are embedded.
    calibration : str
        Of the outputs after training; nothing if there is none.
    """

    scaling: str
    activation: str
    dropout: float
    learning_rate: float
    weight_decay: float
    epochs: int
    batch_size: int
    smoothing: float = SMOOTHING
    members: int = 5
    embeds: bool = True
    calibration: str = ""


SMALL = 500
"""Rows of a table of values below which a tenth of them choose the epoch badly, and say too little of its errors."""

_BY_TARGET: dict[TargetKind, _Settings] = {
    "values": _Settings('"standardize"', "mish", 0.15, 0.2, 0.1, 256, 128),
    "classes": _Settings('"standardize", { type = "smooth_clip", limit = 5.0 }', "selu", 0.15, 0.04, 0.05, 100, 128),
}
_CALIBRATIONS: dict[TargetKind, str] = {"values": "linear", "classes": "temperature"}
"""On few rows."""
_WHY_CALIBRATED = {
    "temperature": "as sure as rows that a network has not seen allow",
    "linear": "sets that share by rows that a network has not seen",
}


def _settings(facts: TableFacts, features: list[ColumnFacts], quick: bool) -> _Settings:
    """Return the settings for a table, of one network for about a tenth of the time if it is to be `quick`."""
    made = replace(_BY_TARGET[facts.target], embeds=_can_embed(features))
    if facts.rows < FEW_ROWS:
        made = replace(made, members=8, calibration=_CALIBRATIONS[facts.target])
        if facts.target == "classes":
            made = replace(made, batch_size=64, weight_decay=0.1, smoothing=SMOOTHING_OF_FEW, embeds=False)
    if facts.rows >= MANY_ROWS:
        most = (QUICK_STEPS if quick else MOST_STEPS) / math.ceil(0.7 * facts.rows / made.batch_size)
        return replace(made, epochs=min(made.epochs, max(1, round(most))), members=1)
    return replace(made, epochs=made.epochs // 2, smoothing=SMOOTHING, members=1, calibration="") if quick else made


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

_NETWORK = Template("""\
[network]
# Fitted on the training set, stored in the model.$limits$categories
preprocessing = [$steps"impute", $scaling]$limited
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
units = 128
parametrization = "ntk"                 # W·x/√n + b: one learning rate for every width

[[network.layers.layers]]
type = "activation"
activation = { type = "$activation", parametric = true }   # x + α·($activation(x) − x)
learning_rate_factor = 0.1              # of α, which starts at 1 and should change slowly

[[network.layers.layers]]
type = "dropout"
$dropout

[[network.layers]]
type = "dense"$named
units = $outputs
parametrization = "ntk"$beside""")

_BESIDE = Template("""

# A linear model beside them. It is 0 in training, and gets a share of the prediction afterwards.
[[network.layers]]
type = "dense"
name = "linear"
inputs = ["input"]
units = $outputs
trainable = false
weight_initializer = "zeros"

[[network.layers]]
type = "add"
inputs = ["network", "linear"]""")

_LIMITED = """
# Predictions stay within the range of the training targets.
target_preprocessing = ["clip", "standardize"]"""

_EMBEDDING = Template("""
# Each number x becomes (W·cos(2πf·x + p) + b, x): periodic features that help a dense layer fit bends.
[[network.layers]]
type = "periodic_embedding"$name
variant = "pbld"$columns
frequencies = 16
frequency_stddev = 0.1                  # initial scale of f; larger values fit finer detail
size = 4                                # numbers per column, x included
learning_rate_factor = 0.1
""")

_BINS = Template("""
# Columns in which one number is frequent, such as 0, also as the place within each of 16 bins.
[[network.layers]]
type = "piecewise_linear_embedding"
name = "bins"
inputs = ["input"]
$columns
keep_others = false
""")

_JOINED = """
[[network.layers]]
type = "concatenate"
inputs = ["waves", "bins"]
"""

_TRAINING = Template("""\
[training]
loss = $loss
epochs = $epochs
batch_size = $batch_size
metrics = $metrics
baselines = ["constant", "linear", "neighbours"] # models to compare with$ensemble$calibration

[training.optimizer]
type = "adam"
$learning_rate
beta_2 = 0.95                           # short memory of squared gradients, to follow the schedule
$weight_decay
schedule = { type = "cosine_log" }      # the learning rate rises and falls to 0 four times

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
    target: str | Sequence[str],
    reading: Mapping[str, Any] = MappingProxyType({}),
    sweep: bool = False,
    quick: bool = False,
) -> str:
    """Return a commented spec for a table, as TOML.

    Parameters
    ----------
    facts : TableFacts
    name : str
        Of the spec.
    file : str
        The spec's file, as its comments show it.
    data_type, path : str
        Of the spec's data part.
    target : str or sequence of str
        Its target, or several.
    reading : mapping, optional
        Keys of the data part that say how the file is read.
    sweep : bool
        Add a table ``[sweep]`` around the settings.
    quick : bool
        Train one network, in about a tenth of the time.
    """
    targets = [target] if isinstance(target, str) else [*target]
    features = [column for column in facts.columns if column.kind != "ignore" and column.name not in targets]
    settings = _settings(facts, features, quick)
    return _SPEC.substitute(
        target=" and ".join(targets) if "".join(targets).isprintable() else "a column",
        rows=facts.rows,
        file=file,
        name=name,
        type=data_type,
        path=toml_text(path),
        quoted_target=toml_value(targets[0] if len(targets) == 1 else targets),
        data="\n".join(
            [*(f"{key} = {toml_value(value)}" for key, value in reading.items()), *_data(facts, features, settings)]
        ),
        columns="\n".join(_column(column) for column in facts.columns),
        network=_network(facts, features, settings),
        training=_training(facts, settings),
        searching=f"\n#   specnet sweep {file}      search for better settings" if sweep else "",
        sweep=_sweep(facts, features, settings, file) if sweep else "",
    )


def _data(facts: TableFacts, features: list[ColumnFacts], settings: _Settings) -> list[str]:
    lines = []
    if facts.gaps:
        lines.append(_commented('missing_target = "drop"', f"{counted(facts.gaps, 'row')} without a target"))
    order = [_ORDER[column.kind] for column in features]
    if settings.embeds and [*dict.fromkeys(order)] != sorted(set(order)):
        names = ", ".join(toml_text(column.name) for column in sorted(features, key=lambda each: _ORDER[each.kind]))
        lines.append("# Numbers and dates first, because layers find them by their places.")
        lines.append(f"features = [{names}]")
    return [*lines, _split(facts, settings)]


def _split(facts: TableFacts, settings: _Settings) -> str:
    sizes = "test_size = 0.2"
    if settings.members == 1:
        is_small = facts.target == "values" and facts.rows < SMALL
        sizes += f", validation_size = {0.2 if is_small else 0.1}"
    if facts.classes > facts.rows // 20:
        return f"split = {{ {sizes}, stratify = false }}   # too many classes for a stratified split"
    return _commented(f"split = {{ {sizes} }}", "fractions of the rows held out")


def _column(column: ColumnFacts) -> str:
    kind = column.notation.written() if column.notation else toml_text(column.kind)
    return _commented(f"{toml_key(column.name)} = {kind}", column.words)


def _network(facts: TableFacts, features: list[ColumnFacts], settings: _Settings) -> str:
    is_values = facts.target == "values"
    codes = f"one_hot columns, or learned vectors if there are more than {ONE_HOT_CODES} of them"
    has_categories = any(column.kind == "category" for column in features)
    return _NETWORK.substitute(
        limits=""
        if is_values
        else "\n# Numbers are softly limited to five standard deviations, so that outliers do little harm.",
        categories=f"\n# Categories become {codes}." if has_categories else "",
        steps='"calendar", ' if any(column.kind == "datetime" for column in features) else "",
        scaling=settings.scaling,
        limited=_LIMITED if is_values else "",
        embedding="".join(_embedding(features, settings)),
        activation=settings.activation,
        dropout=_commented(f"rate = {settings.dropout}", "fraction of units dropped during training"),
        outputs=_outputs(facts),
        named='\nname = "network"' if settings.calibration == "linear" else "",
        beside=_BESIDE.substitute(outputs=_outputs(facts)) if settings.calibration == "linear" else "",
    )


def _embedding(features: list[ColumnFacts], settings: _Settings) -> list[str]:
    """Return the layers that embed numbers and what dates become, if there are to be some."""
    if not settings.embeds:
        return []
    ordered = sorted(features, key=lambda column: _ORDER[column.kind])
    spiked = [place for place, column in enumerate(ordered) if column.is_spiked]
    columns = ""
    if ordered[-1].kind == "category":
        count = sum(column.columns for column in features if column.kind != "category")
        columns = "\n" + _places(range(count), "all but categories, counted from 0")
    waves = _EMBEDDING.substitute(columns=columns, name='\nname = "waves"' if spiked else "")
    bins = [_BINS.substitute(columns=_places(spiked, "counted from 0")), _JOINED] if spiked else []
    return [waves, *bins]


def _training(facts: TableFacts, settings: _Settings) -> str:
    if facts.target == "values":
        loss, metrics = '"mean_squared_error"', ["r2", "root_mean_squared_error", "mean_absolute_error"]
    else:
        kind = "binary" if facts.classes == 2 else "categorical"
        loss = f'{{ type = "{kind}_crossentropy", label_smoothing = {settings.smoothing} }}'
        metrics = ["accuracy"]
        if facts.outputs == 1:
            metrics += ["roc_auc" if facts.classes == 2 else "balanced_accuracy", "neg_log_loss"]
    calibration = _commented(f'calibration = "{settings.calibration}"', _WHY_CALIBRATED.get(settings.calibration, ""))
    members = _commented(f"ensemble = {settings.members}", "networks, each validated on its part of the training set")
    return _TRAINING.substitute(
        loss=loss,
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        metrics=json.dumps(metrics),
        ensemble="" if settings.members == 1 else f"\n{members}",
        calibration=f"\n{calibration}" if settings.calibration else "",
        learning_rate=_commented(f"learning_rate = {settings.learning_rate}", "high, as ntk needs"),
        weight_decay=_commented(f"weight_decay = {settings.weight_decay}", "decoupled, of weights only"),
    )


def _sweep(facts: TableFacts, features: list[ColumnFacts], settings: _Settings, file: str) -> str:
    has_folds = settings.members > 1
    return sweep_table(
        file,
        settings.learning_rate,
        settings.weight_decay,
        activation=settings.activation,
        block=1 + len(_embedding(features, settings)),
        rows="the rows that each network was not trained on" if has_folds else "the validation set",
        outputs=_outputs(facts),
        is_values=facts.target == "values",
        embeds=settings.embeds,
        has_folds=has_folds,
        has_linear_part=settings.calibration == "linear",
    )


def _outputs(facts: TableFacts) -> int:
    return facts.outputs if facts.target == "values" or facts.classes == 2 else facts.classes


def _can_embed(features: list[ColumnFacts]) -> bool:
    """Whether there are numbers to embed, and not many columns after coding."""
    sizes = [column.columns if column.columns <= ONE_HOT_CODES else CategoryEmbedding().size for column in features]
    return any(column.kind != "category" for column in features) and sum(sizes) <= MANY_COLUMNS


def _places(places: Iterable[int], words: str) -> str:
    """Return the line that names the columns of a layer."""
    line = textwrap.fill(f"columns = [{', '.join(map(str, places))}]", _LONGEST, subsequent_indent="    ")
    return _commented(line, words)


def _commented(line: str, comment: str) -> str:
    return f"{line:<{_WIDTH - 1}} # {comment}" if comment else line
