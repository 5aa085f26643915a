"""Every activation's forward and backward way beside torch eager's.

64 features of 256 rows in float32, an upstream derivative that is given, the output and the derivative by the input as
results. It takes about two minutes.

What is slower than torch is so because NumPy lacks the function: gelu's erf is some 25 calls in float32.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from specnet.compiler import BATCH, NUMPY, gradients, input_value, plan, sum_over
from specnet.compiler.numpy import bind
from tests.benchmarks.report import Report
from tests.benchmarks.steps.peers import THREADS, missing_peers
from tests.benchmarks.timing import Run, medians, once
from tests.registry import REGISTRY

FEATURES, ROWS = 64, 256
DTYPE = np.float32


def torch_functions() -> dict[str, Callable[[Any], Any]]:
    """Torch's function for each activation, over rows first; of the usual expressions where it has none."""
    import torch
    import torch.nn.functional as F  # noqa: N812 - as everyone calls it

    same = ("relu", "relu6", "leaky_relu", "celu", "elu", "selu", "gelu", "silu", "mish", "softsign", "softplus")
    other = ("hard_swish", "hard_sigmoid", "log_sigmoid", "hard_tanh", "tanh_shrink", "soft_shrink", "hard_shrink")
    slopes = torch.full((FEATURES,), 0.25, requires_grad=True)
    return {
        **{name: getattr(F, name) for name in same},
        **{name: getattr(F, name.replace("_", "")) for name in other},
        "sigmoid": torch.sigmoid,
        "tanh": torch.tanh,
        "linear": lambda x: x * 1,
        "prelu": lambda x: F.prelu(x, slopes),
        "threshold": lambda x: F.threshold(x, 1.0, 0.0),
        "glu": lambda x: F.glu(x, 1),
        "clip": lambda x: F.hardtanh(x, 0.0, 1.0),
        "squareplus": lambda x: (x + torch.sqrt(x * x + 4)) / 2,
        "exponential": torch.exp,
        "softmax": lambda x: F.softmax(x, 1),
        "log_softmax": lambda x: F.log_softmax(x, 1),
    }


def arrays(features_out: int) -> tuple[np.ndarray, np.ndarray]:
    """Inputs (rows, features) and derivatives by the outputs."""
    generator = np.random.default_rng(0)
    sizes = ((ROWS, FEATURES), (ROWS, features_out))
    x, d = (generator.standard_normal(size).astype(DTYPE) for size in sizes)
    return x, d


def specnet_run(part: Any) -> Run:
    """The calls that a training step of a network makes for this activation."""
    x = input_value("x", (FEATURES, BATCH))
    learned = [input_value(f"learned.{k}", block.shape) for k, block in enumerate(part.own_parameters(FEATURES))]
    y = part.apply(x, learned)
    upstream = input_value("d", y.shape)
    found = gradients(sum_over(y * upstream, "all"), [x, *learned])
    program = plan([y, *found.values()], expansions=NUMPY.expansions)
    bound = bind(program, DTYPE, {BATCH: ROWS})
    bound.inputs["x"][...], bound.inputs["d"][...] = (array.T for array in arrays(part.output_size(FEATURES)))
    for value in learned:
        bound.inputs[value.attributes][...] = 0.25

    return once(bound.run)


def torch_run(part: Any, function: Callable[[Any], Any]) -> Run:
    """Forward and backward by autograd."""
    import torch

    torch.set_num_threads(THREADS)
    given, derivative = arrays(part.output_size(FEATURES))
    x, d = torch.from_numpy(given).requires_grad_(), torch.from_numpy(derivative)

    def step() -> None:
        x.grad = None
        function(x).backward(d)

    return once(step)


def activations(report: Report) -> None:
    """All activations, beside torch if it is installed."""
    if "torch" in missing_peers():
        return
    report.table("activation, forward and backward", "specnet µs", "torch µs", "ours ÷ theirs")
    functions = torch_functions()
    with np.errstate(all="ignore"):
        for kind in REGISTRY.of_kind("activation"):
            part = kind()
            runs = {"specnet": specnet_run(part), "torch": torch_run(part, functions[part.type])}
            ours, theirs = medians(runs, seconds=0.05).values()
            report.row(part.type, f"{ours * 1e6:.3g}", f"{theirs * 1e6:.3g}", f"{ours / theirs:.2g}")
