"""The folder that a run writes: permission to write it, its checkpoint, and its files."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from specnet.errors import FileError, TakenError
from specnet.files import (
    PathLike,
    check_path,
    file_errors,
    read_file,
    refuse_inputs,
    refuse_link,
    remove_temporary_files,
    write_file,
    write_files,
)
from specnet.files.locks import LOCK_NAME, locked_folder
from specnet.files.plain_data import json_text, recorded_hashes, with_hashes
from specnet.files.tensors import parse_object
from specnet.number_texts import counted
from specnet.parts.averaging import Averaging
from specnet.parts.part import parts_within
from specnet.parts.schedules import Schedule
from specnet.run_files import (
    BEST,
    CHECKPOINT,
    FACTS,
    LARGEST_RECORD,
    MODEL,
    RESOLVED,
    RUN,
    RUNS,
    TEAM_FACTS,
    WRITTEN,
    FolderKind,
    clear,
    kind_of,
    kinds_in,
    written_in,
)
from specnet.saved.saved_run import SavedRun
from specnet.spec import Spec
from specnet.training import Checkpoint, RunIdentity
from specnet.training.after_epoch import watcher_name
from specnet.training.checkpoint import FINISHED, SpecDifference, in_words

LARGEST_CHECKPOINT = 2**36
START_ANEW = "choose another --out, or use --force to replace it"
GO_ON = "choose another --out, use --resume to continue an interrupted run, or --force to overwrite it"


class RunFolder:
    """The folder that a run writes and resumes from.

    Parameters
    ----------
    path : Path
    resumes : bool
        Whether the run continues from a checkpoint in the folder; otherwise a checkpoint belongs to an earlier run.
    """

    def __init__(self, path: Path, *, resumes: bool = False) -> None:
        self.path, self.resumes = path, resumes

    def is_finished(self, identity: RunIdentity) -> bool:
        """Return whether the folder holds this run, finished; always False if the run does not resume.

        Raises
        ------
        FileError
            If the folder holds a finished run of another spec or on other data, a model that the run did not record, or
            an interrupted run without a checkpoint.
        """
        if not self.resumes or self._checkpoint.exists():
            return False
        saved = SavedRun(self.path)
        if not (self.path / FACTS).exists():
            if (self.path / MODEL).exists():
                hint = f"resuming a model needs {FACTS} or a checkpoint; {START_ANEW}"
                raise FileError("nothing to resume: the folder holds only a model", hint=hint, source=str(self.path))
            return False
        if not saved.facts["finished"]:
            message = "cannot resume: the run in this folder was interrupted, and its checkpoint is missing"
            raise FileError(message, hint=START_ANEW, source=str(self.path))
        written = self.identity()
        differences = written.differences(identity)
        if differences and {item.key for item in differences} <= {"training.epochs", "training.log_every"}:
            message = "the run in this folder has finished; only an interrupted run can get more epochs"
            raise FileError(message, hint=START_ANEW, source=str(self.path))
        if differences:
            raise other_run(self.path, f": {in_words(differences)}", same_spec=written.spec == identity.spec)
        model = read_file(self.path / MODEL, LARGEST_CHECKPOINT)
        if hashlib.sha256(model).hexdigest() != saved.facts.get("model_sha256"):
            message = f"the model differs from the one recorded in {FACTS}"
            raise FileError(message, hint=START_ANEW, source=str(self.path / MODEL))
        return True

    def is_of(self, identity: RunIdentity, spec: Spec) -> bool:
        """Return whether the folder holds this run, finished or with a checkpoint; parameters as for `checkpoint`."""
        try:
            return self.is_finished(identity) or self.checkpoint(identity, spec) is not None
        except FileError:
            return False

    def identity(self) -> RunIdentity:
        """Return the identity of the run in the folder."""
        with file_errors(self.path / RESOLVED):
            spec = read_file(self.path / RESOLVED, LARGEST_RECORD)
            parse_object(spec, "the spec")
        facts = SavedRun(self.path).facts
        teacher = facts.get("teacher_sha256")
        return RunIdentity(spec.decode(), str(facts.get("data_sha256")), None if teacher is None else str(teacher))

    def checkpoint(self, identity: RunIdentity, spec: Spec) -> Checkpoint | None:
        """Return the checkpoint of an interrupted run, or None without a checkpoint or if the run does not resume.

        Parameters
        ----------
        identity : RunIdentity
            Identity of the run. A checkpoint of another run is an error, unless that has only fewer epochs and the same
            beginning.
        spec : Spec
            Resolved spec of the run. A checkpoint that does not fit it is an error.
        """
        if not self.resumes or not self._checkpoint.exists():
            return None
        training = spec.training
        with file_errors(self._checkpoint):
            checkpoint = Checkpoint.from_bytes(read_file(self._checkpoint, LARGEST_CHECKPOINT))
            assert checkpoint.run is not None, "it was read from a file"
            finished = len(checkpoint.facts.get(FINISHED, []))
            check_same_beginning(checkpoint.run.differences(identity), spec, finished)
            reached = checkpoint.facts["epochs"]
            if reached >= training.epochs:
                raise FileError(f"the checkpoint is damaged: epoch {reached} of {training.epochs}")
            if finished >= training.members:
                raise FileError(f"the checkpoint is damaged: {finished} of {training.members} members are finished")
            if checkpoint.facts["watchers"].keys() != {watcher_name(path) for path, _ in training.watchers()}:
                raise FileError("the checkpoint is damaged: it has other watchers")
        return checkpoint

    def keep(self, identity: RunIdentity, checkpoint: Checkpoint) -> None:
        """Save a checkpoint of a run, replacing the previous one."""
        write_file(self._checkpoint, replace(checkpoint, run=identity).to_bytes())

    def write(self, contents: Mapping[str, str | bytes]) -> None:
        """Write files by name and remove files of an earlier result; after an error, no file is written.

        ``run.json`` is written last, with the SHA-256 of all files. The one of an earlier result is removed first,
        because files are replaced one by one.
        """
        contents = with_hashes(contents, FACTS)
        names = sorted(contents, key=lambda name: name == FACTS)
        earlier = [path for path in written_in(self.path, RUN) if path.name in (FACTS, TEAM_FACTS)]
        stale = [path for path in earlier if path.parent in (self.path, self.path / BEST)]
        write_files({self.path / name: contents[name] for name in names}, removed=stale)
        clear(self.path, RUN, spared=contents)

    def rewrite(self, contents: Mapping[str, str | bytes]) -> None:
        """Write some files of a finished run again, and ``run.json`` with their hashes; empty files are removed."""
        facts = SavedRun(self.path).facts
        others = {name: value for name, value in recorded_hashes(facts).items() if name not in contents}
        found = {name: content for name, content in contents.items() if content}
        found = with_hashes({**found, FACTS: json_text(facts)}, FACTS, others)
        removed = [self.path / FACTS, *(self.path / name for name in contents if (self.path / name).exists())]
        write_files({self.path / name: content for name, content in found.items()}, removed=removed)

    @property
    def _checkpoint(self) -> Path:
        return self.path / CHECKPOINT


def other_run(path: Path, differences: str = "", *, same_spec: bool) -> FileError:
    """Return the error for a folder with another finished run than the one to resume."""
    which = "on other data" if same_spec else "of another spec"
    message = f"this folder holds a finished run {which}{differences}"
    return FileError(message, hint=START_ANEW, source=str(path))


def check_same_beginning(differences: list[SpecDifference], spec: Spec, finished: int = 0) -> None:
    """Raise an error if a run with these differences would not have the same beginning as the checkpoint.

    Parameters
    ----------
    differences : list of SpecDifference
        Differences between the run of the checkpoint and the run to continue.
    spec : Spec
        Spec of the run to continue.
    finished : int
        Number of finished ensemble members.

    Raises
    ------
    FileError
        Unless nothing differs, or only the number of epochs is larger and nothing depends on it.
    """
    longer = [item for item in differences if item.key == "training.epochs" and int(item.now) > int(item.then)]
    others = [item for item in differences if item not in longer]
    if longer and [item.key for item in others] == ["training.log_every"]:
        hint = f"add --set training.log_every={others[0].then}"
        raise FileError(f"the history would have other epochs: {others[0]}", hint=hint)
    if others:
        hint = f"resume with the same spec and data; {START_ANEW}"
        raise FileError(f"the checkpoint belongs to another run: {in_words(differences)}", hint=hint)
    if longer and finished:
        message = f"cannot train longer: {longer[0]}, but {counted(finished, 'member')} of the ensemble finished before"
        raise FileError(message, hint=f"resume without changing training.epochs; {START_ANEW}")
    spanning = [
        f"{part.kind} {part.part_name()}"
        for part in parts_within([spec.training, spec.network])
        if isinstance(part, Schedule | Averaging) and part.depends_on_length()
    ]
    if longer and spanning:
        message = f"cannot train longer: {longer[0]}, but the {spanning[0]} depends on the number of epochs"
        raise FileError(message, hint=f"resume without changing training.epochs; {START_ANEW}")


def new_folder(name: str | None, top: str = RUNS) -> Path:
    """Create and return the folder of the next run with a name: ``runs/<name>/<number>``."""
    runs = Path(top) / (name or "unnamed")
    with file_errors(runs):
        while True:
            runs.mkdir(parents=True, exist_ok=True)
            # Another run may create the folder at the same moment, or remove empty folders that it has created.
            with suppress(FileNotFoundError, FileExistsError):
                number = 1 + max((int(entry.name) for entry in runs.iterdir() if entry.name.isdecimal()), default=0)
                (runs / str(number)).mkdir()
                return runs / str(number)


@contextmanager
def reserved(
    out: PathLike,
    kind: FolderKind,
    files: Sequence[str] = (),
    inputs: Iterable[PathLike] = (),
    *,
    force: bool,
    resume: bool | None,
) -> Iterator[Path]:
    """Yield a folder to write, locked for this caller; a missing one is created, and removed if it stays empty.

    Parameters
    ----------
    out : path
    kind : FolderKind
        Kind of the folder after writing.
    files : sequence of str
        Names of further files to write, in addition to the files of the kind.
    inputs : iterable of path
        Files that are read and must not be overwritten; a spec may be in the folder if it is written again.
    force, resume : bool
        Whether the folder may have files already; `resume` is None if the caller cannot resume.

    Raises
    ------
    TakenError
        If another run is writing to the folder; if it is not empty without `force` or `resume`; or if the name of a
        file to write or remove belongs to something else, such as a link.
    FileError
        If the folder has another kind of result to resume, or if an input would be overwritten or removed.
    """
    path = Path(out)
    with file_errors(path):
        if os.path.lexists(path) and not path.is_dir():
            what = "a file" if path.exists() else "a broken link"
            raise TakenError(f"is {what}; expected a folder", source=os.fspath(out))
        missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    try:
        with ExitStack() as stack:
            with file_errors(path):
                stack.enter_context(locked_folder(path))
                remove_temporary_files(path)
                entries = sorted(entry.name for entry in path.iterdir() if entry.name != LOCK_NAME)
            if entries and not (force or resume):
                more = f" and {len(entries) - 1} more" if len(entries) > 1 else ""
                hint = START_ANEW if resume is None else GO_ON
                raise TakenError(
                    f"the folder is not empty: it contains {entries[0]}{more}", hint=hint, source=os.fspath(out)
                )
            kinds = [kind, *kinds_in(path)]
            found = kind_of(path)
            if resume and found is not None and found is not kind:
                raise FileError(
                    f"nothing to resume: the folder holds {found.name}", hint=START_ANEW, source=os.fspath(out)
                )
            lost = [*written_in(path, kind), *(path / name for name in files)]
            again = [path / name for name in (*WRITTEN, RESOLVED) if kind.has_file(name)]
            refuse_inputs((each for each in lost if each not in again), inputs, "choose another --out")
            taken = [name for name in entries if any(each.has_file(name) for each in kinds)]
            for name in [*taken, *files]:
                refuse_link(path / Path(name).parts[0])
                try:
                    check_path(path / name)
                except FileError as error:
                    raise TakenError(*error.diagnostics) from error
            yield path
    except BaseException:
        with suppress(OSError):
            for folder in missing:
                folder.rmdir()
        raise
