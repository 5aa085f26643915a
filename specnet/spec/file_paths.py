"""Paths of the files that a spec names."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from glob import glob
from typing import Any

from specnet.errors import Path
from specnet.parts.fields import is_file_path
from specnet.parts.part import Section
from specnet.spec.document import Spec


def file_paths(value: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Yield the path within the spec and the file path for each file that a section sets explicitly."""
    if isinstance(value, Section):
        for name in value.model_fields_set:
            inner, here = getattr(value, name), (*path, name)
            if not is_file_path(type(value).model_fields[name]):
                yield from file_paths(inner, here)
            elif isinstance(inner, str):
                yield here, inner
            elif isinstance(inner, tuple):
                yield from (((*here, index), each) for index, each in enumerate(inner))
    elif isinstance(value, tuple):
        for index, each in enumerate(value):
            yield from file_paths(each, (*path, index))
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from file_paths(each, (*path, key))


def input_files(spec: Spec) -> list[str]:
    """Return the existing files that a run of a spec reads: the spec's own file and the files that it names."""
    text, folder = spec.document.text, os.fspath(spec.folder)
    named = [os.path.join(folder, name) for _, name in file_paths(spec)]
    found = [path for name in named for path in ([name] if os.path.exists(name) else glob(name))]
    own = [] if text is None else [text.name]
    return [path for path in [*own, *found] if os.path.isfile(path)]
