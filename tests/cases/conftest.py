"""A working folder, the command line and trained models for cases of commands."""

from tests.cli.conftest import folder, gappy, kinds, moons, ran, specnet

__all__ = ["folder", "gappy", "kinds", "moons", "ran", "specnet"]
