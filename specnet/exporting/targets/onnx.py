"""Export to an ONNX graph of opset 20 that uses few, common operators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from specnet.compiler import Expansions, Operation, exp, log, operations
from specnet.compiler.value import ADD, CAST, DIVIDE, EXPAND, MULTIPLY, NEGATIVE, SUBTRACT, SUM
from specnet.data import RawColumns
from specnet.errors import ExportError, UnsupportedError
from specnet.exporting.export_columns import RawColumn
from specnet.exporting.export_plan import GROUPED, LINEAR, LOOKUP, Constants, NetworkPlan, Operand, Stage, Step
from specnet.exporting.expression_text import TEXT_EXPANSIONS
from specnet.exporting.model_facts import FACTS, graph_facts, written
from specnet.exporting.model_program import ExportInterval, Program
from specnet.exporting.onnx_inputs import (
    GRAMS,
    INPUT,
    NUMBERS_INPUT,
    TEXTS_INPUT,
    fed,
    inputs_of,
    token_facts,
    token_inputs,
)
from specnet.exporting.onnx_nodes import OnnxNodes
from specnet.exporting.target import CannotRunError, ExportAnswers, Target, required
from specnet.exporting.text_tables import TokenVectors, text_tables
from specnet.model import Model
from specnet.parts.arrays import FLOAT64, Array
from specnet.version import __version__

LEARNING, LEARNING_OPSET = "ai.onnx.ml", 4
"""The domain of LabelEncoder, and the version of this domain that matches the opset."""
OPSET = 20
IR_VERSION = 9
"""The version of the format that matches the opset, so that older runtimes can read the file."""
FLOAT32_ONLY = frozenset(
    {"Celu", "Elu", "Erf", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu", "Mish", "PRelu", "Selu", "Softplus"}
    | {"Shrink", "Softsign", "ThresholdedRelu"}
)
"""Operators that onnxruntime computes only in float32. Shrink accepts float64, but rounds to float32."""

ENDS = ("lower", "upper")
"""The names of the outputs for the ends of intervals."""
GRADIENT = "gradient"
"""The name of the output for derivatives."""
OPERATORS: Mapping[Operation, str] = {
    ADD: "Add",
    SUBTRACT: "Sub",
    MULTIPLY: "Mul",
    DIVIDE: "Div",
    NEGATIVE: "Neg",
    operations.EXP: "Exp",
    operations.LOG: "Log",
    operations.SQRT: "Sqrt",
    operations.SIN: "Sin",
    operations.COS: "Cos",
    operations.TANH: "Tanh",
    operations.ERF: "Erf",
    operations.SIGMOID: "Sigmoid",
    operations.SOFTPLUS: "Softplus",
    operations.ABSOLUTE: "Abs",
    operations.SIGN: "Sign",
    operations.FLOOR: "Floor",
    operations.MAXIMUM: "Max",
    operations.MINIMUM: "Min",
    operations.GREATER: "Greater",
    operations.EQUAL: "Equal",
    operations.WHERE: "Where",
}
_WORDS = {False: "none", True: "tanh"}
"""The attribute values of Gelu for its exact and its approximate form."""
_REDUCTIONS = {SUM: "ReduceSum", operations.MAX: "ReduceMax"}


_EXPANSIONS: Expansions = {operations.EXPM1: lambda x: exp(x) - 1, operations.LOG1P: lambda x: log(1 + x)}
_EXPANSIONS_IN_DOUBLE: Expansions = {**_EXPANSIONS, operations.SOFTPLUS: TEXT_EXPANSIONS[operations.SOFTPLUS]}


class OnnxTarget(Target):
    title = "ONNX"
    suffix = ".onnx"
    writes_float32 = True
    gives_intervals = True
    gives_derivatives = True
    takes_teams = True
    takes_words = True

    def program(self, model: Model, dtype: np.dtype[Any]) -> Program:
        """Return the program of a model in `dtype`, or in float32 if onnxruntime lacks an operator in float64."""
        required("onnx", "onnx")
        if dtype == np.float64:
            program = Program(model, dtype, _EXPANSIONS_IN_DOUBLE, takes_words=True)
            missing = FLOAT32_ONLY.intersection(OPERATORS.get(operation, "") for operation in program.operations)
            if not missing:
                return program
            note = f"float32, since onnxruntime has no float64 {' and '.join(sorted(missing))}"
            return Program(model, np.dtype(np.float32), _EXPANSIONS, note, takes_words=True)
        return Program(model, dtype, _EXPANSIONS, takes_words=True)

    def with_derivatives(self, program: Program) -> Program:
        program = program.with_derivatives(_EXPANSIONS_IN_DOUBLE, shares_float32=False)
        steps = [step for each in program.networks if each.gradient for step in each.gradient.steps]
        missing = FLOAT32_ONLY.intersection(OPERATORS.get(step.operation, "") for step in steps)
        if missing:
            message = f"derivatives need {' and '.join(sorted(missing))} in float64, which onnxruntime lacks"
            raise UnsupportedError(message, hint="choose from c, javascript, numpy, torch")
        return program

    def render(self, program: Program, path: Path) -> dict[Path, bytes]:
        onnx = required("onnx", "onnx")
        model = _Graph(program).model()
        onnx.checker.check_model(model, full_check=True)
        content: bytes = model.SerializeToString()
        return {path: content}

    def run(self, program: Program, path: Path, rows: RawColumns) -> ExportAnswers:
        try:
            session = session_of(path.read_bytes())
            arrays = session.run(None, fed(program.columns, program.column_dtype, rows))
        except CannotRunError:
            raise
        except Exception as error:  # its errors have no common base class
            raise ExportError(f"onnxruntime rejects the file: {error}") from error
        found = dict(zip((output.name for output in session.get_outputs()), arrays, strict=True))
        outputs = next(array for name, array in found.items() if name != "label")
        if program.task == "binary" and program.model.gives_probabilities:
            outputs = outputs[:, 1:]
        labels = found.get("label")
        if labels is not None and labels.dtype == object:
            labels = labels.astype(np.str_)
        ends = np.stack([found[end] for end in ENDS], axis=2) if program.interval else None
        return ExportAnswers(outputs, labels, ends, found.get(GRADIENT))


TARGET = OnnxTarget()


def session_of(source: str | bytes) -> Any:
    """Return an onnxruntime session for a file, given by path or content; onnxruntime's own errors are not caught.

    Raises
    ------
    CannotRunError
        If onnxruntime is not installed.
    """
    try:
        runtime = import_module("onnxruntime")
    except ImportError:
        raise CannotRunError("onnxruntime is not installed") from None
    options = runtime.SessionOptions()
    options.log_severity_level = 4  # errors come as exceptions
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # more threads take longer to start, and busy-wait
    return runtime.InferenceSession(source, options, providers=["CPUExecutionProvider"], enable_fallback=0)


def written_graph(model: Model, interval: float | None, *, derivatives: bool) -> Any:
    """Return the graph of a model in the model's precision, with intervals of the given level unless it is None."""
    program = TARGET.program(model, model.network.dtype).with_interval(interval)
    return _Graph(TARGET.with_derivatives(program) if derivatives else program).model().graph


def _operator(stage: Stage, dtype: np.dtype[Any]) -> tuple[str, dict[str, Any]] | None:
    """Return the ONNX operator of a stage's part and its attributes, or None if the steps become nodes instead.

    Attributes are stored in float32, which cannot represent all numbers of a float64 network exactly.
    """
    if stage.part.onnx is None or (stage.activation is not None and stage.activation.parametric):
        return None
    name, fields = stage.part.onnx
    found = {attribute: getattr(stage.part, field) for attribute, field in fields.items()}
    exact = all(float(np.float32(value)) == value for value in found.values())
    if dtype == np.float64 and (name in FLOAT32_ONLY or not exact):
        return None
    return name, {key: _WORDS[value] if isinstance(value, bool) else value for key, value in found.items()}


class _Graph(OnnxNodes):
    """The nodes and constants of a program."""

    def __init__(self, program: Program) -> None:
        self.program, self.tokens = program, token_inputs(program.columns)
        names = {INPUT, NUMBERS_INPUT, TEXTS_INPUT, "label", "value", "probabilities", "scores", GRADIENT, *ENDS}
        super().__init__(names | {given.name for given in self.tokens})
        self._prefix, self._index = "", 0  # prefix of the names of a member's tensors, and the member's index

    def model(self) -> Any:
        """Return the complete ONNX model."""
        program, helper = self.program, self.helper
        columns, given = self._columns()
        outputs = self._answers(self.outputs(columns, given))
        if program.has_derivatives:
            outputs.append(self._gradient(columns, given))
        inputs = [
            helper.make_tensor_value_info(name, self.type_of(dtype), ["N", len(indices)], words)
            for name, dtype, indices, words in inputs_of(program.columns, program.column_dtype)
        ]
        int64 = self.type_of(np.dtype(np.int64))
        inputs += [
            helper.make_tensor_value_info(given.name, int64, ["N", f"{given.name}.count"], given.meaning)
            for given in self.tokens
        ]
        graph = helper.make_graph(
            self.nodes, program.name, inputs, outputs, list(self.initializers.values()), f"from {program.summary}"
        )
        opsets = {"": OPSET} | ({LEARNING: LEARNING_OPSET} if program.texts else {})
        imports = [helper.make_opsetid(domain, version) for domain, version in opsets.items()]
        model = helper.make_model(graph, opset_imports=imports, ir_version=IR_VERSION)
        model.producer_name, model.producer_version = "specnet", __version__
        model.doc_string = ". ".join(filter(None, (program.note, program.promise)))
        facts = {"spec_sha256": program.model.spec.sha256, FACTS: written(graph_facts(program, self.arrays))}
        helper.set_model_props(model, facts | token_facts(self.tokens))
        return model

    def _columns(self) -> tuple[str, np.dtype[Any]]:
        """Add the nodes that combine the graph's inputs into one tensor of numbers; return its name and data type."""
        program = self.program
        if not program.texts and not program.words:
            return INPUT, program.column_dtype
        vectors = self._vectors()
        self.title = "codes of texts" if program.texts else ""
        count = program.inputs - len(program.texts) - len(program.words)
        found, numbers, texts = list[str](), 0, 0
        for (is_text, has_words), indices in groupby(range(program.inputs), self._kind):
            run = list(indices)
            if has_words:
                found += [name for index in run for name in vectors.get(index, [])]
            elif is_text:
                columns = [program.columns[index] for index in run]
                found += [self._code(column, texts + index, len(program.texts)) for index, column in enumerate(columns)]
                texts += len(run)
            else:
                numbers += len(run)
                found.append(self.part(NUMBERS_INPUT, numbers - len(run), numbers, count))
        return self.node("Concat", found, "columns", axis=1) if len(found) > 1 else found[0], FLOAT64

    def _kind(self, index: int) -> tuple[bool, bool]:
        column = self.program.columns[index]
        return column.is_text, column.has_words

    def _vectors(self) -> dict[int, list[str]]:
        """Add the nodes from tokens to the vectors of texts; return the names of those of all networks by column."""
        found: dict[int, list[str]] = {}
        for network in self.program.networks:
            for number, group in enumerate(network.trained.preprocessing.groups):
                key = f"{network.prefix}preprocessing.{number}.0"
                arrays = _StepArrays(self, key, group.fitted[0] if group.fitted else {})
                for index, table in text_tables(group, group.indices or ()):
                    self.title = f"{key}: vectors of {self.program.named([index])}"
                    if table.size:
                        found.setdefault(index, []).append(self._vector(index, table, arrays))
                    else:
                        arrays.skip("idf", len(table.vectors))
        return found

    def _vector(self, index: int, table: TokenVectors, arrays: _StepArrays) -> str:
        """Add the nodes from a column's tokens to its vectors by a table, and return the result's name."""
        tokens = next(given.name for given in self.tokens if given.has_tokens_of(index, table))
        codes = [table.hashes[0], *(GRAMS + hashes for hashes in table.hashes[1:])]
        parts = [self._sum_of_vectors(tokens, each.tolist(), table.size, arrays) for each in codes if len(each)]
        if not parts:  # no token is known
            parts = [self.expanded(self.initializer("0.float64", np.array(0.0)), tokens, table.size, arrays.key)]
        total = self.node("Sum", parts, f"{arrays.key}.sum")
        return self.node("Sub", [total, arrays.taken("means", table.size)], f"{arrays.key}.centered")

    def _sum_of_vectors(self, tokens: str, codes: list[int], size: int, arrays: _StepArrays) -> str:
        """Add the nodes for the sum of weight times vector of known tokens, divided by the length of the weights.

        The weight of a token that occurs c times is (1 + ln c) idf, and idf is 1 or more. So the length is 0 without
        known tokens, and 1 or more otherwise.
        """
        key, one, count = arrays.key, self.initializer("1.float64", np.array(1.0)), len(codes)
        grams = {"min_gram_length": 1, "max_gram_length": 1, "max_skip_count": 0, "ngram_counts": [0]}
        fields = {"mode": "TF", "ngram_indexes": list(range(count)), "pool_int64s": codes, **grams}
        found = self.node("TfIdfVectorizer", [tokens], f"{key}.found", **fields)
        counts = self.node("Cast", [found], f"{key}.counts", to=self.type_of(FLOAT64))
        logs = self.node("Log", [self.node("Max", [counts, one], f"{key}.at_least_1")], f"{key}.log")
        is_there = self.node("Min", [counts, one], f"{key}.at_most_1")
        frequency = self.node("Mul", [self.node("Add", [one, logs], f"{key}.1_and_log"), is_there], f"{key}.frequency")
        weights = self.node("Mul", [frequency, arrays.taken("idf", count)], f"{key}.weights")
        squares = self.node("ReduceSumSquare", [weights, self.integers(1)], f"{key}.squares", keepdims=1)
        length = self.node("Max", [self.node("Sqrt", [squares], f"{key}.root"), one], f"{key}.length")
        flat, shape = arrays.taken("vectors", count * size), self.integers(count, size)
        table = self.node("Reshape", [flat, shape], f"{key}.table")
        double = self.node("Cast", [table], f"{key}.table.double", to=self.type_of(FLOAT64))
        return self.node("Div", [self.node("MatMul", [weights, double], f"{key}.product"), length], f"{key}.part")

    def _code(self, column: RawColumn, index: int, count: int) -> str:
        """Add the nodes that convert a column of texts to codes, and return the name of the result."""
        codes = column.codes or {"": 0}  # the operator needs at least one key
        text = self.part(TEXTS_INPUT, index, index + 1, count)
        fields = {"keys_strings": list(codes), "values_int64s": list(codes.values()), "default_int64": 0}
        code = self.node("LabelEncoder", [text], f"code.{index}", domain=LEARNING, **fields)
        return self.node("Cast", [code], f"code.{index}.double", to=self.type_of(FLOAT64))

    def outputs(self, columns: str, given: np.dtype[Any]) -> str:
        """Add the nodes from raw columns to outputs, or to values in the target's units; return the result's name."""
        program = self.program
        answers = [self._model(model, columns, given) for model in program.networks]
        if not program.is_team:
            (name, given), last = answers[0], "mean" if program.networks[0].is_averaged else "target_preprocessing"
            return self.cast(name, given, program.answer_dtype, f"{last}.{program.answer_dtype.name}")
        weighted = []
        for model, (name, given) in zip(program.networks, answers, strict=True):
            name = self.cast(name, given, FLOAT64, f"{model.prefix}double")
            share = self.initializer(f"{model.share}.float64", np.array(model.share, FLOAT64))
            weighted.append(self.node("Mul", [name, share], f"{model.prefix}weighted"))
        self.title = f"weighted mean of {len(weighted)} models"
        mean, dtype = self._mean(weighted, program.shares), program.answer_dtype
        return self.cast(mean, FLOAT64, dtype, f"mean.{dtype.name}")

    def _model(self, model: NetworkPlan, columns: str, given: np.dtype[Any]) -> tuple[str, np.dtype[Any]]:
        """Add the nodes of a network, and return the name and the data type of its answer."""
        self._prefix, dtype, key = model.prefix, self.program.dtype, f"{model.prefix}preprocessing"
        columns, given = self._in_double(model.prepare, columns, key, given)
        columns = self.cast(columns, given, dtype, f"{key}.{dtype.name}")
        outputs = [self._member(model, index, columns) for index in range(len(model.members))]
        if not model.is_averaged:
            return outputs[0]
        doubles = [
            self.cast(name, given, FLOAT64, f"{prefix}double")
            for prefix, (name, given) in zip(model.members, outputs, strict=True)
        ]
        self._prefix, self.title = model.prefix, f"mean of {len(doubles)} networks"
        return self._mean(doubles, len(doubles)), FLOAT64

    def _mean(self, doubles: Sequence[str], count: int) -> str:
        """Add the nodes that sum float64 tensors and divide by a count, and return the name of the result."""
        divisor = self.initializer(f"{count}.float64", np.array(count, FLOAT64))
        total = self.node("Sum", doubles, f"{self._prefix}sum")
        return self.node("Div", [total, divisor], f"{self._prefix}mean")

    def _member(self, model: NetworkPlan, index: int, columns: str) -> tuple[str, np.dtype[Any]]:
        """Add an ensemble member; return the name and data type of its outputs, or of values in the target's units."""
        results, prefix = {-1: columns}, model.members[index]
        self._prefix, self._index = prefix, index
        for number, layer in enumerate(model.layers):
            names = [results[source] for source in layer[0].node.inputs]
            self.title = prefix + layer[0].title
            for stage in layer:
                names = [self._stage(stage, names, prefix + stage.node.key)]
            results[number] = names[0]
        self.title, self._prefix, self._index = "", model.prefix, 0
        last = results[len(model.layers) - 1]
        return self._in_double(model.finish, last, f"{prefix}target_preprocessing", self.program.dtype)

    def _in_double(self, stage: Stage, name: str, key: str, given: np.dtype[Any]) -> tuple[str, np.dtype[Any]]:
        """Add the nodes of preprocessing or of its inverse, in float64; return the name and data type of the result."""
        if stage.is_identity:
            return name, given
        self.title = key
        if any(step.operation is not operations.ROWS for step in stage.steps):
            name, given = self.cast(name, given, FLOAT64, f"{key}.double"), FLOAT64
        return self._steps(stage, [name], key, given), given

    def _stage(self, stage: Stage, names: Sequence[str], key: str) -> str:
        dtype = self.program.dtype
        if stage.is_identity:
            return names[0]
        operator = _operator(stage, dtype)
        if operator is None:
            return self._steps(stage, names, key, dtype)
        (name, attributes), arrays = operator, stage.arrays[self._index]
        learned = [self.initializer(self._prefix + key, array.astype(dtype)) for key, array in arrays.items()]
        return self.node(name, [*names, *learned], f"{key}.{stage.part.type}", **attributes)

    def _steps(self, stage: Stage, names: Sequence[str], key: str, dtype: np.dtype[Any]) -> str:
        """Add a node for each step of a stage, and return the name of the result."""
        results: dict[Operand, str] = dict(zip(stage.sources, names, strict=True))

        def name_of(operand: Operand) -> str:
            match operand:
                case Constants():
                    numbers = operand.arrays[min(self._index, len(operand.arrays) - 1)]
                    return self.initializer(self._prefix + operand.name, numbers.astype(dtype))
                case float():
                    return self.initializer(f"{operand:.17g}.{dtype.name}", np.array(operand, dtype))
                case _:
                    return results[operand]

        for step in stage.steps:
            results[step] = self._step(step, [name_of(operand) for operand in step.operands], key, dtype, names[0])
        return name_of(stage.output)

    def _step(self, step: Step, names: list[str], key: str, dtype: np.dtype[Any], rows: str) -> str:
        operation, attributes = step.operation, step.attributes
        if operation in OPERATORS:
            return self.node(OPERATORS[operation], names, f"{key}.{operation.name}")
        if operation is LINEAR:
            return self.node("Gemm", names, key, transB=1)
        if operation in _REDUCTIONS and attributes == "features":
            names = [*names, self.integers(1)]
            return self.node(_REDUCTIONS[operation], names, f"{key}.{operation.name}", keepdims=1)
        if operation is operations.CONCATENATE:
            return self.node("Concat", names, f"{key}.concatenate", axis=1)
        if operation is operations.ROWS:
            bounds = [self.integers(attributes[0]), self.integers(attributes[1]), self.integers(1)]
            return self.node("Slice", [*names, *bounds], f"{key}.features")
        if operation is operations.PAD:
            low, high, size = attributes
            return self.node("Pad", [*names, self.integers(0, low, 0, size - high)], f"{key}.pad")
        if operation is operations.FOLD:
            count, each = attributes
            shape = self.integers(0, step.features, count) if each else self.integers(0, count, step.features)
            copies = self.node("Reshape", [*names, shape], f"{key}.copies")
            return self.node("ReduceSum", [copies, self.integers(2 if each else 1)], f"{key}.fold", keepdims=0)
        if operation is operations.REPEAT:
            count, each = attributes
            order = np.arange(step.features // count)
            indices = np.repeat(order, count) if each else np.tile(order, count)
            return self.node("Gather", [*names, self.integers(*indices.tolist())], f"{key}.repeat", axis=1)
        if operation is LOOKUP:
            number = self._category(names[0], step.operands[1], key, dtype)
            number = self.node("Cast", [number], f"{key}.category", to=self.type_of(np.dtype(np.int64)))
            return self.node("Gather", [names[1], number], f"{key}.lookup", axis=0)
        if operation is GROUPED:
            (table,) = (operand for operand in step.operands if isinstance(operand, Constants))
            outputs, inputs, groups = table.array.shape
            x = self.node("Reshape", [names[0], self.integers(0, inputs, groups)], f"{key}.groups")
            y = self.node("Einsum", [x, names[1]], f"{key}.grouped", equation="nig,oig->nog")
            return self.node("Reshape", [y, self.integers(0, outputs * groups)], f"{key}.features")
        if operation is CAST:
            return self.node("Cast", names, f"{key}.float", to=self.type_of(dtype))
        if operation is EXPAND:
            return self.expanded(names[0], rows, step.features, key)
        raise UnsupportedError(f"ONNX has no equivalent of the operation {operation.name}")

    def _category(self, column: str, table: Operand, key: str, dtype: np.dtype[Any]) -> str:
        """Add nodes that map an invalid category to an index beyond the table, which Gather refuses.

        Without these nodes, Gather would accept negative indices.
        """
        assert isinstance(table, Constants)
        count = len(table.array)
        beyond = self.initializer(f"{count}.{dtype.name}", np.array(count, dtype))
        number = self.node("Squeeze", [column, self.integers(1)], f"{key}.column")
        whole = self.node("Floor", [self.node("Abs", [number], f"{key}.size")], f"{key}.whole")
        is_one = self.node("Equal", [number, whole], f"{key}.is_category")
        return self.node("Where", [is_one, number, beyond], f"{key}.number")

    def _answers(self, name: str) -> list[Any]:
        """Add the nodes from the network's outputs to answers, and return the descriptions of the graph's outputs."""
        program, dtype, self.title = self.program, self.program.answer_dtype, "answer"
        if program.task == "values":
            ends = self._ends(name)
            return [self._output(name, "value", dtype, program.outputs, program.meaning), *ends]
        answer = "probabilities" if program.model.gives_probabilities else "scores"
        if program.task == "multilabel":
            chosen = self._above_boundary(name, "chosen")
            label = self._output(chosen, "label", np.dtype(np.int64), program.outputs, "0 or 1 for each output")
            return [label, self._output(name, answer, dtype, program.outputs, program.meaning)]
        second, has_threshold = name, program.model.decoder.includes_boundary
        if program.task == "binary" and program.model.gives_probabilities:
            one = self.initializer(f"1.{dtype.name}", np.array(1, dtype))
            name = self.node("Concat", [self.node("Sub", [one, name], "first"), name], "both", axis=1)
        if program.answer == "classes" or (program.model.gives_probabilities and not has_threshold):
            chosen = self.node("ArgMax", [name], "class", axis=1, keepdims=0)
        else:
            if program.task == "classes":
                second = self.node("Gather", [name, self.integers(1)], "second", axis=1)
            chosen = self.node("Squeeze", [self._above_boundary(second, "both"), self.integers(1)], "class")
        labels = np.array(program.labels)
        if labels.dtype.kind == "U" or not np.array_equal(labels, np.arange(len(labels))):
            stored = labels.astype(object) if labels.dtype.kind == "U" else labels
            chosen = self.node("Gather", [self.initializer("labels", stored), chosen], "chosen", axis=0)
        outputs = len(labels) if program.task == "classes" or program.model.gives_probabilities else 1
        words = program.prediction if has_threshold else "the most probable label"
        label = self._output(chosen, "label", labels.dtype, None, words)
        meaning = "the probability of each class" if program.model.gives_probabilities else program.meaning
        return [label, self._output(name, answer, dtype, outputs, meaning)]

    def _ends(self, name: str) -> list[Any]:
        """Add the nodes from values to the ends of requested intervals, and return descriptions of these outputs."""
        interval, dtype = self.program.interval, self.program.answer_dtype
        if interval is None:
            return []
        value = self.cast(name, dtype, FLOAT64, "value.double")
        reach = self.initializer("reach", interval.reach[:, 0])
        if interval.follows:
            reach = self._reach(value, reach, interval)
        ends = [self.node(operator, [value, reach], operator.lower()) for operator in ("Sub", "Add")]
        if interval.not_negative:
            least = np.full(self.program.outputs, np.finfo(np.float64).min)
            least[interval.not_negative] = 0
            ends = [self.node("Max", [end, self.initializer("least", least)], "limited") for end in ends]
        return [
            self._output(made, end, FLOAT64, self.program.outputs, interval.meaning)
            for made, end in zip(ends, ENDS, strict=True)
        ]

    def _reach(self, value: str, reach: str, interval: ExportInterval) -> str:
        """Add the nodes from values (rows, outputs) to the reach of their intervals, and return the result's name."""
        value = self.node("Unsqueeze", [value, self.integers(2)], "each")
        beyond = self.node("Sub", [value, self.initializer("knots", interval.knots[:, :-1])], "beyond")
        beyond = self.node("Max", [beyond, self.initializer("0.float64", np.array(0.0))], "above")
        passed = self.node("Min", [beyond, self.initializer("gaps", interval.gaps)], "passed")
        more = self.node("Mul", [passed, self.initializer("slopes", interval.slopes)], "parts")
        more = self.node("ReduceSum", [more, self.integers(2)], "more", keepdims=0)
        return self.node("Add", [reach, more], "followed")

    def _gradient(self, columns: str, given: np.dtype[Any]) -> Any:
        """Add the nodes from raw columns to derivatives in float64, and return the description of the output.

        Each row is repeated for each output, whose weight is 1 there and 0 elsewhere.
        """
        program, self.title, parts = self.program, "derivatives", list[str]()
        outputs, features = program.outputs, program.starts[-1]
        names = [self.cast(columns, given, FLOAT64, "columns.double")]
        if outputs > 1:
            each = self.node("Unsqueeze", [names[0], self.integers(1)], "rows")
            weights = self.initializer("each_output", np.eye(outputs))
            names = [self._for_each(source, columns, size) for source, size in ((each, features), (weights, outputs))]
        for model in program.networks:
            assert model.gradient is not None, "the program has derivatives"
            for self._index, self._prefix in enumerate(model.members):
                found = self._steps(model.gradient, names, f"{self._prefix}gradient", FLOAT64)
                share = np.array(model.share / program.shares / len(model.members))
                parts.append(self.node("Mul", [found, self.initializer("share", share)], f"{self._prefix}weighted"))
        self._index, self._prefix = 0, ""
        total = self.node("Sum", parts, "total") if len(parts) > 1 else found
        made = self.node("Reshape", [total, self.integers(-1, outputs, features)], "by_columns")
        if program.words:
            made = self.node("Gather", [made, self.integers(*program.starts[:-1])], "of_columns", axis=2)
        meaning = f"derivatives of {program.meaning} by raw columns; NaN for columns that are no numbers"
        return self._output(made, GRADIENT, FLOAT64, outputs, meaning, program.inputs)

    def _for_each(self, name: str, rows: str, size: int) -> str:
        """Add the nodes that repeat an array for each row and output, and return the result's name, (rows, size)."""
        count = self.node("Shape", [rows], "count", start=0, end=1)
        shape = self.node("Concat", [count, self.integers(self.program.outputs, size)], "shape", axis=0)
        return self.node("Reshape", [self.node("Expand", [name, shape], "each"), self.integers(-1, size)], "flat")

    def _above_boundary(self, name: str, result: str) -> str:
        """Add the nodes that return 1 for outputs above the boundary between two labels, and 0 otherwise."""
        boundary = self.initializer("boundary", np.array(self.program.model.boundary, self.program.dtype))
        operator = "GreaterOrEqual" if self.program.model.decoder.includes_boundary else "Greater"
        above = self.node(operator, [name, boundary], "above")
        return self.node("Cast", [above], result, to=self.type_of(np.dtype(np.int64)))

    def _output(
        self, name: str, answer: str, dtype: np.dtype[Any], features: int | None, meaning: str, columns: int = 0
    ) -> Any:
        """Rename a value to an output of the graph, and return the description of the output."""
        producers = [node for node in self.nodes if name in node.output]
        if producers:
            for node in self.nodes:
                for names in (node.input, node.output):
                    names[:] = [answer if each == name else each for each in names]
        else:
            self.nodes.append(self.helper.make_node("Identity", [name], [answer]))
        shape = [*(["N"] if features is None else ["N", features]), *([columns] if columns else [])]
        return self.helper.make_tensor_value_info(answer, self.type_of(dtype), shape, meaning)


class _StepArrays:
    """The arrays of a step as constants of a graph, of which each column takes the next numbers.

    They have the names that they have in a model's file, from which an import reads them.
    """

    def __init__(self, graph: _Graph, key: str, fitted: Mapping[str, Array]) -> None:
        self.key, self._graph, self._fitted = key, graph, fitted
        self._ends = dict.fromkeys(fitted, 0)

    def taken(self, name: str, count: int) -> str:
        """Return the name of the next `count` numbers of an array."""
        array, begin = self._fitted[name], self._ends[name]
        self.skip(name, count)
        whole = self._graph.initializer(f"{self.key}.{name}", array)
        return self._graph.part(whole, begin, begin + count, len(array), axis=0)

    def skip(self, name: str, count: int) -> None:
        """Pass over the next `count` numbers of an array."""
        self._ends[name] += count
