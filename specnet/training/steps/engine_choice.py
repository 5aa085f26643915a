"""The choice of the engine and of the number of threads: steps are compiled if this saves more time than it takes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from specnet.compiler import BATCH, FLAT, UnavailableError, operations
from specnet.compiler.lowering import Call
from specnet.compiler.native import LONG_PROGRAM, THREADS_PAY
from specnet.compiler.native.toolchain.compilers import missing
from specnet.compiler.thread_limits import available_threads
from specnet.network import Network
from specnet.network.bound import NOT_AVAILABLE, Engine, not_available, why_not_available
from specnet.network.layout import Layout
from specnet.number_texts import duration
from specnet.spec import Resolved, Spec
from specnet.training.training_rows import TrainingRows

LIKELY_ROWS = 256
"""Assumed number of rows of a full batch before the data are read."""
WORTH_SECONDS = 0.5
"""Minimum estimated seconds with NumPy for which training is compiled."""
CALL_SECONDS, NUMBER_SECONDS, FUNCTION_SECONDS, PRODUCT_SECONDS = 3.5e-7, 2e-10, 2e-9, 1.5e-11
"""Seconds of NumPy for a call, for each number of its result, for each number of an elementary function's result, and
for a multiplication and addition in a matrix product. They are constants, so that a spec is trained by the same engine
on every machine."""
SAVED_SHARE = 0.4
"""Share of NumPy's time that compiled steps usually save; they save more in small networks."""
COMPILING_SECONDS, COMPILING_CALL = 0.15, 3e-3
"""Seconds to compile any function, and for each call of the plans; equal calls of long plans are compiled once."""
LARGEST_PRODUCT = 2**26
"""Minimum number of multiplications of a matrix product that is left to BLAS, which is as fast and needs no
compiling."""
MEMBERS_PAY = 2**15
"""Minimum number of multiplications of an epoch for which threads train ensemble members in parallel: they save a
fifth. In shorter epochs Python, which runs one thread at a time, takes most of the time."""
MAX_ROWS_BYTES = 2**28
"""Maximum number of bytes of the training rows of all members in parallel, unless the caller requests more jobs."""
_FUNCTIONS = set(operations.SMOOTH) - {operations.SQRT}
_PRODUCTS = (operations.AFFINE, operations.AFFINE_GRADIENT, operations.MATMUL, operations.GROUPED_MATMUL)
SPECIFIED, BEGUN = "as training.engine says", "as the run was begun"


@dataclass(frozen=True)
class Choice:
    """An engine, and the reason for it.

    Attributes
    ----------
    engine : {"numpy", "compiled", "auto"}
        The engine; "auto" if it is not decided yet.
    reason : str
        A text such as ``as training.engine says`` or ``NumPy would need about 3 s``.
    is_free : bool
        Whether NumPy may be used instead if a part has no compiled form.
    """

    engine: Engine | Literal["auto"]
    reason: str
    is_free: bool = False

    def facts(self) -> dict[str, str]:
        """Return the choice as plain data for a run's record."""
        return {"engine": self.engine, "engine_reason": self.reason}


def choose(network: Network, rows: int, epochs: int, begun: Engine | None = None) -> Choice:
    """Return the engine that trains a network, with the reason.

    Parameters
    ----------
    network : Network
    rows, epochs : int
        Numbers of training rows and epochs.
    begun : {"numpy", "compiled"}, optional
        The engine of the checkpoint to resume from.

    Raises
    ------
    SpecError
        If the spec or the checkpoint requires the compiled engine and it is not available.
    """
    return _chosen(network, lambda: Work.of(network, rows, epochs), begun)


def _chosen(network: Network, work: Callable[[], Work], begun: Engine | None = None) -> Choice:
    requested = network.spec.training.engine
    if requested == "numpy":
        return Choice("numpy", SPECIFIED)
    reason = missing()
    choice = Choice("compiled", SPECIFIED) if requested == "compiled" else _fastest(work(), reason)
    if begun not in (None, choice.engine):
        choice = Choice(begun, BEGUN)
    if choice.engine == "compiled" and reason:
        raise not_available(network.spec, reason, is_begun=requested == "auto")
    return choice if begun is None else replace(choice, is_free=False)


def expected_seconds(network: Network, rows: int) -> float:
    """Return an estimate of the seconds that training takes on this number of rows, for all ensemble members together.

    The estimate is for one core, and within a factor of two on common processors.

    Raises
    ------
    SpecError
        If `choose` raises it.
    """
    training = network.spec.training
    mine = rows if training.folds is None else round(rows * (1 - 1 / training.folds))
    work = Work.of(network, mine, training.epochs)
    if _chosen(network, lambda: work).engine == "numpy":
        return work.seconds
    return (1 - SAVED_SHARE) * work.seconds + work.compiling_seconds


def about(seconds: float) -> str:
    """Return the text of an estimated time, such as ``about 1.2 s``."""
    if seconds < 0.095:
        return "less than 0.1 s"
    return f"about {seconds:.1f} s" if seconds < 9.5 else f"about {duration(round(seconds)).replace('.0 s', ' s')}"


def threads_worth(resolved: Resolved, rows: int) -> int | None:
    """Return the maximum number of threads for a run on this number of rows: 1 if threads save no time, None if any.

    It depends only on the spec and the number of rows, since the number of threads changes the last bits of a result.
    """
    batch = rows if resolved.batch_size == "full" else min(resolved.batch_size, rows)
    largest = max((placed.block.size for placed in Layout(resolved.nodes).blocks), default=0)
    return None if batch * largest >= THREADS_PAY else 1


def members_worth(network: Network, rows: TrainingRows, cores: int | None = None) -> int:
    """Return the number of ensemble members to train in parallel by the compiled engine, each on these rows.

    It is at most `cores`, by default the number of available threads; 1 if an epoch is too short, or if each step uses
    threads itself.
    """
    if len(rows) * network.parameter_count < MEMBERS_PAY or threads_worth(network.resolved, len(rows)) is None:
        return 1
    return max(1, min(available_threads() if cores is None else cores, MAX_ROWS_BYTES // rows.X.nbytes))


def _fastest(work: Work, reason: UnavailableError | None) -> Choice:
    if work.seconds < WORTH_SECONDS:
        return Choice("numpy", f"NumPy needs {about(work.seconds)}")
    if work.largest_product >= LARGEST_PRODUCT:
        return Choice("numpy", "the largest products are left to BLAS")
    if work.seconds * SAVED_SHARE < work.compiling_seconds:
        return Choice("numpy", f"NumPy needs {about(work.seconds)}, and compiling {about(work.compiling_seconds)}")
    if reason:
        return Choice("numpy", f"{NOT_AVAILABLE}: {reason}")
    return Choice("compiled", f"NumPy would need {about(work.seconds)}", is_free=True)


def undecided() -> Choice:
    """Return the undecided choice of ``auto``, for when the number of rows is unknown."""
    return Choice("auto", f"compiled if NumPy needs over {WORTH_SECONDS:g} s, which depends on the rows")


def without_compiled(spec: Spec, reason: UnavailableError) -> Choice:
    """Return the choice of NumPy for a network with a part that has no compiled form, given the compiler's reason."""
    return Choice("numpy", why_not_available(spec, reason))


class Work(NamedTuple):
    """The estimated work of a training.

    Attributes
    ----------
    seconds
        Seconds that all steps take with NumPy.
    compiling_seconds
        Seconds to compile a step that is not cached.
    largest_product
        Multiplications of the largest matrix product.
    """

    seconds: float
    compiling_seconds: float
    largest_product: int

    @classmethod
    def of(cls, network: Network, rows: int, epochs: int) -> Work:
        """Return the estimated work of training a network on this number of rows, for all ensemble members together."""
        spec, batch_size = network.spec, network.resolved.batch_size
        batch = rows if batch_size == "full" else min(batch_size, rows)
        plans = [network.plan("step")]
        if spec.training.optimizer.stepping is not None:
            plans.append(network.blueprint.update.plan)
        lengths = {BATCH: batch, FLAT: network.layout.trainable_size}

        def size(call: Call) -> int:
            return math.prod(lengths[axis] if isinstance(axis, str) else axis for axis in call.shape)

        calls, step, largest, forms = 0, 0.0, 0, set()
        for plan in plans:
            for call in plan.calls:
                if call.operation.role != "call":
                    continue
                made = 0
                if call.operation in _PRODUCTS:
                    a, b = (size(plan.calls[n]) for n in call.arguments)
                    groups = call.attributes[0] if call.operation is operations.GROUPED_MATMUL else 1
                    # a has rows × depth numbers, b depth × columns, and the result rows × columns.
                    made = math.isqrt(a * b * size(call) // groups)
                each = FUNCTION_SECONDS if call.operation in _FUNCTIONS else NUMBER_SECONDS
                step += CALL_SECONDS + each * size(call) + PRODUCT_SECONDS * made
                calls, largest = calls + 1, max(largest, made)
                forms.add((call.operation, call.shape, *(plan.calls[n].shape for n in call.arguments)))
        steps = spec.training.members * epochs * math.ceil(rows / batch) if batch else 0
        compiled = min(calls, LONG_PROGRAM + len(forms))
        return cls(step * steps, COMPILING_SECONDS + COMPILING_CALL * compiled, largest)
