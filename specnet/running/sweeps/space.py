"""The space of a sweep as Optuna sees it: a parameter for each key, and one for each range inside a list's tables.

The values of a list are told to Optuna as texts, their TOML: it takes 1, 1.0 and true for the same, and no tables.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from specnet.files.plain_data import toml_value
from specnet.saved.searched_keys import dimensions, names_inside, texts_of
from specnet.spec.spec_writing import Change
from specnet.spec.sweep_section import Range, plain

if TYPE_CHECKING:
    from optuna.trial import BaseTrial

    Space = Mapping[str, tuple[Any, ...] | Range]
    """As in `specnet.spec.sweep_section.SweepSpec`."""


Settings = dict[str, str | int | float]
"""What a table of trials shows of one, by column: TOML for a value of a list, numbers for ranges that were drawn."""


def draw(trial: BaseTrial, space: Space) -> tuple[list[Change], Settings]:
    """Return what a trial of Optuna suggests, in the order of the space: changes of the spec, and settings."""
    changes, settings = list[Change](), Settings()
    for key, entry in space.items():
        if isinstance(entry, Range):
            value = settings[key] = _number(trial, key, entry)
        else:
            texts = texts_of(entry)
            settings[key] = picked = trial.suggest_categorical(key, texts)
            index = texts.index(picked)
            value = plain(entry[index])
            for name, (field, bounds) in names_inside(key, entry, index).items():
                value[field] = settings[name] = _number(trial, name, bounds)
        changes.append(Change(tuple(key.split(".")), value))
    return changes, settings


def written_parameters(data: Mapping[str, Any], space: Space) -> dict[str, Any]:
    """Return what a document says at the keys of a space, as Optuna would call it; what it does not say is left out."""
    found = {}
    for key, entry in space.items():
        value: Any = data
        for step in key.split("."):
            is_place = isinstance(value, list | tuple) and step.isdecimal() and int(step) < len(value)
            value = value[int(step)] if is_place else value.get(step) if isinstance(value, Mapping) else None
        if value is not None:
            found[key] = shown_value(value) if isinstance(entry, Range) else toml_value(plain(value))
    return found


def shown_value(value: Any) -> str | int | float:
    """Return a written value as a table of trials shows it."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number else toml_value(value)


def columns(space: Space) -> tuple[str, ...]:
    """Return the names of all that a trial may draw, in the order of the space."""
    return tuple(dimensions(space))


def combinations(space: Space) -> Iterator[dict[str, Any]]:
    """Yield the parameters of each combination of a space of lists, as `Study.enqueue_trial` takes them.

    The first key varies slowest.
    """
    texts = [texts_of(entry) for entry in space.values() if not isinstance(entry, Range)]
    assert len(texts) == len(space), "a grid has no ranges"
    return (dict(zip(space, picked, strict=True)) for picked in itertools.product(*texts))


def _number(trial: BaseTrial, name: str, bounds: Range) -> int | float:
    if bounds.of_integers:
        step = 1 if bounds.step is None else int(bounds.step)
        return trial.suggest_int(name, int(bounds.low), int(bounds.high), step=step, log=bounds.log)
    drawn = trial.suggest_float(name, float(bounds.low), float(bounds.high), step=bounds.step, log=bounds.log)
    if bounds.step is None:
        return drawn
    # Sums of floats miss what is meant: 0.1 + 2 · 0.1 is 0.30000000000000004.
    low, step_size = Decimal(repr(bounds.low)), Decimal(repr(bounds.step))
    return float(low + round((Decimal(drawn) - low) / step_size) * step_size)
