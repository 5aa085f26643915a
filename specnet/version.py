"""The version, said here alone: the distribution, the command line and what is written take it from here."""

__version__ = "0.1.0"
