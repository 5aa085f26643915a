"""The proof of an export: the exported files are run on rows, and their answers are compared with the model's."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from specnet.data import RawColumns
from specnet.errors import ExportError
from specnet.exporting.export_columns import with_texts
from specnet.exporting.learning.learning_proof import STEPS, prove_training
from specnet.exporting.model_program import Program
from specnet.exporting.target import CannotRunError, ExportAnswers, Target
from specnet.files import file_errors
from specnet.model import Model
from specnet.model.directions import MOST_ULPS, directions, largest_fall, outputs_of
from specnet.model.gradients import has_derivatives
from specnet.parts.arrays import Array

ROWS = 256

_FAR, _TINY = 4.0, 1e-6
"""Distances of edge rows from 0, in standard deviations of the training rows if the model standardizes."""
_NEAR = 1e-6
"""The relative distance of neighbours from their rows."""
_MISSING = 0.1
"""The share of missing cells in columns that may have missing values."""


def probe_rows(program: Program, neighbour: int = 0) -> tuple[RawColumns, int]:
    """Return 256 raw rows, exact in the export's precision, and the index of the first edge row.

    Most rows are standard normal after preprocessing. The edge rows are zero, tiny, or far from all training rows in
    all columns or in a single one. Texts are known and unknown, and cells are missing if the model supports it.
    A `neighbour` of 1 or more returns rows very close to those of 0.
    """
    inputs = program.model.network.inputs
    alternating = np.where(np.arange(inputs) % 2, -1.0, 1.0)
    edges = [np.zeros(inputs), np.full(inputs, _TINY), np.full(inputs, -_TINY)]
    edges += [_FAR * np.ones(inputs), -_FAR * np.ones(inputs), _FAR * alternating, -_FAR * alternating]
    edges += list(2 * _FAR * np.eye(min(inputs, 8), inputs))
    count = ROWS - len(edges) - 1
    prepared = np.concatenate([np.random.default_rng(0).standard_normal((count, inputs)), edges])
    if neighbour:
        prepared *= 1 + _NEAR * np.random.default_rng(neighbour).standard_normal(prepared.shape)
    put_categories(prepared, program.model, np.random.default_rng(0))
    with np.errstate(all="ignore"):
        raw = np.concatenate([program.model.preparations[0].invert(prepared), np.zeros((1, program.inputs))])
    raw = raw.astype(program.column_dtype).astype(np.float64)
    generator = np.random.default_rng(1)
    missing = generator.random((count, len(program.missing))) < _MISSING
    missing[0] = True
    raw[:count, program.missing] = np.where(missing, np.nan, raw[:count, program.missing])
    return with_texts(program.columns, raw, generator), count


def put_categories(prepared: Array, model: Model, generator: np.random.Generator) -> None:
    """Fill those prepared columns (rows, inputs) that the network embeds with random categories, in place."""
    for column, categories in model.network.resolved.category_counts.items():
        prepared[:, column] = generator.integers(0, categories, len(prepared))


TOLERANCES = {"float32": 2e-6, "float64": 1e-12}
"""The largest allowed difference from the model, relative to the largest output if that is above 1."""

_INTERVAL_SHARE = 1e-3
"""The largest allowed difference of the ends of intervals, relative to their mean width."""

_ROUNDINGS = 4
"""The allowed difference of an export in float32, in multiples of the model's own rounding."""

_NEIGHBOURS = 8
"""The number of neighbours of each row for which rounding is measured."""


@dataclass(frozen=True, slots=True)
class Proof:
    """The agreement of an export with its model.

    Attributes
    ----------
    rows : int
        The number of compared rows; 0 if the export could not be run.
    difference : float or None
        The largest difference of any output; None if the export could not be run.
    obstacle : str
        The reason why the export could not be run.
    rounding : float
        The difference between the model and itself in the other precision, if the tolerance alone was exceeded.
    derivatives : float or None
        The largest difference of a derivative, as a fraction of the largest one by the same column; None if the export
        has no derivatives.
    fall : float or None
        The largest fall while monotone columns move in their directions, in units of the last place of the largest
        prediction; None in a model without such columns.
    never_falls : bool
        Whether predictions keep the directions to the last bit, by construction.
    gradient : float or None
        The largest difference of the first training step's gradient, as a fraction of the largest number in it; None
        if the export has no training step.
    bound : float or None
        The largest possible difference within the ranges of the training rows; None unless it is in fixed point.
    """

    rows: int
    difference: float | None
    obstacle: str = ""
    rounding: float = 0.0
    derivatives: float | None = None
    fall: float | None = None
    never_falls: bool = False
    gradient: float | None = None
    bound: float | None = None

    def __str__(self) -> str:
        if self.difference is None:
            return f"not compared with the model: {self.obstacle}"
        text = f"compared with the model on {self.rows} rows: max difference {self.difference:.2g}"
        text += f" (float32 rounding {self.rounding:.2g})" * bool(self.rounding)
        if self.bound is not None:
            text += f", within the ranges of the training rows at most {self.bound:.2g}"
            text += f"; not run: {self.obstacle}" * bool(self.obstacle)
        if self.derivatives is not None:
            text += f", of derivatives {self.derivatives:.2g} of the largest"
        if self.gradient is not None:
            text += f", of the gradient in {STEPS} training steps {self.gradient:.2g} of the largest"
        if self.fall is not None:
            promise = "none to the last bit" if self.never_falls else f"at most {MOST_ULPS:g} are allowed"
            text += f"; monotone columns: largest fall {self.fall:.2g} units of the last place, {promise}"
        return text


Run = Callable[[RawColumns], tuple[Array, Array | None]]
"""A function that runs an export on rows: values or the probabilities of all classes, (rows, outputs), and labels."""
Examine = Callable[[Run, RawColumns], None]
"""A function that is called with an export and the rows of its proof that are not edge rows."""


def prove(
    target: Target, program: Program, files: dict[Path, bytes], name: str, examine: Examine | None = None
) -> Proof:
    """Run an export in a temporary folder, and compare its answers with the model's.

    Parameters
    ----------
    target : Target
    program : Program
    files : mapping
        The content of the exported files by their final paths.
    name : str
        Name of the main file.
    examine : callable, optional
        Called if the export can be run, before it is compared.

    Raises
    ------
    ExportError
        If the export fails, or differs by more than the tolerance.
    FileError
        If a file cannot be written under its name.
    """
    rows, ordinary = probe_rows(program)
    with tempfile.TemporaryDirectory(prefix="specnet-") as folder:
        for path, content in files.items():
            with file_errors(path):
                (Path(folder) / path.name).write_bytes(content)
        file = Path(folder) / name
        try:
            answers = target.run(program, file, rows)
        except CannotRunError as obstacle:
            return Proof(0, None, str(obstacle))
        apart = None
        if program.has_derivatives:
            given = answers.derivatives
            apart = _checked_derivatives(program, rows, given, lambda some: target.run(program, file, some).derivatives)
        fall = None
        if directions(program.model):
            fall = _checked_fall(program, rows, lambda some: target.run(program, file, some).outputs)
        gradient = None
        if program.learning:
            gradient = prove_training(program, rows, partial(target.run_training, program, file))
        if examine is not None:
            examine(lambda some: _of_all_classes(program, target.run(program, file, some)), rows.part(slice(ordinary)))
    expected, tolerance = answers_of(program, rows), TOLERANCES[program.dtype.name]
    parts = (slice(ordinary), slice(ordinary, None))  # large edge rows would raise the tolerance of the other rows
    has_offset = program.task == "values" and all(each.trained.target_preprocessing.steps for each in program.networks)
    compared = [_compared(answers, expected, part, tolerance, has_offset) for part in parts]
    exceeds = any(not difference <= allowed for difference, allowed in compared)
    rounding = _rounding(program) if exceeds and program.dtype == np.float32 else 0.0
    for part, (difference, allowed) in zip(parts, compared, strict=True):
        allowed = max(allowed, _ROUNDINGS * rounding)
        if not difference <= allowed:
            raise ExportError(
                f"the export differs from the model by {difference:.2g} (tolerance {allowed:.2g}); nothing was written"
            )
        if not _labels_agree(answers, expected, part, _margins(expected.outputs[part], program) > 2 * allowed):
            raise ExportError("the export predicts other labels than the model; nothing was written")
    _check_ends(answers.intervals, expected.intervals, ordinary)
    most = max(difference for difference, _ in compared)
    return Proof(
        ROWS, most, rounding=rounding, derivatives=apart, fall=fall, never_falls=program.never_falls, gradient=gradient
    )


def _of_all_classes(program: Program, answers: ExportAnswers) -> tuple[Array, Array | None]:
    """Return the outputs of an export, with the probability of both classes if it has that of the second, and labels.

    Classes and labels are those of the model.
    """
    outputs, model = answers.outputs, program.model
    if outputs.shape[1] == 1 and model.labels is not None and len(model.labels) == 2:
        outputs = np.concatenate([1 - outputs, outputs], axis=1)
    return outputs, answers.predictions


def _checked_fall(program: Program, rows: RawColumns, answer: Callable[[RawColumns], Array]) -> float:
    """Return the largest fall while monotone columns move; refuse one that is larger than promised.

    Raises
    ------
    ExportError
    """
    found, most = largest_fall(program.model, rows, program.dtype, answer), 0.0 if program.never_falls else MOST_ULPS
    if not found <= most:
        message = f"a prediction falls by {found:.2g} units of the last place while a monotone column moves"
        raise ExportError(f"{message} (allowed {most:g}); nothing was written")
    return found


def _checked_derivatives(
    program: Program, rows: RawColumns, given: Array | None, run: Callable[[RawColumns], Array | None]
) -> float:
    """Return the largest difference from the model's derivatives, as a fraction of the largest one by a column.

    Rows at kinks are left out, where rounding or a library decides which one-sided derivative it is: the export agrees
    with the model on most of their neighbours.

    Parameters
    ----------
    program : Program
    rows : RawColumns
    given : ndarray (rows, outputs, columns) or None
        The export's derivatives for these rows.
    run : callable
        Function that returns those for other rows.

    Raises
    ------
    ExportError
        If they differ by more than the tolerance.
    """
    expected = derivatives_of(program, rows)
    largest = np.nan_to_num(np.abs(expected)).max(axis=(0, 1))
    scale = np.where(largest > 0, largest, 1.0)

    def difference_from(of_model: Array, given: Array | None) -> tuple[Array, float]:
        """Return the difference for each derivative, and the tolerance."""
        if given is None or given.shape != of_model.shape or (np.isnan(given) != np.isnan(of_model)).any():
            raise ExportError("the export has derivatives by other columns than the model; nothing was written")
        return np.nan_to_num(np.abs(given - of_model)) / scale, TOLERANCES[given.dtype.name]

    difference, tolerance = difference_from(expected, given)
    if (difference > tolerance).any():
        jumps, agreeing = np.zeros(difference.shape), np.zeros((len(rows), 1, 1))
        for moved in _moved(program, rows):
            of_moved = derivatives_of(program, moved)
            jumps = np.fmax(jumps, np.nan_to_num(np.abs(of_moved - expected)) / scale)
            beside, _ = difference_from(of_moved, run(moved))
            agreeing += (beside <= tolerance).all(axis=(1, 2), keepdims=True)
        difference = np.where(
            agreeing >= _NEIGHBOURS / 2, np.where(difference > tolerance, 0.0, difference), difference
        )
        allowed = tolerance if tolerance == TOLERANCES["float64"] else np.fmax(tolerance, _ROUNDINGS * jumps)
        if (difference > allowed).any():
            found = f"by {difference.max():.2g} of the largest derivative by a column"
            raise ExportError(f"the export's derivatives differ from the model's {found}; nothing was written")
    return float(difference.max(initial=0.0))


def _moved(program: Program, rows: RawColumns) -> Iterator[RawColumns]:
    """Yield rows whose cells with derivatives are moved a little, down and up, and rounded as raw columns are."""
    columns = has_derivatives(program.networks[0].trained)
    width = np.nan_to_num(np.nanstd(rows.X[:, columns], axis=0))
    generator = np.random.default_rng(0)
    for _ in range(_NEIGHBOURS):
        X = rows.X.copy()
        X[:, columns] += _NEAR * width * generator.standard_normal((len(X), int(columns.sum())))
        yield replace(rows, X=X.astype(program.column_dtype).astype(np.float64))


def derivatives_of(program: Program, rows: RawColumns) -> Array:
    """Return the model's derivatives for rows, of the outputs that an export returns, (rows, outputs, columns).

    They are those of the model in the export's precision.
    """
    return program.model.astype(program.dtype.name).gradient(rows)[:, -program.outputs :]


def _check_ends(given: Array | None, expected: Array | None, ordinary: int) -> None:
    """Refuse intervals of ordinary rows whose ends differ from the model's, in any precision of the export.

    Raises
    ------
    ExportError
    """
    if given is None or expected is None:
        return
    with np.errstate(invalid="ignore"):
        difference = np.abs(given[:ordinary].astype(np.float64) - expected[:ordinary]).max(axis=(0, 2))
        width = np.diff(expected[:ordinary], axis=2).mean(axis=(0, 2))
    for far, wide in zip(difference, width, strict=True):
        if far > _INTERVAL_SHARE * wide > 0:
            message = f"the ends of intervals differ from the model's by {far:.2g}, of intervals {wide:.2g} wide"
            raise ExportError(
                f"{message}; nothing was written",
                hint='export without --interval, or set network.dtype = "float64" and train again',
            )


def _labels_agree(answers: ExportAnswers, expected: ExportAnswers, part: slice, clear: Array) -> bool:
    """Return whether labels agree in a part of the rows, ignoring those that are not `clear` of rounding."""
    if expected.predictions is None:
        return True
    assert answers.predictions is not None
    return bool((answers.predictions[part] == expected.predictions[part])[clear].all())


def _rounding(program: Program) -> float:
    """Return the largest difference between the model and itself in the other precision.

    A model with large weights amplifies the rounding of each sum. Two programs that add in different orders may then
    differ by more than the tolerance, although each is as accurate as the model. Perhaps only a single row shows this,
    and the model is exact there by chance; therefore neighbours of the compared rows are computed too.
    """
    model = program.model
    other = model.astype("float64" if model.network.dtype == np.float32 else "float32")
    probes = [probe_rows(program, neighbour)[0] for neighbour in range(1 + _NEIGHBOURS)]
    rows = RawColumns(np.concatenate([probe.X for probe in probes]), probes[0].kinds)
    difference = np.abs(outputs_of(other, rows).astype(np.float64) - outputs_of(model, rows))
    return float(difference[np.isfinite(difference)].max(initial=0.0))


def answers_of(program: Program, rows: RawColumns) -> ExportAnswers:
    """Return the model's answers for rows in the format of an export's answers."""
    outputs = outputs_of(program.model, rows)
    if program.task == "values":
        level = program.interval and program.interval.level
        ends = None if level is None else program.model.predict_interval(rows, level)
        return ExportAnswers(outputs, None, None if ends is None else ends.reshape(*outputs.shape, 2))
    one = program.task == "binary" and program.model.gives_probabilities
    return ExportAnswers(outputs[:, 1:] if one else outputs, program.model.predict(rows))


def _compared(
    answers: ExportAnswers, model: ExportAnswers, part: slice, tolerance: float, has_offset: bool
) -> tuple[float, float]:
    """Return the largest difference in a part of the rows and the allowed one; infinities and NaN must be equal.

    If values have an offset, which is added in float64, the allowed difference depends on their distance from their
    median. For answers in float32, their rounding is added.
    """
    given, expected = answers.numbers[part], model.numbers[part]
    if given.shape != expected.shape:
        raise ExportError(f"the export outputs shape {given.shape}, the model {expected.shape}")
    finite = np.isfinite(expected)
    if not np.array_equal(given[~finite], expected[~finite], equal_nan=True):
        return float("inf"), tolerance
    expected = expected.astype(np.float64)
    center = np.array(
        [np.median(each[known]) if known.any() else 0 for each, known in zip(expected.T, finite.T, strict=True)]
    )
    around = (expected - center if has_offset else expected)[finite]
    expected = expected[finite]
    difference = np.abs(given[finite] - expected).max(initial=0.0)
    allowed = tolerance * float(np.abs(around).max(initial=1.0))
    if has_offset and answers.outputs.dtype == np.float32:
        allowed += float(np.spacing(np.float32(np.abs(expected).max(initial=0.0))))
    return float(difference), allowed


def _margins(outputs: Array, program: Program) -> Array:
    """Return the distance of each row, or of each output, from the nearest change of its label."""
    if program.answer == "classes":
        first, second = np.sort(outputs, axis=1)[:, :-3:-1].T
        margins: Array = first - second
        return margins
    margins = np.abs(outputs - program.model.boundary)
    return margins[:, -1] if program.answer == "binary" else margins
