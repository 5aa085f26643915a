"""The version that the distribution, the command line and saved files use."""

__version__ = "0.1.0"
