"""Commands in a terminal, as a shell reads them."""

from __future__ import annotations

import io
import shlex

import pytest

from specnet.report.terminal import terminal_output

COMMAND = "specnet run 'my spec.toml' --set 'network.layer_sizes=[2, 16, 1]' --set training.l2=0.01"


@pytest.mark.parametrize(("width", "lines"), [(None, 1), (100, 1), (86, 2), (60, 3), (38, 3), (35, 0)])
def test_a_command_is_the_same_in_several_lines(monkeypatch: pytest.MonkeyPatch, width: int | None, lines: int) -> None:
    """Each fits; on a terminal that is narrower than a word and a backslash there is none."""
    monkeypatch.setattr(terminal_output, "terminal_width", lambda stream: width)
    stream = io.StringIO()
    terminal_output.write_command(stream, COMMAND)
    written = stream.getvalue()
    assert len(written.splitlines()) == lines
    assert all(len(line) <= (width or 200) for line in written.splitlines())
    assert shlex.split(written.replace("\\\n", " ")) == (shlex.split(COMMAND) if lines else [])
