"""Sweeps: a search over keys of a spec, which ends with an ordinary run of the best trial."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from concurrent.futures import Executor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from specnet.data import load_table
from specnet.data.suspicions import parsed_for_target
from specnet.errors import DataError, TrainingError
from specnet.files import PathLike
from specnet.files.runs import WRITTEN
from specnet.files.sweeps import BEST, BEST_SPECS, JOURNAL, SWEEP_FACTS, TRIALS_TABLE
from specnet.parts.data import Table
from specnet.parts.part import Part
from specnet.report.series import SeriesProgress, shown_series
from specnet.running.evaluation.evaluation import Metrics
from specnet.running.folder import reserved
from specnet.running.many.tasks import THREADS
from specnet.running.many.workers import Workers
from specnet.running.rows import table_hash
from specnet.running.runner import RunInterrupted, RunResult, check_count, run_table
from specnet.running.sweeps.coordinator import Coordinator
from specnet.running.sweeps.folder import SweepFolder
from specnet.running.sweeps.optuna_calls import required_optuna
from specnet.running.sweeps.records import Trial
from specnet.running.sweeps.space import columns
from specnet.spec import Limits, Spec, SpecSource, parse_spec
from specnet.spec.parsing import document_saying
from specnet.spec.reading.words import counted
from specnet.spec.searching import parse_sweep
from specnet.training.interruptions import Interruptions

FILES = (*WRITTEN, SWEEP_FACTS, TRIALS_TABLE, *BEST_SPECS, JOURNAL)


@dataclass(frozen=True)
class SweepResult:
    """The result of a sweep.

    Attributes
    ----------
    trials : tuple of Trial
    best : Trial
        The one with the best metric of the validation set; of equals, the earliest.
    spec : str
        The best trial's, as ``best.toml`` has it.
    run : RunResult
        The run of that spec, with the metrics of the test set.
    folder : Path or None
        Where the sweep was written.
    """

    trials: tuple[Trial, ...] = field(repr=False)
    best: Trial
    spec: str = field(repr=False)
    run: RunResult
    folder: Path | None

    @property
    def metrics(self) -> Metrics:
        """The metrics of the best trial's run, by part of the split and name."""
        return self.run.metrics


def sweep(
    spec: SpecSource | Spec,
    out: PathLike | None = None,
    *,
    jobs: int | None = None,
    executor: Executor | None = None,
    trials: int | None = None,
    overrides: Iterable[str] = (),
    resume: bool = False,
    force: bool = False,
    keep_models: bool = False,
    parts: Iterable[type[Part]] = (),
    limits: Limits | None = None,
    verbose: bool = False,
    report: bool = True,
) -> SweepResult:
    """Search over keys of a spec, as its table ``[sweep]`` says, and run the best trial.

    Trials have no test rows: these are read once, for the best trial, at the end.

    Parameters
    ----------
    spec : path, text with a line break, mapping or Spec
    out : path, optional
        The folder to write; nothing is kept if None.
    jobs : int, optional
        Number of processes; they are started if what is left would take more than ten seconds in this one. Default: the
        number of physical cores.
    executor : concurrent.futures.Executor, optional
        Computes the trials, in place of processes of its own, such as ``client.get_executor()`` of dask or the
        ``MPIPoolExecutor`` of mpi4py.
    trials : int, optional
        Overrides ``sweep.trials``.
    resume : bool
        Keep the trials in `out`, and compute the others.
    force : bool
        Overwrite an earlier sweep in `out`.
    keep_models : bool
        Keep the model of each trial.
    parts, overrides, limits : optional
        As for `run`. With several jobs, custom parts must be defined at the top level of a module.
    verbose : bool
        Show the progress on standard error.
    report : bool
        Write ``report.html`` into `out` and into the folder of the best run.

    Raises
    ------
    SpecError
        With all mistakes in the spec and in the values that its ``[sweep]`` would try, before the first trial.
    DataError, FileError, TakenError
        As `run` does.
    TrainingError
        If none of the first trials finishes, if a worker was killed, or if Optuna is not installed.
    RunInterrupted
        After Ctrl-C or SIGTERM; `resume` goes on.

    Notes
    -----
    The trials are the same, byte for byte, for any number of jobs and any executor, and however often the sweep was
    interrupted. Each run has one thread for BLAS and compiled functions.
    """
    if resume and (force or out is None):
        raise DataError("resume needs out and cannot be combined with force")
    for name, number in (("jobs", jobs), ("trials", trials)):
        check_count(name, number)
    required_optuna()
    parsed = _parsed(spec, trials, parts=parts, overrides=overrides, limits=limits)
    with ExitStack() as stack:
        path = Path(stack.enter_context(TemporaryDirectory(prefix="specnet-"))) if out is None else Path(out)
        stack.enter_context(reserved(path, FILES, force=force, resume=resume))
        stack.enter_context(Interruptions(terminates=True))
        table = load_table(parsed)
        workers = stack.enter_context(Workers(table, jobs=jobs or physical_cores(), executor=executor))
        assert parsed.sweep is not None, "parse_sweep returns it"
        progress = stack.enter_context(shown_series(verbose, parsed.sweep.trial_count, "trial"))
        one = OneSweep(parsed, table, path, progress, keeps_models=keep_models, report=report)
        result = one.run(workers, resume=resume, force=force)
        return SweepResult(*result, None if out is None else path)


class OneSweep:
    """A sweep in a folder, which this process holds.

    Parameters
    ----------
    spec : Spec
        As `parse_sweep` returns it.
    table : Table
        Its rows.
    path : Path
    progress : SeriesProgress
    keeps_models, report : bool
        As for `sweep`.
    """

    def __init__(
        self, spec: Spec, table: Table, path: Path, progress: SeriesProgress, *, keeps_models: bool, report: bool
    ) -> None:
        assert spec.sweep is not None, "parse_sweep returns it"
        self._spec, self._sweep, self._table, self._path = spec, spec.sweep, table, path
        self._progress, self._keeps_models, self._report = progress, keeps_models, report

    def run(self, workers: Workers, *, resume: bool, force: bool) -> tuple[tuple[Trial, ...], Trial, str, RunResult]:
        """Compute the trials, and run the best one; return them, the best one, its spec and its run.

        Raises
        ------
        RunInterrupted
        TrainingError
        """
        with SweepFolder(self._path, columns(self._sweep.space)) as folder:
            if force:
                folder.clear()
            count = self._sweep.trial_count
            course = Coordinator(
                self._spec,
                self._table,
                table_hash(self._table),
                count,
                folder,
                self._progress,
                keeps_models=self._keeps_models,
            )
            if resume:
                folder.known(course.identity)
            document = document_saying(self._spec)
            text = self._spec.to_json() if document.text is None else document.text.content
            folder.write(f"spec.{course.writer.format}", text)
            try:
                course.run(workers)
            except KeyboardInterrupt as cause:
                end = f"{len(course.told)} of {counted(count, 'trial')} are done"
                raise RunInterrupted(cause, end, self._path, finished=False) from None
        if course.best is None:
            raise TrainingError(f"none of {counted(count, 'trial')} has finished", source=str(self._path))
        best = self._path / f"best.{course.writer.format}"
        parsed = parse_spec(best, parts=self._spec.registry, limits=self._spec.origin.limits)
        result = run_table(parsed, self._table, self._path / BEST, force=True, threads=THREADS, report=self._report)
        return tuple(course.told), course.best, best.read_text(encoding="utf-8"), result


def _parsed(spec: SpecSource | Spec, trials: int | None, **options: Any) -> Spec:
    """Return the spec, with another number of trials if there is one."""
    overrides = options.pop("overrides")
    overrides = (overrides,) if isinstance(overrides, str) else tuple(overrides)
    if trials is not None:
        overrides = (*overrides, f"sweep.trials={trials}")
    return parsed_for_target(
        lambda settings: parse_sweep(spec, overrides=(*overrides, *settings), **options), load_table
    )


def physical_cores() -> int:
    """Return the number of physical cores that this process may use."""
    from joblib import cpu_count  # which scikit-learn brings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where it cannot tell them from logical ones
        return int(cpu_count(only_physical_cores=True))
