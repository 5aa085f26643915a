"""A network as functions of one flat parameter vector: no files, no printing, no global state.

All arrays at this interface have rows first, (rows, features). Arguments are copied, and returned arrays belong to the
caller. A network can be used from several threads: each has its own arrays and bound programs.

`build` makes a network from a spec.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import ArrayLike

from specnet.compiler import Plan, UnavailableError
from specnet.display import Displayed
from specnet.errors import DataError
from specnet.network.bound import (
    BatchProgram,
    Engine,
    LayerOutputs,
    Workspace,
    backend_of,
    check_engine,
    check_writable,
    engine_of,
    not_available,
)
from specnet.network.programs import INPUTS, INVERSE_WEIGHT, ROW_WEIGHT, TARGET, Blueprint
from specnet.network.random import StepNoise, member_keys, stream
from specnet.parts.activations import Activation
from specnet.parts.arrays import Array, as_dtype, check_count, check_domain, check_inputs, check_target, check_weights
from specnet.parts.blame import ask
from specnet.parts.layers import ActivationLayer
from specnet.parts.metrics.base import Task
from specnet.parts.metrics.statistics import weighted_mean
from specnet.parts.part import Part
from specnet.spec import Limits, NetworkSpec, Resolved, Spec, SpecSource, parse_spec, resolve, with_engine
from specnet.spec.resolving.graph import separating_node

if TYPE_CHECKING:
    from specnet.compiler.native.row_calls import FewRows

CHUNK_BYTES = 2**20
"""Approximate memory for the widest layer in a chunk of rows."""
MAX_ROWS_OF_START = 1024
"""Maximum number of training rows, drawn at random, to which initial parameters are fitted."""
ROW_MULTIPLE = 16
"""Chunks are padded to a multiple of this number of rows, to bind few programs. The last bits of a result may depend on
the number of rows in its chunk."""


class Network(Displayed):
    """A network as functions of its flat parameter vector theta and of rows.

    Parameters
    ----------
    resolved : Resolved
        A spec after `resolve`.
    engine : {"numpy", "compiled"}, optional
        The engine that runs the programs: by calls of NumPy, or by compiled functions. Default: "compiled" if the spec
        requests it and there is a C compiler, else "numpy".

    Attributes
    ----------
    resolved : Resolved
    engine : str
    spec : Spec
        The resolved spec.
    nodes : tuple of Node
        The layers in order, with blocks unrolled.
    inputs : int
        Number of inputs: columns after preprocessing.
    outputs : int
        Number of columns that `predict` returns.
    target_size : int
        Number of target values per row for numeric targets; the first outputs are their prediction.
    layout : Layout
        Positions of the parameters in theta.
    dtype : numpy.dtype
        Dtype of theta, gradients and predictions.
    parameter_count : int
        Length of theta.
    blueprint : Blueprint
        The source of the network's programs.
    """

    def __init__(self, resolved: Resolved, engine: Engine | None = None) -> None:
        self.resolved, self.spec, self.nodes = resolved, resolved.spec, resolved.nodes
        self.inputs, self.outputs = resolved.inputs, resolved.outputs
        self._given_engine, self.engine = engine, engine_of(self.spec) if engine is None else engine
        self.dtype = np.dtype(self.spec.network.dtype)
        self.blueprint = Blueprint(resolved, backend_of(self.engine))
        self.layout, self.target_size = self.blueprint.layout, self.blueprint.target_size
        self.parameter_count = self.layout.size
        rows = CHUNK_BYTES // (self.blueprint.widest() * self.dtype.itemsize)
        self._chunk = 2 ** min(12, max(8, rows.bit_length() - 1))
        self._column_nodes = tuple(node for node in self.nodes if node.layer.reads_columns)
        self._few_rows: FewRows = _no_rows if self.engine == "numpy" else self._compiled_rows
        self._plans: dict[str, Plan] = {}
        self._lock = threading.Lock()
        self._local = threading.local()
        self._by_other_engine: Network | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.resolved, self._given_engine)

    def run_by(self, engine: Engine) -> Network:
        """Return this network for an engine: itself, or a second network that is made on the first call."""
        if engine == self.engine:
            return self
        with self._lock:
            if self._by_other_engine is None:
                self._by_other_engine = Network(self.resolved, engine)
            return self._by_other_engine

    @cached_property
    def output_network(self) -> Network:
        """A network without parameters, in float64, whose inputs are the raw outputs that this network's loss reads.

        It applies the network's loss to any outputs, such as the averaged outputs of an ensemble.
        """
        spec, loss = self.spec, self.spec.training.loss
        name = "linear" if loss.accepted_activations is None else loss.output_activation
        activation = spec.registry.find(Activation.kind, name)
        assert activation is not None, "a loss names an activation that exists"
        layer = ActivationLayer(activation=cast(Activation, activation.model_validate({"type": name})))
        last = NetworkSpec(
            dtype="float64",
            input_size=self.outputs,
            output_size=self.outputs,
            target_preprocessing=spec.network.target_preprocessing,
            layers=(layer,),
        )
        measuring = spec.model_copy(update={"network": last, "data": None}).with_training(calibration=None)
        return Network(resolve(measuring))

    @property
    def task(self) -> Task:
        """The task: binary or multiclass classification, several binary outputs, or regression."""
        target = self.spec.training.loss.target
        return "multilabel" if target == "binary" and self.outputs > 1 else target

    @property
    def is_monotone(self) -> bool:
        """Whether predictions never fall if some of the columns move in their directions."""
        return bool(self.spec.network.monotone)

    @property
    def class_count(self) -> int | None:
        """The number of classes; None if the network is not a classifier."""
        return {"binary": 2, "classes": self.outputs}.get(self.task)

    def initial_parameters(
        self, member: int | None = None, rows: Array | None = None, state: Mapping[str, Array] | None = None
    ) -> Array:
        """Return initial parameters (parameter_count,), drawn with the seed of the spec.

        Parameters
        ----------
        member : int, optional
            Number of the ensemble member.
        rows : (rows, inputs), optional
            Preprocessed training rows, for initializers that depend on them; without rows, these only draw.
        state : mapping, optional
            As for `predict`.
        """
        seed, keys = self.spec.seed, member_keys(member)
        if self.spec.random_generator == "legacy":
            return self.layout.drawn(np.random.RandomState([seed, *keys] if keys else seed)).astype(self.dtype)
        generator = stream(seed, "initial weights", *keys)
        theta = self.layout.drawn(generator).astype(self.dtype)
        if rows is not None and len(rows) and self.begins_with_rows:
            if len(rows) > MAX_ROWS_OF_START:
                rows = rows[np.sort(generator.choice(len(rows), MAX_ROWS_OF_START, replace=False))]
            self._fit_start(theta, generator, rows, state)
        return theta

    @property
    def begins_with_rows(self) -> bool:
        """Whether the initial parameters depend on training rows."""
        return any(tensor.initializer.reads_outputs for _, tensor, _ in self.layout.tensors())

    def _fit_start(
        self, theta: Array, generator: np.random.Generator, rows: Array, state: Mapping[str, Array] | None
    ) -> None:
        """Fit drawn parameters in place to rows, layer after layer, and the weights of a layer before its biases.

        The outputs are always NumPy's, so that both engines begin with the same parameters.
        """
        network = self.run_by("numpy")
        for _, tensor, placed in self.layout.tensors():
            if tensor.initializer.reads_outputs:
                outputs = network.layer_outputs(theta, rows, state)[placed.key].raw.astype(np.float64)
                view = tensor.view(placed.view(theta))
                drawn = view.astype(np.float64)
                view[...] = ask(tensor.initializer, tensor.initializer.fit, generator, drawn, outputs)

    def initial_state(self) -> dict[str, Array]:
        """Return initial layer states by name, such as running averages; empty for most networks."""
        return self.layout.initial_state(self.dtype)

    def fitted_state(self, X: Array, target: Array, weight: Array | None = None) -> dict[str, Array]:
        """Return initial layer states for training, such as bins of columns, fitted to training rows.

        Parameters
        ----------
        X : (rows, inputs)
        target : (rows,) or (rows, outputs)
            Class indices, or prepared numbers.
        weight : (rows,), optional
        """
        state = self.initial_state()
        for node in self._column_nodes:
            columns = self.resolved.columns_read(node, X)
            for name, array in node.layer.fitted_states(columns, target, weight).items():
                state[f"{node.key}.{name}"][...] = array
        return state

    def check_inputs(self, X: ArrayLike, name: str = "X") -> Array:
        """Return checked preprocessed rows X (rows, inputs) in the network's dtype; errors call them `name`.

        Raises
        ------
        DataError
            If they are not finite numbers of this shape, or a column has an invalid category.
        """
        return self.read_inputs(check_inputs(X, self.inputs, name), name)

    def read_inputs(self, X: Array, name: str = "X", first_row: int = 0) -> Array:
        """Return finite rows X (rows, inputs) in the network's dtype after checking that its layers can read them.

        Errors call the rows `name`, and count them from `first_row`.

        Raises
        ------
        DataError
            If a number exceeds the range of the dtype, or a column has an invalid category.
        """
        for node in self._column_nodes:
            node.layer.check_columns(X, name, first_row)
        return as_dtype(X, self.dtype, name, first_row)

    def parameters(self, theta: Array) -> dict[str, Array]:
        """Return views of theta by name: a weight is (outputs, inputs), a bias (outputs,).

        Also works for other vectors in the layout of theta, such as a gradient.
        """
        if not isinstance(theta, np.ndarray) or theta.shape != (self.parameter_count,):
            raise DataError(f"theta has shape {np.shape(theta)}; expected ({self.parameter_count},)")
        return self.layout.views(theta)

    def predict(self, theta: ArrayLike, X: ArrayLike, state: Mapping[str, Array] | None = None) -> Array:
        """Return the activated outputs for preprocessed rows, (rows, outputs).

        Parameters
        ----------
        theta : (parameter_count,)
        X : (rows, inputs)
        state : mapping, optional
            Layer states after training; default: the initial ones.
        """
        if state is None and type(X) is np.ndarray and type(theta) is np.ndarray:
            answer = self._few_rows(theta, X)
            if answer is not None:
                return answer
        return self.predict_checked(theta, self.check_inputs(X), state)

    def _compiled_rows(self, theta: Array, X: Array) -> Array | None:
        """Compile a fast function for few rows if the network supports it, use it from now on, and call it."""
        from specnet.compiler.native.row_calls import few_rows

        starts = {f"theta.{placed.name}": placed.start for placed in self.layout.blocks}
        try:
            made = None
            if not self._column_nodes:
                made = few_rows(self.plan("predict"), self.dtype, starts, self.parameter_count)
        except UnavailableError as error:
            raise not_available(self.spec, error) from error
        self._few_rows = made or _no_rows
        return self._few_rows(theta, X)

    def predict_checked(
        self, theta: ArrayLike, X: Array, state: Mapping[str, Array] | None = None, *, raw: bool = False
    ) -> Array:
        """Return the result of `predict`, or of `raw_outputs` if `raw`. Arguments are those of both; X is checked."""
        if self._in_float64 is not None:
            parameters = np.asarray(theta, np.float64)
            found = self._in_float64.predict_checked(parameters, X.astype(np.float64), state, raw=raw)
            return found.astype(self.dtype)
        return self._for_all_rows("raw outputs" if raw else "predict", theta, X, state, self.outputs)

    @cached_property
    def _in_float64(self) -> Network | None:
        """A network that predicts for this one, or None: NumPy's float32 sums, with monotone columns, would fall.

        A row's sums depend on its position in a float32 matrix product. Those of float64 are rounded to float32, which
        hides their last bits.
        """
        needed = self.is_monotone and self.engine == "numpy" and self.dtype == np.float32
        return Network(self.resolved.with_dtype("float64"), "numpy") if needed else None

    def raw_outputs(self, theta: ArrayLike, X: ArrayLike, state: Mapping[str, Array] | None = None) -> Array:
        """Return the outputs that the loss reads, such as logits, (rows, outputs). Arguments are those of `predict`."""
        return self.predict_checked(theta, self.check_inputs(X), state, raw=True)

    def trained_outputs(self, theta: ArrayLike, X: Array, state: Mapping[str, Array] | None = None) -> Array:
        """Return the outputs whose losses training minimizes, as the loss reads them: (networks, rows, outputs).

        These are the inputs of a last layer that averages networks, otherwise the only output. Arguments are those of
        `predict`; X is checked already.
        """
        count = 1 if (number := separating_node(self.nodes)) is None else len(self.nodes[number].inputs)
        outputs = self._for_all_rows("trained outputs", theta, X, state, count * self.outputs)
        return outputs.reshape(len(X), count, self.outputs).swapaxes(0, 1)

    def loss(
        self,
        theta: ArrayLike,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        state: Mapping[str, Array] | None = None,
        *,
        data_only: bool = False,
    ) -> float:
        """Return the mean loss of rows, in evaluation mode.

        Parameters
        ----------
        theta : (parameter_count,)
        X : (rows, inputs)
        y : (rows,) or (rows, outputs)
            Class indices, one-hot rows, 0 and 1, or numbers, depending on the loss.
        sample_weight : (rows,), optional
            Weights of the rows in the mean.
        state : mapping, optional
            As for `predict`.
        data_only : bool
            Leave out regularization: penalties and label smoothing.
        """
        losses = self.row_losses(theta, self.check_inputs(X), y, state, data_only)
        mean = weighted_mean(losses, check_weights(sample_weight, len(losses)))
        if data_only:
            return mean
        return mean + self.layout.penalty(np.asarray(theta), self.spec.training.l1, self.spec.training.l2)

    def row_losses(
        self,
        theta: ArrayLike,
        X: Array,
        y: ArrayLike,
        state: Mapping[str, Array] | None = None,
        data_only: bool = False,
    ) -> Array:
        """Return each row's loss, float64 (rows,). Arguments are those of `loss`; X is checked already."""
        return self.row_losses_checked(theta, X, self.read_target(y, len(X)), state, data_only)

    def row_losses_checked(
        self, theta: ArrayLike, X: Array, target: Array, state: Mapping[str, Array] | None, data_only: bool
    ) -> Array:
        """Return each row's loss. Arguments are those of `row_losses`; the target is the result of `read_target`."""
        name = "row losses, data only" if data_only else "row losses"
        return self._for_all_rows(name, theta, X, state, 1, target)[:, 0].astype(np.float64)

    def loss_and_gradient(
        self,
        theta: ArrayLike,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        state: Mapping[str, Array] | None = None,
        training: bool = False,
        step: int = 0,
    ) -> tuple[float, Array]:
        """Return the mean loss of rows and its gradient in theta's layout.

        Parameters
        ----------
        theta, X, y, sample_weight
            As for `loss`.
        state : mapping, optional
            As for `predict`; with `training`, its arrays are updated in place.
        training : bool
            Compute in training mode: dropout masks are drawn from the seed of the spec and the number of the step.
        step : int
            Number of the step, from 0.
        """
        check_count(step, "step")
        if training:
            check_writable(state or {})
        name = "gradient, training" if training else "gradient"
        workspace, program = self._run(name, theta, X, y, sample_weight, state, step)
        for name, array in (state or {}).items() if training else ():
            array[...] = workspace.state[name]
        return float(program.outputs[0]), workspace.gradient.copy()

    def input_gradient(
        self,
        theta: ArrayLike,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        state: Mapping[str, Array] | None = None,
    ) -> Array:
        """Return the gradient of the mean loss with respect to X, (rows, inputs). Arguments are those of `loss`."""
        _, program = self._run("input gradient", theta, X, y, sample_weight, state)
        return program.outputs[0].T.copy()

    def jacobian(self, theta: ArrayLike, X: ArrayLike, state: Mapping[str, Array] | None = None) -> Array:
        """Return the derivatives of `predict` with respect to preprocessed rows, (rows, outputs, inputs).

        At a kink, such as that of relu at 0, a derivative is one-sided, as in training. Columns that the network
        reads as categories have the derivative 0. Arguments are those of `predict`.
        """
        X = self.check_inputs(X)
        seeds = np.tile(np.eye(self.outputs, dtype=self.dtype), (1, len(X)))  # one reverse pass for each output
        found = self._for_all_rows("jacobian", theta, np.repeat(X, self.outputs, axis=0), state, self.inputs, seeds)
        return found.reshape(len(X), self.outputs, self.inputs)

    def layer_outputs(
        self, theta: ArrayLike, X: ArrayLike, state: Mapping[str, Array] | None = None
    ) -> dict[str, LayerOutputs]:
        """Return the outputs of each layer for preprocessed rows, by the name of the layer.

        Arguments are those of `predict`. Names are ``layers.0``, ``layers.head`` for a layer with a name, and
        ``layers.3.0.1`` in a block: the indices of the block, the repetition and the layer.
        """
        X = self.check_inputs(X)
        program = self._workspace(theta, state).program("layer outputs", len(X))
        program.inputs[INPUTS][...] = X.T
        with np.errstate(all="ignore"):
            program.run()
        made = [output.T.copy() for output in program.outputs]
        pairs = zip(self.nodes, made[::2], made[1::2], strict=True)
        return {node.key: LayerOutputs(raw, activated) for node, raw, activated in pairs}

    def plan(self, name: str) -> Plan:
        """Return a program of the network by its name, compiled on the first call."""
        with self._lock:
            if name not in self._plans:
                self._plans[name] = self.blueprint.plan(name)
            return self._plans[name]

    def _workspace(self, theta: ArrayLike, state: Mapping[str, Array] | None) -> Workspace:
        """Return the workspace of this thread, with these parameters and layer states copied in."""
        workspace: Workspace | None = getattr(self._local, "workspace", None)
        if workspace is None:
            workspace = self._local.workspace = Workspace(self.blueprint, self.plan)
        workspace.set_theta(theta)
        workspace.set_state(state)
        return workspace

    def read_target(self, y: ArrayLike, rows: int) -> Array:
        """Return checked targets y for programs: class indices (1, rows) or numbers (outputs, rows).

        Raises
        ------
        DataError
            If the loss is not defined for these targets.
        """
        loss = self.spec.training.loss
        target = check_target(y, loss.target, rows, self.outputs if loss.target == "classes" else self.target_size)
        check_domain(target.T, loss.domain)
        return target if loss.target == "classes" else as_dtype(target.T, self.dtype, "y").T

    def _run(
        self,
        name: str,
        theta: ArrayLike,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None,
        state: Mapping[str, Array] | None,
        step: int = 0,
    ) -> tuple[Workspace, BatchProgram]:
        """Run a program with gradients; return the workspace of this thread and the bound program."""
        X = self.check_inputs(X)
        rows = len(X)
        weights = check_weights(sample_weight, rows)
        workspace = self._workspace(theta, state)
        program = workspace.program(name + ", weighted" * (weights is not None), rows)
        program.inputs[INPUTS][...] = X.T
        program.inputs[TARGET][...] = self.read_target(y, rows)
        program.inputs[INVERSE_WEIGHT][...] = 1 / (rows if weights is None else weights.sum())
        if weights is not None:
            program.inputs[ROW_WEIGHT][...] = weights
        if program.noise:
            StepNoise(self.spec.seed).fill(program.noise, step)
        with np.errstate(all="ignore"):
            program.run()
        return workspace, program

    def _for_all_rows(
        self,
        name: str,
        theta: ArrayLike,
        X: Array,
        state: Mapping[str, Array] | None,
        features: int,
        target: Array | None = None,
    ) -> Array:
        """Run a program without gradients over rows in chunks, and return its output (rows, features)."""
        workspace, rows = self._workspace(theta, state), len(X)
        result = np.empty((rows, features), self.dtype)
        with np.errstate(all="ignore"):
            for start in range(0, rows, self._chunk):
                stop = min(start + self._chunk, rows)
                program = workspace.program(name, -(-(stop - start) // ROW_MULTIPLE) * ROW_MULTIPLE)
                # Padding rows have values of earlier calls, which change no result: no row depends on another.
                x, target_rows, output = program.first_rows(stop - start)
                x[...] = X[start:stop]
                if target_rows is not None and target is not None:
                    target_rows[...] = target[:, start:stop].T
                program.run()
                result[start:stop] = output
        return result


def _no_rows(theta: Array, X: Array) -> Array | None:
    """Return None for any rows: the network has no faster function for few rows."""
    return None


def build(
    spec: SpecSource | Spec,
    inputs: int | None = None,
    outputs: int | None = None,
    *,
    parts: Iterable[type[Part]] = (),
    overrides: Iterable[str] = (),
    limits: Limits | None = None,
    engine: str | None = None,
) -> Network:
    """Return the network that a spec describes.

    Parameters
    ----------
    spec : path, text with a line break, mapping or Spec
    inputs, outputs : int, optional
        Numbers of columns and of outputs, if neither the spec nor its data part specifies them.
    parts, overrides, limits : optional
        As for `parse_spec`.
    engine : {"auto", "numpy", "compiled"}, optional
        Overrides ``training.engine``; only "compiled" gives a compiled network.

    Raises
    ------
    SpecError
        If the spec has mistakes; the error lists all of them.
    """
    for name, size in (("inputs", inputs), ("outputs", outputs)):
        if size is not None:
            check_count(size, name, at_least=1)
    parsed = parse_spec(spec, parts=parts, overrides=with_engine(overrides, engine), limits=limits)
    check_engine(parsed)
    return Network(resolve(parsed, inputs=inputs, outputs=outputs))
