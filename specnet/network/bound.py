"""The arrays of a network for one thread, the programs bound to them, and the backend of each engine."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from specnet.compiler import BATCH, NUMPY, Backend, BoundPlan, MissingRuleError, Plan, UnavailableError
from specnet.errors import DataError, SpecError
from specnet.network.programs import INPUTS, INVERSE_ROWS, NOISE, SCHEDULE, TARGET, Blueprint
from specnet.parts.arrays import Array
from specnet.parts.blame import foreign_parts
from specnet.spec import Spec

Engine = Literal["numpy", "compiled"]
NOT_AVAILABLE = "the compiled engine is not available"


def engine_of(spec: Spec) -> Engine:
    """Return the default engine of a network: compiled if the spec requests it and it is available, else NumPy.

    A spec may come from another machine. For training, `specnet.training.steps.engine_choice` chooses an engine.
    """
    if spec.training.engine != "compiled":
        return "numpy"
    from specnet.compiler.native.toolchain.libraries import unusable

    return "numpy" if unusable() else "compiled"


def backend_of(engine: Engine) -> Backend:
    """Return the backend of an engine."""
    if engine == "numpy":
        return NUMPY
    from specnet.compiler.native.binding import NATIVE

    return NATIVE


def check_engine(spec: Spec) -> None:
    """Check that the engine that a spec requests is available.

    Raises
    ------
    SpecError
        If the spec requests the compiled engine and it is not available.
    """
    if spec.training.engine == "compiled":
        from specnet.compiler.native.toolchain.libraries import unusable

        if reason := unusable():
            raise not_available(spec, reason)


def not_available(spec: Spec, reason: UnavailableError, *, is_begun: bool = False) -> SpecError:
    """Return the error for a compiled engine that is not available.

    Parameters
    ----------
    spec : Spec
    reason : UnavailableError
    is_begun : bool
        Whether the engine is needed to resume a run, not because the spec requests it.
    """
    from specnet.compiler.native.toolchain.compilers import NoCompilerError

    code, hint = "no-compiled-form", "start the run anew with --force" if is_begun else 'set training.engine to "numpy"'
    if isinstance(reason, NoCompilerError):
        code, hint = "no-compiler", f"install a C compiler, such as gcc or clang, or {hint}"
    elif not isinstance(reason, MissingRuleError):
        code, hint = "compiler-failed", f"name another compiler in the environment variable CC, or {hint}"
    return spec.error(code, why_not_available(spec, reason), ("training", "engine"), hint=hint)


def why_not_available(spec: Spec, reason: UnavailableError) -> str:
    """Return a text on why the compiled engine is not available, with the names of parts that may be the cause.

    These are custom parts only: all operations of built-in parts have a form in C.
    """
    found = foreign_parts((spec.network, spec.training)) if isinstance(reason, MissingRuleError) else ()
    named = dict.fromkeys(f"{part.kind} {part.part_name()}" for part in found)
    return f"{NOT_AVAILABLE}{' with ' * bool(named)}{' and '.join(named)}: {reason}"


MAX_BOUND_PROGRAMS = 16
"""Maximum number of bound programs in the cache of a thread; the least recently used one is dropped."""


class LayerOutputs(NamedTuple):
    """Outputs of a layer before and after its activation, both (rows, features)."""

    raw: Array
    activated: Array


class BatchProgram:
    """A program bound to arrays for a number of rows.

    Attributes
    ----------
    inputs : dict
        Arrays to fill, by name; features first.
    outputs : list of array
        Results of the program.
    noise : dict
        Inputs that are random numbers, by name.
    run : callable
        Computes the outputs from the inputs.
    """

    def __init__(self, bound: BoundPlan, rows: int) -> None:
        self.inputs, self.outputs = bound.inputs, bound.outputs
        for name, array in self.inputs.items():
            array[...] = name.startswith(SCHEDULE)  # outside of a run, layers have their settings as they are
        if INVERSE_ROWS in self.inputs:
            self.inputs[INVERSE_ROWS][...] = 1 / rows
        self.noise = {name: array for name, array in bound.inputs.items() if name.startswith(NOISE)}
        self.run = bound.run
        self._views: dict[int, tuple[Array, Array | None, Array]] = {}

    def first_rows(self, count: int) -> tuple[Array, Array | None, Array]:
        """Return views of the first rows of input, target and output, (rows, features); None for a missing target."""
        views = self._views.get(count)
        if views is None:
            target = self.inputs.get(TARGET)
            x, output = self.inputs[INPUTS], self.outputs[0]
            views = x.T[:count], None if target is None else target.T[:count], output.T[:count]
            self._views[count] = views
        return views


class Workspace:
    """Parameters, gradient, layer states and bound programs of a network for one thread.

    Parameters
    ----------
    blueprint : Blueprint
    plan : callable
        Takes the name of a program; returns its plan.
    """

    def __init__(self, blueprint: Blueprint, plan: Callable[[str], Plan]) -> None:
        layout, self._spec, self._dtype = blueprint.layout, blueprint.spec, np.dtype(blueprint.spec.network.dtype)
        self.theta = np.zeros(layout.size, self._dtype)
        self.gradient = np.zeros(layout.size, self._dtype)
        self.state = layout.initial_state(self._dtype)
        self._arrays = layout.arrays(self.theta, "theta") | layout.arrays(self.gradient, "gradient")
        self._arrays |= layout.state_arrays(self.state)
        self._initial_state = {name: array.copy() for name, array in self.state.items()}
        self._plan, self._bind = plan, blueprint.backend.bind
        self._programs: OrderedDict[tuple[str, int], BatchProgram] = OrderedDict()

    def program(self, name: str, rows: int) -> BatchProgram:
        """Return a program bound to a number of rows."""
        key = (name, rows)
        program = self._programs.get(key)
        if program is None:
            try:
                bound = self._bind(self._plan(name), self._dtype, {BATCH: rows}, self._arrays)
            except UnavailableError as error:
                raise not_available(self._spec, error) from error
            program = self._programs[key] = BatchProgram(bound, rows)
            if len(self._programs) > MAX_BOUND_PROGRAMS:
                self._programs.popitem(last=False)
        else:
            self._programs.move_to_end(key)
        return program

    def set_theta(self, theta: ArrayLike) -> None:
        """Copy the given parameters into this workspace.

        Raises
        ------
        DataError
            If they are not an array of numbers of the same shape.
        """
        try:
            array = np.asarray(theta)
        except ValueError as error:
            raise DataError(f"theta must be an array of numbers: {error}") from None
        if array.shape != self.theta.shape or array.dtype.kind not in "fiu":
            expected = f"expected floats of shape {self.theta.shape}"
            raise DataError(f"theta is {array.dtype} of shape {array.shape}; {expected}")
        self.theta[:] = array

    def set_state(self, state: Mapping[str, Array] | None) -> None:
        """Copy the given layer states into this workspace; if None, the initial ones.

        Raises
        ------
        DataError
            If names or shapes differ from those of the network.
        """
        if not self.state and (state is None or state == {}):
            return
        given = self._initial_state if state is None else state
        if not isinstance(given, Mapping):
            raise DataError(f"state must be a mapping from names to arrays, got {type(given).__name__}")
        if given.keys() != self.state.keys():
            raise DataError(f"state has {_listed(given)}; expected {_listed(self.state)}")
        for name, array in self.state.items():
            if np.shape(given[name]) != array.shape:
                raise DataError(f'state "{name}" has shape {np.shape(given[name])}; expected {array.shape}')
            array[...] = given[name]


def check_writable(state: Mapping[str, Array]) -> None:
    """Check that layer states can be updated in place.

    Raises
    ------
    DataError
        If one of them is not a writable array of floats.
    """
    for name, array in state.items():
        if not (isinstance(array, np.ndarray) and array.dtype.kind == "f" and array.flags.writeable):
            raise DataError(f'state "{name}" must be a writable array of floats for training')


def _listed(state: Mapping[str, Array]) -> str:
    return ", ".join(sorted(state)) or "nothing"
