"""Specs with all that their data say of sizes; data are read only where they must be."""

from __future__ import annotations

from specnet.errors import SpecError
from specnet.model import Model
from specnet.running.data_rows import read_data
from specnet.saved.saved_run import SavedRun
from specnet.spec import Resolved, Spec, resolve
from specnet.spec.resolving.agreement import Given
from specnet.spec.resolving.resolve import partly_resolved


def resolved_with_data(spec: Spec) -> Resolved:
    """Return a spec with its sizes; the data are read only if the sizes depend on them.

    Raises
    ------
    SpecError, DataError, FileError
        If a size is not known, or the data cannot be read.
    """
    try:
        return resolve(spec)
    except SpecError as error:
        if spec.data is None or any(diagnostic.code != "unknown-size" for diagnostic in error.diagnostics):
            raise
    return read_data(spec).resolved


def comparable_specs(first: Spec | SavedRun | Model, second: Spec | SavedRun | Model) -> tuple[Spec, Spec]:
    """Return the resolved specs of two that are compared; of two specs with what they search, which no run has.

    Data are read where a spec depends on them, but not where both have the same data and nothing else is unknown.

    Raises
    ------
    SpecError, DataError, FileError
        If the data cannot be read.
    """
    if not isinstance(first, Spec) or not isinstance(second, Spec):
        before, after = (_with_data(each) if isinstance(each, Spec) else each.spec for each in (first, second))
        return before, after
    is_same = first.data == second.data and first.folder == second.folder
    partly = [partly_resolved(each, Given()) for each in (first, second)] if is_same else []
    is_known = bool(partly) and all(each.inputs and each.outputs for each in partly)
    specs = [each.spec for each in partly] if is_known else [_with_data(each) for each in (first, second)]
    before, after = (
        spec.model_copy(update={"sweep": each.sweep}) for spec, each in zip(specs, (first, second), strict=True)
    )
    return before, after


def _with_data(spec: Spec) -> Spec:
    """Return a resolved spec with all that reading its data tells, if there is more than its fields say."""
    if spec.data is None or spec.data.row_count is not None:
        return resolved_with_data(spec).spec
    return read_data(spec).resolved.spec
