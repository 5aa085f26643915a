"""Which engine trains, and on how many threads: functions are compiled where they save more time than that takes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from specnet.compiler import UnavailableError, operations
from specnet.compiler.lowering import Call
from specnet.compiler.native import LONG_PROGRAM
from specnet.compiler.native.toolchain.compilers import missing
from specnet.compiler.thread_limits import available_threads
from specnet.network import Network
from specnet.network.bound import NOT_AVAILABLE, Engine, not_available, why_not_available
from specnet.network.layout import Layout
from specnet.number_texts import duration
from specnet.spec import Resolved, Spec
from specnet.training.training_rows import TrainingRows

LIKELY_ROWS = 256
"""Of a full batch, before rows are read."""
WORTH_SECONDS = 0.5
"""Of NumPy, from which on training is compiled."""
CALL_SECONDS, NUMBER_SECONDS, FUNCTION_SECONDS, PRODUCT_SECONDS = 3.5e-7, 2e-10, 2e-9, 1.5e-11
"""Of a call of NumPy, a number of its result, one of an elementary function, and a product with its sum: of a processor
like any other, so that the same spec is trained by the same engine on all."""
SAVED_SHARE = 0.4
"""Of NumPy's time, what compiled steps save as a rule, and more of small networks."""
COMPILING_SECONDS, COMPILING_CALL = 0.15, 3e-3
"""Of compiling anything, and of each call of the plans; in long ones, those that are alike are compiled once."""
LARGEST_PRODUCT = 2**26
"""Products with their sums from which on a call is left to BLAS, which is about as fast and needs no compiling."""
THREADS_PAY = 2**22
"""Products with their sums of a call from which on threads share it: a tenth of a millisecond of one. Shorter ones are
over before a second thread has gained a third, and it waits for the next one at full speed: 4 to 18 times the work."""
MEMBERS_PAY = 2**15
"""Products with their sums of an epoch from which on threads train members of an ensemble side by side: they gain a
fifth. Before shorter ones are over, Python, which does one thing at a time, has much more to do than they have."""
MOST_ROWS_BYTES = 2**28
"""Of the training rows of all members that are trained side by side unless somebody wants more."""
_FUNCTIONS = set(operations.SMOOTH) - {operations.SQRT}
_PRODUCTS = (operations.AFFINE, operations.AFFINE_GRADIENT, operations.MATMUL, operations.GROUPED_MATMUL)


SAID, BEGUN = "as training.engine says", "as the run was begun"


@dataclass(frozen=True)
class Choice:
    """An engine, and why.

    Attributes
    ----------
    engine : {"numpy", "compiled", "auto"}
        "auto" before it is decided.
    reason : str
        In words, such as ``as training.engine says`` or ``NumPy would need about 3 s``.
    is_free : bool
        Whether NumPy may be used instead, where a part has no compiled form.
    """

    engine: Engine | Literal["auto"]
    reason: str
    is_free: bool = False

    def facts(self) -> dict[str, str]:
        """Return the choice as plain data."""
        return {"engine": self.engine, "engine_reason": self.reason}


def choose(network: Network, rows: int, epochs: int, begun: Engine | None = None) -> Choice:
    """Return the engine that trains a network on so many rows.

    Parameters
    ----------
    network : Network
    rows, epochs : int
    begun : {"numpy", "compiled"}, optional
        The engine of the checkpoint to resume from.

    Raises
    ------
    SpecError
        If there is no compiled engine though the spec wants it, or the checkpoint is one of it.
    """
    return _chosen(network, lambda: Work.of(network, rows, epochs), begun)


def _chosen(network: Network, work: Callable[[], Work], begun: Engine | None = None) -> Choice:
    wanted = network.spec.training.engine
    if wanted == "numpy":
        return Choice("numpy", SAID)
    reason = missing()
    choice = Choice("compiled", SAID) if wanted == "compiled" else _fastest(work(), reason)
    if begun not in (None, choice.engine):
        choice = Choice(begun, BEGUN)
    if choice.engine == "compiled" and reason:
        raise not_available(network.spec, reason, is_begun=wanted == "auto")
    return choice if begun is None else replace(choice, is_free=False)


def expected_seconds(network: Network, rows: int) -> float:
    """Return about how long a network, or all members of an ensemble, will train on so many training rows.

    It is a fixed estimate of one core, within a factor of two on processors like any other.

    Raises
    ------
    SpecError
        As `choose` does.
    """
    training = network.spec.training
    mine = rows if training.folds is None else round(rows * (1 - 1 / training.folds))
    work = Work.of(network, mine, training.epochs)
    if _chosen(network, lambda: work).engine == "numpy":
        return work.seconds
    return (1 - SAVED_SHARE) * work.seconds + work.compiling_seconds


def about(seconds: float) -> str:
    """Return a time that is an estimate, in words."""
    if seconds < 0.095:
        return "less than 0.1 s"
    return f"about {seconds:.1f} s" if seconds < 9.5 else f"about {duration(round(seconds)).replace('.0 s', ' s')}"


def threads_worth(resolved: Resolved, rows: int) -> int | None:
    """Return how many threads a run on so many rows needs at most: one if none of its steps gains by more, else None.

    It depends on the spec and the number of rows alone, since the number of threads changes the last bits of a result.
    """
    batch = rows if resolved.batch_size == "full" else min(resolved.batch_size, rows)
    largest = max((placed.block.size for placed in Layout(resolved.nodes).blocks), default=0)
    return None if batch * largest >= THREADS_PAY else 1


def members_worth(network: Network, rows: TrainingRows, cores: int | None = None) -> int:
    """Return how many compiled members of an ensemble are worth being trained at once, each on so many rows.

    At most as many as there are cores, by default those that work may have; one if an epoch is over too soon, or if
    each step has threads itself.
    """
    if len(rows) * network.parameter_count < MEMBERS_PAY or threads_worth(network.resolved, len(rows)) is None:
        return 1
    return max(1, min(available_threads() if cores is None else cores, MOST_ROWS_BYTES // rows.X.nbytes))


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
    """Return the choice of ``auto`` before rows are read."""
    return Choice("auto", f"compiled where NumPy would need over {WORTH_SECONDS:g} s, which the rows decide")


def without_compiled(spec: Spec, reason: UnavailableError) -> Choice:
    """Return the choice where the compiled engine would be faster, but lacks a part of the spec."""
    return Choice("numpy", why_not_available(spec, reason))


class Work(NamedTuple):
    """What a run is about, by a fixed estimate.

    Attributes
    ----------
    seconds
        Of NumPy, of all steps.
    compiling_seconds
        Until a step is compiled, unless it is in the cache.
    largest_product
        Products with their sums of the largest call.
    """

    seconds: float
    compiling_seconds: float
    largest_product: int

    @classmethod
    def of(cls, network: Network, rows: int, epochs: int) -> Work:
        """Estimate the training of a network, of all members of an ensemble, on so many rows."""
        spec, wanted = network.spec, network.resolved.batch_size
        batch = rows if wanted == "full" else min(wanted, rows)
        plans = [network.plan("step")]
        if spec.training.optimizer.stepping is not None:
            plans.append(network.blueprint.update.plan)
        lengths = {"batch": batch, "flat": network.layout.trainable_size}

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
                    # Of rows × depth, depth × columns and rows × columns numbers.
                    made = math.isqrt(a * b * size(call) // groups)
                each = FUNCTION_SECONDS if call.operation in _FUNCTIONS else NUMBER_SECONDS
                step += CALL_SECONDS + each * size(call) + PRODUCT_SECONDS * made
                calls, largest = calls + 1, max(largest, made)
                forms.add((call.operation, call.shape, *(plan.calls[n].shape for n in call.arguments)))
        steps = spec.training.members * epochs * math.ceil(rows / batch) if batch else 0
        compiled = min(calls, LONG_PROGRAM + len(forms))
        return cls(step * steps, COMPILING_SECONDS + COMPILING_CALL * compiled, largest)
