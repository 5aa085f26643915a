"""What benchmarks of commands do where nobody asks for their times."""

from collections.abc import Callable
from types import ModuleType

import pytest

from tests.benchmarks.processes import run_process, specnet_command
from tests.cli.conftest import called


@pytest.fixture
def call_here(monkeypatch: pytest.MonkeyPatch) -> Callable[[ModuleType], None]:
    """Let a module call the command line in this process, and start other commands alone."""

    def run(command: list[str], **environment: str) -> int:
        if command[0] != specnet_command():
            return run_process(command, **environment)
        with pytest.MonkeyPatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            assert called(*command[1:]) == 0
        return 1

    return lambda module: monkeypatch.setattr(module, "run_process", run)
