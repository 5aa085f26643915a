"""A working folder and the command line for cases of commands."""

from tests.cli.conftest import folder, specnet

__all__ = ["folder", "specnet"]
