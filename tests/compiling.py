"""What tests of the compiled engine have in common: whether they can run, and the CPUs that they run for."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from unittest.mock import patch

import pytest

from specnet.compiler.native.c_text import c_forms
from specnet.compiler.native.toolchain import libraries, processors
from specnet.compiler.native.toolchain.compilers import compiler_name, missing
from specnet.compiler.native.toolchain.processors import AVX2, AVX512, GENERIC, SSE2, Processor, native_processor
from specnet.compiler.value import Operation
from specnet.cpus import usable_cpus

__all__ = ["AVX2", "AVX512", "GENERIC", "SSE2", "Processor", "compiler_name", "compiles", "missing", "native_processor"]
__all__ += ["usable_cpus"]

compiles = pytest.mark.skipif(missing() is not None, reason=f"nothing can be compiled: {missing()}")
"""Marks a test that needs a C compiler."""


@contextmanager
def wrong_form(operation: Operation) -> Iterator[None]:
    """Let the C text of an operation give a thousandth too much."""
    wrong = f"(real)1.001 * ({c_forms.FORMS[operation]})"
    with patch.object(c_forms, "FORMS", {**c_forms.FORMS, operation: wrong}):
        yield


@pytest.fixture
def compiler_flags(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let libraries be compiled with these flags and no others, or with further ones."""

    def change(*flags: str, further: tuple[str, ...] = ()) -> None:
        monkeypatch.setattr(libraries, "_FLAGS", (*(flags or libraries._FLAGS), *further))

    return change


@pytest.fixture
def compiled_quickly(compiler_flags: Callable[..., None]) -> None:
    """Compilers take a third of the time, for tests that look for mistakes in the text."""
    compiler_flags("-std=gnu11", "-O0", "-fPIC", "-shared", "-pthread")


NATIVE = native_processor()
PROCESSORS = [NATIVE, *{AVX512.name: (AVX2, SSE2), AVX2.name: (SSE2,)}.get(NATIVE.name, ())]
"""The CPUs that this one can be: itself, and those with fewer instructions."""


@pytest.fixture(params=PROCESSORS, ids=lambda kind: kind.name)
def processor(request: pytest.FixtureRequest) -> Iterator[Processor]:
    """Compile everything as it is compiled on a CPU with no more instructions than this one."""
    kind: Processor = request.param
    if kind == NATIVE:
        yield kind
        return
    features = " ".join(processors._NEEDED.get(kind, ()))
    description = dict.fromkeys(processors._FEATURES[sys.platform], features)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(processors, "_description", lambda: description)
        patch.setattr(processors, "_NATIVE_FLAGS", {kind: kind.flags})
        _forget()
        assert native_processor() == kind
        yield kind
    _forget()


def _forget() -> None:
    native_processor.cache_clear()
    processors.cpu_identity.cache_clear()
