"""Many programs in one library: the compiler starts once for them, and reads the elementary functions once."""

from __future__ import annotations

import os
import signal
import traceback
from collections.abc import Callable, Sequence
from copy import copy
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from specnet import compiler as c
from specnet.compiler.native import binding
from specnet.compiler.native.binding import NATIVE
from specnet.compiler.native.c_text.emit_function import PARAMETERS, CFunction, CText
from specnet.compiler.native.toolchain.libraries import library


class Program:
    """Outputs and commits as a plan of each backend."""

    def __init__(self, outputs: Sequence[c.Value], commits: Sequence[tuple[c.Value, c.Value]] = ()) -> None:
        self.plans = {
            backend.bind: c.plan(outputs, commits, expansions=backend.expansions) for backend in (NATIVE, c.NUMPY)
        }


class Programs:
    """Programs that are written into one text; once it is compiled, each is bound as if it had been compiled alone."""

    def __init__(self, dtype: npt.DTypeLike) -> None:
        self._target = binding.native_processor()
        self._source = CText(np.dtype(dtype), self._target, {c.BATCH: binding.LIKELY})
        self._plans: list[c.Plan] = []

    def add(self, plan: c.Plan) -> None:
        self._source.add(plan, f"program_{len(self._plans)}")
        self._plans.append(plan)

    def compile(self) -> None:
        names = [f"run_{k}" for k in range(len(self._plans))]
        runs = [f"void {name}({PARAMETERS}) {{ program_{k}(p, sizes, with_outputs); }}" for k, name in enumerate(names)]
        made = library(self._source.text(*runs), tuple(names), self._target)
        for plan, name, function in zip(self._plans, names, self._source.functions, strict=True):
            one = _OneOfMany(self._source, function, made.function, name)
            binding._compiled_plans.setdefault(plan, {})[self._source.dtype.name, self._target.name] = one.source, one


class _OneOfMany:
    """What `binding` stores of a plan that was compiled alone."""

    def __init__(self, source: CText, function: CFunction, found: Callable[..., Any], name: str) -> None:
        leaves = {call.attributes for call in function.plan.calls if call.operation.role == "leaf"}
        self.source, self.library, self._found, self._name = copy(source), self, found, name
        self.source.functions = [function]
        self.source.table = [leaf if leaf in leaves else "" for leaf in source.table]  # others' have other shapes

    def function(self, name: str, *takes: type[Any], gives: type[Any] | None = None) -> Any:
        return self._found(self._name if name == "run" else name, *takes, gives=gives)


def compile_together(programs: Sequence[Program], dtype: npt.DTypeLike) -> None:
    """Compile programs for the tests that bind them."""
    made = Programs(dtype)
    for program in programs:
        made.add(program.plans[NATIVE.bind])
    made.compile()


def forks(test: Any) -> Any:
    """Mark a test that starts a process without a program of its own, in which warnings of others are theirs."""
    quiet = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
    return pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")(quiet(test))


def in_a_new_process(check: Callable[[], object]) -> None:
    """Check something where there is no thread but one."""
    child = os.fork()
    if not child:
        status = 1
        try:
            signal.alarm(60)
            check()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
