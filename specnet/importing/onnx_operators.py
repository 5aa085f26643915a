"""All of ONNX's operators that are understood; one that is not among them is refused by its name."""

from __future__ import annotations

from specnet.importing.onnx_answers import ANSWERS
from specnet.importing.onnx_arithmetic import ARITHMETIC, Operator
from specnet.importing.onnx_constants import CONSTANTS
from specnet.importing.onnx_elementwise import ELEMENTWISE
from specnet.importing.onnx_layers import LAYERS, feature_vectorizer, scaler

OPERATORS: dict[tuple[str, str], Operator] = {
    **{("", name): operator for name, operator in {**ARITHMETIC, **ELEMENTWISE, **LAYERS, **CONSTANTS}.items()},
    **ANSWERS,
    ("ai.onnx.ml", "FeatureVectorizer"): feature_vectorizer,
    ("ai.onnx.ml", "Scaler"): scaler,
}
"""By domain and name."""
