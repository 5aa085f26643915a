"""Two specs, models or runs as they are compared: resolved, and read no further than the comparison needs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from specnet.files import PathLike
from specnet.model import load_model
from specnet.report.terminal.run_table import RunRecord
from specnet.running.data_rows import read_data
from specnet.running.run_folder import RunFolder
from specnet.running.saved_runs.run_records import run_record
from specnet.running.saved_runs.saved_specs import resolved_spec, resolved_with_data
from specnet.spec import Limits, Spec
from specnet.spec.resolving.resolve import partly_resolved
from specnet.spec.resolving.sizes import Given


@dataclass(frozen=True)
class Side:
    """One of two that are compared.

    Attributes
    ----------
    spec : Spec
    is_resolved : bool
        Whether it is known what the data say.
    record : RunRecord or None
        Of a run.
    data_sha256 : str or None
        The hash of a run's data.
    """

    spec: Spec
    is_resolved: bool = False
    record: RunRecord | None = None
    data_sha256: str | None = None


def side_of_run(folder: Path, limits: Limits | None = None) -> Side:
    """Return what the folder of a run says.

    Raises
    ------
    SpecError, FileError
        If it is not the folder of a run, or a file of it cannot be read.
    """
    spec, facts = resolved_spec(folder, limits), RunFolder(folder).facts()
    sha256 = facts.get("data_sha256")
    return Side(spec, True, run_record(folder), sha256 if isinstance(sha256, str) else None)


def side_of_model(path: PathLike, limits: Limits | None = None) -> Side:
    """Return what a model file says.

    Raises
    ------
    SpecError, FileError
        If it is not a model.
    """
    return Side(load_model(path, limits=limits).spec, True)


def resolved_sides(first: Side, second: Side) -> tuple[Side, Side]:
    """Return both sides with resolved specs; those of two specs keep what they search, which no run has.

    Data are read where a spec depends on them, but not where both have the same data and nothing else is unknown.

    Raises
    ------
    SpecError, DataError, FileError
        If the data cannot be read.
    """
    sides = _resolved_sides(first, second)
    if first.is_resolved or second.is_resolved:
        return sides
    given = first.spec.sweep, second.spec.sweep
    before, after = (
        replace(side, spec=side.spec.model_copy(update={"sweep": sweep}))
        for side, sweep in zip(sides, given, strict=True)
    )
    return before, after


def _resolved_sides(first: Side, second: Side) -> tuple[Side, Side]:
    sides = first, second
    if not first.is_resolved and not second.is_resolved and first.spec.data == second.spec.data:
        partly = [partly_resolved(side.spec, Given()) for side in sides]
        if first.spec.folder == second.spec.folder and all(each.inputs and each.outputs for each in partly):
            return replace(first, spec=partly[0].spec), replace(second, spec=partly[1].spec)
    before, after = (side if side.is_resolved else replace(side, spec=_with_data(side.spec)) for side in sides)
    return before, after


def _with_data(spec: Spec) -> Spec:
    """Return a resolved spec with all that reading its data tells, if there is more than its fields say."""
    if spec.data is None or spec.data.row_count is not None:
        return resolved_with_data(spec).spec
    return read_data(spec).resolved.spec
