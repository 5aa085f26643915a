"""Which compiler there is, and what tells its version from others."""

from __future__ import annotations

import os
import re
from functools import cache
from typing import NamedTuple

from specnet.compiler.native.toolchain.compiler_process import BuildError, NoCompilerError, run_compiler
from specnet.compiler.native.toolchain.library_cache import private_folder

__all__ = ["Compiler", "compiler_name", "find_compiler", "missing"]

_NAMES = ("cc", "gcc", "clang")


class Compiler(NamedTuple):
    """A compiler's name in messages, how it is started, and its file: path, size and time of change."""

    name: str
    command: tuple[str, ...]
    file: tuple[str, int, int]

    @property
    def identity(self) -> tuple[object, ...]:
        """What changes if another version is installed, also behind a wrapper whose file stays the same."""
        return self.command, self.file, _said(self)

    @property
    def described(self) -> str:
        """The compiler with its version, such as ``gcc 12.4.0``."""
        said = _said(self)
        # GCC puts its name as it was called first, and a distribution's version into parentheses.
        name = "gcc" if "Free Software Foundation" in said else "clang" if "clang" in said else self.name
        version = re.search(r"\d+(\.\d+)+", re.sub(r"\(.*?\)", "", said))
        return f"{name} {version[0]}" if version else name


def find_compiler() -> Compiler:
    """Return the first compiler that is installed; starts no process.

    Raises
    ------
    NoCompilerError
    """
    if os.name == "nt":
        raise NoCompilerError("Windows is not supported")
    from shutil import which

    wanted = os.environ.get("CC", "").strip()
    for arguments in ([_split(wanted)] if wanted else []) + [[name] for name in _NAMES]:
        if path := which(arguments[0]):
            name = " ".join([os.path.basename(arguments[0]), *arguments[1:]])
            return Compiler(name, (os.path.abspath(path), *arguments[1:]), _file(path))

    from importlib.util import find_spec

    # Not `python -m ziglang`, which would look for modules in the working folder first.
    package = find_spec("ziglang")
    zig = which(os.path.join(os.path.dirname(package.origin), "zig")) if package and package.origin else None
    if zig:
        return Compiler("zig cc", (os.path.abspath(zig), "cc"), _file(zig))
    names = [*([wanted] if wanted else []), *_NAMES]
    raise NoCompilerError(f"no C compiler was found: {', '.join(names[:-1])} and {names[-1]} are not on the PATH")


def missing() -> NoCompilerError | None:
    """Return why nothing can be compiled here, None if there is a compiler; starts no process."""
    try:
        find_compiler()
    except NoCompilerError as error:
        return error
    return None


def compiler_name() -> str | None:
    """Return which compiler is used, such as ``gcc 12.4.0``; None if there is none."""
    try:
        return find_compiler().described
    except NoCompilerError:
        return None


def _split(command: str) -> list[str]:
    from shlex import split

    try:
        return split(command)
    except ValueError as error:
        message = f"the environment variable CC is not a valid command: {str(error).lower()}"
        raise NoCompilerError(message) from error


def _file(path: str) -> tuple[str, int, int]:
    try:
        status = os.stat(path)
    except OSError as error:
        raise NoCompilerError(f"{path} cannot be read: {error.strerror}") from error
    return os.path.abspath(path), status.st_size, status.st_mtime_ns


@cache
def _said(compiler: Compiler) -> str:
    """Return what a compiler says of its version, nothing if it says nothing; asked once by a process."""
    try:
        with private_folder() as folder:
            return run_compiler(compiler.name, (*compiler.command, "--version"), "", folder)
    except (BuildError, OSError):
        return ""
