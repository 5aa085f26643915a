"""The folder of a sweep: the trials in it are its only state."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from specnet.errors import Diagnostic, FileError
from specnet.files import file_errors, read_file, refuse_link, write_file
from specnet.files.folders import remove_temporary_folders, write_folder
from specnet.files.json_lines import json_text
from specnet.files.run_files import FACTS, LARGEST_RECORD, RUN_FILES, WRITTEN
from specnet.files.series_files import BEST, BEST_SPECS, JOURNAL, SWEEP_FACTS, TRIALS, TRIALS_TABLE
from specnet.files.tensors import parse_object
from specnet.running.machine import BLAS, CPU_FEATURES
from specnet.running.run_folder import START_ANEW
from specnet.running.sweeps.optuna_calls import required_optuna
from specnet.running.sweeps.sweep_identity import SweepIdentity
from specnet.running.sweeps.trial_records import Trial, read_trial, table_text
from specnet.running.training_run import Contents
from specnet.training.run_identity import in_words

IDENTITY, MACHINES, VERSIONS = "identity", "machines", "versions"


class SweepFolder:
    """What a sweep writes. A thread of its own writes it, in order, while trials are computed.

    Parameters
    ----------
    path : Path
        Held by this process.
    columns : sequence of str
        Of the table of trials.
    """

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self.path, self._columns = path, columns
        self._disk = ThreadPoolExecutor(1, "specnet-disk")
        self._written: list[Future[Any]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._disk.shutdown()
        if error is None:
            self.check()

    def check(self, *, waits: bool = True) -> None:
        """Raise the first error of what was to be written; look only at what is done already unless it `waits`.

        Raises
        ------
        FileError
        """
        done = [each for each in self._written if waits or each.done()]
        self._written = [each for each in self._written if each not in done]
        for each in done:
            each.result()

    def resumed(self, identity: SweepIdentity) -> Iterator[Diagnostic]:
        """Yield what is to be told of going on with the sweep that is here: another version of Optuna.

        Raises
        ------
        FileError
            If it is another sweep, or what is here is none.
        """
        if not (self.path / SWEEP_FACTS).exists():
            if (self.path / FACTS).exists() or any(self.path.glob(f"{TRIALS}/*")):
                message = f"nothing to resume: the folder has no {SWEEP_FACTS}"
                raise FileError(message, hint=START_ANEW, source=str(self.path))
            return
        facts = self.facts()
        differences = SweepIdentity.from_data(facts.get(IDENTITY)).differences(identity)
        if differences:
            message = f"this folder holds another sweep: {in_words(differences)}"
            raise FileError(message, hint=START_ANEW, source=str(self.path))
        versions, now = facts.get(VERSIONS), required_optuna().__version__
        then = versions.get("optuna") if isinstance(versions, Mapping) else None
        if then != now:
            message = f"this sweep was begun with Optuna {then}, now {now}; its trials may be others from here on"
            yield Diagnostic("optuna-version", message, source=str(self.path))

    def machines(self) -> list[dict[str, Any]]:
        """Return what the machines have that the trials here were computed on."""
        return machines_in(self.facts()) if (self.path / SWEEP_FACTS).exists() else []

    def facts(self) -> dict[str, Any]:
        """Return what ``sweep.json`` says.

        Raises
        ------
        FileError
        """
        return read_facts(self.path)

    def clear(self) -> None:
        """Remove what an earlier sweep has written, but no other files."""
        with file_errors(self.path):
            trials = self.path / TRIALS
            folders = [*trials.iterdir()] if trials.is_dir() else []
            for place in (trials, *folders, self.path / BEST):
                refuse_link(place)
            for folder in (*folders, self.path / BEST):
                for name in RUN_FILES:
                    with suppress(FileNotFoundError, NotADirectoryError):
                        (folder / name).unlink()
                with suppress(OSError):  # something else is in it
                    folder.rmdir()
            for name in (*WRITTEN, SWEEP_FACTS, TRIALS_TABLE, *BEST_SPECS, JOURNAL):
                (self.path / name).unlink(missing_ok=True)

    def prepare(self) -> None:
        """Make the folder of trials, without what was cut off there."""
        with file_errors(self.path):
            (self.path / TRIALS).mkdir(exist_ok=True)
        remove_temporary_folders(self.path / TRIALS)

    def trial_path(self, number: int) -> Path:
        """Return the folder of a trial."""
        return self.path / TRIALS / f"{number:04}"

    def read_trial(self, number: int) -> Trial | None:
        """Return a trial that has ended before, None if there is none.

        Raises
        ------
        FileError
        """
        return read_trial(self.trial_path(number))

    def write_trial(self, number: int, files: Contents) -> None:
        """Write a trial, whole."""
        facts_last = dict(sorted(files.items(), key=lambda item: item[0] == FACTS))
        self.later(write_folder, self.trial_path(number), facts_last)

    def write_table(self, trials: Iterable[Trial]) -> None:
        """Write the table of the trials that are told."""
        self.later(write_file, self.path / TRIALS_TABLE, table_text(trials, self._columns))

    def write_facts(self, facts: Mapping[str, Any]) -> None:
        """Write ``sweep.json``."""
        self.later(write_file, self.path / SWEEP_FACTS, json_text(facts))

    def write(self, name: str, content: str) -> None:
        """Write a file."""
        self.later(write_file, self.path / name, content)

    def later(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Call a function in the order of what is written."""
        self._written.append(self._disk.submit(function, *arguments))


def read_facts(folder: Path) -> dict[str, Any]:
    """Return what the ``sweep.json`` of a folder says.

    Raises
    ------
    FileError
    """
    path = folder / SWEEP_FACTS
    with file_errors(path):
        return parse_object(read_file(path, LARGEST_RECORD), "the record of a sweep")


def machines_in(facts: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what ``sweep.json`` says of machines, as far as it is what one may say."""
    known, kinds = facts.get(MACHINES), {BLAS: dict, CPU_FEATURES: list}
    return [
        each
        for each in (known if isinstance(known, list) else [])
        if isinstance(each, dict) and all(isinstance(each.get(name), kind) for name, kind in kinds.items())
    ]
