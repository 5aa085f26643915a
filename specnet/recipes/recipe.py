"""The recipe, a spec for a table: layers of RealMLP (Holzmüller et al. 2024), with settings for each kind of target.

The settings for classes were chosen on seven public tables of 300 to 10 000 rows. RealMLP's own label smoothing of 0.1
would cancel most of the improvement in log loss that its layers bring.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from specnet.errors import DataError
from specnet.files.plain_data import toml_key, toml_text
from specnet.parts.data import OF_TEXTS, Kind, TargetKind
from specnet.parts.preprocessing import ONE_HOT_CODES, CategoryEmbedding
from specnet.recipes.spec_templates import beside, rendered
from specnet.recipes.table_facts import ColumnFacts, TableFacts

FEW_ROWS, MANY_ROWS = 1_000, 10_000
"""Row counts at which settings change. Below FEW_ROWS an ensemble has eight members, and for classes the batches are
small, numbers are not embedded, and labels are smoothed more. From MANY_ROWS on, a single network is trained."""
MAX_STEPS, QUICK_STEPS = 10_000, 1_000
"""Maximum number of training steps on many rows."""
SMOOTHING, SMOOTHING_OF_FEW = 0.01, 0.05
"""Label smoothing. On many rows no smoothing is as accurate, but leads to gradients so small that CPUs become slow. On
few rows more smoothing prevents overconfident networks, and a temperature then calibrates the ensemble."""
MANY_COLUMNS = 200
"""With more columns after coding, numbers are not embedded."""
_ORDER: dict[Kind, int] = {"numeric": 0, "boolean": 0, "datetime": 1, "category": 2, "text": 2}
"""Order of columns before the layers, by their kind."""
FEW_NUMBERS, MANY_BINNED = 8, 20
"""For classes, a second network has bins of each column with more than FEW_NUMBERS distinct numbers. With more such
columns than MANY_BINNED it would take most of the time, and is left out."""
MOST_ANSWERS = 20
"""The maximum number of classes with linear answers of texts, which are as many columns for each column of texts. For
values they bring nothing."""
TRIALS = 40
"""Number of trials of a sweep."""


@dataclass(frozen=True, slots=True)
class _Settings:
    """Settings that suit a kind of target and a number of rows.

    Attributes
    ----------
    scaling : tuple
        Preprocessing steps that scale numbers.
    activation : str
    dropout, learning_rate, weight_decay : float
    epochs, batch_size : int
    smoothing : float
        Label smoothing for classes.
    members : int
        Number of ensemble members; 1 for a single network.
    embeds : bool
        Whether numbers are embedded.
    calibration : str
        Calibration of the outputs after training; empty for none.
    """

    scaling: tuple[Any, ...]
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
"""For values, the number of rows below which a tenth of them is too small a validation set."""

_BY_TARGET: dict[TargetKind, _Settings] = {
    "values": _Settings(("standardize",), "mish", 0.15, 0.2, 0.1, 256, 128),
    "classes": _Settings(("standardize", {"type": "smooth_clip", "limit": 5.0}), "selu", 0.15, 0.04, 0.05, 100, 128),
}
_MIXED = '{{ type = "{}", parametric = true }}{}, learning_rate_factor = 0.1'
_UNITS = 128
"""Units of each hidden layer."""
_MONOTONE_UNITS = 256
"""The same with monotone columns and few rows: half of them are free of these columns, as many as without directions.
On more rows they would take longer, and bring little."""
_MONOTONE_BINS = 16
"""Bins of each monotone column, in which predictions rise at different rates: 8 were worse on mpg and insurance."""
_MONOTONE_ACTIVATION = "elu"
"""Activation of units that monotone columns move; mish and selu's learned mixture may fall."""
_CALIBRATIONS: dict[TargetKind, str] = {"values": "linear", "classes": "temperature"}
"""Calibrations that are used with few rows."""


def _settings(facts: TableFacts, features: list[ColumnFacts], quick: bool) -> _Settings:
    """Return the settings for a table; if `quick`, for one network and about a tenth of the training time."""
    made = replace(_BY_TARGET[facts.target], embeds=_can_embed(features))
    if facts.rows < FEW_ROWS:
        made = replace(made, members=8, calibration=_CALIBRATIONS[facts.target])
        if facts.target == "classes":
            made = replace(made, batch_size=64, weight_decay=0.1, smoothing=SMOOTHING_OF_FEW, embeds=False)
    if facts.structure.folds:
        made = replace(made, members=min(made.members, facts.structure.folds))
    if facts.rows >= MANY_ROWS:
        steps = (QUICK_STEPS if quick else MAX_STEPS) / math.ceil(0.7 * facts.rows / made.batch_size)
        return replace(made, epochs=min(made.epochs, max(1, round(steps))), members=1)
    return replace(made, epochs=made.epochs // 2, smoothing=SMOOTHING, members=1, calibration="") if quick else made


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
    monotone: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """Return a commented spec for a table, as TOML.

    Parameters
    ----------
    facts : TableFacts
    name : str
        Name of the spec.
    file : str
        Path of the spec's file for its comments.
    data_type, path : str
        Type and path of the data part.
    target : str or sequence of str
        Name of the target, or of several.
    reading : mapping, optional
        Settings of the data part for reading the file.
    sweep : bool
        Whether to add a ``[sweep]`` section around the settings.
    quick : bool
        Whether to train one network, in about a tenth of the time.
    monotone : mapping of str to str, optional
        The directions of monotone columns by name: ``increasing`` or ``decreasing``.

    Raises
    ------
    DataError
        If a monotone column is not one of the numeric or boolean features.
    """
    targets = [target] if isinstance(target, str) else [*target]
    no_features = {*targets, facts.structure.group}
    features = [column for column in facts.columns if column.kind != "ignore" and column.name not in no_features]
    _check_monotone(monotone, features, facts.classes if facts.outputs == 1 else 0)
    settings, kinds = _settings(facts, features, quick), [column.kind for column in features]
    if monotone:
        others = (column for column in features if column.name not in monotone)
        settings = replace(settings, embeds=settings.embeds and any(column.kind not in OF_TEXTS for column in others))
    # Layers refer to columns by their indices after preprocessing. Preprocessing groups columns by kind, in the order
    # of each kind's first column.
    # Years are read like numbers, so they are in the group of these.
    orders = {column.name: 0 if column.is_year else _ORDER[column.kind] for column in features}
    ordered = sorted(features, key=lambda column: orders[column.name])
    spiked = [index for index, column in enumerate(ordered) if column.is_spiked] if settings.embeds else []
    has_bins = facts.target == "classes" and not quick and _can_embed(features)
    binned = [index for index, column in enumerate(ordered) if has_bins and column.numbers > FEW_NUMBERS]
    binned = binned if len(binned) <= MANY_BINNED else []
    first = [*dict.fromkeys(orders.values())]
    is_ordered = bool(settings.embeds or binned) and first != sorted(first)
    has_dates = any(column.kind == "datetime" and not column.is_year for column in features)
    filling = [*(["calendar"] if has_dates else []), "impute"]
    years = [column.name for column in features if column.is_year]
    of_years = [{"columns": years, "steps": ["impute", *settings.scaling]}] if years else []
    has_answers = "text" in kinds and 1 < facts.classes <= MOST_ANSWERS and facts.structure.time is None
    answers = [{"type": "text_vectors", "answers": True}] if has_answers else []
    has_vectors = any(column.kind == "category" and column.columns > ONE_HOT_CODES for column in features)
    block = 1 + settings.embeds + 2 * bool(spiked) + bool(monotone)
    blocks = [block, block + (5 if has_vectors else 4)] if binned else [block]
    return rendered(
        "recipe",
        facts=facts,
        settings=settings,
        name=name,
        file=file,
        data_type=data_type,
        path=path,
        target=targets[0] if len(targets) == 1 else targets,
        predicted=" and ".join(targets) if "".join(targets).isprintable() else "a column",
        reading=reading,
        order=[column.name for column in ordered] if is_ordered or facts.structure.time else None,
        is_ordered=is_ordered,
        split=_split(facts, settings),
        columns=[(_column(column), column.words) for column in facts.columns],
        is_values=facts.target == "values",
        has_categories="category" in kinds,
        has_texts="text" in kinds,
        one_hot_codes=ONE_HOT_CODES,
        preprocessing=[*filling, *settings.scaling, *answers, *of_years],
        has_years=bool(years),
        binned=binned,
        has_vectors=has_vectors,
        has_answers=has_answers,
        numbers=_numbers(ordered, monotone),
        monotone=monotone,
        rising=_rising(ordered, monotone, after_waves=settings.embeds),
        bins=_MONOTONE_BINS,
        units=_MONOTONE_UNITS if monotone and facts.rows < FEW_ROWS else _UNITS,
        monotone_activation=_MONOTONE_ACTIVATION,
        hidden_activation=_MIXED.format(
            settings.activation, f', monotone = "{_MONOTONE_ACTIVATION}"' if monotone else ""
        ),
        spiked=spiked,
        outputs=facts.outputs if facts.target == "values" or facts.classes == 2 else facts.classes,
        metrics=_metrics(facts),
        has_linear_part=settings.calibration == "linear",
        has_folds=settings.members > 1,
        sweep=sweep,
        trials=TRIALS,
        blocks=[f"network.layers.{each}.layers" for each in blocks],
    )


def _check_monotone(monotone: Mapping[str, str], features: list[ColumnFacts], classes: int) -> None:
    if monotone and classes > 2:
        message = f"with {classes} classes a direction is that of one label's probability"
        hint = (
            'leave out --increasing and --decreasing, and write [network.monotone] with { direction = "…", of = "…" }'
        )
        raise DataError(message, hint=hint)
    known = {column.name: column for column in features}
    for name, direction in monotone.items():
        column = known.get(name)
        if column is None or not (column.is_year or column.kind in ("numeric", "boolean")):
            words = "is no feature of the table" if column is None else f"is of the kind {column.kind}"
            hint = "choose a column of numbers"
            raise DataError(f'column "{name}" cannot be {direction}, because it {words}', hint=hint)


def _numbers(ordered: list[ColumnFacts], monotone: Mapping[str, str]) -> list[int]:
    """Return the indices of prepared numbers and dates that are not monotone, given the features in their order."""
    return [index for index, name in enumerate(_prepared(ordered)) if name not in monotone]


def _rising(ordered: list[ColumnFacts], monotone: Mapping[str, str], *, after_waves: bool) -> list[int]:
    """Return the indices of monotone columns: among prepared columns, or among those that the embedding passes on."""
    if after_waves:  # other numbers are embedded behind them
        return [*range(len(monotone))]
    return [index for index, name in enumerate(_prepared(ordered)) if name in monotone]


def _prepared(ordered: list[ColumnFacts]) -> list[str]:
    """Return the feature of each prepared number or date."""
    return [column.name for column in ordered if column.kind not in OF_TEXTS for _ in range(column.columns)]


def _split(facts: TableFacts, settings: _Settings) -> str:
    """Return the TOML line that sets the split."""
    sizes, split = "test_size = 0.2", facts.structure.split
    if settings.members == 1:
        is_small = facts.target == "values" and facts.rows < SMALL
        sizes += f", validation_size = {0.2 if is_small else 0.1}"
    if split is not None:
        return f"split = {{ {sizes}, {split[0]} = {toml_text(split[1])} }}"
    if facts.classes > facts.rows // 20:
        return f"split = {{ {sizes}, stratify = false }}   # too many classes for a stratified split"
    return beside(f"split = {{ {sizes} }}", "fractions of the rows held out")


def _column(column: ColumnFacts) -> str:
    """Return the TOML line of a column in ``[data.columns]``."""
    kind = column.notation.written() if column.notation else toml_text(column.kind)
    return f"{toml_key(column.name)} = {kind}"


def _metrics(facts: TableFacts) -> list[str]:
    if facts.target == "values":
        return ["r2", "root_mean_squared_error", "mean_absolute_error"]
    if facts.outputs > 1:
        return ["accuracy"]
    return ["accuracy", "roc_auc" if facts.classes == 2 else "balanced_accuracy", "neg_log_loss"]


def _can_embed(features: list[ColumnFacts]) -> bool:
    """Return whether the features contain numbers to embed, and are not too many columns after coding."""
    sizes = [
        column.columns if column.columns <= ONE_HOT_CODES else CategoryEmbedding().size
        for column in features
        if column.kind != "text"
    ]
    return any(column.kind not in OF_TEXTS for column in features) and sum(sizes) <= MANY_COLUMNS
