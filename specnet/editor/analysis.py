"""What is known of the text of a spec that is being written: its mistakes, the spec, and the rows of its data."""

from __future__ import annotations

import os
import re
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from specnet.data import load_table
from specnet.errors import Diagnostic, SpecError, SpecnetError
from specnet.parts.data import Table
from specnet.run_files import paths_start
from specnet.running.data_rows import SpecData, split_data
from specnet.spec import Spec
from specnet.spec.document import Limits
from specnet.spec.file_paths import input_files
from specnet.spec.reading.reader import document_of, plain
from specnet.spec.reading.source_document import Document
from specnet.spec.searching import parse_whole

MAX_TABLES = 4
"""Maximum number of tables that stay in memory."""
_OTHERS = frozenset(
    ["build-system", "project", "tool", "package", "workspace", "dependencies", "scripts", "compilerOptions"]
)
"""Tables of other files that are opened in the same editor, such as ``pyproject.toml``, ``Cargo.toml`` or
``package.json``."""
_HEADER = re.compile(r"^\[+([\w-]+)", re.MULTILINE)


class Tables:
    """Tables of specs, read again only if a file has another size or time, or the spec reads it otherwise."""

    def __init__(self) -> None:
        self._read: OrderedDict[tuple[Any, ...], Table] = OrderedDict()

    def of(self, spec: Spec) -> Table:
        """Return the table of a spec; errors as from `load_table`."""
        assert spec.data is not None
        files = [(path, os.stat(path).st_size, os.stat(path).st_mtime_ns) for path in input_files(spec)]
        own = spec.document.text.name if spec.document.text else None
        key = (spec.data, spec.target_kind, spec.seed, spec.folder, *(file for file in files if file[0] != own))
        if key not in self._read:
            self._read[key] = load_table(spec)
            while len(self._read) > MAX_TABLES:
                self._read.popitem(last=False)
        self._read.move_to_end(key)
        return self._read[key]


@dataclass(frozen=True)
class Analysis:
    """What is known of a text.

    Attributes
    ----------
    document : Document or None
        The document in the text; None if it has none.
    mistakes : tuple of Diagnostic
        Mistakes as `specnet validate --data` reports them.
    warnings : tuple of Diagnostic
        Warnings about the data.
    spec : Spec or None
        The spec, if it is valid without its data.
    data : SpecData or None
        The rows, if they fit.
    """

    document: Document | None = None
    mistakes: tuple[Diagnostic, ...] = ()
    warnings: tuple[Diagnostic, ...] = ()
    spec: Spec | None = None
    data: SpecData | None = None


def analysis_of(content: str, file: Path, tables: Tables | None, limits: Limits | None = None) -> Analysis:
    """Return what is known of the text of a file, which may not be saved; nothing if it is another kind of file.

    Parameters
    ----------
    content : str
    file : pathlib.Path
    tables : Tables or None
        Tables that were read before; None if data are not read.
    limits : Limits, optional
        Limits on the size of the network.
    """
    if not _OTHERS.isdisjoint(_HEADER.findall(content)):
        return Analysis()
    document: Document | None = None
    try:
        document = plain(document_of(content.encode(errors="replace"), str(file), paths_start(str(file))))
        if not _OTHERS.isdisjoint(document.data):
            return Analysis()
        spec = parse_whole(document, limits=limits)
    except SpecError as error:
        return Analysis(document, error.diagnostics)
    if spec.data is None or tables is None:
        return Analysis(document, spec=spec)
    try:
        data = split_data(spec, tables.of(spec))
    except (SpecnetError, OSError, MemoryError) as error:
        problem = Diagnostic("file", str(error), ("data",))
        mistakes = error.diagnostics if isinstance(error, SpecnetError) else (problem,)
        return Analysis(document, tuple(_in_spec(each, document) for each in mistakes), spec=spec)
    return Analysis(document, (), tuple(_in_spec(each, document) for each in data.warnings), spec, data)


def _in_spec(found: Diagnostic, document: Document) -> Diagnostic:
    """Return a mistake of a data file as a mistake at the key that names the file."""
    assert document.text is not None
    if found.source == document.text.name and found.position is not None:
        return found
    if found.source is None or found.source == document.text.name:
        return document.diagnostic(found.code, found.message, found.path or ("data",), hint=found.hint)
    where = ":".join(str(part) for part in (found.source, *(found.position or ())[:2]))
    return document.diagnostic(found.code, f"{where}: {found.message}", ("data", "path"), hint=found.hint)
