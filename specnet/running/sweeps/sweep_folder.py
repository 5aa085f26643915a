"""The folder of a sweep: the trials in it are its only state; and its identity.

The same spec, space and data give the same trials.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from specnet.errors import Diagnostic, FileError
from specnet.files import file_errors, read_file, write_file
from specnet.files.folders import remove_temporary_folders
from specnet.files.plain_data import json_text
from specnet.files.recorded_hashes import with_hashes
from specnet.files.run_files import LARGEST_RECORD, SWEEP_FACTS, TRIALS
from specnet.running.machine import BLAS, CPU_FEATURES
from specnet.running.run_folder import START_ANEW
from specnet.running.sweeps.optuna_calls import required_optuna
from specnet.saved.saved_sweep import read_sweep_facts
from specnet.spec.sweep_section import SweepSpec
from specnet.training import RunIdentity
from specnet.training.checkpoint import in_words

IDENTITY, MACHINES, VERSIONS = "identity", "machines", "versions"


def identity_of(run: RunIdentity, sweep: SweepSpec) -> dict[str, Any]:
    """Return what a sweep is about: its spec, ``[sweep]`` without the number of trials, and its data."""
    return {
        "spec": json.loads(run.spec),
        "sweep": sweep.model_copy(update={"trials": None}).model_dump(mode="json", exclude_none=True),
        "spec_sha256": run.spec_sha256,
        "data_sha256": run.data_sha256,
    }


def identity_in(facts: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what ``sweep.json`` says that the sweep is about, as `identity_of` does.

    Raises
    ------
    FileError
    """
    found = facts.get(IDENTITY)
    if not isinstance(found, Mapping) or not {"spec", "sweep", "data_sha256"} <= found.keys():
        raise FileError("not a valid record of a sweep: its identity is missing")
    for name in ("sweep", "spec"):
        if not isinstance(found[name], Mapping):
            raise FileError(f'not a valid record of a sweep: "{name}" must be a table')
    return found


def _as_run(identity: Mapping[str, Any]) -> RunIdentity:
    """Return the identity of a sweep as that of a run whose spec has ``[sweep]`` at its end."""
    document = {**identity["spec"], "sweep": identity["sweep"]}
    return RunIdentity(json.dumps(document, ensure_ascii=False), str(identity["data_sha256"]))


class SweepFolder:
    """What a sweep writes. A thread of its own writes it, in order, while trials are computed.

    Parameters
    ----------
    path : Path
        Held by this process.
    start : Path or None
        Where relative paths of all its specs start, if it is removed at the end; None for their own folders.
    """

    def __init__(self, path: Path, start: Path | None = None) -> None:
        self.path, self.start = path, start
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

    def resumed(self, identity: Mapping[str, Any]) -> Iterator[Diagnostic]:
        """Yield what is to be told of going on with the sweep that is here: another version of Optuna.

        Raises
        ------
        FileError
            If it is another sweep, or what is here is none.
        """
        if not (self.path / SWEEP_FACTS).exists():
            if any(self.path.glob(f"{TRIALS}/*")):
                message = f"nothing to resume: the folder has no {SWEEP_FACTS}"
                raise FileError(message, hint=START_ANEW, source=str(self.path))
            return
        facts = read_sweep_facts(self.path)
        differences = _as_run(identity_in(facts)).differences(_as_run(identity))
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
        return machines_in(read_sweep_facts(self.path)) if (self.path / SWEEP_FACTS).exists() else []

    def prepare(self) -> None:
        """Make the folder of trials, without what was cut off there."""
        with file_errors(self.path):
            (self.path / TRIALS).mkdir(exist_ok=True)
        remove_temporary_folders(self.path / TRIALS)

    @property
    def source(self) -> str | None:
        """What an error names; None where nothing is left to look at."""
        return str(self.path) if self.start is None else None

    def write_facts(self, facts: Mapping[str, Any], hashed: Iterable[str]) -> None:
        """Write ``sweep.json`` with the SHA-256 of files by their names, of those that are there by then."""
        self.later(self._write_facts, facts, hashed)

    def _write_facts(self, facts: Mapping[str, Any], hashed: Iterable[str]) -> None:
        paths = [self.path / name for name in hashed if (self.path / name).is_file()]
        files = {path.name: read_file(path, LARGEST_RECORD) for path in paths}
        contents = with_hashes({**files, SWEEP_FACTS: json_text(facts)}, SWEEP_FACTS)
        write_file(self.path / SWEEP_FACTS, contents[SWEEP_FACTS])

    def write(self, name: str, content: str) -> None:
        """Write a file."""
        self.later(write_file, self.path / name, content)

    def later(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Call a function in the order of what is written."""
        self._written.append(self._disk.submit(function, *arguments))


def machines_in(facts: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what ``sweep.json`` says of machines, as far as it is what one may say."""
    known, kinds = facts.get(MACHINES), {BLAS: dict, CPU_FEATURES: list}
    return [
        each
        for each in (known if isinstance(known, list) else [])
        if isinstance(each, dict) and all(isinstance(each.get(name), kind) for name, kind in kinds.items())
    ]
