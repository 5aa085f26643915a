"""The identity of a run, and its differences from another one."""

from __future__ import annotations

import hashlib
import json
from typing import Any, NamedTuple

from specnet.errors import Path
from specnet.files.plain_data import leaves

MOST_SHOWN = 5
LONGEST_SHOWN = 60
NOT_SET = "not set"


class SpecDifference(NamedTuple):
    """A key of the resolved spec whose values differ between two runs."""

    key: str
    then: str
    now: str

    def __str__(self) -> str:
        then, now = (text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 1] + "…" for text in self[1:])
        return f"{self.key} was {then}, now {now}"


class RunIdentity(NamedTuple):
    """The identity of a run: the same spec and the same data give the same run.

    Attributes
    ----------
    spec : str
        The resolved spec, as JSON.
    data_sha256 : str
        Hash of the data.
    """

    spec: str
    data_sha256: str

    @property
    def spec_sha256(self) -> str:
        """The SHA-256 of the resolved spec."""
        return hashlib.sha256(self.spec.encode()).hexdigest()

    def differences(self, now: RunIdentity) -> list[SpecDifference]:
        """Return the differences of another run, in the order of the spec, with the data last."""
        mine, theirs = texts_by_key(json.loads(self.spec)), texts_by_key(json.loads(now.spec))
        keys = [key for key in dict.fromkeys([*mine, *theirs]) if mine.get(key) != theirs.get(key)]
        found = [SpecDifference(key, mine.get(key, NOT_SET), theirs.get(key, NOT_SET)) for key in keys]
        if self.data_sha256 != now.data_sha256:
            found.append(SpecDifference("the data", f"{self.data_sha256[:8]}…", f"{now.data_sha256[:8]}… (SHA-256)"))
        return found


def in_words(differences: list[SpecDifference]) -> str:
    """Return the first differences in words, and the number of further ones."""
    more = len(differences) - MOST_SHOWN
    return "; ".join([*map(str, differences[:MOST_SHOWN]), *([f"and {more} more"] if more > 0 else [])])


def texts_by_key(value: Any, before: Path = ()) -> dict[str, str]:
    """Return the JSON of every value in a document by its dotted key, which begins with the path `before`."""
    return {".".join(map(str, path)): json.dumps(each, ensure_ascii=False) for path, each in leaves(value, before)}
