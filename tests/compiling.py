"""What tests of the compiled engine have in common: whether they can run, and the CPUs that they run for."""

import sys
from collections.abc import Iterator

import pytest

from specnet.compiler.native import missing
from specnet.compiler.native.toolchain import processors
from specnet.compiler.native.toolchain.processors import AVX2, AVX512, GENERIC, SSE2, Processor, native_processor

__all__ = ["AVX2", "AVX512", "GENERIC", "SSE2", "Processor", "compiles", "missing", "native_processor"]

compiles = pytest.mark.skipif(missing() is not None, reason=f"nothing can be compiled: {missing()}")
"""Marks a test that needs a C compiler."""


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
