"""What is no test of this repository's own suite."""

collect_ignore = ["plugin"]  # a package with tests of its own, which tests/test_plugin.py installs and runs
