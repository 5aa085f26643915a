"""The ONNX export: an idiomatic graph that says where it comes from."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnxruntime.capi.onnxruntime_pybind11_state import get_all_opkernel_def

from specnet import ExportError, Model, export
from specnet.exporting.targets.onnx import FLOAT32_ONLY, OPERATORS, OPSET
from tests.exporting.models import DTYPES, built, dense, every_model, exported, spec_model
from tests.exporting.tables import NAMES, SEX, asked_rows, fitted, gaps_model, raw, table_model
from tests.exporting.test_tables import TOLERANCE
from tests.importing.answers import session_of
from tests.model.models import make_model, make_rows
from tests.registry import REGISTRY
from tests.texts.pinned import Refused


def graph_of(model, path, **options):
    exported(model, "onnx", path, **options)
    loaded = onnx.load(path)
    onnx.checker.check_model(loaded, full_check=True)
    return loaded


def operators(loaded) -> list[str]:
    return [node.op_type for node in loaded.graph.node]


def test_a_dense_network_is_a_row_of_gemms(tmp_path):
    loaded = graph_of(make_model("classes, text", "float32"), tmp_path / "m.onnx")
    linear = [node for node in loaded.graph.node if node.op_type == "Gemm"]
    assert [[*node.input][1:] for node in linear] == [
        ["layers.0.weight", "layers.0.bias"],
        ["layers.1.weight", "layers.1.bias"],
    ]
    assert all([(a.name, a.i) for a in node.attribute] == [("transB", 1)] for node in linear)
    assert linear[0].doc_string == "layers.0: dense, 3 → 4, relu"
    assert operators(loaded)[:4] == ["Cast", "Sub", "Div", "Cast"]  # standardized in float64
    assert operators(loaded)[-2:] == ["ArgMax", "Gather"]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_inputs_outputs_and_metadata(dtype, tmp_path):
    model = make_model("binary, text", dtype)
    loaded = graph_of(model, tmp_path / "m.onnx")
    kind = {"float32": onnx.TensorProto.FLOAT, "float64": onnx.TensorProto.DOUBLE}[dtype]
    described = {}
    for value in [*loaded.graph.input, *loaded.graph.output]:
        tensor = value.type.tensor_type
        described[value.name] = tensor.elem_type, [axis.dim_param or axis.dim_value for axis in tensor.shape.dim]
    assert described == {
        "X": (kind, ["N", 3]),
        "label": (onnx.TensorProto.STRING, ["N"]),
        "probabilities": (kind, ["N", 2]),
    }
    assert loaded.opset_import[0].version == OPSET
    assert len({entry.key: entry.value for entry in loaded.metadata_props}["spec_sha256"]) == 64
    assert loaded.doc_string == ""
    assert loaded.graph.doc_string == "from 3 columns to one of 2 classes"


def test_any_number_of_rows(tmp_path):
    model = make_model("classes")
    exported(model, "onnx", tmp_path / "m.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx")
    for rows in (1, 7, 1000):
        X = make_rows(model, rows)[0]
        label, probabilities = session.run(["label", "probabilities"], {"X": X})
        np.testing.assert_array_equal(label, model.predict(X))
        np.testing.assert_allclose(probabilities, model.predict_proba(X), rtol=0, atol=1e-14)


@pytest.mark.slow
def test_shapes_are_known_at_every_node(tmp_path):
    for _, _, make in every_model():
        loaded = graph_of(make(), tmp_path / "m.onnx")
        inferred = onnx.shape_inference.infer_shapes(loaded, strict_mode=True, data_prop=True).graph
        known = {
            value.name for value in [*inferred.value_info, *inferred.output] if value.type.tensor_type.HasField("shape")
        }
        assert {name for node in inferred.node for name in node.output} <= known


def test_what_onnxruntime_has_in_double_precision():
    kernels: dict[str, set[str]] = {}
    for kernel in get_all_opkernel_def():
        low, high = kernel.version_range
        if kernel.provider == "CPUExecutionProvider" and not kernel.domain and low <= OPSET <= high:
            kernels.setdefault(kernel.op_name, set()).update(*kernel.type_constraints.values())
    used = {*OPERATORS.values(), *FLOAT32_ONLY}
    missing = {name for name in used if "tensor(double)" not in kernels.get(name, set())}
    assert missing == FLOAT32_ONLY - {"Shrink"}


def test_the_double_shrink_of_onnxruntime_is_none():
    node = onnx.helper.make_node("Shrink", ["X"], ["Y"], lambd=0.5, bias=0.5)
    values = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.DOUBLE, ["N"]) for name in "XY"]
    graph = onnx.helper.make_graph([node], "shrink", values[:1], values[1:])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", OPSET)], ir_version=9)
    (y,) = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"X": np.array([1 + 1e-12])})
    assert y[0] == 0.5  # 0.500000000001


def test_a_float64_model_can_be_stored_as_float32(tmp_path):
    model = make_model("value")
    written = exported(model, "onnx", tmp_path / "m.onnx", float32=True)
    assert written.dtype == "float32"
    loaded = onnx.load(tmp_path / "m.onnx")
    weight = next(tensor for tensor in loaded.graph.initializer if tensor.name == "layers.0.weight")
    assert weight.data_type == onnx.TensorProto.FLOAT
    assert written.proof.difference > 1e-12


def test_without_onnx_the_extra_is_named(tmp_path, monkeypatch, refused: Refused):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with refused(ExportError) as caught:
        export(make_model("value"), "onnx", tmp_path / "m.onnx")
    assert "pip install '.[onnx]'" in (caught.value.diagnostics[0].hint or "")


def test_names_of_layers_are_those_of_the_spec(tmp_path):
    loaded = graph_of(spec_model("residual.toml"), tmp_path / "m.onnx")
    names = {tensor.name for tensor in loaded.graph.initializer}
    assert {"layers.0.weight", "layers.residual.2.branch.weight"} <= names
    assert operators(loaded).count("Add") == 3


def operator_model(dtype: str, *layers: dict) -> Model:
    """Return a network whose layers have other numbers than they start with."""
    network, generator = built(*layers, dense(1), dtype=dtype, input_size=4).network, np.random.default_rng(0)
    state = network.initial_state()
    for array in state.values():
        array[...] = generator.uniform(0.5, 2, array.shape)
    return Model(network, generator.normal(0, 0.5, network.parameter_count), state)


ACTIVATIONS = {
    "relu": "Relu", "leaky_relu": "LeakyRelu", "prelu": "PRelu", "elu": "Elu", "celu": "Celu", "selu": "Selu",
    "soft_shrink": "Shrink", "hard_shrink": "Shrink", "softsign": "Softsign", "gelu": "Gelu", "hard_swish": "HardSwish",
    "mish": "Mish", "softmax": "Softmax", "log_softmax": "LogSoftmax", "sigmoid": "Sigmoid", "tanh": "Tanh",
    "softplus": "Softplus", "exponential": "Exp",
}  # fmt: skip # several to a line
FIELDS = [("leaky_relu", {"negative_slope": 0.3}), ("elu", {"alpha": 0.7}), ("celu", {"alpha": 1.7})]
FIELDS += [("soft_shrink", {"threshold": 0.2}), ("hard_shrink", {"threshold": 0.2}), ("gelu", {"approximate": True})]


@pytest.mark.parametrize(("name", "fields"), [*((name, {}) for name in ACTIVATIONS), *FIELDS])
def test_activations_are_the_operators_of_their_name(name, fields, tmp_path):
    layer = {"type": "activation", "activation": {"type": name, **fields}}
    loaded = graph_of(operator_model("float32", layer), tmp_path / "m.onnx")
    assert operators(loaded) == [ACTIVATIONS[name], "Gemm"]


def test_every_operator_that_a_part_names_is_tested():
    parts = [*REGISTRY.of_kind("activation"), *REGISTRY.of_kind("layer")]
    named = {part.part_name() for part in parts if part.onnx}
    assert named <= {*ACTIVATIONS, "batch_normalization", "layer_normalization"}


@pytest.mark.parametrize(
    ("name", "operator"), [("batch_normalization", "BatchNormalization"), ("layer_normalization", "LayerNormalization")]
)
def test_normalizations_are_operators_where_their_epsilon_is_exact(name, operator, tmp_path):
    layers = {"type": "dense", "units": 3}, {"type": name}
    assert operators(graph_of(operator_model("float32", *layers), tmp_path / "m.onnx")) == ["Gemm", operator, "Gemm"]
    double = operators(graph_of(operator_model("float64", *layers), tmp_path / "m.onnx"))
    assert operator not in double  # 1e-5 is no float32, which attributes are
    layers[1]["epsilon"] = 2**-17
    double = operators(graph_of(operator_model("float64", *layers), tmp_path / "m.onnx"))
    assert double == ["Gemm", operator, "Gemm"]


def test_a_mixture_is_no_plain_operator(tmp_path):
    layer = {"type": "activation", "activation": {"type": "relu", "parametric": True}}
    assert operators(graph_of(operator_model("float32", layer), tmp_path / "m.onnx"))[0] == "Max"


def test_a_gelu_in_double_precision_falls_back_and_says_so(tmp_path):
    model = operator_model("float64", {"type": "activation", "activation": "gelu"})
    written = exported(model, "onnx", tmp_path / "m.onnx")
    assert (written.dtype, written.note) == ("float32", "float32, since onnxruntime has no float64 Erf")
    assert onnx.load(tmp_path / "m.onnx").doc_string == written.note


def inputs_in(path: Path) -> list[Any]:
    return list(onnx.load(path).graph.input)


@pytest.mark.parametrize("dtype", DTYPES)
def test_onnx_has_an_input_of_numbers_and_one_of_texts(dtype: str, tmp_path: Path):
    model, frame = table_model(dtype=dtype), asked_rows()
    rows = raw(model, frame)
    exported(model, "onnx", tmp_path / "m.onnx")
    session = session_of(tmp_path / "m.onnx")
    assert [(each.name, each.type, each.shape[1]) for each in session.get_inputs()] == [
        ("numbers", "tensor(double)", 6),
        ("texts", "tensor(string)", 2),
    ]
    texts = frame[["island", SEX]].fillna("").to_numpy(object)
    number = "number, may be missing"
    assert [each.doc_string for each in inputs_in(tmp_path / "m.onnx")] == [
        f"raw columns, NaN where a cell is missing: bill_length_mm: {number}; bill_depth_mm: {number};"
        f" flipper_length_mm: {number}; body_mass_g: {number};"
        " seen: days since 1970-01-01 UTC, may be missing; ringed: 0 or 1",
        'raw columns, an empty text where a cell is missing: island: text; the "sex": text',
    ]
    label, probabilities = session.run(
        None, {"numbers": rows.X[:, [k for k, name in enumerate(NAMES) if name not in ("island", SEX)]], "texts": texts}
    )
    np.testing.assert_array_equal(label, model.predict(rows))
    np.testing.assert_allclose(probabilities, model.predict_proba(rows), rtol=0, atol=TOLERANCE[dtype])


def test_onnx_of_numbers_has_a_single_input_that_says_what_stands_for_a_missing_cell(tmp_path: Path):
    X = np.random.default_rng(0).normal(size=(20, 2))
    models = {"gaps": fitted(["impute", "standardize"], X), "plain": fitted(["standardize"], X)}
    for name, model in (models | {"named": gaps_model("float32")}).items():
        exported(model, "onnx", tmp_path / f"{name}.onnx")
    session = session_of(tmp_path / "named.onnx")
    assert [(each.name, each.type) for each in session.get_inputs()] == [("X", "tensor(float)")]
    gaps, plain, named = (inputs_in(tmp_path / f"{name}.onnx")[0].doc_string for name in ("gaps", "plain", "named"))
    assert (gaps, plain) == ("raw columns, NaN where a cell is missing", "raw columns")
    assert named.startswith(f"{gaps}: ")
    assert "may be missing" in named
