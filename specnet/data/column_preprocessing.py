"""Which preprocessing each column of a table gets: what the spec writes for it, else what its kind asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from specnet.data.preparation import Preparation
from specnet.errors import Diagnostic, Path, SpecError
from specnet.files.toml import toml_key
from specnet.parts.arrays import first_few
from specnet.parts.data import KINDS_IN_WORDS, Column, Kind
from specnet.parts.preprocessing import (
    ONE_HOT_CODES,
    Calendar,
    CategoryEmbedding,
    CategoryStep,
    Impute,
    OneHot,
    Preprocessing,
    Standardize,
)
from specnet.spec import ColumnGroup, Spec, Written
from specnet.spec.reading.hints import close_match

PATH: Path = ("network", "preprocessing")
Steps = tuple[Preprocessing, ...]

_NUMBERS: Steps = (Impute(), Standardize())
_DEFAULTS: dict[Kind, Steps] = {
    "numeric": _NUMBERS,
    "boolean": _NUMBERS,
    "datetime": (Calendar(), *_NUMBERS),
    "category": (OneHot(),),
}


def column_groups(
    spec: Spec, columns: Sequence[Column], names: Sequence[str], count_codes: Callable[[int], int]
) -> Written:
    """Return the steps of a spec as groups of a table's columns, by the first of these; plain steps for mere arrays.

    Parameters
    ----------
    spec : Spec
    columns : sequence of Column
        Of the table; empty for arrays, whose columns have no kinds, and nothing by default.
    names : sequence of str
        Of the columns; empty where they have none.
    count_codes : callable
        Returns how many codes the training rows have for the category in a column, by the column's place.

    Raises
    ------
    SpecError
        If columns are named that do not exist, or a step cannot be used for a column of its kind.
    """
    written = spec.network.preprocessing
    groups = {index: group for index, group in enumerate(written or ()) if isinstance(group, ColumnGroup)}
    plain = tuple(step for step in written or () if isinstance(step, Preprocessing))
    if not columns and not groups:
        return plain
    if problems := list(_wrong_names(spec, groups, names)):
        raise SpecError(*problems)
    own = {name: group.steps for group in groups.values() for name in group.columns}
    kinds: dict[str, Kind] = dict.fromkeys(names, "numeric")
    kinds |= {column.name: column.kind for column in columns}
    steps: dict[str, Steps] = {}
    for place, name in enumerate(names):
        kind = kinds[name]
        # What begins on numbers also goes on with them.
        steps[name] = own[name] if name in own else tuple(step for step in plain if kind in step.takes)
        is_silent = written is None or (groups and not plain) or kind == "category"
        if columns and is_silent and name not in own and not steps[name]:
            many = kind == "category" and count_codes(place) > ONE_HOT_CODES
            steps[name] = (CategoryEmbedding(),) if many else _DEFAULTS[kind]
    places = {name: (*PATH, index) for index, group in groups.items() for name in group.columns}
    if problems := list(_wrong_kinds(spec, steps, kinds, places)):
        raise SpecError(*problems)
    return tuple(ColumnGroup(columns=tuple(found), steps=chain) for chain, found in _alike(steps))


def with_fitted_steps(spec: Spec, written: Written, preparation: Preparation) -> Spec:
    """Return a spec whose preprocessing is what was written with the sizes that were found when it was fitted."""
    steps: Written = preparation.steps
    if not preparation.is_plain:
        groups = [group for group in written if isinstance(group, ColumnGroup)]
        steps = tuple(
            group.model_copy(update={"steps": tuple(map(_sized, group.steps, fitted.steps))})
            for group, fitted in zip(groups, preparation.groups, strict=True)
        )
    return spec.model_copy(update={"network": spec.network.model_copy(update={"preprocessing": tuple(steps)})})


def _sized(step: Preprocessing, fitted: Preprocessing) -> Preprocessing:
    """Return a step as it was fitted; an embedding, in whose place its codes were, with their number."""
    if isinstance(step, CategoryEmbedding) and isinstance(fitted, CategoryStep):
        return step.model_copy(update={"counts": fitted.counts})
    return fitted


def _alike(steps: dict[str, Steps]) -> list[tuple[Steps, list[str]]]:
    """Return columns by equal steps, in the order of their first ones, those that stay codes last."""
    found: dict[Steps, list[str]] = {}
    for name, chain in steps.items():
        found.setdefault(chain, []).append(name)

    def stay_codes(item: tuple[Steps, list[str]]) -> bool:
        return any(isinstance(step, CategoryStep) and not isinstance(step, OneHot) for step in item[0][-1:])

    return sorted(found.items(), key=stay_codes)


def _wrong_names(spec: Spec, groups: dict[int, ColumnGroup], names: Sequence[str]) -> Iterator[Diagnostic]:
    seen: dict[str, int] = {}
    for index, group in groups.items():
        for place, name in enumerate(group.columns):
            path = (*PATH, index, "columns", place)
            if not names:
                message = "groups need names of columns, and these rows have none"
                yield spec.diagnostic("unknown-column", message, path, hint="set network.feature_names")
                return
            if name not in names:
                close = close_match(name, names)
                hint = f'did you mean "{close}"?' if close else f"choose from {first_few(names)}"
                yield spec.diagnostic("unknown-column", f'no input column "{name}"', path, hint=hint)
            elif name in seen:
                yield spec.diagnostic("field-clash", f'column "{name}" is in two groups', path)
            seen[name] = index


def _wrong_kinds(
    spec: Spec, steps: dict[str, Steps], kinds: dict[str, Kind], places: dict[str, Path]
) -> Iterator[Diagnostic]:
    for name, chain in steps.items():
        kind = kinds[name]
        for step in chain:
            if kind not in step.takes:
                takes = " or ".join(sorted(step.takes))
                message = f'column "{name}" is {KINDS_IN_WORDS[kind]}, but {step.type} takes {takes} columns'
                hint = f'set data.columns.{toml_key(name)} = "numeric"' if kind == "category" else None
                yield spec.diagnostic("column-kind", message, places.get(name, PATH), hint=hint)
                break
            kind = "numeric"
