"""A dense network as an ONNX file, written field by field: what onnxruntime reads without another package."""

import numpy as np

FLOAT_TYPES = {"float32": 1, "float64": 11}  # onnx.TensorProto.DataType


def dense_network(layers: list[tuple[np.ndarray, np.ndarray, str]]) -> bytes:
    """The file's bytes, from each layer's weight (out, in), bias (out,) and ONNX activation operator.

    The input is called `x`, (rows, in), and the output `y`. Field numbers are those of onnx.proto3.
    """
    nodes, initializers, last = [], [], "x"
    for k, (weight, bias, activation) in enumerate(layers):
        result = "y" if k == len(layers) - 1 else f"a{k}"
        transposed = _text(1, "transB") + _number(3, 1) + _number(20, 2)  # AttributeProto: name, i, type INT
        nodes.append(_node("Gemm", [last, f"w{k}", f"b{k}"], f"z{k}") + _bytes(5, transposed))
        nodes.append(_node(activation, [f"z{k}"], result))
        initializers += [_tensor(f"w{k}", weight), _tensor(f"b{k}", bias)]
        last = result
    first, final = layers[0][0], layers[-1][0]
    graph = b"".join(_bytes(1, node) for node in nodes) + _text(2, "network")
    graph += b"".join(_bytes(5, tensor) for tensor in initializers)
    graph += _bytes(11, _array("x", first.dtype, first.shape[1])) + _bytes(12, _array("y", final.dtype, final.shape[0]))
    opset = _text(1, "") + _number(2, 20)
    return _number(1, 9) + _bytes(7, graph) + _bytes(8, opset)


def _node(operator: str, inputs: list[str], output: str) -> bytes:
    return b"".join(_text(1, name) for name in inputs) + _text(2, output) + _text(4, operator)


def _tensor(name: str, array: np.ndarray) -> bytes:
    sizes = b"".join(_number(1, size) for size in array.shape)
    return sizes + _number(2, FLOAT_TYPES[array.dtype.name]) + _text(8, name) + _bytes(9, array.tobytes())


def _array(name: str, dtype: np.dtype, width: int) -> bytes:
    shape = _bytes(1, _text(2, "rows")) + _bytes(1, _number(1, width))
    tensor = _number(1, FLOAT_TYPES[dtype.name]) + _bytes(2, shape)
    return _text(1, name) + _bytes(2, _bytes(1, tensor))


def _varint(number: int) -> bytes:
    low, rest = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + _varint(rest) if rest else bytes([low])


def _number(field: int, number: int) -> bytes:
    return _varint(field << 3) + _varint(number)


def _bytes(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _text(field: int, content: str) -> bytes:
    return _bytes(field, content.encode())
