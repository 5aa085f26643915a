"""One row through the reference network, in the three libraries and by either engine."""

import tempfile
from pathlib import Path

import numpy as np
import onnxruntime
from sklearn.neural_network import MLPClassifier

import specnet
from specnet import Model, Network, export
from tests.benchmarks.report import Report
from tests.benchmarks.steps.cases import CASES, COMPILED_PREDICTION_BOUNDS, PREDICTION_BOUNDS
from tests.benchmarks.timing import Run, medians, once
from tests.compiling import missing

COMPILED = "specnet, compiled"


def prediction_runs() -> dict[str, Run]:
    """Each takes a row (1, 2) of float64 and returns its probability; specnet's and onnxruntime's are the same ones.

    onnxruntime has one thread here: with two it is no faster on so small a network.
    """
    case = CASES[0]
    network = specnet.build(case.document())
    theta = network.initial_parameters()
    X, y = case.data()
    row = X[:1].copy()

    # A regression's file has no label beside its value: four nodes in all.
    layers = {**case.document()["network"], "activations": ["relu", "sigmoid"]}
    model = Model(specnet.build({"network": layers, "training": {"loss": "mse"}}), theta)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        export(model, "onnx", path)
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    np.testing.assert_allclose(session.run(None, {"X": row})[0], network.predict(theta, row), rtol=1e-12)

    classifier = MLPClassifier(case.sizes[1:-1], solver="sgd").partial_fit(X, y, classes=[0, 1])
    runs = {"specnet": once(lambda: network.predict(theta, row))}
    if not missing():
        compiled = Network(network.resolved, "compiled")
        np.testing.assert_allclose(compiled.predict(theta, row), network.predict(theta, row), rtol=1e-12)
        runs[COMPILED] = once(lambda: compiled.predict(theta, row))
    return runs | {
        "scikit-learn": once(lambda: classifier.predict_proba(row)),
        "onnxruntime": once(lambda: session.run(None, {"X": row})),
    }


def prediction(report: Report) -> None:
    """One row through the reference network."""
    report.table("prediction", "specnet µs", "peer", "peer µs", "ours ÷ theirs", "at most (goal)")
    seconds = medians(prediction_runs())
    for ours, title, bounds in (
        ("specnet", "2-5-1, one row", PREDICTION_BOUNDS),
        (COMPILED, "2-5-1, one row, compiled", COMPILED_PREDICTION_BOUNDS),
    ):
        for name, bound in bounds.items() if ours in seconds else ():
            report.compared(title, name, seconds[ours], seconds[name], bound, 1e6)
