"""Atomic files and folders: written under a temporary name and then renamed, read with a size limit.

Every error of the operating system becomes a `FileError` that names the file and says what is wrong with it.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from hashlib import file_digest, sha256
from io import FileIO
from pathlib import Path
from typing import IO, BinaryIO

from specnet.errors import FileError, TakenError
from specnet.files.interruptions import uninterrupted
from specnet.files.locks import is_open_at, try_lock

PathLike = str | os.PathLike[str]
Content = bytes | str | Iterable[bytes]

TEMPORARY_PREFIX, TEMPORARY_SUFFIX = ".specnet-", ".tmp"
_REASONS = {
    errno.EISDIR: "is a folder; expected a file",
    errno.ENOTDIR: "part of the path is a file; expected a folder",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.EROFS: "the file system is read-only",
    errno.ENOSPC: "no space left on the device",
    errno.EDQUOT: "no space left within the disk quota",
    errno.EFBIG: "exceeds the maximum file size",
    errno.ENAMETOOLONG: "file name too long",
    errno.ELOOP: "circular symbolic links",
}


@contextmanager
def file_errors(path: PathLike, hint: str | None = None) -> Iterator[None]:
    """Turn errors of the operating system into a `FileError` about `path`; set the source of a `FileError` without one.

    Parameters
    ----------
    path : str or path-like
        The file as the user named it.
    hint : str, optional
        Advice for errors of the operating system.

    Raises
    ------
    FileError
        Instead of any `OSError`.
    """
    source = os.fspath(path)
    try:
        yield
    except FileError as error:
        raise type(error)(*(replace(item, source=item.source or source) for item in error.diagnostics)) from error
    except OSError as error:
        raise FileError(_reason(error, source), source=source, hint=hint) from error


@contextmanager
def open_file(path: PathLike) -> Iterator[tuple[BinaryIO, int]]:
    """Open a regular file for reading and yield its stream and its size in bytes.

    This never waits: a named pipe or a device is refused.

    Raises
    ------
    FileError
        If the file is missing, a folder or a device, or cannot be read.
    """
    with file_errors(path):
        _refuse_null(path)
        # Without this flag, which Windows does not have, opening a named pipe waits for a writer.
        no_wait = getattr(os, "O_NONBLOCK", 0)
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | no_wait)) as stream:
            status = os.fstat(stream.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise FileError("is a device or pipe; expected a file")
            yield stream, status.st_size


def read_file(path: PathLike, limit: int) -> bytes:
    """Return the bytes of a regular file.

    Parameters
    ----------
    path : str or path-like
        The file.
    limit : int
        Largest size of the file, in bytes.

    Raises
    ------
    FileError
        As for `open_file`, and if the file is larger than `limit` (it is then not read).
    """
    with open_file(path) as (stream, size):
        if size > limit:
            raise FileError(f"{size} bytes exceed the limit of {limit}")
        content = stream.read(size + 1)
        if len(content) != size:
            raise FileError(f"size changed from {size} bytes while reading")
        return content


def write_file(path: PathLike, content: Content) -> None:
    """Write a file atomically; text is encoded as UTF-8, and its line ends are not changed.

    The content is written to a new file in the same folder, forced to the disk, read back and compared. The new file
    then replaces the old one in one step, so that the path always has either the complete old file or the complete
    new one. A symbolic link stays, and its target is replaced. Permissions are those of a new file (umask).

    Parameters
    ----------
    path : str or path-like
        The file; its folder has to exist.
    content : bytes, str or iterable of bytes
        The whole content, or its pieces in order. If the iterable raises an error, nothing is left behind.

    Raises
    ------
    FileError
        If the folder is missing or not writable, the path is not a regular file, or the disk is full. Nothing is
        left behind.
    """
    write_files({path: content})


def write_files(contents: Mapping[PathLike, Content], removed: Iterable[PathLike] = ()) -> None:
    """Write several files, all or none: no file is replaced before all new ones are on the disk.

    If a file cannot be replaced, the files replaced before it are restored. Only if the process is killed between two
    replacements do some files stay new and the rest old.

    Parameters
    ----------
    contents : mapping
        Contents by path, in the order of replacement.
    removed : iterable of path
        Files of a result folder to remove, if they exist, before the first file is replaced.

    Raises
    ------
    FileError
        If a file cannot be written, or a file to remove is a link. Nothing is left behind, and the old files stay.
    """
    staged: dict[str, tuple[PathLike, str]] = {}
    made: list[str] = []
    aside: dict[str, PathLike] = {}
    with ExitStack() as open_files:
        try:
            for path, content in contents.items():
                with file_errors(path):
                    check_path(path)
                    target = os.path.realpath(path)
                    with uninterrupted():
                        temporary, stream = _temporary(os.path.dirname(target), open_files)
                        staged[temporary] = path, target
                    _write_whole(stream, _pieces(content))
            for path in removed:
                with file_errors(path), suppress(FileNotFoundError):
                    refuse_link(path)
                    temporary = _temporary_name(os.path.dirname(path))
                    os.rename(path, temporary)
                    aside[temporary] = path
            for path, target in list(staged.values())[:-1]:  # the last one is replaced or not
                with file_errors(path), uninterrupted():
                    if os.path.exists(target):
                        aside[_second_name(target, open_files)] = target
            for temporary, (path, target) in staged.items():
                with file_errors(path), uninterrupted():
                    is_new = not os.path.exists(target)
                    os.replace(temporary, target)
                    if is_new:
                        made.append(target)
        except BaseException:
            for name in (*staged, *made):
                with suppress(OSError):
                    os.unlink(name)
            for temporary, path in aside.items():
                with suppress(OSError):
                    os.replace(temporary, path)
                    os.unlink(temporary)  # two names of one file are left as they are
            raise
    for temporary in aside:
        with suppress(OSError):
            os.unlink(temporary)
    for folder in {os.path.dirname(target) for _, target in staged.values()}:
        _sync_folder(folder)


def refuse_taken(*paths: PathLike) -> None:
    """Raise an error if one of the paths to write already exists.

    Raises
    ------
    TakenError
        For the first path that exists; a broken link exists too.
    """
    for path in paths:
        if os.path.lexists(path):
            hint = "use --force (or overwrite=True) to replace it"
            raise TakenError("file already exists", hint=hint, source=os.fspath(path))


def refuse_inputs(outputs: Iterable[PathLike], inputs: Iterable[PathLike], hint: str) -> None:
    """Raise an error if an output would overwrite or remove one of the input files.

    Raises
    ------
    FileError
        For the first such output.
    """
    read = [path for path in inputs if os.path.exists(path)]
    for output in outputs:
        if os.path.exists(output) and any(os.path.samefile(output, path) for path in read):
            raise FileError("the output would overwrite a file that is read", hint=hint, source=os.fspath(output))


def check_path(path: PathLike) -> None:
    """Raise an error if a path exists and is not a regular file.

    Raises
    ------
    FileError
        If the path is a folder, a device or a pipe, or contains a null character.
    """
    with file_errors(path):
        _refuse_null(path)
        target = os.path.realpath(path)
        if os.path.exists(target) and not os.path.isfile(target):
            raise FileError(f"is {'a folder' if os.path.isdir(target) else 'not a regular file'}; expected a file")


def refuse_link(path: PathLike) -> None:
    """Raise an error if a path in a result folder is a symbolic link, which may lead out of the folder.

    Raises
    ------
    TakenError
    """
    if os.path.islink(path):
        hint = "remove the link, or choose another --out"
        raise TakenError("is a symbolic link out of the folder", hint=hint, source=os.fspath(path))


def _temporary(folder: str, open_files: ExitStack) -> tuple[str, FileIO]:
    """Create a temporary file in a folder, open and locked until `open_files` is closed; return its name and stream.

    Temporary files of dead processes are removed first. The name is not derived from the name of the final file,
    which may already have the maximum length.
    """
    remove_temporary_files(folder)
    while True:
        name = _temporary_name(folder)
        stream = open_files.enter_context(open(name, "x+b", buffering=0))  # noqa: SIM115 - `open_files` closes it
        # Before it was locked, another process may have removed it as the file of a dead process.
        if try_lock(stream.fileno()) is not False and is_open_at(name, stream.fileno()):
            return name, stream


def _temporary_name(folder: str) -> str:
    return os.path.join(folder, f"{TEMPORARY_PREFIX}{os.urandom(8).hex()}{TEMPORARY_SUFFIX}")


def _second_name(target: str, open_files: ExitStack) -> str:
    """Give a file a second, temporary name and return it; no process removes it until `open_files` is closed."""
    name = _temporary_name(os.path.dirname(target))
    with suppress(OSError):  # the file may be unreadable
        try_lock(open_files.enter_context(open(target, "rb")).fileno())  # noqa: SIM115 - `open_files` closes it
    try:
        os.link(target, name)
    except OSError:  # a file system without hard links
        os.rename(target, name)
    return name


def as_bytes(text: str | bytes) -> bytes:
    """Return the bytes of a text in UTF-8; bytes are returned unchanged."""
    # A lone surrogate stands for a byte of a path that is not UTF-8. It is written as the escape that JSON uses.
    return text.encode(errors="backslashreplace") if isinstance(text, str) else text


def _pieces(content: Content) -> Iterable[bytes]:
    return (as_bytes(content),) if isinstance(content, str | bytes) else content


def _write_whole(stream: FileIO, pieces: Iterable[bytes]) -> None:
    """Write a new file, force it to the disk, read it back and compare it with the pieces."""
    written = sha256()
    for piece in pieces:
        written.update(piece)
        write_all(stream, memoryview(piece))
    os.fsync(stream.fileno())
    stream.seek(0)
    if file_digest(stream, "sha256").digest() != written.digest():
        raise FileError("the written file does not read back the same; the disk may be damaged")


def write_all(file: IO[bytes], content: memoryview) -> None:
    """Write all bytes to an unbuffered file; one call of the system writes at most 2 GB."""
    while content:
        content = content[file.write(content) :]


def is_temporary(name: str) -> bool:
    """Return whether a file name is that of a temporary file or folder, which is not completely written."""
    return name.startswith(TEMPORARY_PREFIX) and name.endswith(TEMPORARY_SUFFIX)


def remove_temporary_files(folder: PathLike) -> None:
    """Remove temporary files of dead processes from a folder; files that a live process writes stay."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if is_temporary(entry.name):
                flags = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0)
                with suppress(OSError), _descriptor(entry.path, flags) as descriptor:
                    if try_lock(descriptor):
                        os.unlink(entry.path)


@contextmanager
def _descriptor(path: str, flags: int) -> Iterator[int]:
    descriptor = os.open(path, flags)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _sync_folder(folder: str) -> None:
    """Force new entries of a folder to the disk if the system supports it; the files themselves are already there."""
    with suppress(OSError), _descriptor(folder, os.O_RDONLY) as descriptor:
        os.fsync(descriptor)


def _refuse_null(path: PathLike) -> None:
    if "\0" in os.fspath(path):
        raise FileError("a path cannot contain a null character", source=repr(os.fspath(path)))


def _reason(error: OSError, source: str) -> str:
    if error.errno == errno.ENOENT:
        folder = os.path.dirname(source)
        return "file not found" if not folder or os.path.isdir(folder) else "folder does not exist"
    return _REASONS.get(error.errno or 0) or error.strerror or str(error)


def write_folder(path: Path, contents: Mapping[str, Content]) -> None:
    """Write a folder of files; a new folder gets its name after all files are on the disk.

    In an existing folder, all files to replace are removed before the first new file is renamed; other files stay.

    Parameters
    ----------
    path : Path
        Path of the folder; its parent folder is locked by this process.
    contents : mapping of str to content
        Contents by file name.

    Raises
    ------
    FileError
        If a file cannot be written, or the path or one of its files is a link. Nothing is left behind.
    """
    refuse_link(path)
    if path.is_dir():
        files: dict[PathLike, Content] = {path / name: content for name, content in contents.items()}
        write_files(files, removed=files)
        return
    new = path.with_name(f"{TEMPORARY_PREFIX}{os.urandom(8).hex()}{TEMPORARY_SUFFIX}")
    try:
        with file_errors(path):
            new.mkdir()
        write_files({new / name: content for name, content in contents.items()})
        with file_errors(path):
            os.rename(new, path)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise


def remove_temporary_folders(folder: Path) -> None:
    """Remove incomplete temporary folders from a folder that is locked by this process."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if is_temporary(entry.name) and entry.is_dir():
                shutil.rmtree(entry.path, ignore_errors=True)
