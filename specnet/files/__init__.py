"""Files that nobody trusts: read within limits, written atomically, held by one process at a time."""

from specnet.files.atomic import (
    TEMPORARY_PREFIX,
    PathLike,
    check_place,
    file_errors,
    open_file,
    read_file,
    refuse_link,
    refuse_taken,
    remove_temporary_files,
    write_file,
    write_files,
)

__all__ = [
    "TEMPORARY_PREFIX",
    "PathLike",
    "check_place",
    "file_errors",
    "open_file",
    "read_file",
    "refuse_link",
    "refuse_taken",
    "remove_temporary_files",
    "write_file",
    "write_files",
]
