"""How the tests are run, and what is no test of this repository's own suite."""

from hypothesis import settings

# Examples do not vary from run to run, and have as much time as a busy machine takes.
settings.register_profile("specnet", deadline=None, derandomize=True, database=None)
settings.load_profile("specnet")

collect_ignore = ["plugin"]  # a package with tests of its own, which tests/test_plugin.py installs and runs
