"""A working folder, the command line and trained models for cases of commands."""

from tests.cli.conftest import folder, gappy, kinds, moons, ran, ready, specnet, type_in

__all__ = ["folder", "gappy", "kinds", "moons", "ran", "ready", "specnet", "type_in"]
