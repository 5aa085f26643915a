"""What a finding is: a sentence on a run, and what to set in the spec instead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from specnet.files.plain_data import Plain, checked
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
    changes : mapping
        What to set; empty where nothing is.
    words : str
        What to do besides, or instead, in the terms of a spec.
    """

    code: str
    severity: Severity
    sentence: str
    changes: Changes
    words: str = ""

    @property
    def settings(self) -> list[str]:
        """The changes as a spec writes them: ``training.epochs = 500``."""
        return [f"{path} = {toml_value(value)}" for path, value in self.changes.items()]

    @property
    def remedy(self) -> str:
        """What to do: settings, words, or settings and then words."""
        return "; ".join(part for part in (", ".join(self.settings), self.words) if part)

    def as_dict(self) -> dict[str, Any]:
        """Return the finding as plain data, as ``findings.json`` has it."""
        return {
            "code": self.code,
            "severity": self.severity,
            "sentence": self.sentence,
            "remedy": self.remedy,
            "changes": dict(self.changes),
            "words": self.words,
        }


class _Record(Plain, extra="ignore"):
    code: str
    severity: Severity
    sentence: str
    remedy: str
    changes: dict[str, Any]
    words: str | None = None


def read_finding(record: Any) -> Finding:
    """Return the finding that `Finding.as_dict` gave, now or in an earlier version, which did not write the words.

    Raises
    ------
    FileError
        If it is none.
    """
    read = checked(_Record.model_validate, record, "the record of a finding is")
    found = Finding(read.code, read.severity, read.sentence, read.changes)
    words = read.remedy.removeprefix(found.remedy).removeprefix("; ") if read.words is None else read.words
    return replace(found, words=words)
