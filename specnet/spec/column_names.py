"""The names of the inputs' columns: a spec has them from its text, from a CSV file or from a data frame."""

import json
from collections.abc import Iterator, Mapping, Sequence

from specnet.errors import Diagnostic
from specnet.parts.arrays import first_few
from specnet.parts.data import ColumnKind
from specnet.spec.document import ColumnGroup, Spec
from specnet.spec.reading.hints import close_match, shown
from specnet.spec.reading.reader import MAX_BYTES, MAX_TOKENS

PATH = ("network", "feature_names")
PREPROCESSING = ("network", "preprocessing")


def with_feature_names(spec: Spec, names: Sequence[str] | None, kinds: Mapping[str, ColumnKind] | None = None) -> Spec:
    """Return a spec with the names of the columns that it is fitted to, and their kinds where they have some.

    Parameters
    ----------
    spec : Spec
    names : sequence of str, optional
        Left out where they are none that a spec may have: an empty one, two that are equal, half of a surrogate pair,
        or so many that they would take more than half of what a spec may be.
    kinds : mapping of str to kind, optional
        Of a data frame that is more than numbers.

    Raises
    ------
    SpecError
        If the spec has other names.
    """
    if kinds is not None:
        spec = spec.with_network(feature_kinds=dict(kinds))
    said = spec.network.feature_names
    if said is not None:
        for index, message in differences(said, names or ()):
            raise spec.error("feature-names", message, (*PATH, index))
        return spec
    if not names or not may_stand_in_a_spec(names):
        return spec
    return spec.with_network(feature_names=tuple(names))


def differences(said: Sequence[str], names: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Yield where a spec's names are not those of the data, and what to say of that."""
    for index, (here, there) in enumerate(zip(said, names, strict=False)):  # sizes that differ are another mistake
        if here != there:
            yield index, f"column {index + 1} is {shown(here)} here but {shown(there)} in the data"


def wrong_groups(spec: Spec, names: Sequence[str]) -> Iterator[Diagnostic]:
    """Yield what is wrong with the names in a spec's groups of columns, where the columns have these names."""
    seen: set[str] = set()
    for index, group in enumerate(spec.network.preprocessing or ()):
        for position, name in enumerate(group.columns if isinstance(group, ColumnGroup) else ()):
            path = (*PREPROCESSING, index, "columns", position)
            if not names:
                message = "groups need names of columns, and these rows have none"
                yield spec.diagnostic("unknown-column", message, path, hint="set network.feature_names")
                return
            if name not in names:
                close = close_match(name, names)
                hint = f"did you mean {shown(close)}?" if close else f"choose from {first_few(names)}"
                yield spec.diagnostic("unknown-column", f"no input column {shown(name)}", path, hint=hint)
            elif name in seen:
                yield spec.diagnostic("field-clash", f"column {shown(name)} is in two groups", path)
            seen.add(name)


def may_stand_in_a_spec(names: Sequence[str]) -> bool:
    """Return whether a spec may have these names of columns."""
    if not all(names) or len(set(names)) < len(names) or len(names) > MAX_TOKENS // 2:
        return False
    try:
        return len(json.dumps(names, ensure_ascii=False).encode()) <= MAX_BYTES // 2
    except UnicodeEncodeError:
        return False
