"""Texts that tests meet: each is a case of the snapshot, under the name of its test."""

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from specnet import SpecnetError
from tests.texts.snapshot import Recorder, pinned_cases

ROOT = Path(__file__).parents[2]
Pinned = Callable[[object], None]
Refused = Callable[..., AbstractContextManager[pytest.ExceptionInfo[Exception]]]


@pytest.fixture(scope="session")
def texts(pytestconfig: pytest.Config) -> Recorder | dict[str, list[str]]:
    """What takes the texts, or else those that are expected."""
    recorders = [plugin for plugin in pytestconfig.pluginmanager.get_plugins() if isinstance(plugin, Recorder)]
    return recorders[0] if recorders else pinned_cases()


@pytest.fixture
def pinned(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, texts: Recorder | dict[str, list[str]]
) -> Iterator[Pinned]:
    """Hold a text against the snapshot; at the end of the test, none is left over."""
    name = request.node.nodeid
    folders = re.compile(rf"{re.escape(str(tmp_path_factory.getbasetemp()))}/[^/\s:'\"]+|{re.escape(str(ROOT))}")
    seen: set[str] = set()
    expected = iter(() if isinstance(texts, Recorder) else texts.get(name, ()))

    def pin(text: object) -> None:
        told = folders.sub("<folder>", str(text)).strip("\n")
        if told in seen:
            return
        seen.add(told)
        if isinstance(texts, Recorder):
            texts.cases.append((name, told))
        else:
            assert told == next(expected, None), "python -m tests.texts makes the snapshot anew"

    yield pin
    assert next(expected, None) is None, "the snapshot has a text that the test did not meet"


@pytest.fixture
def refused(pinned: Pinned) -> Refused:
    """Expect an error, its code (by default its class's) and place, and pin its text without what varies."""

    @contextmanager
    def refused(
        kind: type[Exception] | tuple[type[Exception], ...],
        *,
        code: str | set[str] | None = None,
        at: str | None = None,
        varying: str = "$^",
    ) -> Iterator[pytest.ExceptionInfo[Exception]]:
        with pytest.raises(kind) as caught:
            yield caught
        error = caught.value
        if isinstance(error, SpecnetError):
            assert at in (None, *_places(error.diagnostics[0]))
            codes = code if isinstance(code, set) else {code or error.code}
            assert {diagnostic.code for diagnostic in error.diagnostics} == codes
        pinned(re.sub(varying, "…", f"{type(error).__name__}: {error}"))

    return refused


def _places(diagnostic: Any) -> list[str]:
    """Return the keys that lead to a mistake, and its file, line and column without the folder of the file."""
    source = diagnostic.source and diagnostic.source.rpartition("/")[2]
    position = diagnostic.position
    where = (source, position and position.line, position and position.column)
    places = ".".join(map(str, diagnostic.path)), ":".join(str(part) for part in where if part is not None)
    return [place for place in places if place] or [""]
