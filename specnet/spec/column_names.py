"""The names of the input columns, which come from the spec's text, a CSV file or a data frame."""

import json
from collections.abc import Iterator, Mapping, Sequence

from specnet.errors import Diagnostic
from specnet.parts.arrays import first_few
from specnet.parts.data import ColumnKind
from specnet.spec.document import ColumnGroup, Spec
from specnet.spec.reading.hints import shown
from specnet.spec.reading.reader import MAX_BYTES, MAX_TOKENS
from specnet.suggestions import perhaps

PATH = ("network", "feature_names")
PREPROCESSING = ("network", "preprocessing")


def with_feature_names(spec: Spec, names: Sequence[str] | None, kinds: Mapping[str, ColumnKind] | None = None) -> Spec:
    """Return a spec with the names of the columns to which it is fitted, and their kinds if any.

    Parameters
    ----------
    spec : Spec
    names : sequence of str, optional
        Names of the columns. They are not stored if a spec cannot contain them: if one is empty or not valid Unicode,
        if two are equal, or if they would take more than half of the largest spec.
    kinds : mapping of str to kind, optional
        Kinds of the columns of a data frame that does not only contain numbers.

    Raises
    ------
    SpecError
        If the spec has other names.
    """
    if kinds is not None:
        spec = spec.with_network(feature_kinds=dict(kinds))
    specified = spec.network.feature_names
    if specified is not None:
        for index, message in differences(specified, names or ()):
            raise spec.error("feature-names", message, (*PATH, index))
        return spec
    if not names or not may_stand_in_a_spec(names):
        return spec
    return spec.with_network(feature_names=tuple(names))


def differences(specified: Sequence[str], names: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Yield an index and a message for each name of a spec that differs from the name in the data."""
    for index, (here, there) in enumerate(zip(specified, names, strict=False)):  # lengths are checked elsewhere
        if here != there:
            yield index, f"column {index + 1} is {shown(here)} here but {shown(there)} in the data"


def wrong_groups(spec: Spec, names: Sequence[str]) -> Iterator[Diagnostic]:
    """Yield the mistakes in a spec's groups of columns, given the column names of the data."""
    seen: set[str] = set()
    for index, group in enumerate(spec.network.preprocessing or ()):
        for position, name in enumerate(group.columns if isinstance(group, ColumnGroup) else ()):
            path = (*PREPROCESSING, index, "columns", position)
            if not names:
                message = "groups need names of columns, and these rows have none"
                yield spec.diagnostic("unknown-column", message, path, hint="set network.feature_names")
                return
            if name not in names:
                hint = perhaps(name, names) or f"choose from {first_few(names)}"
                yield spec.diagnostic("unknown-column", f"no input column {shown(name)}", path, hint=hint)
            elif name in seen:
                yield spec.diagnostic("field-clash", f"column {shown(name)} is in two groups", path)
            seen.add(name)


def may_stand_in_a_spec(names: Sequence[str]) -> bool:
    """Return whether a spec may contain these column names."""
    if not all(names) or len(set(names)) < len(names) or len(names) > MAX_TOKENS // 2:
        return False
    try:
        return len(json.dumps(names, ensure_ascii=False).encode()) <= MAX_BYTES // 2
    except UnicodeEncodeError:
        return False
