"""Folders of files, whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from specnet.files.atomic import (
    TEMPORARY_PREFIX,
    TEMPORARY_SUFFIX,
    Content,
    PathLike,
    file_errors,
    is_temporary,
    refuse_link,
    write_files,
)


def write_folder(path: Path, contents: Mapping[str, Content]) -> None:
    """Write a folder of files, which takes its place when all of them are on the disk.

    Where there is a folder already, all that they replace is gone before the first of them takes its place, one by one;
    other files are kept.

    Parameters
    ----------
    path : Path
        The folder around it is held by this process.
    contents : mapping of str to content
        The files by name.

    Raises
    ------
    FileError
        If something cannot be written, or a link is there. Nothing is left behind then.
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
    """Remove what is left in a folder, which is held by this process, of folders whose writing was cut off."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if is_temporary(entry.name) and entry.is_dir():
                shutil.rmtree(entry.path, ignore_errors=True)
