"""Choice of the preprocessing for each column of a table: as written in the spec, or by default for its kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from specnet.data.preparation import Preparation
from specnet.errors import Diagnostic, Path, SpecError
from specnet.files.plain_data import toml_text
from specnet.parts.data import KINDS_IN_WORDS, OF_TEXTS, Column, Kind, kind_of
from specnet.parts.preprocessing import (
    ONE_HOT_CODES,
    Calendar,
    CategoryEmbedding,
    CategoryStep,
    Impute,
    OneHot,
    Ordinal,
    Preprocessing,
    Standardize,
    TextVectors,
)
from specnet.spec import ColumnGroup, Spec, StepsOrGroups
from specnet.spec.column_names import PREPROCESSING as PATH
from specnet.spec.column_names import wrong_groups
from specnet.spec.reading.hints import shown
from specnet.spec.resolving.agreement import prepared_columns

Steps = tuple[Preprocessing, ...]

_NUMBERS: Steps = (Impute(), Standardize())
_DEFAULTS: dict[Kind, Steps] = {
    "numeric": _NUMBERS,
    "boolean": _NUMBERS,
    "datetime": (Calendar(), *_NUMBERS),
    "category": (OneHot(),),
    "text": (TextVectors(),),
}


def column_groups(
    spec: Spec, columns: Sequence[Column], names: Sequence[str], count_codes: Callable[[int], int]
) -> StepsOrGroups:
    """Return the preprocessing of a spec as groups of a table's columns, or as plain steps for arrays.

    Parameters
    ----------
    spec : Spec
    columns : sequence of Column
        Columns of the table; empty for arrays, whose columns have no kinds and no default preprocessing.
    names : sequence of str
        Names of the columns; empty if they have none.
    count_codes : callable
        Function that returns the number of codes in training rows of a category, given the column's index.

    Raises
    ------
    SpecError
        If a named column does not exist, or a step does not support a column's kind.
    """
    written = spec.network.preprocessing
    groups = {index: group for index, group in enumerate(written or ()) if isinstance(group, ColumnGroup)}
    plain = tuple(step for step in written or () if isinstance(step, Preprocessing))
    if not columns and not groups:
        return plain
    if problems := list(wrong_groups(spec, names)):
        raise SpecError(*problems)
    own = {name: group.steps for group in groups.values() for name in group.columns}
    kinds: dict[str, Kind] = dict.fromkeys(names, "numeric")
    kinds |= {column.name: column.kind for column in columns}
    steps: dict[str, Steps] = {}
    for index, name in enumerate(names):
        kind = kinds[name]
        # The results of steps for numbers are numbers too.
        steps[name] = own[name] if name in own else tuple(step for step in plain if kind in step.takes)
        is_silent = written is None or (groups and not plain) or kind in OF_TEXTS
        if columns and is_silent and name not in own and not steps[name]:
            many = kind == "category" and count_codes(index) > ONE_HOT_CODES
            steps[name] = (CategoryEmbedding(),) if many else _DEFAULTS[kind]
    paths: dict[str, Path] = {name: (*PATH, index) for index, group in groups.items() for name in group.columns}
    if problems := list(_wrong_kinds(spec, steps, kinds, paths)):
        raise SpecError(*problems)
    return tuple(ColumnGroup(columns=tuple(found), steps=chain) for chain, found in _alike(steps))


def with_fitted_steps(spec: Spec, written: StepsOrGroups, preparation: Preparation) -> Spec:
    """Return a spec with the written preprocessing, completed by the sizes that were determined by fitting."""
    steps: StepsOrGroups = preparation.steps
    if not preparation.is_plain:
        groups = [group for group in written if isinstance(group, ColumnGroup)]
        steps = tuple(
            group.model_copy(update={"steps": tuple(map(_sized, group.steps, fitted.steps))})
            for group, fitted in zip(groups, preparation.groups, strict=True)
        )
    return spec.with_network(preprocessing=tuple(steps))


def _sized(step: Preprocessing, fitted: Preprocessing) -> Preprocessing:
    """Return a fitted step; for an embedding, the written step with the number of fitted codes."""
    if isinstance(step, CategoryEmbedding) and isinstance(fitted, CategoryStep):
        return step.model_copy(update={"counts": fitted.counts})
    return fitted


def _alike(steps: dict[str, Steps]) -> list[tuple[Steps, list[str]]]:
    """Group columns by equal steps, in the order of their first columns; columns that remain codes come last."""
    found: dict[Steps, list[str]] = {}
    for name, chain in steps.items():
        found.setdefault(chain, []).append(name)

    def stay_codes(item: tuple[Steps, list[str]]) -> bool:
        return any(isinstance(step, CategoryEmbedding | Ordinal) for step in item[0][-1:])

    return sorted(found.items(), key=stay_codes)


def check_fitted(spec: Spec, columns: int) -> None:
    """Check the preprocessing of a spec from a model's file, given the number of raw columns.

    All sizes must be known. If any column has a kind or a group, each column must have both.

    Raises
    ------
    SpecError
        If a column violates these rules, or its steps do not support its kind; all problems are listed.
    """
    problems = list(_wrong_groups_of_fitted(spec))
    if not problems and prepared_columns(spec.network.preprocessing or (), columns) is None:
        problems.append(spec.diagnostic("missing-key", "a step lacks the sizes that it has once it is fitted", PATH))
    if problems:
        raise SpecError(*problems)


def _wrong_groups_of_fitted(spec: Spec) -> Iterator[Diagnostic]:
    names, kinds, written = spec.feature_names or (), spec.feature_kinds, spec.network.preprocessing or ()
    groups = {index: group for index, group in enumerate(written) if isinstance(group, ColumnGroup)}
    if not groups and kinds is None:
        return
    indices = {name: index for index, group in groups.items() for name in group.columns}
    yield from wrong_groups(spec, names)
    if len(groups) < len(written):
        yield spec.diagnostic("field-clash", "there are steps beside groups of columns", PATH)
    for name in names:
        if name not in indices or name not in (kinds or indices):
            lacks = "group" if name not in indices else "kind"
            yield spec.diagnostic("unknown-column", f"column {shown(name)} has no {lacks}", PATH)
    steps = {name: groups[indices[name]].steps for name in names if name in indices}
    known: dict[str, Kind] = {name: kind_of(kinds[name]) if kinds and name in kinds else "numeric" for name in names}
    yield from _wrong_kinds(spec, steps, known, {name: (*PATH, index) for name, index in indices.items()})


def _wrong_kinds(
    spec: Spec, steps: dict[str, Steps], kinds: dict[str, Kind], paths: dict[str, Path]
) -> Iterator[Diagnostic]:
    for name, chain in steps.items():
        kind = kinds[name]
        for step in chain:
            if kind not in step.takes:
                takes = " or ".join(sorted(step.takes))
                message = f'column "{name}" is {KINDS_IN_WORDS[kind]}, but {step.type} takes {takes} columns'
                own = "text_vectors" if kind == "text" else "one_hot"
                group = f'{{ columns = [{toml_text(name)}], steps = ["{own}"] }}'
                hint = f"give it a group of its own: {group}" if kind in OF_TEXTS else None
                yield spec.diagnostic("column-kind", message, paths.get(name, PATH), hint=hint)
                break
            kind = "numeric"
