"""SHA-256 of the files of a folder in its record, a JSON object among them: whether a file was changed later.

Times in the record do not count.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from specnet.files.atomic import as_bytes
from specnet.files.plain_data import json_text

HASHES = "sha256"
"""The key in a record: of each file by its name, and of the record itself."""
_SECONDS = re.compile(rb'("(?:training_)?seconds": )[-+.\deE]+')
_LENGTH = 8
"""How many characters of a hash are shown."""


class ChangedFile(NamedTuple):
    """A file whose SHA-256 is not the recorded one; they are shortened, and None where there is none."""

    name: str
    then: str | None
    now: str | None


def with_hashes(contents: Mapping[str, str | bytes], record: str) -> dict[str, str | bytes]:
    """Return files, and in the one that is their record the SHA-256 of each."""
    facts = json.loads(contents[record])
    hashes = {name: _sha256(content) for name, content in sorted(contents.items()) if name != record}
    blank = json_text({**facts, HASHES: {**hashes, record: ""}})
    return {**contents, record: json_text({**facts, HASHES: {**hashes, record: _own_sha256(as_bytes(blank), "")}})}


def recorded_hashes(facts: Mapping[str, Any]) -> dict[str, str]:
    """Return the SHA-256 of files by their names that a record has; nothing if it has none."""
    hashes = facts.get(HASHES)
    return {str(name): str(value) for name, value in hashes.items()} if isinstance(hashes, Mapping) else {}


def changed_files(hashes: Mapping[str, str], files: Mapping[str, bytes], record: str) -> Iterator[ChangedFile]:
    """Yield the files that are not as the record says, among them those that are gone or new."""
    for name in dict.fromkeys([*files, *hashes]):
        then, content = hashes.get(name), files.get(name)
        if name == record and then is not None and content is not None:
            now: str | None = _own_sha256(content, then)
        else:
            now = None if content is None else _sha256(content)
        if then != now:
            yield ChangedFile(name, _shortened(then), _shortened(now))


def _own_sha256(content: bytes, recorded: str) -> str:
    """Return the SHA-256 of a record without the seconds and without its own recorded hash."""
    return _sha256(_SECONDS.sub(rb"\1", content).replace(f'"{recorded}"'.encode(), b'""'))


def _sha256(content: str | bytes) -> str:
    return hashlib.sha256(as_bytes(content)).hexdigest()


def _shortened(sha256: str | None) -> str | None:
    return sha256 and f"{sha256[:_LENGTH]}…"
