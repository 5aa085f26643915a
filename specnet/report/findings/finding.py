"""What a finding is: a sentence on a run, and what to set in the spec instead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from specnet.errors import FileError
from specnet.files.toml import toml_value

Severity = Literal["error", "warning"]
"""``error``: the run did not do what it was meant to; ``warning``: look at it."""
Changes = Mapping[str, Any]
"""Values by the dotted paths of a spec, such as ``training.epochs``."""


@dataclass(frozen=True)
class Finding:
    """What is wrong with a run.

    Attributes
    ----------
    code : str
        Such as ``rate-too-high``.
    severity : "error" or "warning"
    sentence : str
        What was seen, with its numbers.
    remedy : str
        What to do, in the terms of a spec.
    changes : mapping
        The settings in the remedy; empty where it has none.
    """

    code: str
    severity: Severity
    sentence: str
    remedy: str
    changes: Changes = field(default_factory=dict)

    def settings(self) -> list[str]:
        """Return the changes as ``--set`` takes them: ``training.epochs=500``."""
        return [f"{path}={toml_value(value)}" for path, value in self.changes.items()]

    def as_dict(self) -> dict[str, Any]:
        """Return the finding as plain data, as ``findings.json`` has it."""
        return {
            "code": self.code,
            "severity": self.severity,
            "sentence": self.sentence,
            "remedy": self.remedy,
            "changes": dict(self.changes),
        }


@dataclass(frozen=True)
class Remedy:
    """What a finding advises: settings, words, or settings and then words."""

    changes: Changes
    words: str = ""

    def __str__(self) -> str:
        settings = ", ".join(f"{path} = {toml_value(value)}" for path, value in self.changes.items())
        return "; ".join(part for part in (settings, self.words) if part)


def finding(code: str, severity: Severity, sentence: str, remedy: Remedy) -> Finding:
    """Return a finding with the text and the changes of its remedy."""
    return Finding(code, severity, sentence, str(remedy), remedy.changes)


def read_finding(record: Any) -> Finding:
    """Return the finding that `Finding.as_dict` gave.

    Raises
    ------
    FileError
        If it is none.
    """
    match record:
        case {
            "code": str(code),
            "severity": "error" | "warning" as severity,
            "sentence": str(sentence),
            "remedy": str(remedy),
            "changes": dict(changes),
        } if all(isinstance(path, str) for path in changes):
            return Finding(code, severity, sentence, remedy, changes)
    raise FileError("a finding must have a code, a severity, a sentence, a remedy and changes")
