"""What runs a network's programs: calls of NumPy, or compiled functions."""

from __future__ import annotations

from typing import Literal

from specnet.compiler import NUMPY, Backend, MissingRuleError, UnavailableError
from specnet.compiler.native.toolchain.compilers import NoCompilerError
from specnet.errors import SpecError
from specnet.parts.blame import foreign_parts
from specnet.spec import Spec

Engine = Literal["numpy", "compiled"]
NOT_AVAILABLE = "the compiled engine is not available"


def engine_of(spec: Spec) -> Engine:
    """Return the engine of a network that may come from another machine: compiled if the spec says so and it can be.

    It is that of a network which is given none; for training, `specnet.training.steps.engine_choice` chooses one.
    """
    if spec.training.engine != "compiled":
        return "numpy"
    from specnet.compiler.native import unusable

    return "numpy" if unusable() else "compiled"


def backend_of(engine: Engine) -> Backend:
    """Return the backend of an engine."""
    if engine == "numpy":
        return NUMPY
    from specnet.compiler.native import NATIVE

    return NATIVE


def check_engine(spec: Spec) -> None:
    """Check that there is the engine that a spec wants.

    Raises
    ------
    SpecError
    """
    if spec.training.engine == "compiled":
        from specnet.compiler.native import unusable

        if reason := unusable():
            raise not_available(spec, reason)


def not_available(spec: Spec, reason: UnavailableError, *, is_begun: bool = False) -> SpecError:
    """Return the error for a compiled engine that is to be used, or that a run was begun with, and cannot be had."""
    code, hint = "no-compiled-form", "start the run anew" if is_begun else 'set training.engine to "numpy"'
    if isinstance(reason, NoCompilerError):
        code, hint = "no-compiler", f"install a C compiler, such as gcc or clang, or {hint}"
    elif not isinstance(reason, MissingRuleError):
        code, hint = "compiler-failed", f"name another compiler in the environment variable CC, or {hint}"
    return spec.error(code, why_not_available(spec, reason), ("training", "engine"), hint=hint)


def why_not_available(spec: Spec, reason: UnavailableError) -> str:
    """Return why the compiled engine cannot be had, with the parts that may be the cause.

    All operations of built-in parts have a form in C.
    """
    found = foreign_parts((spec.network, spec.training)) if isinstance(reason, MissingRuleError) else ()
    named = dict.fromkeys(f"{part.kind} {part.part_name()}" for part in found)
    return f"{NOT_AVAILABLE}{' with ' * bool(named)}{' and '.join(named)}: {reason}"
