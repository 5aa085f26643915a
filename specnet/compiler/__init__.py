r"""A small compiler for array programs: symbolic arrays in, programs bound to arrays out.

It does not depend on networks or specs and can be used alone, in four steps.

**Write the forward program.** A `Value` is a symbolic array. Its leaves are arrays and numbers from outside: the caller
fills an `input_value` before a run, a `state_value` persists between runs, a `constant` is a number. Operators and
functions (`exp`, `maximum`, `where`, `sum_over`, `affine` …) make values from values. Arrays have features first:
`(features, "batch")`; `(features, 1)` and `(1, "batch")` broadcast to it as in NumPy. A parameter is `(rows, columns)`,
a single number `()`. Named axes get their length when a program is bound. There are at most two axes. Kinds are
"float", "mask" (the result of `greater`, the first operand of `where`) and "index" (an operand of `gather` and
`one_hot`). Equal expressions are computed once; unused expressions are not computed.

**Differentiate.** `gradients(loss, variables)` returns the derivatives of a single number, again as values. If both
arguments of `maximum` or `minimum` are equal, the derivative is that of the second one, so `maximum(x, 0)` has the
derivative 0 at 0. The branch that `where` does not take may be infinite or NaN. `custom` replaces a derivative,
`stop_gradient` removes it, `with_local_derivative` computes it early, to save memory.

**Plan.** `plan(outputs, commits)` lowers everything to a flat list of calls. A commit `(state, value)` writes a state
when its old value is no longer needed. `Plan.listing()` shows the calls; a plan belongs to no backend.

**Bind and run.** A `Backend` has `expansions` for `plan`, which replace operations that it does not support. It assigns
storage to each result, in place where possible, and binds a plan to new arrays, or to given arrays by the names of
leaves: `NUMPY.bind(plan, dtype, sizes, arrays)` returns a `BoundPlan`. Fill `bound.inputs`, call `bound.run()`, read
`bound.outputs`; `bound.run_commits()` omits calls that only outputs need. A run allocates no memory, so only one thread
may use a bound plan at a time.

A least-squares fit by gradient descent (a dense layer's block is the transposed weight with the bias below it):

>>> import numpy as np
>>> from specnet.compiler import BATCH, NUMPY, affine, gradients, input_value, plan, state_value, sum_over
>>> x, target = input_value("x", (2, BATCH)), input_value("target", (1, BATCH))
>>> block, rate = state_value("block", (3, 1)), input_value("rate", ())
>>> error = affine(block, x) - target
>>> loss = sum_over(error**2, "all") / 4
>>> gradient = gradients(loss, [block])[block]
>>> step = plan([loss], [(block, block - rate * gradient)], expansions=NUMPY.expansions)
>>> print("\n".join(step.listing()))
v2 = affine(block, x)   (1, batch)
v4 = subtract(v2, target)   (1, batch)
v5 = multiply(v4, v4)   (1, batch)  (outputs only)
v6 = sum(v5, all)   ()  (outputs only)
v8 = multiply(v6, 0.25)   ()  (outputs only)
v10 = add(v4, v4)   (1, batch)
v11 = multiply(v10, 0.25)   (1, batch)
v12 = affine_gradient(x, v11)   (3, 1)
v13 = multiply(rate, v12)   (3, 1)
v14 = subtract(block, v13)   (3, 1)
block <- v14

>>> bound = NUMPY.bind(step, np.float64, {"batch": 4}, {"block": np.zeros((3, 1))})
>>> bound.inputs["x"][:] = [[0, 0, 1, 1], [0, 1, 0, 1]]
>>> bound.inputs["target"][:] = [[1, 3, 2, 4]]  # x[0] + 2 * x[1] + 1
>>> bound.inputs["rate"][()] = 0.5
>>> for _ in range(200):
...     bound.run()
>>> bound.states["block"].ravel().round(6).tolist(), round(float(bound.outputs[0]), 6)
([1.0, 2.0, 1.0], 0.0)
"""

from typing import TYPE_CHECKING

from specnet.compiler.operations import *
from specnet.compiler.reverse import *
from specnet.compiler.value import *
from specnet.lazy import lazily

if TYPE_CHECKING:
    from specnet.compiler.lowering import *
    from specnet.compiler.numpy import NUMPY as NUMPY
else:
    # To write what a network computes, nothing that makes or runs a plan is needed.
    _, __getattr__ = lazily(
        __name__,
        {
            "lowering": "Backend BoundPlan Call Expansions Plan UnavailableError plan",
            "numpy": "NUMPY",
        },
    )
