"""Processes that are born with specnet loaded, from one that has it: short ones spend most of their time on imports."""

import os
from multiprocessing.context import ForkServerContext, ForkServerProcess
from typing import Any


class BornLoaded(ForkServerProcess):
    """Has the environment of the process that starts it, and not of the one that it is born from."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self._environment = dict(os.environ)

    def run(self) -> None:
        os.environ.clear()
        os.environ.update(self._environment)
        super().run()


class Births(ForkServerContext):
    """What starts them, as `get_context` gives it."""

    Process = BornLoaded  # type: ignore[assignment] # what a context starts


def born_loaded() -> Births:
    context = Births()
    context.set_forkserver_preload(
        ["specnet.running.runner", "specnet.running.sweeps.trials", "sklearn.model_selection"]
    )
    return context
