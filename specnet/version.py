"""The version, from which the distribution, the command line and saved files take it."""

__version__ = "0.1.0"
