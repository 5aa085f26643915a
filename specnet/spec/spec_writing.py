"""A spec's document written with other values, for another folder."""

import json
import os
import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path as FilePath
from typing import Any, NamedTuple

from specnet.errors import Path
from specnet.files.run_files import spec_folder
from specnet.parts.registry import Registry
from specnet.spec.document import Spec
from specnet.spec.file_paths import file_paths
from specnet.spec.parsing import validated
from specnet.spec.reading.editing import TomlText
from specnet.spec.reading.overrides import with_change
from specnet.spec.reading.plain_values import plain
from specnet.spec.reading.reader import document_of
from specnet.spec.reading.source_document import Document
from specnet.spec.reading.source_text import Format

SWEEP = "sweep"
"""The table of a document that no run has."""


class Change(NamedTuple):
    """A setting as ``--set`` makes it: a value at a path, or the path `removed`."""

    path: Path
    value: Any = None
    removed: bool = False


class Written(NamedTuple):
    """A document as it is written for a folder: its text, and the data that this says."""

    text: str
    data: Mapping[str, Any]


class SpecWriter:
    r"""Writes a document with other values as often as needed; it is taken apart once.

    Parameters
    ----------
    document : Document
        As read, with its overrides made; ``[sweep]`` is left out.
    registry : Registry
        The parts that it can name.

    Examples
    --------
    >>> from pathlib import Path
    >>> from specnet.spec import parse_spec
    >>> spec = parse_spec("training.loss = 'mse' # squared\nnetwork.layer_sizes = [2, 1]\n")
    >>> writer = SpecWriter(spec.document, spec.registry)
    >>> print(writer.text([Change(("training", "optimizer", "learning_rate"), 0.1)], Path()), end="")
    training.loss = 'mse' # squared
    training.optimizer = { type = "adam", learning_rate = 0.1 }
    network.layer_sizes = [2, 1]
    """

    def __init__(self, document: Document, registry: Registry) -> None:
        self._registry = registry
        self._data = document.without(SWEEP).data
        self._document = document
        self._toml: TomlText | None = None
        if document.text is not None and document.format == "toml":
            self._written = _read(document.text.content, "toml")
            self._toml = TomlText(document.text.content)

    @property
    def format(self) -> Format:
        """What `text` is written in: as the document, JSON for a mapping."""
        return "json" if self._toml is None else "toml"

    def text(self, changes: Iterable[Change], folder: FilePath) -> str:
        """Return the text of `written`."""
        return self.written(changes, folder).text

    def written(self, changes: Iterable[Change], folder: FilePath) -> Written:
        """Return the document with changes, as a file of a folder.

        TOML keeps its comments, order and layout; new keys stand at the end of their tables. Relative paths lead from
        the folder to where they led before.

        Parameters
        ----------
        changes : iterable of Change
            Made in order.
        folder : pathlib.Path

        Raises
        ------
        SpecError
            If the changed document is no spec.
        CannotSetError
            If a path leads nowhere.
        """
        data: Mapping[str, Any] = self._data
        for change in changes:
            data, _ = with_change(data, list(map(str, change.path)), change.value, change.removed)
        data, spec = self._moved(plain(Document(data)).data, folder)
        if self._toml is None:
            text = json.dumps(data, indent=2, ensure_ascii=False) + "\n"
        else:
            text = self._toml.with_data(self._written.data, data)
        again = validated(_read(text, self.format), self._registry)
        if again != spec or again.to_json() != spec.to_json():  # the order of columns only shows in the latter
            raise AssertionError(f"the text says something else than the changed document:\n{text}")
        return Written(text, data)

    def _moved(self, data: Mapping[str, Any], folder: FilePath) -> tuple[Mapping[str, Any], Spec]:
        """Return the data with its paths as seen from a folder, and what it says."""
        spec = self._spec(data)
        start = os.path.realpath(self._document.folder or FilePath())
        files = [*file_paths(spec)] if start != os.path.realpath(folder) else []
        if not files:
            return data, spec
        for path, value in files:
            data, _ = with_change(data, list(map(str, path)), _seen_from(folder, start, value), removed=False)
        data = plain(Document(data)).data
        return data, self._spec(data)

    def _spec(self, data: Mapping[str, Any]) -> Spec:
        return validated(replace(self._document, data=data), self._registry)


def _read(text: str, language: Format) -> Document:
    return plain(document_of(text.encode(), f"spec.{language}"))


def _seen_from(folder: FilePath, start: str, path: str) -> str:
    """Return a path that starts somewhere, without links, as seen from a folder."""
    if posixpath.isabs(path):
        return path
    # Only steps up at the start are taken together: behind a link they lead elsewhere than they seem to.
    first, _, rest = path.partition("/")
    while first in ("..", ".") and rest.strip("/"):
        start = os.path.dirname(start) if first == ".." else start
        first, _, rest = rest.lstrip("/").partition("/")
    return posixpath.normpath(spec_folder(FilePath(start), folder)) + f"/{first}" + (f"/{rest}" if rest else "")
